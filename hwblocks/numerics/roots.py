"""Roots met exactly: a fraction that rounds where an offset plus a root rounds, found by comparing integers only."""

from __future__ import annotations

import math
from fractions import Fraction


def floor_root(n: int, degree: int) -> int:
    """⌊n^(1/degree)⌋ of a whole number n ≥ 0.

    >>> floor_root(80, 2), floor_root(81, 4), floor_root(7, 3)
    (8, 3, 1)
    """
    if degree == 1:
        return n
    if degree == 2:
        return math.isqrt(n)
    root = 1 << -(-n.bit_length() // degree)  # not below the root; Newton's steps fall from here
    while n:
        better = ((degree - 1) * root + n // root ** (degree - 1)) // degree
        if better >= root:
            return root
        root = better
    return 0


def near_root(offset: Fraction, sign: int, power: Fraction, degree: int, unit: Fraction) -> Fraction:
    """A fraction that rounds to multiples of `unit` as offset + sign · power^(1/degree) does, ties at halves included.

    In halves of the unit the offset is a/b, and b times the value is a + sign · (power')^(1/degree) with a whole
    number at every point where a rounding turns. So the whole part of the root decides: the root itself where it is
    whole, else the middle between it and the next number.

    >>> one = Fraction(1)
    >>> near_root(0 * one, 1, 2 * one, 2, one), near_root(one, -1, Fraction(9, 4), 2, one)
    (Fraction(5, 4), Fraction(-1, 2))
    """
    if not power or not sign:
        return offset
    half = unit / 2
    start = offset / half
    scaled = power / half**degree * start.denominator**degree
    whole = floor_root(scaled.numerator // scaled.denominator, degree)
    root = Fraction(whole) if whole**degree == scaled else whole + Fraction(1, 2)
    return (start.numerator + sign * root) / start.denominator * half
