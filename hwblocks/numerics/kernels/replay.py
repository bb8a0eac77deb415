"""Replay of a stream of addresses against a buffer: the words it fetches, by definition and in the compiled core."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.numerics.kernels import isa_names

Array = np.ndarray[Any, Any]

MOST_CLEARED = (1 << 31) - 3  # what the marks of the core count
ABSENT = (1 << 31) - 1  # the mark of a word that is never fetched


@dataclass(frozen=True, eq=False)
class Walk:
    """A stream of addresses in folds, as a systolic array asks for the words of one operand.

    Lanes are cut into chunks of `ports`, steps into chunks of `span`; chunks of lanes are the outer loop. In cycle c
    of a fold, port p asks for the word lane[p] + step[c − p] if skewed, else lane[p] + step[c]; ports in order. Each
    chunk of lanes runs `repeats` times before the next, and all of it `passes` times.

    lane: int32 [lanes], step: int32 [steps], not negative. words: addresses are below it. absent: bool [words], those
    that are never fetched, or None.
    """

    lane: Array
    step: Array
    ports: int
    span: int
    skewed: bool
    words: int
    repeats: int = 1
    passes: int = 1
    absent: Array | None = None

    def __post_init__(self) -> None:
        highest = int(self.lane.max()) + int(self.step.max())
        if highest >= self.words or min(self.lane.min(), self.step.min()) < 0:
            raise SimulationError(f"a walk reaches word {highest} of {self.words}")

    @property
    def accesses(self) -> int:
        """Words asked for, absent ones included."""
        return len(self.lane) * len(self.step) * self.repeats * self.passes


def demanded(walk: Walk) -> Iterator[int]:
    """The definition of a walk: its addresses in order, absent ones left out."""
    absent = set() if walk.absent is None else set(np.flatnonzero(walk.absent).tolist())
    for _ in range(walk.passes):
        for first in range(0, len(walk.lane), walk.ports):
            lane = walk.lane[first : first + walk.ports].tolist()
            for _ in range(walk.repeats):
                for start in range(0, len(walk.step), walk.span):
                    fold = _fold(lane, walk.step[start : start + walk.span].tolist(), walk.skewed)
                    yield from (word for word in fold if word not in absent)


def _fold(lane: list[int], step: list[int], skewed: bool) -> Iterator[int]:
    for cycle in range(len(step) + (len(lane) - 1 if skewed else 0)):
        for port, first in enumerate(lane):
            at = cycle - port if skewed else cycle
            if 0 <= at < len(step):
                yield first + step[at]


def fetched(words: Iterable[int], capacity: int) -> int:
    """The definition of a replay: accesses to words that are not held; when `capacity` are held, all are dropped."""
    held: set[int] = set()
    count = 0
    for word in words:
        if word in held:
            continue
        held.add(word)
        count += 1
        if len(held) == capacity:
            held.clear()
    return count


def replay(walk: Walk, capacity: int) -> int:
    """fetched(demanded(walk), capacity) by the compiled core, which needs about a nanosecond an access.

    Errors: SimulationError where the buffer would be cleared 2^31 times.
    """
    if not isa_names():
        return fetched(demanded(walk), capacity)
    from hwblocks import _core

    if walk.accesses // capacity > MOST_CLEARED:
        raise SimulationError(f"{walk.accesses} accesses to a buffer of {capacity} words are too many to replay")
    counts = (len(walk.lane), len(walk.step), walk.ports, walk.span, walk.skewed)
    numbers = np.array([*counts, walk.repeats, walk.passes, walk.words, capacity], np.int64)
    marks = np.zeros(walk.words, np.int32)
    if walk.absent is not None:
        marks[walk.absent] = ABSENT
    return _core.replay(numbers, walk.lane, walk.step, marks)
