"""The affine form of a cast: y = (v · 2**left · factor + addend) >> (32 + right), which vectors compute in 64 bits.

Two nested roundings are one: floor((floor(a / 2**i) + c) / 2**j) = floor((a + c · 2**i) / 2**(i + j)). A rounding whose
ties depend on the sign has one addend for v ≥ 0 and another for v < 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.requantize import Epilogue
from hwblocks.numerics.rounding import Rounding

Array = np.ndarray[Any, Any]

INT31 = 1 << 31
INT63 = 1 << 63
WORD = 32  # the result stands in the high word of the sum
FACTOR_BITS = 31
LARGEST_SHIFT = 63


@dataclass(frozen=True, eq=False)
class Affine:
    """Constants per channel; `left` None where no channel shifts, equal addends where the sign does not matter."""

    left: Array | None
    factor: Array
    right: Array
    addend: Array
    addend_below: Array

    @property
    def by_sign(self) -> bool:
        """True when the addend depends on the sign."""
        return not np.array_equal(self.addend, self.addend_below)


def addends(rounding: Rounding, shift: int) -> tuple[int, int] | None:
    """What a right shift by `shift` ≥ 1 adds before it to values ≥ 0 and < 0; None for ties that depend on parity."""
    unit, half = 1 << shift, 1 << (shift - 1)
    table = {
        Rounding.FLOOR: (0, 0),
        Rounding.CEIL: (unit - 1, unit - 1),
        Rounding.TO_ZERO: (0, unit - 1),
        Rounding.AWAY: (unit - 1, 0),
        Rounding.HALF_UP: (half, half),
        Rounding.HALF_DOWN: (half - 1, half - 1),
        Rounding.HALF_AWAY: (half, half - 1),
        Rounding.HALF_TO_ZERO: (half - 1, half),
    }
    return table.get(rounding)


def affine_of(e: Epilogue, bound: int) -> Affine | None:
    """The affine form of an epilogue for sums within ±bound, or None when it has none."""
    if e.scheme not in ("shift", "single_round", "fixed", "q16", "double_round", "double_round_up"):
        return None
    pairs = list(zip(e.multiplier.tolist(), e.shift.tolist(), strict=True))
    distinct = {pair: _channel(e, bound, *pair) for pair in dict.fromkeys(pairs)}
    if any(row is None for row in distinct.values()):
        return None
    rows = np.array([distinct[pair] for pair in pairs], dtype=np.int64).reshape(len(pairs), 5)
    left = rows[:, 0] if rows[:, 0].any() else None
    return Affine(left, *(rows[:, i] for i in range(1, 5)))


def wide_affine_of(e: Epilogue, bound: int) -> Affine | None:
    """The form y = (v · factor + addend) >> right of 64-bit sums within ±bound, or None when it has none."""
    if e.scheme not in ("shift", "single_round", "fixed", "q16") or bound >= INT63:
        return None
    pairs = list(zip(e.multiplier.tolist(), e.shift.tolist(), strict=True))
    distinct = {pair: _wide_channel(e, bound, *pair) for pair in dict.fromkeys(pairs)}
    if any(row is None for row in distinct.values()):
        return None
    rows = np.array([distinct[pair] for pair in pairs], dtype=np.int64).reshape(len(pairs), 4)
    return Affine(None, *(rows[:, i] for i in range(4)))


def _wide_channel(e: Epilogue, bound: int, factor: int, shift: int) -> tuple[int, int, int, int] | None:
    """(factor, right, addend, addend below zero) of one channel of 64-bit sums."""
    sides = addends(e.rounding, shift) if shift > 0 else None
    if sides is None or not 0 <= factor < INT31 or shift >= LARGEST_SHIFT or (e.zero_inside and sides[0] != sides[1]):
        return None
    above, below = (a + (e.zero_point << shift) for a in sides)
    largest = bound * factor + max(abs(above), abs(below))
    wraps = e.scheme == "q16" and largest >> shift >= INT31 - 1
    return None if largest >= INT63 or wraps else (factor, shift, above, below)


def _channel(e: Epilogue, bound: int, factor: int, shift: int) -> tuple[int, int, int, int, int] | None:
    """(left, factor, right, addend, addend below zero) of one channel."""
    if not 0 <= factor < INT31:
        return None
    total, gain, sides = _rounded(e, shift)
    if sides is None or (e.zero_inside and sides[0] != sides[1]):
        return None
    lift = max(WORD - total, 0)  # by which everything grows, so that the result reaches the high word
    in_factor = min(gain + lift, FACTOR_BITS - factor.bit_length())
    left = gain + lift - in_factor
    above, below = (((a << lift) + (e.zero_point << (total + lift))) for a in sides)
    largest = (bound << left) * (factor << in_factor) + max(abs(above), abs(below))
    if total + lift > LARGEST_SHIFT or (bound << left) >= INT31 or largest >= INT63:
        return None
    return left, factor << in_factor, total + lift - WORD, above, below


def _rounded(e: Epilogue, shift: int) -> tuple[int, int, tuple[int, int] | None]:
    """The whole right shift, the left shift of the sum before it, and the addends of its one or two roundings."""
    right, gain = max(shift, 0), max(-shift, 0)
    last = addends(e.rounding, right) if right else (0, 0)
    if not e.scheme.startswith("double_round"):
        return right, gain, last
    first = addends(e.first_rounding, FACTOR_BITS)
    if first is None or last is None or first[0] != first[1]:
        return 0, 0, None
    above, below = (first[0] + (side << FACTOR_BITS) for side in last)
    return FACTOR_BITS + right, gain, (above, below)
