"""Operands: what may meet in a node's sums of products, as lowest and highest codes, for every case of padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from hwblocks.graph.algorithm import chosen
from hwblocks.graph.block import Accumulate
from hwblocks.graph.contraction import Contraction
from hwblocks.graph.control import Control
from hwblocks.graph.graph import Graph
from hwblocks.graph.site import Site, scalar_zero_point
from hwblocks.graph.tensor import Tensor
from hwblocks.numerics.accumulator import Accumulator, peak

Array = np.ndarray[Any, Any]
INT64_BITS = 60  # sums below 2**60 stay in int64 with room for one more addition


def sum_sites(graph: Graph, inside: str = "") -> Iterator[tuple[str, Site]]:
    """Every sum of products on stored codes, by its name in events; bodies of control blocks included."""
    for node in graph.nodes:
        site = graph.site(node)
        if isinstance(node.block, Control):
            for part, body in node.block.bodies.items():
                yield from sum_sites(body, f"{inside}{node.name}/{part}/")
        elif isinstance(node.block, Accumulate) and site.is_integer and chosen(site) is None:
            yield inside + node.name, site


@dataclass(frozen=True, eq=False)
class Operands:
    """Lowest and highest of everything that enters a node's sums; the first axis of every array counts these ends.

    rows [2, L, G, R, K]: x as it is multiplied (centred, or raw where the zero point is corrected). R counts the cases
    that differ: of padding, or the rows of a constant x. columns [2, L, G, K, N]: w − zw; N is 1 where all are alike.
    bias [2, 1, G, 1, N]. taken [R, K]: False where a case multiplies padding. varying: whether w may vary.
    tied: both operands are one tensor, so that not every pair of codes can meet.
    """

    rows: Array
    columns: Array
    bias: Array | None
    taken: Array
    k_shape: tuple[int, ...]
    zero_point: int
    width: int
    varying: bool
    tied: bool

    @property
    def count(self) -> int:
        """K."""
        return int(self.columns.shape[-2])

    @property
    def channels(self) -> int:
        """Output channels, G · N."""
        return int(self.columns.shape[2]) * self.width

    def correction(self, accumulator: Accumulator) -> Array | None:
        """−zx · Σ (w − zw) as [2, L, G, 1, N], or None where x is centred before the multiplier."""
        if accumulator.zero_point != "correct":
            return None
        small = self.largest < 1 << INT64_BITS
        sums = (self.columns if small else self.columns.astype(object)).sum(axis=-2, keepdims=True)
        made = np.asarray(-self.zero_point * sums)
        return np.stack([np.minimum(made[0], made[1]), np.maximum(made[0], made[1])])

    @cached_property
    def largest(self) -> int:
        """More than any sum can reach, the correction included."""
        reach = peak(self.rows) + abs(self.zero_point)
        total = self.count * reach * peak(self.columns)
        return total + (0 if self.bias is None else peak(self.bias)) + 1

    def dtype(self, accumulator: Accumulator) -> Any:
        """int64 where every sum fits, else Python integers."""
        return np.int64 if self.largest + (self.count << accumulator.drop) < 1 << INT64_BITS else object

    def products(self, k: int, dtype: Any) -> Array:
        """(lowest, highest) product of step k [2, L, G, R, N]."""
        x, w = self.rows[..., k].astype(dtype), self.columns[:, :, :, k, :].astype(dtype)
        ends = range(2) if self.varying else range(1)
        corners = [x[i][..., :, None] * w[j][..., None, :] for i in range(2) for j in ends]
        low = high = corners[0]
        for corner in corners[1:]:
            low, high = np.minimum(low, corner), np.maximum(high, corner)
        return np.stack([low, high])

    def for_accumulator(self, site: Site, accumulator: Accumulator) -> Operands:
        """The same with raw codes of x where the accumulator corrects the zero point."""
        if accumulator.zero_point != "correct":
            return self
        rows = self.rows + self.zero_point
        return replace(self, rows=rows)


def operands(site: Site) -> Operands:
    """The centred operands of a sum of products over all codes of its inputs' formats."""
    x, w = site.input(0), site.input(1)
    taken, lowered = taken_cases(site)
    zero = scalar_zero_point(x.format)
    columns = _columns(w, lowered)
    rows = _constant_rows(lowered) if x.is_constant else _rows(site, taken, zero)
    return Operands(
        rows=rows,
        columns=columns,
        bias=_bias(site, lowered, columns.shape[-1]),
        taken=taken,
        k_shape=lowered.k_shape,
        zero_point=zero,
        width=int(lowered.columns.shape[-1]),
        varying=not w.is_constant,
        tied=x.name == w.name and not x.is_constant,
    )


