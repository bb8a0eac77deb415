"""Headroom: what the registers of a sum of products see on data, beside what they may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.analysis.bounds import Bounds
from hwblocks.graph.contraction import Contraction
from hwblocks.graph.site import Site, scalar_zero_point
from hwblocks.numerics.accumulator import Accumulator, exact_matmul, peak
from hwblocks.numerics.partial_sums import Products, Seen, k_order, partial_sums, unit_register
from hwblocks.simulate.execute import lower

Array = np.ndarray[Any, Any]


@dataclass
class Observed:
    """Lowest and highest value of one register per output channel, in its own LSBs."""

    lowest: Array
    highest: Array

    def add(self, other: Observed) -> None:
        """Count other samples in."""
        self.lowest = np.minimum(self.lowest, other.lowest)
        self.highest = np.maximum(self.highest, other.highest)

    @property
    def span(self) -> tuple[int, int]:
        """(lowest, highest) of all channels."""
        return int(self.lowest.min()), int(self.highest.max())


def observed(bounds: Bounds, inputs: Sequence[Array | None]) -> list[Observed]:
    """What each of a node's registers is asked to hold on stored codes [N · leading, ...]: the accumulator, the unit.

    The same values that the bounds are of: totals where the register wraps plainly, else every partial sum.
    """
    site, accumulator = bounds.site, bounds.accumulator
    lowered = lower(site, inputs)
    bias = inputs[2] if len(inputs) > 2 else None
    grouped = None if bias is None else lowered.grouped(bias.astype(np.int64))
    if accumulator.is_plain:
        total = exact_matmul(lowered.rows, lowered.columns)
        found = [_added(total, grouped)]
    else:
        found = [seen for seen in _followed(site, accumulator, lowered, grouped) if seen.lowest is not None]
    return [_per_channel(seen) for seen in found]


def _added(total: Array, bias: Array | None) -> Seen:
    if bias is not None:
        total = total.astype(object) + bias if peak(total) >= 1 << 62 else total + bias
    return Seen(total, total)


def _followed(site: Site, accumulator: Accumulator, lowered: Contraction, bias: Array | None) -> tuple[Seen, Seen]:
    """Every addition, for all elements at once; units hand on what they really hold."""
    rows, columns, correction = lowered.rows, lowered.columns, None
    if accumulator.zero_point == "correct":
        zero = scalar_zero_point(site.input(0).format)
        rows, correction = rows + zero, -zero * columns.sum(axis=-2, keepdims=True)
    parts = [part for part in (bias, correction) if part is not None]
    reach = rows.shape[-1] * peak(rows) * peak(columns) + sum(peak(part) for part in parts)
    dtype: Any = np.int64 if reach < 1 << 60 else object
    rows, columns = rows.astype(dtype), columns.astype(dtype)
    order = k_order(accumulator, lowered.k_shape)
    lead = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])
    shape = (1, *lead, rows.shape[-2], columns.shape[-1])

    def term(k: int) -> Array:
        return np.asarray(rows[..., order[k], None] * columns[..., None, order[k], :])[None]

    return partial_sums(
        Products(rows.shape[-1], term, lambda: np.zeros(shape, dtype)),
        accumulator,
        None if bias is None else bias.astype(dtype)[None],
        None if correction is None else correction.astype(dtype)[None],
        lambda value: _held(accumulator, value),
    )


def _held(accumulator: Accumulator, value: Array) -> Array:
    stage = unit_register(accumulator)
    assert stage is not None
    return np.asarray(stage[1].apply(value, stage[0], True)[0])


def _per_channel(seen: Seen) -> Observed:
    """Extremes over all axes but G and N of [..., G, M, N], as [G · N]."""
    assert seen.lowest is not None and seen.highest is not None
    axes = (*range(seen.lowest.ndim - 3), seen.lowest.ndim - 2)
    return Observed(seen.lowest.min(axis=axes).ravel(), seen.highest.max(axis=axes).ravel())
