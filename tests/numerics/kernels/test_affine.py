"""The affine form of a cast equals Requantize's own definition on dense sums, or is refused; and where it is used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwblocks.numerics.formats import Format
from hwblocks.numerics.kernels.affine import affine_of, wide_affine_of
from hwblocks.numerics.kernels.cast import FORMS, cast_of
from hwblocks.numerics.kernels.conv import ConvCall
from hwblocks.numerics.requantize import Requantize
from hwblocks.numerics.rounding import Rounding

INTEGER_SCHEMES = ("shift", "single_round", "double_round", "double_round_up", "q16", "fixed")
SIGNED_TIES = ("to_zero", "away", "half_away", "half_to_zero")  # the addend depends on the sign
PLAIN_TIES = ("floor", "ceil", "half_up", "half_down")
RATIOS = [2.0**-k for k in (1, 2, 5, 9, 14, 20)]
ODD_RATIOS = (0.9 * 2**-3, 0.6137 * 2**-7, 0.77 * 2**-12)


def epilogue_of(text, ratio, zero=0, notation="int16", **more):
    target = Format(notation, scale=1.0, zero_point=zero)
    return Requantize.parse(text).epilogue(ratio, 1.0, target, 1, **more)


def dense_sums(bound):
    """Every integer near zero, every step of a power of two and its neighbours, and both ends."""
    powers = [sign * (1 << k) + d for k in range(bound.bit_length() + 1) for sign in (1, -1) for d in (-1, 0, 1)]
    halves = [k * (1 << s) + (1 << s >> 1) + d for s in (5, 9, 14) for k in range(-40, 40) for d in (-1, 0, 1)]
    sums = np.array([*range(-3000, 3001), *powers, *halves, bound, -bound, bound - 1, 1 - bound], dtype=object)
    return sums[np.abs(sums) <= bound]


def by_form(affine, sums):
    """(v · 2**left · factor + addend) >> (32 + right) in Python's integers, and the largest magnitude before the shift."""
    left = 0 if affine.left is None else int(affine.left[0])
    addends = np.where(sums >= 0, int(affine.addend[0]), int(affine.addend_below[0])).astype(object)
    whole = (sums << left) * int(affine.factor[0]) + addends
    return whole >> (32 + int(affine.right[0])), max(abs(v) for v in whole), max(abs(v) << left for v in sums)


def assert_form(e, bound):
    affine = affine_of(e, bound)
    assert affine is not None, f"no form of {e.scheme} {e.rounding.value}, shift {e.shift}, bound {bound}"
    sums = dense_sums(bound)
    got, largest, shifted = by_form(affine, sums)
    wanted = e.scaled(sums[:, None])[:, 0] + (0 if e.zero_inside else e.zero_point)
    np.testing.assert_array_equal(got, wanted)
    assert largest < 1 << 63 and shifted < 1 << 31
    assert 0 <= affine.factor[0] < 1 << 31 and 0 <= affine.right[0] < 32
    return affine


@pytest.mark.parametrize("ratio", RATIOS + list(ODD_RATIOS))
@pytest.mark.parametrize("mode", SIGNED_TIES + PLAIN_TIES)
@pytest.mark.parametrize("scheme", INTEGER_SCHEMES)
def test_schemes_and_roundings(scheme, mode, ratio):
    if scheme == "shift" and ratio in ODD_RATIOS:
        ratio = 2.0 ** round(np.log2(ratio))  # shift takes powers of two
    bound = (1 << 31) - 1 - 32768 if ratio <= 2.0**-2 else 1 << 20
    e = epilogue_of(f"{scheme} {mode}", ratio, zero=-77)
    rounds = int(e.shift[0]) > 0  # the second step of a double rounding may have nothing to shift
    assert assert_form(e, bound).by_sign == (mode in SIGNED_TIES and rounds)


@pytest.mark.parametrize("ratio", [1.0, 2.0, 8.0, 64.0])
@pytest.mark.parametrize("scheme", INTEGER_SCHEMES)
def test_ratios_of_one_and_more(scheme, ratio):
    e = epilogue_of(scheme, ratio, zero=5)
    if scheme == "fixed":  # its multiplier of 31 fractional bits leaves int32
        assert affine_of(e, 1 << 12) is None
    else:
        assert_form(e, 1 << 12)


