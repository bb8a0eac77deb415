"""Straight lines fitted to a function: least largest error with a stated number of segments, coefficients in integers.

Every segment's line has the least largest error there is on the segment's points (the exchange algorithm for a
polynomial of degree 1 on discrete points). The segments are those of equal error: the least tolerance for which
segments, each taken as far as the tolerance allows, cover all points with n of them; it is found by bisection, which
is optimal since a segment's error never falls as it grows. Of many points about a thousand are searched first; then
each breakpoint is settled among those between.
Source: Remez 1934 as in Powell, "Approximation Theory and Methods", 1981, chapter 8; Imai and Iri 1986 for the cover.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.exact_scaling import fitting, peak
from hwblocks.numerics.rounding import Rounding, round_shift

Array = np.ndarray[Any, Any]
Line = tuple[float, float]  # slope, largest error

SLOPE_BITS = 16  # of a signed slope
MOST_FRACTION = 40  # fraction bits of slopes and offsets
SEARCHED = 1025  # evenly spaced points that breakpoints are chosen from, beside the ends of plateaus
EXCHANGES = 100  # of a point, at most; few are needed
NOISE = 1e-14  # of float64 sums, relative
HALVINGS = 20  # of the tolerance's bracket


@dataclass(frozen=True, eq=False)
class Segments:
    """y = round((slope[i] · v + offset[i]) / 2**fraction) with i = number of starts ≤ v.

    v: code − zero point. starts [n − 1]: the first v of every segment but the first. slopes [n] and offsets [n] in
    units of 2**−fraction output steps. error: the largest |line − function| in output steps on all fitted points,
    coefficients rounded, before the last rounding.
    """

    starts: Array
    slopes: Array
    offsets: Array
    fraction: int
    error: float

    def evaluate(self, v: Any, rounding: Rounding) -> Array:
        """Output steps of centred codes v."""
        v = np.asarray(v, np.int64)
        index = np.searchsorted(self.starts, v, side="right")
        bound = peak(self.slopes) * peak(v) + peak(self.offsets)
        slopes, offsets = fitting(self.slopes, bound), fitting(self.offsets, bound)
        return np.asarray(round_shift(slopes[index] * v + offsets[index], self.fraction, rounding))


def spread(v: Array, f: Array, slope: float) -> float:
    """Half of max − min of f − slope · v: the error of the best line of this slope."""
    rest = f - slope * v
    return float(rest.max() - rest.min()) / 2


def best_line(v: Array, f: Array) -> Line:
    """(slope, error) of the line with the least largest error on points v (rising), by exchanging one of three points.

    >>> best_line(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, 2.0]))
    (1.0, 0.5)
    """
    if v.size < 3:
        slope = float((f[-1] - f[0]) / (v[-1] - v[0])) if v.size == 2 else 0.0
        return slope, 0.0
    a, b, c = 0, v.size // 2, v.size - 1
    width, height_of_f = float(max(abs(v[0]), abs(v[-1]))), float(np.abs(f).max())
    for _ in range(EXCHANGES):
        slope = float((f[c] - f[a]) / (v[c] - v[a]))
        rest = f - slope * v
        level = float(rest[a] + rest[b]) / 2  # the line passes the three points alternately above and below
        height = abs(float(rest[b] - level))
        worst = int(np.argmax(np.abs(rest - level)))
        reach = abs(float(rest[worst] - level))
        if reach <= height * (1 + 1e-9) + NOISE * (height_of_f + abs(slope) * width):
            break
        a, b, c = _exchanged((a, b, c), worst, rest - level)
    return slope, spread(v, f, slope)


def _exchanged(points: tuple[int, int, int], worst: int, error: Array) -> tuple[int, int, int]:
    """The three points with `worst` in place of a neighbour whose error has its sign, so that signs alternate."""
    a, b, c = points
    up = error[worst] > 0
    same = [(error[p] > 0) == up for p in points]
    if worst < a:
        return (worst, b, c) if same[0] else (worst, a, b)
    if worst > c:
        return (a, b, worst) if same[2] else (b, c, worst)
    if worst < b:
        return (worst, b, c) if same[0] else (a, worst, c)
    return (a, b, worst) if same[2] else (a, worst, c)


def best_power(v: Array, f: Array) -> Line:
    """(slope, error) of the best line whose slope is 0 or ±2**k: the error is convex in the slope, so the two
    neighbours of the best slope are enough."""
    slope, _ = best_line(v, f)
    size = abs(slope)
    if size == 0.0:
        return 0.0, spread(v, f, 0.0)
    low = math.floor(math.log2(size))
    candidates = [math.copysign(2.0**k, slope) for k in (low, low + 1)]
    if low < -MOST_FRACTION:
        candidates = [0.0, math.copysign(2.0**-MOST_FRACTION, slope)]
    return min(((s, spread(v, f, s)) for s in candidates), key=lambda line: line[1])


def covered(v: Array, f: Array, tolerance: float, line: Callable[[Array, Array], Line], most: int) -> list[int] | None:
    """Starts of the segments, each as long as the tolerance allows; None where more than `most` are needed."""
    starts, start = [0], 0
    while True:
        end = _reach(v, f, start, tolerance, line)
        if end == v.size:
            return starts
        if len(starts) == most:
            return None
        starts.append(end)
        start = end


def _reach(v: Array, f: Array, start: int, tolerance: float, line: Callable[[Array, Array], Line]) -> int:
    """The end of the longest segment from `start` within the tolerance."""
    good, step = start + 1, 1
    while good < v.size and line(v[start : good + step], f[start : good + step])[1] <= tolerance:
        good, step = min(good + step, v.size), 2 * step
    bad = min(good + step, v.size + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        if line(v[start:middle], f[start:middle])[1] <= tolerance:
            good = middle
        else:
            bad = middle
    return good


def equal_error(v: Array, f: Array, n: int, line: Callable[[Array, Array], Line]) -> list[int]:
    """Starts of at most n segments whose largest error is least."""
    high = line(v, f)[1]
    best, low = [0], 0.0
    exact = covered(v, f, 0.0, line, n)
    if exact is not None:
        return exact
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = covered(v, f, middle, line, n)
        if found is None:
            low = middle
        else:
            best, high = found, middle
    return best


def searched(f: Array) -> Array:
    """Positions of the points that breakpoints are chosen from."""
    even = np.linspace(0, f.size - 1, min(f.size, SEARCHED)).round().astype(np.int64)
    ends = [np.flatnonzero(np.diff((f == limit).astype(np.int8))) for limit in (f.min(), f.max())]
    near = np.concatenate([even, *(e + k for e in ends for k in (-1, 0, 1, 2))])
    return np.unique(np.clip(near, 0, f.size - 1))


def settled(v: Array, f: Array, gaps: list[tuple[int, int]], line: Callable[[Array, Array], Line]) -> list[int]:
    """Starts of all segments: each where, within its gap (first, last), the errors on both sides are the most alike."""
    starts = [0]
    ends = [last for _, last in gaps[1:]] + [v.size]
    for (low, high), end in zip(gaps, ends, strict=True):
        while low < high:
            middle = (low + high) // 2
            left = line(v[starts[-1] : middle], f[starts[-1] : middle])[1]
            right = line(v[middle:end], f[middle:end])[1]
            low, high = (middle + 1, high) if left < right else (low, middle)
        starts.append(low)
    return starts


def fit(v: Array, f: Array, n: int, powers: bool) -> Segments:
    """At most n segments for the values f (in output steps) at centred codes v (int64, rising).

    powers: slopes are 0 or ±2**k. Slopes have 16 signed bits, their fraction bits F are the most (up to 40) for which
    all fit; where one is 2**15 or more, F is 0 and the slopes are multiples of a power of two. Offsets have F fraction
    bits; each is the best for the rounded slope.
    """
    line = best_power if powers else best_line
    chosen = searched(f)
    x = v.astype(np.float64)
    places = equal_error(x[chosen], f[chosen], n, line)
    starts = settled(x, f, [(int(chosen[max(p - 1, 0)]) + 1, int(chosen[p])) for p in places[1:]], line)
    pieces = [slice(a, b) for a, b in zip(starts, [*starts[1:], v.size], strict=True)]
    reals = [line(x[p], f[p])[0] for p in pieces]
    fraction, slopes = _slopes(np.array(reals), powers)
    offsets, errors = zip(*(_offset(v[p], f[p], s, fraction) for p, s in zip(pieces, slopes, strict=True)), strict=True)
    return Segments(v[np.array(starts[1:], np.int64)], slopes, np.array(offsets, np.int64), fraction, max(errors))


def _slopes(reals: Array, powers: bool) -> tuple[int, Array]:
    """(fraction bits, slopes as integers)."""
    largest = float(np.abs(reals).max())
    if powers:
        smallest = min((abs(s) for s in reals.tolist() if s), default=1.0)
        fraction = max(0, -math.floor(math.log2(smallest)), min(MOST_FRACTION, 15 - math.ceil(math.log2(largest or 1))))
        return fraction, np.ldexp(reals, fraction).astype(np.int64)
    limit = (1 << (SLOPE_BITS - 1)) - 1
    wanted = math.floor(math.log2(limit / largest)) if largest else MOST_FRACTION
    kept = min(wanted, MOST_FRACTION)
    fraction = max(kept, 0)
    return fraction, np.rint(np.ldexp(reals, kept)).astype(np.int64) << (fraction - kept)


def _offset(v: Array, f: Array, slope: int, fraction: int) -> tuple[int, float]:
    """(the best offset for a slope, largest error in output steps)."""
    rest = f - math.ldexp(float(slope), -fraction) * v.astype(np.float64)
    offset = round(math.ldexp(float(rest.max() + rest.min()) / 2, fraction))
    return offset, float(np.abs(rest - math.ldexp(float(offset), -fraction)).max())
