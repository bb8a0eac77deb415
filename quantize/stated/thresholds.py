"""Step functions of chains: thresholds on exact sums, found by bisection, and whole tables of narrow codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.formats import Format
from quantize.stated.chains import Chain

Array = np.ndarray[Any, Any]
Reals = Callable[[Array], Array]

MOST_THRESHOLDS = 1 << 22
MOST_ENTRIES = 1 << 20
TABLE_BITS = 16
CHECKED = 1 << 16  # values at which thresholds are compared with the chain again


@dataclass(frozen=True, eq=False)
class Thresholds:
    """code = lowest + #{i : sign[c] · sum ≥ values[c, i]}; values are sorted."""

    values: Array  # [C, levels] int64
    signs: Array  # [C] of −1 and +1

    def counts(self, sums: Array) -> Array:
        """How many thresholds sums [points, C] have reached."""
        signed = sums * self.signs
        rows = [np.searchsorted(row, signed[:, c], side="right") for c, row in enumerate(self.values)]
        return np.stack(rows, axis=1)


def thresholds_of(chain: Chain, reals: Reals, low: int, high: int, channels: int) -> Thresholds | str:
    """The thresholds of a chain on whole numbers low to high, or the reason why it has none.

    reals: [points, C] whole numbers to the float32 values that the chain starts from.
    """
    format = chain.target.format
    levels = format.hi - format.lo
    if not chain.is_monotone:
        names = ", ".join(n.where for n in chain.nodes[:-1])
        return f"{names}: not known to rise everywhere, so no thresholds describe it"
    if levels * channels > MOST_THRESHOLDS:
        return f"{format.name} for {channels} channels takes {levels * channels:,} thresholds"

    def codes(sums: Array) -> Array:
        return chain.codes(reals(sums))

    ends = codes(np.array([[low] * channels, [high] * channels]))
    signs = np.where(ends[1] >= ends[0], 1, -1)
    found = bisected(codes, signs, low, high, format)
    made = Thresholds(np.ascontiguousarray(found.T), signs)
    return made if agrees(made, codes, low, high, format) else "its rounding is not monotone"


def bisected(codes: Reals, signs: Array, low: int, high: int, format: Format) -> Array:
    """The least sign · sum that reaches each code above the lowest [levels, C], one past the end if none does."""
    wanted = np.arange(format.lo + 1, format.hi + 1)[:, None]
    shape = (wanted.shape[0], signs.shape[0])
    start = np.broadcast_to(np.where(signs > 0, low, -high), shape).copy()
    stop = np.broadcast_to(np.where(signs > 0, high, -low) + 1, shape).copy()
    last = stop - 1
    while (open_ := start < stop).any():
        middle = (start + stop) >> 1
        reached = codes(np.minimum(middle, last) * signs) >= wanted
        stop = np.where(open_ & reached, middle, stop)
        start = np.where(open_ & ~reached, middle + 1, start)
    return start


def agrees(made: Thresholds, codes: Reals, low: int, high: int, format: Format) -> bool:
    """True when counting gives the chain's codes: at every sum of a short range, else around all steps and between."""
    channels = made.signs.shape[0]
    if high - low < CHECKED:
        points = np.broadcast_to(np.arange(low, high + 1)[:, None], (high - low + 1, channels))
    else:
        steps = (made.values * made.signs[:, None]).T
        spread = np.broadcast_to(np.linspace(low, high, 1 << 10).astype(np.int64)[:, None], (1 << 10, channels))
        points = np.clip(np.concatenate([steps - 1, steps, steps + 1, spread]), low, high)
    return bool(np.array_equal(made.counts(points) + format.lo, codes(points)))


def table_of(chain: Chain, format: Format, edge: EdgeRule) -> Array | str:
    """The codes [C or 1, entries] that a chain makes of every code of a format, or the reason why there is no table."""
    if format.bits > TABLE_BITS:
        return f"a table serves at most {TABLE_BITS} bits, {format.name} has {format.bits}"
    every = np.arange(format.lo, format.hi + 1)
    if every.size * chain.channels > MOST_ENTRIES:
        return f"a table for {chain.channels} channels of {format.name} takes {every.size * chain.channels:,} entries"
    reals = edge.reals(every, format)
    return chain.codes(np.broadcast_to(reals[:, None], (every.size, chain.channels))).T
