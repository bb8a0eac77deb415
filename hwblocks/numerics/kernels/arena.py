"""Arenas: first fit, exchanges and search over buffers that live for a while; in C, first fit also as its definition.

Time is cut into sections, the moments whose buffers are not all alive at another: two buffers are alive together
exactly when they share a section.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from hwblocks.numerics import kernels

Array = np.ndarray[Any, Any]

TURNS_AT_ONCE = 20_000_000  # places looked at in one call of first fit, far below 0.1 s
WORK_AT_ONCE = 4_000_000  # buffers looked at in one call of the search, some 0.03 s
MOST_SEARCH_BYTES = 1 << 28  # memory for a search


class Choice(IntEnum):
    """Which section a search decides next; as in arena.h."""

    FEWEST = 0
    LOWEST = 1
    TIGHTEST = 2


class Outcome(IntEnum):
    """What a search came to; as in arena.h."""

    SEARCHING = 0
    PLACED = 1
    IMPOSSIBLE = 2
    NO_ROOM = 3


@dataclass(frozen=True, eq=False)
class Lives:
    """Buffers in rising order of their first section, as int64 arrays.

    size, first, past: [buffers], bytes and the sections [first, past). starts: [sections + 1] how many start before a
    section. member_at, member: the buffers of each section, member[member_at[s]:member_at[s + 1]].
    """

    size: Array
    first: Array
    past: Array
    starts: Array
    member_at: Array
    member: Array

    @property
    def bound(self) -> int:
        """The most bytes alive in a section."""
        return int(self.totals.max())

    @property
    def totals(self) -> Array:
        """Bytes alive in each section, [sections]."""
        return np.add.reduceat(self.size[self.member], self.member_at[:-1])


def sections_of(lower: Array, upper: Array) -> tuple[Array, Array]:
    """The first section of each buffer and the one after its last, from its steps [lower, upper)."""
    begins = np.unique(lower)
    ends = np.unique(upper)
    next_end = ends[np.searchsorted(ends, begins, "right")]
    kept = begins[np.append(begins[1:] >= next_end[:-1], True)]  # nothing begins before something ends
    return np.searchsorted(kept, lower), np.searchsorted(kept, upper)


def lives_of(lower: Array, upper: Array, size: Array) -> tuple[Lives, Array]:
    """The lives of buffers, and the permutation that sorts them by their first section, their last, and size."""
    first, past = sections_of(lower, upper)
    order = np.lexsort((size, past, first))  # the same whatever order the buffers are given in
    first, past, size = first[order], past[order], size[order]
    sections = int(past.max())
    starts = np.searchsorted(first, np.arange(sections + 1))
    owner = np.repeat(np.arange(len(first)), past - first)
    section = np.arange(len(owner)) - np.repeat(np.cumsum(past - first) - (past - first), past - first) + first[owner]
    member = owner[np.argsort(section, kind="stable")]
    member_at = np.append(0, np.cumsum(np.bincount(section, minlength=sections)))
    return Lives(*(np.ascontiguousarray(a, np.int64) for a in (size, first, past, starts, member_at, member))), order


def first_fit_definition(lives: Lives, order: Sequence[int]) -> Array:
    """Each buffer in turn at the lowest place that is free beside those alive with it, [buffers] bytes."""
    offsets: dict[int, int] = {}
    size, first, past = lives.size.tolist(), lives.first.tolist(), lives.past.tolist()
    for here in order:
        taken = sorted((o, o + size[i]) for i, o in offsets.items() if first[i] < past[here] and first[here] < past[i])
        position = 0
        for start, end in taken:
            if start - position >= size[here]:
                break
            position = max(position, end)
        offsets[here] = position
    return np.array([offsets[i] for i in range(len(size))], np.int64)


class Placer:
    """First fit, exchanges and searches over the same buffers."""

    def __init__(self, lives: Lives) -> None:
        self.lives = lives
        parts = (lives.size, lives.first, lives.past, lives.starts, lives.member_at, lives.member)
        self.core = kernels.arena_core(*parts)

    @property
    def can_search(self) -> bool:
        """True with the compiled core and where a search's memory is not too large."""
        return self.core is not None and self.core.search_bytes <= MOST_SEARCH_BYTES

    def height(self, offsets: Array) -> int:
        """Bytes of the arena with these offsets."""
        return int((offsets + self.lives.size).max())

    def first_fit(self, order: Array) -> Array:
        """Offsets of a first fit in an order, [buffers]; see first_fit_definition."""
        if self.core is None:
            return first_fit_definition(self.lives, order.tolist())
        count = len(order)
        by_offset, offsets = np.zeros(count, np.int64), np.zeros(count, np.int64)
        turns = max(TURNS_AT_ONCE // count, 1)
        for begin in range(0, count, turns):
            self.core.first_fit(order, begin, min(begin + turns, count), by_offset, offsets)
        return offsets

    def exchange(self, order: Array, offsets: Array, rounds: int, wanted: int, random: int) -> tuple[int, int]:
        """Improve an order and its first fit in place: (bytes of the arena, next state of the random generator)."""
        height = self.height(offsets)
        at_once = max(TURNS_AT_ONCE // len(order) ** 2, 1)
        while rounds > 0 and height > wanted and self.core is not None:
            height, random = self.core.exchange(order, offsets, min(at_once, rounds), wanted, random)
            rounds -= at_once
        return height, random

    def search(self, capacity: int, choice: Choice, rank: Array, work: int) -> tuple[Outcome, Array, int, int]:
        """Search a plan within a capacity: what came of it, offsets where placed, nodes, and the work done."""
        self.core.begin(capacity, int(choice), rank)
        outcome, nodes, done = self.core.run(0)
        while outcome == Outcome.SEARCHING and done < work:
            outcome, nodes, done = self.core.run(min(WORK_AT_ONCE, work - done))
        offsets = np.zeros(len(rank), np.int64)
        if outcome == Outcome.PLACED:
            self.core.offsets(offsets)
        return Outcome(outcome), offsets, nodes, done
