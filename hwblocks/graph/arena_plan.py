"""The stages of the planner: first fit in several orders, exchanges in an order, then a search that can prove."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from math import gcd
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.arena import Choice, Lives, Outcome, Placer, lives_of

Array = np.ndarray[Any, Any]

EFFORT = 200_000_000  # units of search, about half a second
EXCHANGE_WORK = 5_000_000  # pairs of buffers looked at by exchanges
SEED = 0x9E3779B97F4A7C15  # of the random generator; any number but 0
ORDERS = ("size", "urgency", "duration", "area", "start")  # of first fit
RANKS = ("bulk", "duration", "area", "-size", "-duration")  # of the search, reversed with "-"


@dataclass
class Effort:
    """Units of search that are left, the nodes visited, and what was tried; a unit is a buffer looked at."""

    left: int
    nodes: int = 0
    exchanges: int = 0


@dataclass(eq=False)
class Part:
    """Buffers of a span of time that no other buffer reaches into: where they lie, and what is proven.

    indices: of the buffers among all. height: of the plan, in units of their sizes' greatest common divisor, as all
    sizes here. proven: no plan is lower than this.
    """

    indices: Array
    placer: Placer
    offsets: Array
    height: int
    proven: int
    order: str

    @property
    def lives(self) -> Lives:
        """The part's buffers."""
        return self.placer.lives

    def take(self, offsets: Array) -> None:
        """Keep better offsets."""
        self.offsets, self.height = offsets, self.placer.height(offsets)


@dataclass(frozen=True, eq=False)
class Placement:
    """What the planner found: offsets in the order of the buffers. proven: no plan is smaller."""

    offsets: tuple[int, ...]
    size: int
    proven: int
    method: str