def _rows(site: Site, taken: Array, zero: int) -> Array:
    """Ends of x for each case of padding [2, 1, 1, R, K]."""
    format = site.input(0).format
    pad = pad_value(site, zero)
    dtype = np.int64 if format.bits < 62 else object
    ends = [np.where(taken, np.array(end - zero, dtype), np.array(pad, dtype)) for end in (format.lo, format.hi)]
    return np.stack(ends)[:, None, None]


def _constant_rows(lowered: Contraction) -> Array:
    """A constant x as rows [2, L, G, M, K], both ends alike."""
    rows = lowered.rows
    lead = int(np.prod(rows.shape[:-3], dtype=np.int64))
    rows = rows.reshape(lead, *rows.shape[-3:])
    return np.broadcast_to(rows, (2, *rows.shape))


def _columns(w: Tensor, lowered: Contraction) -> Array:
    """Weights [2, L, G, K, N]; run-time ones as the ends of their format."""
    shape = lowered.columns.shape
    if not w.is_constant:
        zero = scalar_zero_point(w.format)
        ends = np.array([w.format.lo - zero, w.format.hi - zero], dtype=object if w.format.bits > 62 else np.int64)
        return np.broadcast_to(ends.reshape(2, 1, 1, 1, 1), (2, 1, shape[-3], shape[-2], 1))
    columns = lowered.columns.reshape(-1, *shape[-3:])
    return np.broadcast_to(columns, (2, *columns.shape))


def _bias(site: Site, lowered: Contraction, width: int) -> Array | None:
    """Ends of the bias as [2, 1, G, 1, N]."""
    if not site.has(2):
        return None
    tensor = site.input(2)
    if tensor.value is None:
        ends = np.array([tensor.format.lo, tensor.format.hi], dtype=object).reshape(2, 1, 1, 1, 1)
        return np.broadcast_to(ends, (2, 1, lowered.groups, 1, width))
    made = lowered.grouped(tensor.value.astype(object)).reshape(1, lowered.groups, 1, -1)
    return np.broadcast_to(made, (2, *made.shape))


def pad_value(site: Site, zero: int) -> int:
    """What padding contributes as a centred x: 0, or the distance of a stored pad code."""
    pad_code = getattr(site.node.block, "pad_code", None)
    return 0 if pad_code is None else int(pad_code) - zero


def zero_padded(site: Site) -> Accumulate:
    """The block with padding as 0, so that lowering numbers shows where padding is."""
    block = site.node.block
    assert isinstance(block, Accumulate)
    return block if getattr(block, "pad_code", None) is None else replace(block, pad_code=None)  # type: ignore[type-var]


def centred_codes(tensor: Tensor) -> Array:
    """Constant codes minus their zero point(s); zeros for a run-time tensor."""
    if tensor.value is None:
        return np.zeros(tensor.shape, np.int64)
    return np.asarray(tensor.value.astype(np.int64) - tensor.format.zero_points(len(tensor.shape)))


def taken_cases(site: Site) -> tuple[Array, Contraction]:
    """(the different cases of padding [R, K], True where x is multiplied; the lowering of the constant operands).

    A case whose products are some of another's is left out where padding is among the codes of x: whatever it
    reaches, the larger case reaches too.
    """
    x, w = site.input(0), site.input(1)
    block = zero_padded(site)
    if x.is_constant:
        lowered = block.lower(centred_codes(x), centred_codes(w))
        return np.ones((1, lowered.rows.shape[-1]), dtype=bool), lowered
    lowered = block.lower(np.ones(x.shape, np.int8), centred_codes(w))
    flat = lowered.rows.reshape(-1, lowered.rows.shape[-1])
    if flat.all():
        return np.ones((1, flat.shape[-1]), dtype=bool), lowered
    packed = np.packbits(flat.astype(bool), axis=-1)
    first = {row.tobytes(): number for number, row in reversed(list(enumerate(packed)))}
    cases = flat[sorted(first.values())].astype(bool)
    zero = scalar_zero_point(x.format)
    pad = pad_value(site, zero)
    return (_largest(cases) if x.format.lo - zero <= pad <= x.format.hi - zero else cases), lowered


def _largest(cases: Array) -> Array:
    """The cases that are no part of another one."""
    kept: list[Array] = []
    for case in sorted(cases, key=lambda c: -int(c.sum())):
        if not any((case <= larger).all() for larger in kept):
            kept.append(case)
    return np.stack(kept)
