"""Interleaved rounds: every candidate of a comparison takes its turn in each round, so that all meet the same machine."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

GAP = 0.1  # seconds for which threads of a pool may go on spinning after a call


@dataclass(frozen=True)
class Candidate:
    """One way of computing something: `call` computes it once; `spins` says that it leaves threads spinning behind."""

    name: str
    call: Callable[[], object]
    spins: bool = False


@dataclass(frozen=True)
class Pace:
    """Rounds of a comparison, and about how many seconds each candidate runs in one of them."""

    rounds: int = 9
    seconds: float = 0.03


FULL, QUICK = Pace(), Pace(3, 0.005)
Times = dict[str, list[float]]  # seconds of one call in every round, by candidate


def timed(call: Callable[[], object], count: int) -> float:
    """Mean seconds of one of `count` calls."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def calls_for(call: Callable[[], object], seconds: float) -> int:
    """Calls that take about these seconds; the call is warmed up by finding out."""
    call()
    once = timed(call, 1)
    if once >= seconds:
        return 1
    several = timed(call, max(1, int(seconds / 5 / once)))
    return max(1, math.ceil(seconds / several))


def interleaved(candidates: Sequence[Candidate], pace: Pace, sleep: Callable[[float], None] = time.sleep) -> Times:
    """Times of all candidates; they go forwards in even rounds and backwards in odd ones."""
    if len({c.name for c in candidates}) < len(candidates):
        raise ValueError(f"candidates of one name: {', '.join(c.name for c in candidates)}")
    counts: dict[str, int] = {}
    for one in candidates:
        counts[one.name] = calls_for(one.call, pace.seconds)
        _settle(one, sleep)
    times: Times = {c.name: [] for c in candidates}
    for round in range(pace.rounds):
        for one in candidates if round % 2 == 0 else reversed(candidates):
            times[one.name].append(timed(one.call, counts[one.name]))
            _settle(one, sleep)
    return times


def _settle(one: Candidate, sleep: Callable[[float], None]) -> None:
    if one.spins:
        sleep(GAP)


def ratios(times: Times, peer: str, ours: str) -> list[float]:
    """Time of the peer / our time in every round: above 1 ours is faster."""
    return [p / o for p, o in zip(times[peer], times[ours], strict=True)]


def median_ratio(times: Times, peer: str, ours: str) -> float:
    """Median over rounds of time of the peer / our time."""
    return statistics.median(ratios(times, peer, ours))


def best_ratio(times: Times, peer: str, ours: str) -> float:
    """Shortest time of the peer / our shortest time: for a limit, which undisturbed rounds alone show."""
    return min(times[peer]) / min(times[ours])


def geometric_mean(values: Sequence[float]) -> float:
    """exp of the mean logarithm. Errors: ValueError for none."""
    return statistics.geometric_mean(values)
