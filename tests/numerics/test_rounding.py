"""Rounding against exact fractions, written from the tie table and not from the code."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwblocks.errors import FormatError
from hwblocks.numerics.rounding import Rounding, round_ratio, round_real, round_shift, stochastic_noise

MODES = [mode for mode in Rounding if mode is not Rounding.STOCHASTIC]

TIES = {  # what 1.5, 2.5, -1.5, -2.5 become
    "floor": (1, 2, -2, -3),
    "ceil": (2, 3, -1, -2),
    "to_zero": (1, 2, -1, -2),
    "away": (2, 3, -2, -3),
    "half_even": (2, 2, -2, -2),
    "half_up": (2, 3, -1, -2),
    "half_down": (1, 2, -2, -3),
    "half_away": (2, 3, -2, -3),
    "half_to_zero": (1, 2, -1, -2),
    "half_odd": (1, 3, -1, -3),
}


def oracle(value: Fraction, mode: str) -> int:
    """One value rounded: directed modes by their definition, the others to the nearest with ties by the table's rule."""
    low, high = floor(value), ceil(value)
    if low == high:
        return low
    directed = {
        "floor": low,
        "ceil": high,
        "to_zero": low if value > 0 else high,
        "away": high if value > 0 else low,
    }
    if mode in directed:
        return directed[mode]
    if value - low != Fraction(1, 2):
        return low if value - low < Fraction(1, 2) else high
    even, odd = (low, high) if low % 2 == 0 else (high, low)
    return {
        "half_even": even,
        "half_odd": odd,
        "half_up": high,
        "half_down": low,
        "half_away": high if value > 0 else low,
        "half_to_zero": low if value > 0 else high,
    }[mode]


@pytest.mark.parametrize("mode", MODES)
def test_ties_are_those_of_the_table(mode):
    assert tuple(mode.ties.values()) == TIES[mode.value]
    assert tuple(oracle(Fraction(n, 2), mode.value) for n in (3, 5, -3, -5)) == TIES[mode.value]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shift", range(10))
def test_every_code_of_10_bits_by_every_shift(mode, shift):
    v = np.arange(-512, 512)
    wanted = [oracle(Fraction(int(x), 1 << shift), mode.value) for x in v]
    assert round_shift(v, shift, mode).tolist() == wanted
    assert round_shift(v.astype(object), shift, mode).tolist() == wanted
    assert [round_shift(int(x), shift, mode) for x in v[::37]] == wanted[::37]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("den", [1, 2, 3, 6, 7, 10])
def test_ratios_and_reals(mode, den):
    v = np.arange(-100, 101)
    wanted = [oracle(Fraction(int(x), den), mode.value) for x in v]
    assert round_ratio(v, den, mode).tolist() == wanted
    if den in (1, 2):
        assert round_real(v / den, mode).tolist() == wanted


@given(st.integers(-(1 << 90), 1 << 90), st.integers(1, 1 << 70), st.sampled_from(MODES))
def test_ratios_of_any_size(num, den, mode):
    wanted = oracle(Fraction(num, den), mode.value)
    assert round_ratio(num, den, mode) == wanted
    assert round_ratio(np.array([num], dtype=object), den, mode)[0] == wanted


@given(st.integers(-(1 << 62), (1 << 62) - 1), st.integers(-3, 70), st.sampled_from(MODES))
def test_shifts_of_64_bit_numbers(v, shift, mode):
    wanted = oracle(Fraction(v) / Fraction(2) ** shift, mode.value)
    assert round_shift(np.array([v], dtype=object), np.array([shift]), mode)[0] == wanted


def test_int64_near_its_ends_is_exact():
    v = np.array([(1 << 63) - 1, -(1 << 63)])
    assert round_ratio(v, 3, Rounding.HALF_EVEN).tolist() == [oracle(Fraction(int(x), 3), "half_even") for x in v]


def test_foreign_names_are_translated():
    names = {"AP_RND": "half_up", "AP_RND_CONV": "half_even", "qonnx:HALF_UP": "half_away", "matlab:Nearest": "half_up"}
    assert {name: Rounding.from_foreign(name).value for name in names} == names
    with pytest.raises(FormatError, match="HALF_UP"):
        Rounding.from_foreign("HALF_UP")


def test_stochastic_noise_depends_on_its_arguments_alone():
    whole = stochastic_noise(1, 2, np.arange(100), 7, bits=16)
    parts = [int(stochastic_noise(1, 2, sample, 7, bits=16)) for sample in range(100)]
    assert whole.tolist() == parts
    assert 0 <= whole.min() <= whole.max() < 1 << 16
    mean = stochastic_noise(3, 0, np.arange(1 << 16), 0, bits=8).mean()
    assert abs(mean - 127.5) < 1.5


def test_stochastic_rounding_goes_up_with_the_fraction():
    noise = np.arange(4)
    assert round_shift(np.full(4, 5), 2, Rounding.STOCHASTIC, noise).tolist() == [1, 1, 1, 2]  # (5 + u) >> 2
    with pytest.raises(FormatError, match="noise"):
        round_shift(5, 2, Rounding.STOCHASTIC)


def test_reals_just_below_a_tie():
    x = [-0.49999999999999994, 0.49999999999999994, -1.4999999999999998, 4503599627370495.5]
    for mode in ("half_away", "half_up", "half_down", "half_even"):
        assert round_real(x, Rounding(mode)).tolist() == [oracle(Fraction(v), mode) for v in x]


def test_shifts_beyond_64_bits_are_exact():
    v = np.array([1 << 40, -(1 << 62)])
    assert round_shift(v, -40, Rounding.FLOOR).tolist() == [1 << 80, -(1 << 102)]
    assert round_shift(v, 63, Rounding.HALF_UP).tolist() == [0, 0]
    assert round_shift(v, 62, Rounding.HALF_AWAY).tolist() == [0, -1]