def place(lower: Sequence[int], upper: Sequence[int], size: Sequence[int], wanted: int, effort: int) -> Placement:
    """Place buffers of positive sizes; stops at `wanted` bytes or when nothing smaller can be.

    effort: units of search, one a buffer looked at (some 400 million a second); 0 leaves it at first fit.
    """
    if not size:
        return Placement((), 0, 0, "nothing to place")
    grain = gcd(*size)
    scaled, low, high = np.array([s // grain for s in size], np.int64), np.array(lower), np.array(upper)
    whole = _first_fits(np.arange(len(size)), scaled, low, high)
    goal, spent, parts = max(whole.proven, wanted // grain), Effort(effort), [whole]
    if effort > 0 and whole.height > goal:
        parts = [_first_fits(part, scaled, low, high) for part in _parts(low, high)]
    for part in sorted(parts, key=lambda p: -p.height):
        if effort > 0 and part.height > goal:
            _improve(part, goal, spent)
        goal = max(goal, part.height)
    return _placement(parts, len(size), grain, spent)


def _placement(parts: Sequence[Part], buffers: int, grain: int, spent: Effort) -> Placement:
    offsets = np.zeros(buffers, np.int64)
    for part in parts:
        offsets[part.indices] = part.offsets
    height, proven = max(p.height for p in parts), max(p.proven for p in parts)
    tallest = max(parts, key=lambda p: p.height)
    return Placement(tuple((offsets * grain).tolist()), height * grain, proven * grain, _method(tallest.order, spent))


def _method(order: str, spent: Effort) -> str:
    exchanges = f", {spent.exchanges:,} exchanges" if spent.exchanges else ""
    return f"{order}{exchanges}, search of {spent.nodes:,} nodes" if spent.nodes else f"{order}{exchanges}"


def _parts(lower: Array, upper: Array) -> list[Array]:
    """Indices of the buffers of each span of time that no buffer of another reaches into."""
    order = np.argsort(lower, kind="stable")
    reach = np.maximum.accumulate(upper[order])
    cuts = np.flatnonzero(lower[order][1:] >= reach[:-1]) + 1
    return np.split(order, cuts)


def _first_fits(indices: Array, size: Array, lower: Array, upper: Array) -> Part:
    """A part with the best of the first fits."""
    lives, order = lives_of(lower[indices], upper[indices], size[indices])
    part = Part(indices[order], Placer(lives), np.zeros(0), 0, lives.bound, "")
    for name in ORDERS:
        offsets = part.placer.first_fit(turns(lives, name))
        height = part.placer.height(offsets)
        if not part.order or height < part.height:
            part.offsets, part.height, part.order = offsets, height, f"first fit by {name}"
        if part.height == part.proven:
            break
    return part


def turns(lives: Lives, name: str) -> Array:
    """An order of the buffers: large, urgent, long, large and long, or early ones first; the small or short with "-".

    Urgent is what lives while most is alive; "bulk" is size, the longer of equal ones first.
    """
    duration, size = lives.past - lives.first, lives.size
    if name == "urgency":
        totals = lives.totals
        most = np.array([totals[a:b].max() for a, b in zip(lives.first, lives.past, strict=True)])
        return np.lexsort((-size, -duration, -most)).astype(np.int64)
    keys = {
        "size": (lives.first, -size),
        "bulk": (-duration, -size),
        "-size": (duration, size),
        "duration": (-size, -duration),
        "-duration": (size, duration),
        "area": (-size, -(size * duration)),
        "start": (-size, lives.first),
    }
    return np.lexsort(keys[name]).astype(np.int64)


def ranks_of(order: Array) -> Array:
    """The turn of each buffer in an order."""
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    return ranks


def draws(seed: int) -> Iterator[int]:
    """Numbers of 64 bits from a xorshift generator (Marsaglia 2003), the same on every machine."""
    state = seed
    while True:
        state ^= state << 13 & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 7
        state ^= state << 17 & 0xFFFFFFFFFFFFFFFF
        yield state


def _improve(part: Part, goal: int, spent: Effort) -> None:
    """Lower a part to the goal if that can be done: a short search, exchanges, then searches by bisection."""
    hopeless = goal - 1  # no plan was found within this
    target, share, is_first = goal, spent.left // 16, True
    while part.height > hopeless + 1 and spent.left > 0 and part.placer.can_search:
        outcome = _search(part, target, min(share, spent.left), spent)
        if outcome == Outcome.IMPOSSIBLE:
            part.proven = max(part.proven, target + 1)
        if outcome == Outcome.SEARCHING and is_first:
            _exchange(part, goal, spent)
        elif outcome != Outcome.PLACED:
            hopeless = target
        is_first = False
        target = goal if hopeless < goal else (hopeless + part.height) // 2
        share = max(spent.left // 3, 1)
    if not part.placer.can_search:
        _exchange(part, goal, spent)


def _exchange(part: Part, goal: int, spent: Effort) -> None:
    """Exchanges in the best order of first fit, for as many rounds as buffers allow."""
    rounds = min(EXCHANGE_WORK // len(part.indices) ** 2, 2_000)
    if not rounds or part.placer.core is None:
        return
    best = min(ORDERS, key=lambda name: part.placer.height(part.placer.first_fit(turns(part.lives, name))))
    order = turns(part.lives, best)
    offsets = part.placer.first_fit(order)
    height, _ = part.placer.exchange(order, offsets, rounds, goal, SEED)
    spent.exchanges += rounds
    if height < part.height:
        part.take(offsets)


def _search(part: Part, capacity: int, work: int, spent: Effort) -> Outcome:
    """Searches of growing length, each with other ranks and choices, until one decides or the work is done."""
    stop = spent.left - work
    for limit, choice, ranks in _attempts(part):
        if spent.left <= stop:
            return Outcome.SEARCHING
        outcome, offsets, nodes, done = part.placer.search(capacity, choice, ranks, min(limit, spent.left - stop))
        spent.nodes += nodes
        spent.left -= max(done, 1)
        if outcome == Outcome.PLACED:
            part.take(offsets)
        if outcome in (Outcome.PLACED, Outcome.IMPOSSIBLE):
            return outcome
    return Outcome.SEARCHING


def _attempts(part: Part) -> Iterator[tuple[int, Choice, Array]]:
    """(work, choice, ranks) of attempts: every pair, then again with twice the work, every second time disturbed."""
    members = len(part.lives.member)
    limit = 500_000 + 8 * members * members // len(part.lives.starts)
    random = draws(SEED)
    for turn in count():
        for choice in Choice:
            for name in RANKS:
                order = turns(part.lives, name)
                yield limit << turn // 2, choice, ranks_of(order if turn % 2 == 0 else _disturbed(order, random))


def _disturbed(order: Array, random: Iterator[int]) -> Array:
    """The order with each buffer moved back by up to a quarter of it, at random."""
    reach = len(order) // 4 + 1
    moved = np.arange(len(order)) + np.array([next(random) % reach for _ in order])
    return np.ascontiguousarray(order[np.argsort(moved, kind="stable")])
