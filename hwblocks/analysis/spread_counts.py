"""Counts of a tensor's values in one streamed pass: a histogram that grows, and how a format's range is used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hwblocks.numerics.formats import Format

Array = np.ndarray[Any, Any]

BINS = 128  # at most this many bins are kept
COUNTED_BITS = 16  # codes are counted one by one up to this width


@dataclass
class GrowingHistogram:
    """Counts in bins [i · width, (i + 1) · width) from zero; when the values spread further, pairs of bins become one.

    The width is the first one times the smallest power of two at which all values fit into BINS bins, so that the
    result does not depend on the order of the values. Values that are not finite are counted apart.

    >>> made = GrowingHistogram(1.0)
    >>> made.add(np.array([0.5, 1.5, 1.75, -0.5]))
    >>> made.start, made.counts.tolist()
    (-1.0, [1, 1, 2])
    """

    width: float
    first: int = 0  # index of the first bin
    counts: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    not_finite: int = 0

    @property
    def start(self) -> float:
        """The lower end of the first bin."""
        return self.first * self.width

    def add(self, values: Array) -> None:
        """Count values in."""
        known = values[np.isfinite(values)]
        self.not_finite += values.size - known.size
        if not known.size:
            return
        low, high = (math.floor(float(v) / self.width) for v in (known.min(), known.max()))
        if self.counts.size:
            low, high = min(low, self.first), max(high, self.first + self.counts.size - 1)
        while high - low >= BINS:
            low, high = low >> 1, high >> 1
            self.widen()
        self._reach(low, high)
        places = np.floor(known.ravel() / self.width).astype(np.int64) - self.first
        self.counts += np.bincount(places, minlength=self.counts.size)

    def widen(self) -> None:
        """Twice the width: bin i becomes part of bin ⌊i / 2⌋."""
        self.width *= 2
        padded = np.concatenate([np.zeros(self.first & 1, np.int64), self.counts])
        padded = np.concatenate([padded, np.zeros(padded.size & 1, np.int64)])
        self.counts, self.first = padded.reshape(-1, 2).sum(axis=1), self.first >> 1

    def _reach(self, low: int, high: int) -> None:
        """Room for the bins low … high."""
        grown = np.zeros(high - low + 1, np.int64)
        if self.counts.size:
            grown[self.first - low : self.first - low + self.counts.size] = self.counts
        self.counts, self.first = grown, low

    def shares(self, start: int, bins: int) -> tuple[float, ...]:
        """Per cent of the finite values in the bins start … start + bins − 1."""
        total = max(int(self.counts.sum()), 1)
        found = [0] * bins
        for i, count in enumerate(self.counts.tolist()):
            found[self.first + i - start] = count
        return tuple(100 * count / total for count in found)


def align(histograms: Sequence[GrowingHistogram]) -> tuple[int, int]:
    """Bring histograms of one first width to the widest of their bins: (first bin, number of bins) of them all."""
    width = max(h.width for h in histograms)
    for histogram in histograms:
        while histogram.width < width:
            histogram.widen()
    filled = [h for h in histograms if h.counts.size]
    first = min((h.first for h in filled), default=0)
    return first, max((h.first + h.counts.size for h in filled), default=0) - first


@dataclass
class Usage:
    """How float values and their integer codes use a format.

    float values below and above its range, codes at its lowest and highest, which codes occur (up to 16 bits).
    """

    format: Format
    elements: int = 0
    below: int = 0
    above: int = 0
    lowest: int = 0
    highest: int = 0
    seen: Array | None = None

    def __post_init__(self) -> None:
        if self.format.bits <= COUNTED_BITS:
            self.seen = np.zeros(self.format.hi - self.format.lo + 1, bool)

    def add(self, units: Array, codes: Array) -> None:
        """Count float values, given in steps of the format with its zero point (unrounded codes), and their codes."""
        self.elements += codes.size
        self.below += int(np.count_nonzero(units < self.format.lo - 0.5))
        self.above += int(np.count_nonzero(units > self.format.hi + 0.5))
        self.lowest += int(np.count_nonzero(codes == self.format.lo))
        self.highest += int(np.count_nonzero(codes == self.format.hi))
        if self.seen is not None:
            self.seen[codes.astype(np.int64) - self.format.lo] = True

    def share(self, count: int) -> float:
        """Per cent of all elements."""
        return 100 * count / max(self.elements, 1)

    @property
    def unused_percent(self) -> float | None:
        """Per cent of the format's codes that never occur; None where codes are not counted."""
        return None if self.seen is None else 100 * float(np.mean(~self.seen))
