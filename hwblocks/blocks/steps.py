"""Step functions held as data: MultiThreshold counts thresholds, Lookup reads a table; both on codes in integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Algorithm, Call, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.rational import cast_fractions
from hwblocks.graph.site import Site, scalar_zero_point
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.kernels.table import TableCall
from hwblocks.numerics.kernels.threshold import ThresholdCall

TABLE_BITS, WIDEST = 16, 32


@dataclass(frozen=True)
class MultiThreshold(Algorithm):
    """y = out_scale · #{i : σ[c]·x ≥ T[c, i]} + out_bias: x [..., C], thresholds T [C or 1, levels], signs σ [C].

    σ is +1 or −1 (absent: +1); −1 serves functions that fall. In floats the comparison is in float32. In integers x
    and T count in the same steps, so that codes are compared, and the count becomes the output's code by one cast.
    Source: QONNX MultiThreshold, channels last; the signs are ours.

    >>> MultiThreshold()(np.array([[0.5]]), np.array([[0.0, 0.4, 1.0]]))
    array([[2.]], dtype=float32)
    """

    out_scale: float = 1.0
    out_bias: float = 0.0

    input_names: ClassVar[tuple[str, ...]] = ("x", "thresholds", "signs?")

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "parameter"), output="float")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, thresholds = shapes[:2]
        if len(thresholds) != 2 or not x or thresholds[0] not in (1, x[-1]):
            raise self.fail("thresholds are [C or 1, levels] for x [..., C]", *shapes)
        if len(shapes) > 2 and shapes[2] != (x[-1],):
            raise self.fail("signs are [C] for x [..., C]", *shapes)
        return (x,)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return len(shapes[0]) > 1

    def compute(self, x: Array, thresholds: Array, signs: Array | None = None) -> Array:
        signed = np.asarray(x, np.float32) if signs is None else np.asarray(x, np.float32) * np.asarray(signs)
        count = (signed[..., None] >= np.asarray(thresholds, np.float32)).sum(axis=-1)
        return np.asarray(np.float32(self.out_scale) * count.astype(np.float32) + np.float32(self.out_bias))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        self._check_formats(site)
        x = inputs[0].astype(np.int64) - scalar_zero_point(site.input(0).format)
        if site.has(2):
            x = x * inputs[2].astype(np.int64)
        codes, outside = self._codes_by_count(inputs[1].shape[1], site)
        counted = reached(x, np.sort(inputs[1].astype(np.int64), axis=1))
        return codes[counted], outside[counted]

    def _check_formats(self, site: Site) -> None:
        """Raise SimulationError where codes of x and of the thresholds cannot be compared."""
        x, t = site.input(0).format, site.input(1).format
        if x.scale != t.scale or scalar_zero_point(t):
            raise SimulationError(f"{site.where}: x is {x!r} and the thresholds {t!r}; both need the same scale")

    def _codes_by_count(self, levels: int, site: Site) -> tuple[Array, Array]:
        """(code, saturated) for 0 to `levels` thresholds reached."""
        step, start = Fraction(self.out_scale), Fraction(self.out_bias)
        values = np.empty(levels + 1, dtype=object)
        values[:] = [step * count + start for count in range(levels + 1)]
        return cast_fractions(values, site)

    def kernel(self, site: Site) -> Call | str:
        x, thresholds = site.input(0), site.constant(1)
        signs = site.constant(2) if site.has(2) else None
        if thresholds is None or (site.has(2) and signs is None):
            return "thresholds made at run time"
        self._check_formats(site)
        codes, outside = self._codes_by_count(thresholds.shape[1], site)
        rows, flipped = rising(thresholds.astype(np.int64), signs, scalar_zero_point(x.format))
        if x.format.bits > WIDEST or np.abs(rows).max(initial=0) >= 1 << (WIDEST - 1) or outside.any():
            return "sums or thresholds of more than 32 bits, or codes outside the format"
        return ThresholdCall(
            x_dtype=x.format.dtype.name,
            out_dtype=site.output.format.dtype.name,
            count=x.elements,
            channels=x.shape[-1],
            thresholds=rows,
            flipped=flipped,
            codes=codes,
        )

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=size(shapes[0]) * shapes[1][1])


def reached(x: Array, thresholds: Array) -> Array:
    """How many of the sorted thresholds [C or 1, levels] each x [..., C] has reached."""
    if thresholds.shape[0] == 1:
        return np.asarray(np.searchsorted(thresholds[0], x, side="right"))
    counts = np.empty(x.shape, np.int64)
    for channel, row in enumerate(thresholds):
        counts[..., channel] = np.searchsorted(row, x[..., channel], side="right")
    return counts


def rising(thresholds: Array, signs: Array | None, zero: int) -> tuple[Array, Array | None]:
    """(sorted thresholds on stored codes, channels that count from the other end, or None).

    −x ≥ T means x ≤ −T, so such a channel has reached all thresholds but those of x ≥ 1 − T.
    """
    if signs is None:
        return np.sort(thresholds + zero, axis=1), None
    rows = np.broadcast_to(thresholds, (len(signs), thresholds.shape[1]))
    flipped = np.asarray(signs) < 0
    return np.sort(np.where(flipped[:, None], 1 - rows, rows) + zero, axis=1), flipped


@dataclass(frozen=True)
class Lookup(Algorithm):
    """y = table[c, x − first]: x [..., C] whole numbers, table [C or 1, entries].

    In integers x and the table are stored codes, the table in the output's format; `first` is the code of the first
    entry. A whole function from code to code as data: what a chain of float operators between two quantizers computes.

    >>> Lookup(first=-1)(np.array([[0.0, 1.0]]), np.array([[5.0, 6.0, 9.0]]))
    array([[6., 9.]])
    """

    first: int = 0

    input_names: ClassVar[tuple[str, ...]] = ("x", "table")

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "parameter"), output="float")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, table = shapes
        if len(table) != 2 or not x or table[0] not in (1, x[-1]):
            raise self.fail("the table is [C or 1, entries] for x [..., C]", *shapes)
        return (x,)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return len(shapes[0]) > 1

    def compute(self, x: Array, table: Array) -> Array:
        entry = np.asarray(x).astype(np.int64) - self.first
        if entry.size and not (entry.min() >= 0 and entry.max() < table.shape[1]):
            raise SimulationError(f"Lookup: x leaves the table's entries {self.first} to {self.first + table.shape[1]}")
        return np.asarray(table[0][entry] if table.shape[0] == 1 else table[np.arange(table.shape[0]), entry])

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        codes = self.compute(*inputs).astype(np.int64)
        return np.clip(codes, *site.clamp_codes), np.zeros(codes.shape, bool)

    def work(self, *shapes: Shape) -> Work:
        return Work(lookups=size(shapes[0]))

    def kernel(self, site: Site) -> Call | str:
        x, table = site.input(0).format, site.constant(1)
        if table is None or table.shape[0] != 1:
            return "a table for each channel, or made at run time"
        if x.bits > TABLE_BITS:
            return f"tables serve inputs of at most {TABLE_BITS} bits"
        every: Any = np.arange(np.iinfo(x.dtype).min, np.iinfo(x.dtype).max + 1)
        entries = np.clip(every - self.first, 0, table.shape[1] - 1)
        codes = np.clip(table[0].astype(np.int64)[entries], *site.clamp_codes)
        return TableCall(x.dtype.name, site.output.format.dtype.name, codes, site.input(0).elements)
