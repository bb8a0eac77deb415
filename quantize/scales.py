"""Scales: from a range of real values (lo, hi) and a recipe's rule to a Format."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from hwblocks.errors import ConversionError
from hwblocks.numerics.formats import Format
from hwblocks.numerics.rounding import Rounding, round_ratio

if TYPE_CHECKING:
    from quantize.recipe import Precision, TensorRule

SMALLEST_EXPONENT = -126  # 2**-126 is the smallest normal float32; scales are not smaller
ZERO_RANGE = (-1.0, 1.0)  # stands in for a tensor that only ever was 0


def is_zero_range(lo: float, hi: float) -> bool:
    """True when only zeros were seen, so that the range gives no scale."""
    return lo == 0 == hi


def range_format(
    lo: float, hi: float, rule: TensorRule, precision: Precision = "float32", where: str = "tensor"
) -> Format:
    """The Format of one scale whose codes span lo to hi.

    symmetric: scale = max(−lo, hi) / highest code, zero point 0.
    affine: the range is widened to contain 0; scale = (hi − lo) / (highest − lowest code);
            zero point = half_even(lowest code − lo / scale), so real 0 has a code.
    power_of_two: the smallest 2**−f with lo ≥ 2**−f · lowest code and hi ≤ 2**−f · highest code, zero point
    0. A scale is rounded to the precision, and is at least 2**-126. A range of only 0 is taken as −1 to 1.

    Errors: ConversionError for negative values in an unsigned format without a zero point.
    """
    if is_zero_range(lo, hi):
        lo, hi = ZERO_RANGE if rule.signed or rule.scale == "affine" else (0.0, ZERO_RANGE[1])
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    codes = code_format(rule)
    if rule.scale != "affine" and not rule.signed and lo < 0:
        raise ConversionError(
            f"{where}: goes down to {lo!r}, but an unsigned {rule.scale} format holds no negative values; "
            'choose signed = true or scale = "affine" for it'
        )
    if rule.scale == "affine":
        scale = rounded_scale((hi - lo) / (codes.hi - codes.lo), precision)
        return codes.replace(scale=scale, zero_point=_zero_point(lo, scale, codes))
    if rule.scale == "power_of_two":
        return codes.replace(scale=2.0 ** _power_of_two_exponent(lo, hi, codes))
    return codes.replace(scale=rounded_scale(max(-lo, hi) / codes.hi, precision))


def fixed_format(lo: float, hi: float, rule: TensorRule, precision: Precision = "float32") -> Format:
    """The Format of an output whose range is known beforehand, such as (0, 1) of softmax; the end hi has no
    code.

    affine: scale = (hi − lo) / 2**bits, and lo gets the lowest code: 1/256 with zero point −128 for int8 and
    (0, 1).
    symmetric: scale = max(−lo, hi) / 2**(bits − 1), or / 2**bits unsigned: 2**-15 for int16.
    power_of_two: the next power of two not below that.
    """
    codes = code_format(rule)
    if rule.scale == "affine":
        scale = rounded_scale((hi - lo) / 2**rule.bits, precision)
        return codes.replace(scale=scale, zero_point=_zero_point(lo, scale, codes))
    bound = Fraction(max(-lo, hi)) / 2 ** (rule.bits - rule.signed)
    if rule.scale == "power_of_two":
        return codes.replace(scale=2.0 ** _exponent_above(bound))
    return codes.replace(scale=rounded_scale(float(bound), precision))


def channel_format(
    ranges: Sequence[tuple[float, float]],
    rule: TensorRule,
    axis: int,
    precision: Precision = "float32",
    where: str = "tensor",
) -> Format:
    """The Format with one scale (and zero point) per channel along `axis`.

    A channel of only zeros takes the scale of the channel whose scale is largest, since its own range gives
    none.
    """
    made = [None if is_zero_range(*r) else range_format(*r, rule, precision, where) for r in ranges]
    known = [m for m in made if m is not None]
    spare = max(known, key=lambda m: float(m.scale)) if known else range_format(0.0, 0.0, rule, precision, where)
    chosen = [m or spare for m in made]
    zero_points: Any = tuple(m.zero_point for m in chosen)
    return code_format(rule).replace(
        scale=tuple(m.scale for m in chosen), zero_point=zero_points if any(zero_points) else 0, axis=axis
    )


def code_format(rule: TensorRule) -> Format:
    """The codes of a rule, with scale 1."""
    return Format(kind="int", bits=rule.bits, signed=rule.signed, narrow=rule.narrow)


def rounded_scale(scale: float, precision: Precision) -> float:
    """The scale in the recipe's precision, not below 2**-126."""
    rounded = float(np.float32(scale)) if precision == "float32" else scale
    return max(rounded, 2.0**SMALLEST_EXPONENT)


def widened_scale(scale: float, least: Fraction, rule: TensorRule, precision: Precision) -> float:
    """The smallest scale of the rule's kind that is not below `least` (nor below `scale`)."""
    if least <= Fraction(scale):
        return scale
    if rule.scale == "power_of_two":
        return float(2.0 ** _exponent_above(least))
    wide = float(least)
    if precision == "float32":
        near = np.float32(wide)
        wide = float(near if Fraction(float(near)) >= least else np.nextafter(near, np.float32(np.inf)))
    return wide


def _zero_point(lo: float, scale: float, codes: Format) -> int:
    ratio = Fraction(codes.lo) - Fraction(lo) / Fraction(scale)
    nearest = int(round_ratio(ratio.numerator, ratio.denominator, Rounding.HALF_EVEN))
    return min(max(nearest, codes.lo), codes.hi)


def _power_of_two_exponent(lo: float, hi: float, codes: Format) -> int:
    """The smallest e with lo ≥ 2**e · lowest code and hi ≤ 2**e · highest code."""
    needed = [_exponent_above(Fraction(value) / code) for value, code in ((lo, codes.lo), (hi, codes.hi)) if value]
    return max(needed)


def _exponent_above(bound: Fraction) -> int:
    """The smallest e, not below −126, with bound ≤ 2**e; bound > 0."""
    near = bound.numerator.bit_length() - bound.denominator.bit_length()
    exponent = next(e for e in (near - 1, near, near + 1) if bound <= Fraction(2) ** e)
    return max(exponent, SMALLEST_EXPONENT)