@pytest.mark.parametrize("mode", PLAIN_TIES)
@pytest.mark.parametrize("scheme", INTEGER_SCHEMES)
def test_zero_point_inside(scheme, mode):
    assert_form(epilogue_of(f"{scheme} rounding={mode} zero_point=inside", 2.0**-6, zero=41), 1 << 24)


@pytest.mark.parametrize("first", PLAIN_TIES)
@pytest.mark.parametrize("mode", SIGNED_TIES + PLAIN_TIES)
def test_first_roundings(first, mode):
    assert_form(epilogue_of(f"double_round {mode} first_rounding={first}", 0.71 * 2**-5), 1 << 26)


def test_the_longest_shift():
    """A whole right shift of 63 bits has a form, one of 64 bits has none."""
    e = epilogue_of("double_round_up", 0.9)
    assert_form(replace(e, shift=np.array([32])), 1 << 30)
    assert affine_of(replace(e, shift=np.array([33])), 1 << 30) is None


def test_left_shifts_end_where_the_sum_would_leave_32_bits():
    e = epilogue_of("shift", 8.0)
    assert_form(e, (1 << 26) - 1)
    assert affine_of(e, 1 << 26) is None


def test_sums_end_where_64_bits_do():
    e = epilogue_of("single_round", 0.999 / 4)
    assert_form(e, (1 << 31) - 1)
    assert affine_of(e, 1 << 31) is None
    assert affine_of(replace(e, multiplier=e.multiplier * 0 - 1), 1000) is None
    assert affine_of(replace(e, multiplier=np.array([1 << 31])), 1000) is None


@pytest.mark.parametrize("inside", ["after", "inside"])
@pytest.mark.parametrize("ratio", [2.0**-1, 2.0**-20, 0.9 * 2**-25])
@pytest.mark.parametrize("mode", SIGNED_TIES + PLAIN_TIES)
@pytest.mark.parametrize("scheme", ["shift", "single_round", "fixed", "q16"])
def test_wide_sums(scheme, mode, ratio, inside):
    """Sums beyond 32 bits: (v · factor + addend) >> right within 64 bits, or no form."""
    ratio = 2.0 ** round(np.log2(ratio)) if scheme == "shift" else ratio
    e = epilogue_of(f"{scheme} rounding={mode} zero_point={inside}", ratio, zero=-5)
    bounds = [1 << k for k in (31, 32, 38, 46, 52, 61)]
    forms = [wide_affine_of(e, bound) for bound in bounds]
    assert any(f is not None for f in forms) == (inside == "after" or mode in PLAIN_TIES)
    for bound, f in zip(bounds, forms):
        if f is None:
            continue
        sums = dense_sums(bound)
        addends = np.where(sums >= 0, int(f.addend[0]), int(f.addend_below[0])).astype(object)
        whole = sums * int(f.factor[0]) + addends
        assert max(abs(v) for v in whole) < 1 << 63 and 0 <= f.right[0] < 63
        wanted = e.scaled(sums[:, None])[:, 0] + (0 if e.zero_inside else e.zero_point)
        np.testing.assert_array_equal(whole >> int(f.right[0]), wanted)


@pytest.mark.parametrize("scheme", ["float32", "float64", "exact"])
def test_schemes_without_a_form(scheme):
    assert affine_of(epilogue_of(scheme, 0.3), 1000) is None


@pytest.mark.parametrize("mode", ["half_even", "half_odd"])
@pytest.mark.parametrize("scheme", INTEGER_SCHEMES)
def test_ties_by_parity_have_no_form(scheme, mode):
    assert affine_of(epilogue_of(f"{scheme} {mode}", 2.0**-5), 1000) is None


@pytest.mark.parametrize("mode", SIGNED_TIES)
@pytest.mark.parametrize("scheme", ["single_round", "double_round"])
def test_ties_by_sign_need_the_zero_point_after(scheme, mode):
    """The sign of the sum is not that of the value with its zero point."""
    e = epilogue_of(f"{scheme} rounding={mode} zero_point=inside", 2.0**-5, zero=9)
    assert affine_of(e, 1000) is None


