"""Proof that accumulators cannot overflow: bounds of every sum over all input codes, per output channel."""

from __future__ import annotations

import numpy as np

from hwblocks.graph.block import Accumulate
from hwblocks.graph.graph import Graph
from hwblocks.graph.site import Site, scalar_zero_point
from hwblocks.numerics.accumulator import Accumulator, partial_bounds, total_bounds


def unproven(graph: Graph) -> list[str]:
    """One line for each sum of products whose register is not proven wide enough."""
    lines = []
    for node in graph.nodes:
        site = graph.site(node)
        if not isinstance(node.block, Accumulate) or not site.is_integer or site.arithmetic.accumulator is None:
            continue
        accumulator = site.arithmetic.accumulator
        low, high = sum_bounds(site, accumulator)
        if not _holds(accumulator, low, high):
            bits = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1
            lines.append(
                f"{node.where}: not proven: sums may reach {low} to {high}, which takes {bits} bits; "
                f"the accumulator is {accumulator}"
            )
    return lines


def sum_bounds(site: Site, accumulator: Accumulator) -> tuple[int, int]:
    """(lowest, highest) that the register can see over all input codes and all channels.

    Where the order of additions cannot matter this is the total; else any partial sum in any order, the bias
    at any place.
    """
    columns, bias = _columns(site), site.constant(2)
    if columns is None:
        return _run_time_bounds(site)
    x = site.input(0).format
    zero = scalar_zero_point(x)
    if accumulator.zero_point == "correct":
        low, high = partial_bounds(columns, x.lo, x.hi, bias)
        corrections = [-zero * int(s) for s in np.ravel(columns.sum(axis=-2))]
        low = [a + min(c, 0) for a, c in zip(low, corrections, strict=True)]
        high = [b + max(c, 0) for b, c in zip(high, corrections, strict=True)]
    else:
        bounds = total_bounds if accumulator.is_plain else partial_bounds
        low, high = bounds(columns, x.lo - zero, x.hi - zero, bias)
    return min(low, default=0), max(high, default=0)


def _holds(accumulator: Accumulator, low: int, high: int) -> bool:
    lowest, highest = accumulator.range
    if accumulator.is_plain:
        return lowest <= low and high <= highest
    return accumulator.cannot_overflow(max(-low, high))


def _columns(site: Site) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None:
    """Centred constant weights as [G, K, N], None for run-time ones."""
    weight, block = site.input(1), site.node.block
    assert isinstance(block, Accumulate)
    if weight.value is None:
        return None
    centred = weight.value.astype(np.int64) - weight.format.zero_points(len(weight.shape))
    return block.lower(np.zeros(site.input(0).shape, np.int64), centred).columns


def _run_time_bounds(site: Site) -> tuple[int, int]:
    """K times the extreme products of two run-time operands."""
    a, b = site.input(0), site.input(1)
    block = site.node.block
    assert isinstance(block, Accumulate)
    inner = block.lower(np.zeros(a.shape, np.int64), np.zeros(b.shape, np.int64)).columns.shape[-2]
    ends = [[end - scalar_zero_point(t.format) for end in (t.format.lo, t.format.hi)] for t in (a, b)]
    products = [p * q for p in ends[0] for q in ends[1]]
    return int(inner) * min(0, *products), int(inner) * max(0, *products)
