"""Sketches: what calibration remembers of a tensor, in constant memory, whatever the batches."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

HALF_BINS = 1024  # bins on either side of 0
FINEST = -1074 - 10  # exponent of the bins while only zeros were seen: below every float64
AVERAGING = 0.01  # weight of a new sample in the moving averages


def _no_counts() -> Array:
    return np.zeros(2 * HALF_BINS, dtype=np.int64)


@dataclass
class Histogram:
    """Counts on bins of width 2**exponent, aligned at 0: bin i holds i · width ≤ x < (i + 1) · width.

    There are 1024 bins on either side of 0. When a value lies outside, neighbouring bins are joined in pairs
    until it
    fits: exact, since every wide bin is two narrow ones. So the counts depend on the values alone, not on
    their order, and two histograms merge exactly.

    >>> h = Histogram()
    >>> h.add(np.array([0.25, 0.3, -1.0]))
    >>> h.exponent, [b for b in h.bins() if b[2]][0]
    (-9, (-1.0, -0.998046875, 1))
    """

    exponent: int = FINEST
    counts: Array = field(default_factory=_no_counts)

    def add(self, values: Array) -> None:
        """Count finite float64 values."""
        peak = float(np.max(np.abs(values), initial=0.0))
        if peak > 0:
            self.widen(math.frexp(peak)[1] - 10)
        bins = np.floor(np.ldexp(values, -self.exponent)).astype(np.int64)
        bins = np.where(values < 0, np.minimum(bins, -1), bins)  # also where ldexp underflows to -0
        self.counts += np.bincount(bins.ravel() + HALF_BINS, minlength=2 * HALF_BINS)

    def widen(self, exponent: int) -> None:
        """Join bins until their width is at least 2**exponent."""
        if exponent <= self.exponent:
            return
        joined = np.arange(-HALF_BINS, HALF_BINS) >> min(exponent - self.exponent, 62)
        counts = _no_counts()
        np.add.at(counts, joined + HALF_BINS, self.counts)
        self.exponent, self.counts = exponent, counts

    def merge(self, other: Histogram) -> None:
        """Count another histogram in; the order of merging does not matter."""
        finer = Histogram(other.exponent, other.counts)
        self.widen(other.exponent)
        finer.widen(self.exponent)
        self.counts = self.counts + finer.counts

    @property
    def total(self) -> int:
        """Number of values counted."""
        return int(self.counts.sum())

    def bins(self) -> list[tuple[float, float, int]]:
        """(lower edge, upper edge, count) from the first to the last bin that is not empty."""
        filled = np.flatnonzero(self.counts)
        if not filled.size:
            return []
        span = range(int(filled[0]), int(filled[-1]) + 1)
        return [(self._edge(i), self._edge(i + 1), int(self.counts[i])) for i in span]

    def _edge(self, position: int) -> float:
        return math.ldexp(position - HALF_BINS, self.exponent)


@dataclass
class Sketch:
    """Extremes, sums, histogram and moving averages of one tensor.

    samples, elements: how many were seen. lo, hi: extremes; channel_lo, channel_hi: along the last axis.
    total, squares: sums of x and x², per sample in float64, added sample by sample in their order; so they do
    not depend on batches (but on the order of the samples). average_lo, average_hi: exponential moving
    averages of each sample's extremes; the first sample sets them.
    """

    samples: int = 0
    elements: int = 0
    lo: float = math.inf
    hi: float = -math.inf
    channel_lo: Array = field(default_factory=lambda: np.empty(0))
    channel_hi: Array = field(default_factory=lambda: np.empty(0))
    total: float = 0.0
    squares: float = 0.0
    average_lo: float = 0.0
    average_hi: float = 0.0
    histogram: Histogram = field(default_factory=Histogram)

    @classmethod
    def of(cls, values: Any) -> Sketch:
        """The sketch of one array taken as one sample."""
        sketch = cls()
        sketch.add(np.asarray(values)[np.newaxis])
        return sketch

    def add(self, values: Array) -> None:
        """Look at samples [n, *shape]; all must be finite."""
        if values.size == 0:
            return
        rows = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
        lows, highs = rows.min(axis=1), rows.max(axis=1)
        self._add_averages(lows, highs)
        self._add_sums(rows)
        self._add_channels(rows.reshape(-1, values.shape[-1]) if values.ndim > 1 else rows)
        self.lo, self.hi = min(self.lo, float(lows.min())), max(self.hi, float(highs.max()))
        self.histogram.add(rows)
        self.samples += len(rows)
        self.elements += rows.size

    def _add_averages(self, lows: Array, highs: Array) -> None:
        first = 0
        if self.samples == 0:
            self.average_lo, self.average_hi, first = float(lows[0]), float(highs[0]), 1
        for low, high in zip(lows[first:].tolist(), highs[first:].tolist(), strict=True):
            self.average_lo += AVERAGING * (low - self.average_lo)
            self.average_hi += AVERAGING * (high - self.average_hi)

    def _add_sums(self, rows: Array) -> None:
        for row in rows:  # one by one: numpy's order of summation must not depend on the number of samples
            self.total += float(np.add.reduce(row))
            self.squares += float(np.add.reduce(row * row))

    def _add_channels(self, values: Array) -> None:
        lows, highs = values.min(axis=0), values.max(axis=0)
        if self.samples == 0:
            self.channel_lo, self.channel_hi = lows, highs
        else:
            self.channel_lo, self.channel_hi = (
                np.minimum(self.channel_lo, lows),
                np.maximum(self.channel_hi, highs),
            )

    @property
    def mean(self) -> float:
        """Σx / n."""
        return self.total / self.elements

    @property
    def variance(self) -> float:
        """Σx²/n − mean², at least 0."""
        return max(self.squares / self.elements - self.mean**2, 0.0)
