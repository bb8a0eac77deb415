"""Reach of ordered sums: what registers can meet, and the fastest way of summing that is exact for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.accumulator import Accumulator, peak
from hwblocks.numerics.kernels.storage import INT32_SPAN
from hwblocks.numerics.overflow import Overflow, OverflowMode, code_range

Array = np.ndarray[Any, Any]

ELEMENTS, SAT16, LIMITED, PROBED, TOTAL = range(5)  # enum hwb_ordered_kind
BLOCK = 32  # products between two looks at a bound
WORD_BITS, WORD_REACH = 60, 1 << 61  # registers and sums that stay within 64-bit integers on their way
SAFE_CONSTANT = 1 << 30
WORD32 = 32
NEARER = (OverflowMode.SATURATE, OverflowMode.SATURATE_SYMMETRIC, OverflowMode.SATURATE_TO_ZERO)  # never farther from 0
ONES = Overflow("saturate")


@dataclass(frozen=True, eq=False)
class Reach:
    """What one call's sums can reach.

    x_range, w_range: lowest and highest operands. total: largest exact partial sum, constants included. low, high: the
    range that every register of the record holds. correction, bias [O]; may_leave [O]: channels whose partial sums can
    leave it.
    """

    x_range: tuple[int, int]
    w_range: tuple[int, int]
    total: int
    low: int
    high: int
    correction: Array
    bias: Array
    may_leave: Array

    @property
    def x_peak(self) -> int:
        """The largest magnitude of an input."""
        return max(-self.x_range[0], self.x_range[1])

    @property
    def w_peak(self) -> int:
        """The largest magnitude of a weight."""
        return max(-self.w_range[0], self.w_range[1])

    @property
    def constants(self) -> tuple[int, int]:
        """(lowest, highest) that bias and correction together can add."""
        parts = (self.bias, self.correction)
        low = sum(np.minimum(p, 0) for p in parts)
        high = sum(np.maximum(p, 0) for p in parts)
        return int(np.min(low, initial=0)), int(np.max(high, initial=0))

    @property
    def constant_peak(self) -> int:
        """The largest bias or correction."""
        return max(peak(self.bias), peak(self.correction))


def held_range(accumulator: Accumulator) -> tuple[int, int]:
    """What every register of the record holds without an event."""
    ranges = [_range_of(accumulator.overflow, accumulator.bits, accumulator.signed)]
    part = part_of(accumulator)
    if part is not None:
        ranges.append(_range_of(part[0], part[1], True))
    return max(r[0] for r in ranges), min(r[1] for r in ranges)


def _range_of(overflow: Overflow, bits: int, signed: bool) -> tuple[int, int]:
    low, high = code_range(bits, signed)
    return (-high if overflow.mode is OverflowMode.SATURATE_SYMMETRIC and signed else low), high


def part_of(accumulator: Accumulator) -> tuple[Overflow, int] | None:
    """Overflow and width of the register of a dot's or a tile's sum."""
    if accumulator.psum is not None:
        return accumulator.psum.overflow, accumulator.psum.bits
    return (ONES, 16) if accumulator.order.sat16 else None


def largest_held(accumulator: Accumulator, reach: Reach, length: int) -> int:
    """The largest magnitude the register can hold at the end, in its LSBs."""
    low, high = _range_of(accumulator.overflow, accumulator.bits, accumulator.signed)
    additions = length + 2  # each may round up once
    terms = (reach.total >> accumulator.drop) + (additions if accumulator.drop else 0)
    if not reach.may_leave.any() or terms <= min(-low, high):
        return terms
    only_nearer = accumulator.overflow.mode in NEARER and part_of(accumulator) is None
    return min(terms, max(-low, high)) if only_nearer else max(-low, high)


def kind_of(accumulator: Accumulator, reach: Reach) -> int:
    """The fastest way that is exact for channels that may leave their register."""
    if accumulator.drop or reach.constant_peak > SAFE_CONSTANT:
        return ELEMENTS
    if accumulator.is_plain:
        return TOTAL if accumulator.bits <= WORD_BITS else ELEMENTS
    product, limit = reach.x_peak * reach.w_peak, max(-reach.low, reach.high)
    saturating = accumulator.overflow.mode in (OverflowMode.SATURATE, OverflowMode.SATURATE_SYMMETRIC)
    if saturating and part_of(accumulator) is None:
        if one_by_one(accumulator) and limit <= 1 << 15 and reach.high < 1 << 15 and product < 1 << 15:
            return SAT16
        at_once = product * together_of(accumulator)
        if at_once and limit + max(at_once, reach.constant_peak) < INT32_SPAN:
            return LIMITED
    return PROBED if accumulator.signed else ELEMENTS


def finds_totals(kind: int, reach: Reach) -> bool:
    """True where exact totals are found beside the sums in 16 bits."""
    return kind == SAT16 and (reach.low, reach.high) == (-(1 << 15), (1 << 15) - 1) and reach.total < INT32_SPAN


def moves_of(accumulator: Accumulator, reach: Reach) -> tuple[int, int]:
    """(x, w): bits by which operands move left so that the register's top bit is bit 31; zeros where they cannot."""
    if accumulator.overflow.mode is not OverflowMode.SATURATE or not accumulator.signed or accumulator.bits > WORD32:
        return 0, 0
    x_room, w_room = (16 - _bits_of(*operands) for operands in (reach.x_range, reach.w_range))
    w = min(w_room, WORD32 - accumulator.bits)
    x = WORD32 - accumulator.bits - w
    return (x, w) if x <= x_room else (0, 0)


def _bits_of(low: int, high: int) -> int:
    """Width in two's complement that holds low and high."""
    return max(high.bit_length(), (~low).bit_length() if low < 0 else 0) + 1


def one_by_one(accumulator: Accumulator) -> bool:
    order = accumulator.order
    return order.name == "sequential" or (order.n == 1 and order.name == "dot" and part_of(accumulator) is None)


def together_of(accumulator: Accumulator) -> int:
    """Products that one addition of the vector kernel takes; 0 where it has no such order."""
    if one_by_one(accumulator):
        return 1
    order = accumulator.order
    fits = order.name == "dot" and order.n % 2 == 0 and BLOCK % order.n == 0
    return order.n if fits else 0


def carried_by(accumulator: Accumulator) -> bool:
    """True where every addition goes to the one register, in blocks of 32 products."""
    order = accumulator.order
    in_blocks = order.name == "sequential" or (order.name == "dot" and BLOCK % order.n == 0)
    return in_blocks and part_of(accumulator) is None
