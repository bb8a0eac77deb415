"""Integers times an exact ratio, rounded once: in 64 bits where they suffice, else in Python's integers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from hwblocks.numerics.rounding import Rounding, round_ratio

Array = np.ndarray[Any, Any]
ROOM = 1 << 62


def peak(v: Array) -> int:
    """The largest magnitude of integers; 0 where there are none."""
    return max(abs(int(v.min())), abs(int(v.max()))) if v.size else 0


def fitting(v: Any, bound: int) -> Array:
    """v as int64, or as Python's integers where what is made of them reaches `bound` beyond 62 bits."""
    v = np.asarray(v)
    return np.asarray(v.astype(object if bound >= ROOM else np.int64))


def scaled(v: Any, ratio: Fraction, rounding: Rounding) -> Array:
    """round(v · ratio), as int64 where the results fit.

    >>> scaled(np.array([3, -3, 5]), Fraction(1, 2), Rounding.HALF_EVEN).tolist()
    [2, -2, 2]
    """
    v = np.asarray(v)
    largest = peak(v) * abs(ratio.numerator)
    wide = fitting(v, max(largest, ratio.denominator))
    made = np.asarray(round_ratio(wide * ratio.numerator, ratio.denominator, rounding))
    return fitting(made, largest // ratio.denominator + 1)
