"""Embeddings: rows of a table by number, and sums, means or maxima of bags of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Algorithm, Block, Call, Move, parameter, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.pick_calls import pick_call
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.rational import cast_ratio
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


def rows_of(block: Block, indices: Array, count: int) -> Array:
    """Row numbers as int64. Errors: SimulationError when one lies outside [0, count)."""
    rows = np.asarray(indices).astype(np.int64)
    outside = (rows < 0) | (rows >= count)
    if outside.any():
        raise SimulationError(f"{type(block).__name__}: index {int(rows[outside][0])} lies outside [0, {count})")
    return rows


@dataclass(frozen=True)
class Embedding(Move):
    """y[..., :] = weight[x[...], :]: x [...] whole numbers, weight [V, D] → [..., D]. Source: torch.nn.Embedding.

    Errors: SimulationError for an index outside [0, V).

    >>> Embedding()(np.array([1, 0]), np.array([[5.0, 6.0], [7.0, 8.0]]))
    array([[7., 8.],
           [5., 6.]])
    """

    weight: Array | None = parameter()

    input_names: ClassVar[tuple[str, ...]] = ("x", "weight")
    parameters: ClassVar[dict[str, str]] = {"weight": "weight"}
    steering: ClassVar[frozenset[int]] = frozenset({0})

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        if len(shapes[1]) != 2:
            raise self.fail("weight [V, D] needs two axes", *shapes)
        return ((*shapes[0], shapes[1][1]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return len(shapes[0]) > 0

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        return np.take(arrays[1], rows_of(self, arrays[0], arrays[1].shape[0]), axis=0)

    def kernel(self, site: Site) -> Call | str:
        return pick_call(site, site.input(1), site.input(0), axis=0, batch=0, from_end=False)


@dataclass(frozen=True)
class EmbeddingBag(Algorithm):
    """One row for each bag of row numbers: their rows of weight [V, D] summed, averaged, or the largest of each column.

    x [B, L]: every row is a bag; or x [L] with offsets [B]: bag i runs from offsets[i] up to, not including,
    offsets[i + 1], the last one to the end. → [B, D]; an empty bag gives 0. mode: "sum", "mean" or "max".
    In integers the exact sum or mean of the codes, cast once. Source: torch.nn.EmbeddingBag.
    Errors: SimulationError for an index outside [0, V) and for offsets that do not rise from 0 to at most L.

    >>> EmbeddingBag("sum")(np.array([0, 1, 1]), np.array([[1.0], [2.0]]), np.array([0, 1]))
    array([[1.],
           [4.]])
    """

    mode: str = "mean"
    weight: Array | None = parameter()

    input_names: ClassVar[tuple[str, ...]] = ("x", "weight", "offsets?")
    parameters: ClassVar[dict[str, str]] = {"weight": "weight"}

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("parameter", "activation", "parameter"))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, weight = shapes[0], shapes[1]
        if self.mode not in ("sum", "mean", "max") or len(weight) != 2:
            raise self.fail(f"mode={self.mode!r} must be sum, mean or max, weight [V, D]", *shapes)
        if len(x) != (2 if len(shapes) < 3 else 1) or (len(shapes) > 2 and len(shapes[2]) != 1):
            raise self.fail("x [B, L], or x [L] with offsets [B], are needed", *shapes)
        return (((shapes[2] if len(shapes) > 2 else x)[0], weight[1]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return len(shapes) < 3

    def bags(self, x: Array, offsets: Array | None) -> list[Array]:
        """The row numbers of each bag."""
        if offsets is None:
            return list(x)
        starts = [int(v) for v in offsets]
        ends = [*starts[1:], len(x)]
        if starts[:1] not in ([], [0]) or any(s > e for s, e in zip(starts, ends, strict=True)):
            raise SimulationError(f"EmbeddingBag: offsets {starts[:8]} must rise from 0 to at most {len(x)}")
        return [x[s:e] for s, e in zip(starts, ends, strict=True)]

    def reduced(self, x: Array, weight: Array, offsets: Array | None) -> tuple[Array, Array]:
        """(sums or maxima [B, D], divisors [B, 1])."""
        bags = self.bags(rows_of(self, x, weight.shape[0]), offsets)
        made = np.zeros((len(bags), weight.shape[1]), dtype=weight.dtype)
        for i, rows in enumerate(bags):
            if len(rows):
                made[i] = weight[rows].max(axis=0) if self.mode == "max" else weight[rows].sum(axis=0)
        counts = [max(len(rows), 1) if self.mode == "mean" else 1 for rows in bags]
        return made, np.array(counts, dtype=np.int64).reshape(-1, 1)

    def compute(self, x: Array, weight: Array, offsets: Array | None = None) -> Array:
        total, divisor = self.reduced(x, weight, offsets)
        return np.asarray(total / divisor)

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        format = site.input(1).format
        scale, codes = Fraction(scalar_scale(format)), inputs[1].astype(np.int64) - scalar_zero_point(format)
        total, divisor = self.reduced(inputs[0], codes, inputs[2] if len(inputs) > 2 else None)
        below = np.broadcast_to(divisor, total.shape).astype(object) * scale.denominator
        return cast_ratio(total.astype(object) * scale.numerator, below, site)

    def work(self, *shapes: Shape) -> Work:
        """As if no bag were empty: every word of the rows is read."""
        elements, made = size(shapes[0]) * shapes[1][1], size(self.shape(*shapes)[0])
        if self.mode == "max":
            return Work(compares=max(elements - made, 0), reads=elements)
        return Work(adds=max(elements - made, 0), divisions=made if self.mode == "mean" else 0, reads=elements)
