"""Requantization against published vectors and exact fractions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwblocks.errors import FormatError
from hwblocks.numerics.formats import Format
from hwblocks.numerics.multiplier import quantize_multiplier
from hwblocks.numerics.requantize import PRESETS, Requantize

MULTIPLIERS = [  # restated from LiteRT's QuantizeMultiplier
    (1.0, 1073741824, 1),
    (0.5, 1073741824, 0),
    (0.25, 1073741824, -1),
    (0.1, 1717986918, -3),
    (0.0037, 2034096511, -8),
    (1 / 3, 1431655765, -1),
    (0.9999999999, 1073741824, 1),
    (1.5, 1610612736, 1),
    (37.25, 1249902592, 6),
    (4.656612873077393e-10, 1073741824, -30),
    (2.3283064365386963e-10, 1073741824, -31),
    (1e-12, 0, 0),
    (-0.3, -1288490189, -1),
]
SCALED = [  # x, m, s, then double_round, double_round_up, single_round, q16
    (1000, 1073741824, 0, 500, 500, 500, 500),
    (3, 1073741824, 0, 2, 2, 2, 2),
    (-3, 1073741824, 0, -1, -1, -1, -1),
    (5, 1073741824, -1, 2, 2, 1, 1),
    (-5, 1073741824, -1, -1, -1, -1, -1),
    (6, 1073741824, -1, 2, 2, 2, 2),
    (-6, 1073741824, -1, -2, -1, -1, -1),
    (-2, 1073741824, -1, -1, 0, 0, 0),
    (2, 1073741824, -1, 1, 1, 1, 1),
    (123456, 1717986918, -7, 772, 772, 772, 772),
    (-123456, 1717986918, -7, -772, -772, -772, -772),
    (98765, 1325127654, -9, 119, 119, 119, 119),
    (77, 2147483647, 3, 616, 616, 616, 616),
    (8388607, 1431655765, -12, 1365, 1365, 1365, 1365),
    (-40000, 1999999999, -5, -1164, -1164, -1164, -1164),
]


@pytest.mark.parametrize(("d", "m", "e"), MULTIPLIERS)
def test_multipliers(d, m, e):
    assert quantize_multiplier(d) == (m, e)


@pytest.mark.parametrize("row", SCALED)
@pytest.mark.parametrize("column", range(4))
def test_published_scalings(row, column):
    x, m, s = row[:3]
    scheme = ("double_round", "double_round_up", "single_round", "q16")[column]
    made = Requantize.preset(scheme).epilogue(1.0, 1.0, Format("int32"), 1)
    multiplier = {"q16": 0x7FFF if m >= 0x7FFF0000 else (m + (1 << 15)) >> 16}.get(scheme, m)
    shift = {"q16": 15 - s, "single_round": 31 - s}.get(scheme, -s)
    made = replace(made, multiplier=np.array([multiplier]), shift=np.array([shift]))
    assert made.apply(np.array([x]))[0].tolist() == [row[3 + column]]


SCALES = st.floats(1e-4, 1.0)
ACCUMULATORS = st.lists(st.integers(-(1 << 24), 1 << 24), min_size=1, max_size=20)


@given(ACCUMULATORS, SCALES, SCALES, st.floats(1e-3, 10.0), st.integers(-128, 127))
def test_exact_is_the_rational_value_rounded_once(sums, x, w, y, zero):
    made = Requantize.preset("exact").epilogue(x, w, Format("int8", scale=y, zero_point=zero), 1)
    codes, outside = made.apply(np.array(sums)[:, None])
    for code, flag, s in zip(codes[:, 0], outside[:, 0], sums, strict=True):
        value = s * Fraction(x) * Fraction(w) / Fraction(y)
        rounded = round(value) + zero  # Python rounds fractions half to even
        assert code == min(max(rounded, -128), 127)
        assert flag == (not -128 <= rounded <= 127)


@given(ACCUMULATORS, SCALES, SCALES, st.floats(1e-3, 10.0))
def test_single_round_is_its_multiplier_rounded_half_up(sums, x, w, y):
    m, e = quantize_multiplier(x * w / y)
    made = Requantize.preset("single_round").epilogue(x, w, Format("int16", scale=y), 1)
    for code, s in zip(made.apply(np.array(sums)[:, None])[0][:, 0], sums, strict=True):
        wanted = floor(Fraction(s * m) / Fraction(2) ** (31 - e) + Fraction(1, 2))
        assert code == min(max(wanted, -32768), 32767)


@given(ACCUMULATORS, SCALES, SCALES, st.floats(1e-3, 10.0), st.integers(-128, 127))
def test_float32_is_one_multiplication_in_binary32(sums, x, w, y, zero):
    made = Requantize.preset("float32").epilogue(x, w, Format("int8", scale=y, zero_point=zero), 1)
    ratio = np.float32(np.float32(np.float32(x) * np.float32(w)) / np.float32(y))
    wanted = np.clip(np.rint(np.float32(sums) * ratio).astype(np.int64) + zero, -128, 127)
    assert made.apply(np.array(sums)[:, None])[0][:, 0].tolist() == wanted.tolist()


def test_channels_have_their_own_scales_and_the_clamp_counts_nothing():
    made = Requantize.preset("exact").epilogue(
        1.0, np.array([1.0, 0.5]), Format("int8"), 2, clamp=(0, 127), counts=(False, True)
    )
    codes, outside = made.apply(np.array([[-300, 10], [300, -10]]))
    assert codes.tolist() == [[0, 5], [127, 0]]
    assert outside.tolist() == [[False, False], [True, False]]


def test_shift_needs_a_power_of_two():
    with pytest.raises(FormatError, match="power of two"):
        Requantize.preset("shift").epilogue(0.1, 1.0, Format("int8"), 1)
    made = Requantize.preset("shift").epilogue(0.5, 0.25, Format("int8"), 1)
    assert made.apply(np.array([[4], [-4], [12]]))[0].ravel().tolist() == [1, 0, 2]  # halves go up


@pytest.mark.parametrize("text", [*PRESETS, "single_round half_even", "shift floor zero_point=inside", "float32 fma"])
def test_text_forms_come_back(text):
    assert str(Requantize.parse(text)) == text
    assert Requantize.parse(str(Requantize.parse(text))) == Requantize.parse(text)


@pytest.mark.parametrize("text", ["", "double", "single_round banana", "shift multiplier_bits=99", "exact stochastic"])
def test_bad_text_forms(text):
    with pytest.raises(FormatError):
        Requantize.parse(text)


def test_q16_results_wrap_in_32_bits():
    """LiteRT's 64-bit MultiplyByQuantizedMultiplier ends in a conversion to int32."""
    record, y = Requantize.preset("q16"), Format("int16", scale=1.0)
    m, shift = record.multiplier(0.5)
    assert (m, shift) == (16384, 15)
    far = np.array([[1 << 33], [(1 << 32) + 2], [-(1 << 32) - 4]])  # halves: 2**32, 2**31 + 1, −2**31 − 2
    wanted = [0, -(2**31) + 1, 2**31 - 2]
    assert record.multiply(far, 0.5).ravel().tolist() == wanted
    codes, outside = record.epilogue(0.5, 1.0, y, 1).apply(far)
    assert codes.ravel().tolist() == [0, -32768, 32767]
    assert outside.ravel().tolist() == [False, True, True]
