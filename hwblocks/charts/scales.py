"""Scales from values to places, linear or logarithmic, with round ticks; and numbers written short."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hwblocks.charts.records import finite

LETTERS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Scale:
    """Values from low to high on places from first to last.

    >>> Scale(0, 10).on(0, 100)(2.5)
    25.0
    >>> Scale(1, 100, log=True).part(10)
    0.5
    """

    low: float
    high: float
    log: bool = False
    first: float = 0.0
    last: float = 1.0

    @classmethod
    def over(cls, values: Sequence[Any], log: bool = False) -> Scale:
        """The scale that holds all finite values (positive ones on a logarithmic scale)."""
        known = [v for v in finite(values) if v > 0 or not log]
        low, high = min(known, default=1.0 if log else 0.0), max(known, default=1.0)
        if low == high:
            low, high = (low / 2, high * 2) if log else (min(low, 0.0), max(high, 0.0) or 1.0)
        return cls(low, high, log)

    def on(self, first: float, last: float) -> Scale:
        """The same values on other places."""
        return replace(self, first=first, last=last)

    def part(self, value: Any) -> float:
        """How far along a value is, 0 to 1; values beyond the ends are at the ends, none at 0."""
        if value is None or value != value or (self.log and value <= 0):
            return 0.0
        low, high, at = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return min(max((at - low) / (high - low), 0.0), 1.0) if high > low else 1.0

    def __call__(self, value: Any) -> float:
        """The place of a value."""
        return self.first + (self.last - self.first) * self.part(value)

    def ticks(self) -> list[float]:
        """About five round values: powers of ten on a logarithmic scale.

        >>> Scale(0, 9).ticks()
        [0.0, 2.0, 4.0, 6.0, 8.0]
        """
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            return [10.0**e for e in range(first, last + 1, max(1, (last - first) // 6))]
        finest = 10.0 ** math.floor(math.log10((self.high - self.low) / 4 or 1.0))
        step = finest * next(m for m in (1, 2, 5, 10) if (self.high - self.low) / (m * finest) <= 6)
        return [i * step for i in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]


def compact(value: Any) -> str:
    """A number in few letters.

    >>> [compact(v) for v in (0, 12, 1234567, 0.00123, float("inf"), None)]
    ['0', '12', '1.23M', '0.00123', '∞', '']
    """
    if value is None:
        return ""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    for size, letter in LETTERS:
        if abs(value) >= size * 10 or (abs(value) >= size and size > 1e3):
            return f"{value / size:.3g}{letter}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
