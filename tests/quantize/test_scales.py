"""Scales: formats by hand for every kind of scale."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwblocks.errors import ConversionError
from hwblocks.numerics.formats import Format
from quantize.recipe import TensorRule
from quantize.scales import channel_format, fixed_format, range_format, widened_scale


@pytest.fixture
def rule():
    """A rule from the fields that a test is about."""
    return make_rule


def make_rule(scale="symmetric", bits=8, signed=True, narrow=False, per="tensor"):
    return TensorRule(
        bits=bits,
        signed=signed,
        narrow=narrow,
        scale=scale,
        per=per,
        rounding="half_even",
        overflow="saturate",
        observer={"name": "minmax"},
    )


def f32(value: float) -> float:
    return float(np.float32(value))


def test_symmetric(rule):
    assert range_format(-2.0, 1.0, rule()) == Format("int8", scale=f32(2 / 127))
    assert range_format(-0.5, 1.4, rule(bits=4, narrow=True)) == Format("int4", narrow=True, scale=f32(1.4 / 7))
    assert range_format(0.0, 1.0, rule(bits=16)) == Format("int16", scale=f32(1 / 32767))
    assert range_format(0.0, 1.0, rule(signed=False)) == Format("uint8", scale=f32(1 / 255))


def test_affine(rule):
    # −128 + 1 / (2/255) = −0.5 is a tie, which the rounding of the scale to float32 decides
    scale = f32(2 / 255)
    made = range_format(-1.0, 1.0, rule("affine"))
    exact = Fraction(-128) + 1 / Fraction(scale)
    assert made == Format("int8", scale=scale, zero_point=round(exact))
    assert range_format(-0.5, 2.0, rule("affine")) == Format("int8", scale=f32(2.5 / 255), zero_point=-77)
    assert range_format(0.0, 255.0, rule("affine", signed=False)) == Format("uint8", scale=1.0)
    assert range_format(0.0, 255.0, rule("affine")) == Format("int8", scale=1.0, zero_point=-128)


def test_affine_range_is_widened_to_hold_zero(rule):
    assert range_format(51.0, 102.0, rule("affine")) == Format("int8", scale=f32(0.4), zero_point=-128)
    assert range_format(-102.0, -51.0, rule("affine")) == Format("int8", scale=f32(0.4), zero_point=127)


@given(
    st.floats(-1e6, 1e6, width=32),
    st.floats(-1e6, 1e6, width=32),
    st.sampled_from([2, 4, 8, 16]),
    st.booleans(),
)
def test_affine_gives_real_zero_a_code_and_clips_less_than_a_step(a, b, bits, signed):
    lo, hi = min(a, b), max(a, b)
    made = range_format(lo, hi, make_rule("affine", bits=bits, signed=signed))
    assert made.lo <= made.zero_point <= made.hi
    if (lo, hi) != (0.0, 0.0) and made.scale > 2**-120:
        assert made.scale * (made.lo - made.zero_point) <= min(lo, 0) + made.scale
        assert made.scale * (made.hi - made.zero_point) >= max(hi, 0) - made.scale


@pytest.mark.parametrize(
    ("lo", "hi", "exponent"),
    [
        (-1.0, 0.5, -15),  # −1 has the code −32768
        (0.0, 1.0, -14),  # +1 has no code at 2**-15
        (0.0, 32767 / 32768, -15),
        (-4.0, 3.9, -13),
        (-4.0001, 3.9, -12),
        (-0.3, 0.3, -16),
        (0.0, 5e-324, -126),
    ],
)
def test_power_of_two_is_the_smallest_that_does_not_clip(rule, lo, hi, exponent):
    made = range_format(lo, hi, rule("power_of_two", bits=16))
    assert made == Format("int16", scale=2.0**exponent)


@given(st.floats(-(2.0**100), 2.0**100, width=32), st.floats(-(2.0**100), 2.0**100, width=32), st.integers(2, 32))
def test_power_of_two_by_definition(a, b, bits):
    lo, hi = min(a, b, 0.0), max(a, b, 0.0)
    if (lo, hi) == (0, 0):
        return
    scale = Fraction(range_format(lo, hi, make_rule("power_of_two", bits=bits)).scale)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    assert low * scale <= Fraction(lo) and Fraction(hi) <= high * scale
    half = scale / 2
    assert scale == Fraction(2) ** -126 or low * half > Fraction(lo) or Fraction(hi) > high * half


def test_only_zeros_take_the_range_of_one(rule):
    assert range_format(0.0, 0.0, rule()) == range_format(-1.0, 1.0, rule())
    assert range_format(0.0, 0.0, rule("affine")) == range_format(-1.0, 1.0, rule("affine"))
    assert range_format(0.0, 0.0, rule("power_of_two", bits=16)) == Format("int16", scale=2.0**-14)
    assert range_format(0.0, 0.0, rule(signed=False)) == Format("uint8", scale=f32(1 / 255))


def test_tiny_ranges_have_a_floor(rule):
    assert range_format(0.0, 1e-45, rule("affine")).scale == 2.0**-126


def test_unsigned_formats_refuse_negative_values(rule):
    with pytest.raises(ConversionError, match=r"tensor 'x': goes down to -1\.0"):
        range_format(-1.0, 2.0, rule(signed=False), where="tensor 'x'")


def test_scale_precision(rule):
    assert range_format(0.0, 1.0, rule(), "float64").scale == 1 / 127
    assert range_format(0.0, 1.0, rule(), "float32").scale == f32(1 / 127)


def test_fixed_ranges(rule):
    assert fixed_format(0.0, 1.0, rule("affine")) == Format("int8", scale=1 / 256, zero_point=-128)
    assert fixed_format(-1.0, 1.0, rule("affine")) == Format("int8", scale=1 / 128)
    assert fixed_format(0.0, 1.0, rule("affine", signed=False)) == Format("uint8", scale=1 / 256)
    assert fixed_format(0.0, 1.0, rule(bits=16)) == Format("int16", scale=2.0**-15)
    assert fixed_format(-1.0, 1.0, rule("power_of_two", bits=16)) == Format("int16", scale=2.0**-15)
    assert fixed_format(0.0, 1.0, rule(signed=False)) == Format("uint8", scale=1 / 256)
    assert fixed_format(0.0, 6.0, rule("power_of_two")) == Format("int8", scale=2.0**-4)


def test_channels(rule):
    made = channel_format([(-1.27, 1.0), (0.0, 2.54)], rule(narrow=True), 0)
    assert made == Format("int8", narrow=True, scale=(f32(1.27 / 127), f32(2.54 / 127)), axis=0)
    affine = channel_format([(0.0, 2.55), (-2.55, 0.0)], rule("affine"), 3)
    assert affine == Format("int8", scale=(f32(0.01), f32(0.01)), zero_point=(-128, 127), axis=3)


def test_channels_of_zeros_take_the_largest_scale(rule):
    made = channel_format([(-1.0, 1.0), (0.0, 0.0), (0.0, 4.0)], rule(), 0)
    assert made.scale == (f32(1 / 127), f32(4 / 127), f32(4 / 127))
    assert channel_format([(0.0, 0.0)], rule(), 0).scale == (f32(1 / 127),)


def test_widened_scales_are_the_next_above(rule):
    assert widened_scale(0.5, Fraction(1, 4), rule(), "float32") == 0.5
    least = Fraction(1, 3)
    made = widened_scale(0.1, least, rule(), "float32")
    assert Fraction(made) >= least > Fraction(float(np.nextafter(np.float32(made), np.float32(0))))
    assert widened_scale(2.0**-8, Fraction(1, 3), rule("power_of_two"), "float32") == 0.5