@pytest.mark.parametrize("first", [*SIGNED_TIES, "half_even", "half_odd"])
def test_first_roundings_by_sign_or_parity_have_no_form(first):
    assert affine_of(epilogue_of(f"double_round first_rounding={first}", 2.0**-5), 1000) is None


def test_channels_keep_their_own_constants():
    e = Requantize.parse("double_round").epilogue(0.01, np.array([0.3, 7.0, 0.3, 900.0]), Format("int8", scale=1.0), 4)
    affine = affine_of(e, 1 << 20)
    for i in range(4):
        one = affine_of(replace(e, multiplier=e.multiplier[i : i + 1], shift=e.shift[i : i + 1]), 1 << 20)
        rows = [affine.factor[i], affine.right[i], affine.addend[i], affine.addend_below[i]]
        assert rows == [one.factor[0], one.right[0], one.addend[0], one.addend_below[0]]
        assert (0 if affine.left is None else affine.left[i]) == (0 if one.left is None else one.left[0])


def form_of(e, bound=1 << 17, dtype="int8"):
    return {v: k for k, v in FORMS.items()}[cast_of(e, dtype, 1, 64, bound).numbers[-2]]


@pytest.mark.parametrize(
    ("zero", "clamp", "counts", "form"),
    [
        (-5, None, (True, True), "affine_by_sign"),
        (-5, (-5, 127), (False, True), "affine"),
        (-5, (0, 127), (False, True), "affine"),
        (-5, (-6, 127), (False, True), "affine_by_sign"),
        (-128, None, (True, True), "affine_by_sign"),
        (-128, None, (False, True), "affine"),
    ],
)
@pytest.mark.parametrize("mode", SIGNED_TIES)
def test_a_clamp_at_the_zero_point_levels_the_sign(all_sums, mode, zero, clamp, counts, form):
    """Below zero only the count of saturated codes tells the addends apart, where it counts."""
    e = epilogue_of(f"double_round {mode}", 2.0**-6, zero, "int8", clamp=clamp, counts=counts)
    assert form_of(e) == form
    all_sums(e, "int8")


@pytest.mark.parametrize("mode", PLAIN_TIES)
def test_ties_that_ignore_the_sign_need_one_addend(all_sums, mode):
    e = epilogue_of(f"single_round {mode}", 2.0**-6, 3, "int8")
    assert form_of(e) == "affine"
    all_sums(e, "int8")


@pytest.mark.parametrize("scheme", ["float32", "float64"])
def test_floats_whose_results_reach_31_bits_are_not_for_vectors(all_sums, scheme):
    """Vectors limit products of floats to ±2**30, within int32."""
    wide = epilogue_of(f"{scheme} half_even", 40_000.0, 0, "int32")
    assert form_of(wide, dtype="int32") == "scalar"
    assert form_of(epilogue_of(f"{scheme} half_even", 40_000.0, 0, "int16"), dtype="int16").startswith("real")
    all_sums(wide, "int32")


@pytest.fixture
def all_sums(run_call):
    """all_sums(epilogue of one channel, storage type): every int16 as a sum, cast by the core and by the definition."""

    def check(e, out):
        call = ConvCall(
            x_dtype="int16", x_zero=0, height=1 << 16, width=1, channels=1, out_height=1 << 16, out_width=1,
            out_channels=1, kernel=(1, 1), stride=(1, 1), dilation=(1, 1), pad=(0, 0), groups=1,
            weights=np.ones((1, 1, 1, 1), np.int64), bias=None, bound=1 << 15, accumulator_bits=64, out_dtype=out,
            epilogue=e,
        )  # fmt: skip
        sums = np.arange(-(1 << 15), 1 << 15)
        codes, outside = e.apply(sums[:, None])
        got = run_call(call, [sums.astype(np.int16)[None]], 1 << 16, out)
        np.testing.assert_array_equal(got.codes[0], codes[:, 0])
        assert got.saturated == np.count_nonzero(outside)

    return check


def test_every_rounding_is_in_one_of_the_tables():
    named = {*SIGNED_TIES, *PLAIN_TIES, "half_even", "half_odd", "stochastic"}
    assert named == {r.value for r in Rounding}
