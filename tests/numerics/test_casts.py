"""Casts to fixed point against apytypes and the published vectors of ap_fixed."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import apytypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwblocks.errors import FormatError
from hwblocks.numerics.cast import Cast
from hwblocks.numerics.formats import Format
from hwblocks.numerics.overflow import Overflow, code_range

APYTYPES = {
    "AP_TRN": apytypes.QuantizationMode.TO_NEG,
    "AP_TRN_ZERO": apytypes.QuantizationMode.TO_ZERO,
    "AP_RND": apytypes.QuantizationMode.TIES_POS,
    "AP_RND_ZERO": apytypes.QuantizationMode.TIES_ZERO,
    "AP_RND_MIN_INF": apytypes.QuantizationMode.TIES_NEG,
    "AP_RND_INF": apytypes.QuantizationMode.TIES_AWAY,
    "AP_RND_CONV": apytypes.QuantizationMode.TIES_EVEN,
}
OVERFLOWS = {"AP_WRAP": apytypes.OverflowMode.WRAP, "AP_SAT": apytypes.OverflowMode.SAT}


@pytest.mark.parametrize("rounding", APYTYPES)
@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize(("bits", "whole"), [(6, 4), (5, 2), (4, 6), (3, 0), (8, 3)])
def test_every_10_bit_source_as_apytypes_casts_it(rounding, overflow, bits, whole):
    source = np.arange(-512, 512)
    for shift in (3, 5):
        values = apytypes.APyFixedArray(source.tolist(), int_bits=10 - shift, frac_bits=shift)
        wanted = values.cast(whole, bits - whole, APYTYPES[rounding], OVERFLOWS[overflow])
        codes, _ = Cast(f"ap_fixed<{bits},{whole},{rounding},{overflow}>").units(source, shift)
        raw = np.array(wanted.to_bits())
        signed = np.where(raw >= 1 << (bits - 1), raw - (1 << bits), raw)
        assert codes.tolist() == signed.tolist()


EIGHTHS = [-11, -6, -5, -2, 2, 5, 6, 11]
ROUNDED = {  # raw codes of ap_fixed<6,4> from eighths, produced by the vendor's C++ headers (Apache-2.0)
    "RND": [-5, -3, -2, -1, 1, 3, 3, 6],
    "RND_ZERO": [-5, -3, -2, -1, 1, 2, 3, 5],
    "RND_MIN_INF": [-6, -3, -3, -1, 1, 2, 3, 5],
    "RND_INF": [-6, -3, -3, -1, 1, 3, 3, 6],
    "RND_CONV": [-6, -3, -2, -1, 1, 2, 3, 6],
    "TRN": [-6, -3, -3, -1, 1, 2, 3, 5],
    "TRN_ZERO": [-5, -3, -2, -1, 1, 2, 3, 5],
}
QUARTERS = [31, 32, 40, 63, 64, -32, -33, -40, -65]
OVERFLOWN = {  # the same, as unsigned 6-bit patterns
    "SAT": [31, 31, 31, 31, 31, 32, 32, 32, 32],
    "SAT_ZERO": [31, 0, 0, 0, 0, 32, 0, 0, 0],
    "SAT_SYM": [31, 31, 31, 31, 31, 33, 33, 33, 33],
    "WRAP": [31, 32, 40, 63, 0, 32, 31, 24, 63],
    "WRAP,1": [31, 0, 8, 31, 0, 32, 63, 56, 63],
    "WRAP,3": [31, 24, 24, 31, 24, 32, 39, 32, 39],
    "WRAP_SM": [31, 31, 23, 0, 63, 32, 32, 39, 0],
    "WRAP_SM,1": [31, 31, 23, 0, 0, 32, 32, 39, 63],
    "WRAP_SM,3": [31, 31, 24, 31, 31, 32, 32, 39, 32],
}


@pytest.mark.parametrize("mode", ROUNDED)
def test_published_roundings(mode):
    assert Cast(f"ap_fixed<6,4,AP_{mode},AP_SAT>").units(EIGHTHS, 3)[0].tolist() == ROUNDED[mode]
    assert Cast(f"ap_fixed<6,4,AP_{mode},AP_SAT>").real(np.array(EIGHTHS) / 8)[0].tolist() == ROUNDED[mode]


@pytest.mark.parametrize("mode", OVERFLOWN)
def test_published_overflows(mode):
    codes, outside = Cast(f"ap_fixed<6,4,AP_TRN,AP_{mode}>").units(QUARTERS, 2)
    assert (codes & 63).tolist() == OVERFLOWN[mode]
    low = -31 if mode == "SAT_SYM" else -32
    assert outside.tolist() == [not low <= v <= 31 for v in QUARTERS]


def oracle(value: Fraction, mode: str) -> int:
    low = floor(value)
    rest = value - low
    tie_up = {"half_even": low % 2 == 1, "half_up": True, "half_away": value > 0, "floor": False}[mode]
    if mode == "floor":
        return low
    return low + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and tie_up))


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8),
    st.floats(1e-6, 1e3),
    st.integers(-128, 127),
    st.sampled_from(["half_even", "half_up", "floor", "half_away"]),
)
def test_real_values_are_cast_exactly(values, scale, zero, rounding):
    format = Format("int8", scale=scale, zero_point=zero)
    codes, _ = Cast(format, rounding).real(np.array(values))
    wanted = [min(max(oracle(Fraction(v) / Fraction(scale), rounding) + zero, -128), 127) for v in values]
    assert codes.tolist() == wanted


@given(st.integers(-(1 << 70), 1 << 70), st.integers(1, 64), st.booleans())
def test_wrap_and_saturate_of_any_number(v, bits, signed):
    low, high = code_range(bits, signed)
    array = np.array([v], dtype=object)
    wrapped, outside = Overflow("wrap").apply(array, bits, signed)
    assert (int(wrapped[0]) - v) % (1 << bits) == 0
    assert low <= wrapped[0] <= high
    assert bool(outside[0]) == (not low <= v <= high)
    assert Overflow("saturate").apply(array, bits, signed)[0][0] == min(max(v, low), high)


def test_bad_casts_are_refused():
    with pytest.raises(FormatError, match="Cast"):
        Format("ap_fixed<16,6,AP_RND,AP_SAT>")
    with pytest.raises(FormatError, match="AP_SATURN"):
        Cast("ap_fixed<16,6,AP_RND,AP_SATURN>")
    with pytest.raises(FormatError, match="signed"):
        Cast("ap_ufixed<4,4,AP_TRN,AP_WRAP_SM>").units([99], 0)
