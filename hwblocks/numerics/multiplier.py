"""Multipliers: real scale ratios as integer mantissa and exponent, and as exact fractions.

Source of quantize_multiplier: LiteRT `quantization_util.cc`, restated.
"""

from __future__ import annotations

import math
from fractions import Fraction

from hwblocks.errors import FormatError

LARGEST_EXPONENT_DROP = -31  # below it TFLite flushes the multiplier to zero


def quantize_multiplier(d: float, bits: int = 31) -> tuple[int, int]:
    """(m, e) with d ≈ m · 2**(e − bits) and 2**(bits−1) ≤ |m| < 2**bits; d = 0 and e < −31 give (0, 0).

    m = round half away (f · 2**bits) where d = f · 2**e, 0.5 ≤ |f| < 1.

    >>> quantize_multiplier(0.1)
    (1717986918, -3)
    """
    if d == 0:
        return 0, 0
    if not math.isfinite(d):
        raise FormatError(f"a scale ratio of {d} has no multiplier; check the scales")
    fraction, exponent = math.frexp(d)
    scaled = Fraction(abs(fraction)) * (1 << bits)
    m = math.floor(scaled + Fraction(1, 2))
    if m == 1 << bits:
        m, exponent = m >> 1, exponent + 1
    if exponent < LARGEST_EXPONENT_DROP:
        return 0, 0
    return (m if fraction > 0 else -m), exponent


def exact_ratio(x_scale: float, w_scale: float, y_scale: float) -> tuple[int, int]:
    """x_scale · w_scale / y_scale as a reduced fraction of Python integers.

    >>> exact_ratio(0.5, 0.25, 1.0)
    (1, 8)
    """
    ratio = Fraction(x_scale) * Fraction(w_scale) / Fraction(y_scale)
    return ratio.numerator, ratio.denominator
