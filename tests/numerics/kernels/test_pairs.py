"""Ops on two 8-bit operands: the affine form or the table of every pair equals the definition for all 65,536 pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwblocks.numerics.formats import Format
from hwblocks.numerics.kernels import pairs_binding
from hwblocks.numerics.kernels.elements import ElementsCall, FloatSumCall, Operand
from hwblocks.numerics.kernels.pairs_binding import affine_form
from hwblocks.numerics.kernels.rational import RationalCall
from hwblocks.numerics.requantize import Requantize
from hwblocks.numerics.rounding import Rounding

PAIRS = 1 << 16
DTYPES = [("int8", "int8"), ("uint8", "uint8"), ("int8", "uint8"), ("uint8", "int8")]
LIMITS = [  # (lo, hi, clamp_lo, clamp_hi), counts
    ((-128, 127, -128, 127), (True, True)),
    ((-128, 127, -3, 127), (False, True)),
    ((-128, 127, -3, 60), (False, False)),
    ((-128, 127, -3, 60), (True, True)),
    ((-8, 7, -8, 7), (True, False)),
]
CASES = [(DTYPES[i % 4], *LIMITS[i]) for i in range(len(LIMITS))]


def every_pair(dtypes):
    """Both operands [1, 65536] of every pair of stored codes."""
    a, b = (np.arange(np.iinfo(d).min, np.iinfo(d).max + 1).astype(d) for d in dtypes)
    return np.repeat(a, 256)[None], np.tile(b, 256)[None]


def limited(v, limits, counts):
    """Codes of unlimited results, and how many left the format on a side that counts."""
    lo, hi, clamp_lo, clamp_hi = limits
    outside = counts[0] * np.count_nonzero(v < lo) + counts[1] * np.count_nonzero(v > hi)
    return np.clip(np.clip(v, lo, hi), clamp_lo, clamp_hi), outside


@pytest.fixture
def form_bound(monkeypatch):
    """form_bound: a list of "affine" or "table", one for each op of pairs that is bound."""
    made, plain = [], pairs_binding.op

    def spy(isa, family, numbers, cast, constants, *sizes):
        made.append("affine" if constants[0] is None else "table")
        return plain(isa, family, numbers, cast, constants, *sizes)

    monkeypatch.setattr(pairs_binding, "op", spy)
    return made


@pytest.fixture
def assert_pairs(run_call, form_bound):
    """assert_pairs(call, dtypes, unlimited results, limits, counts): every pair by the core; the form it took."""

    def check(call, dtypes, wanted, limits, counts):
        got = run_call(call, every_pair(dtypes), PAIRS, call.out_dtype)
        codes, outside = limited(wanted, limits, counts)
        np.testing.assert_array_equal(got.codes[0], codes)
        assert got.saturated == outside
        assert len(form_bound) == 1
        return form_bound[0]

    return check


def sum_call(tables, dtypes, text, ratio, zero, limits, counts):
    """An addition of two operands by tables, and its unlimited results on every pair by Requantize."""
    _, hi, *clamp = limits
    target = Format("int4" if hi == 7 else "int8", scale=1.0, zero_point=zero)
    one, e = (Requantize.parse(text).epilogue(ratio, 1.0, target, n, clamp=clamp, counts=counts) for n in (1, 16))
    operands = tuple(Operand(dtype=d, count=PAIRS, table=t) for d, t in zip(dtypes, tables))
    call = ElementsCall(combination="sum", operands=operands, count=PAIRS, out_dtype="int8", epilogue=e)
    sums, at = np.unique(np.add.outer(*tables).ravel(), return_inverse=True)
    return call, (np.asarray(one.scaled(sums[:, None]))[:, 0] + zero).astype(np.int64)[at]


def line(slope, zero):
    """Worth of 256 codes on a line through `zero`, rounded to integers."""
    return np.floor((np.arange(256) - zero) * slope + 0.5).astype(np.int64)


@pytest.mark.parametrize(("dtypes", "limits", "counts"), CASES)
@pytest.mark.parametrize("text", ["double_round", "double_round_up", "single_round", "float32", "float64", "exact"])
def test_sums_of_lines(assert_pairs, text, dtypes, limits, counts):
    """Operands on lines of many bits: their sums are affine but for roundings far below one code."""
    tables = (line(401_235.4, 120), line(900_107.7, 131))
    call, wanted = sum_call(tables, dtypes, text, 0.83e-6, -3, limits, counts)
    assert assert_pairs(call, dtypes, wanted, limits, counts) == "affine"


@pytest.mark.parametrize(("dtypes", "limits", "counts"), CASES)
def test_sums_of_curves_take_the_table(assert_pairs, rng, dtypes, limits, counts):
    tables = tuple(np.sort(rng.integers(-(1 << 20), 1 << 20, 256)) ** 3 // (1 << 40) for _ in range(2))
    call, wanted = sum_call(tables, dtypes, "single_round", 3e-4, 5, limits, counts)
    assert assert_pairs(call, dtypes, wanted, limits, counts) == "table"


@pytest.mark.parametrize("text", ["single_round half_even", "float64 half_even", "double_round half_away"])
def test_ties_that_no_line_meets_take_the_table(assert_pairs, text):
    """(a + b) / 2 with ties to even, or away from zero on both sides of it."""
    limits, counts = LIMITS[0]
    tables = (line(1, 128), line(1, 128))
    call, wanted = sum_call(tables, DTYPES[0], text, 0.5, 0, limits, counts)
    expected = "affine" if text.startswith("double") else "table"
    if text.startswith("double"):  # 0.5 is a high multiply by 2**30, whose ties go up
        np.testing.assert_array_equal(wanted, np.floor(np.add.outer(*tables).ravel() / 2 + 0.5))
    assert assert_pairs(call, DTYPES[0], wanted, limits, counts) == expected


@pytest.mark.parametrize(("dtypes", "limits", "counts"), CASES)
@pytest.mark.parametrize(
    ("slopes", "offset", "form"),
    [((0.375, 0.625), 1 / 16, "affine"), ((0.375, 0.625), 0.0, "table"), ((0.3125, -0.4375), 1 / 32, "affine")],
)
def test_float_sums(assert_pairs, slopes, offset, form, dtypes, limits, counts):
    """Slopes of eighths meet ties, which go to even, unless the offset keeps off them."""
    tables = tuple((np.arange(256) - zero) * slope for zero, slope in zip((120, 131), slopes))
    tables = (tables[0], tables[1] + offset)
    call = FloatSumCall(
        operands=tuple(Operand(dtype=d, count=PAIRS, table=t) for d, t in zip(dtypes, tables)), count=PAIRS,
        out_dtype="int8", lo=limits[0], hi=limits[1], clamp_lo=limits[2], clamp_hi=limits[3], counts=counts,
    )  # fmt: skip
    wanted = np.rint(np.add.outer(*tables).ravel().astype(np.float32)).astype(np.int64)
    assert assert_pairs(call, dtypes, wanted, limits, counts) == form


def rational(mode, factors, dtypes, limits, counts):
    """A rational op with zero points 3 and −5 and an output zero point of 4."""
    a, b, product, offset, denominator = factors
    return RationalCall(
        a_dtype=dtypes[0], a_zero=3, b_dtype=dtypes[1], b_zero=-5, count=PAIRS, a_count=PAIRS, b_count=PAIRS,
        a_factor=a, b_factor=b, product_factor=product, offset=offset, denominator=denominator, a_index=None,
        b_index=None, rounding=Rounding(mode), zero_point=4, out_dtype="int8", lo=limits[0], hi=limits[1],
        clamp_lo=limits[2], clamp_hi=limits[3], counts=counts,
    )  # fmt: skip


def rational_results(factors, dtypes, half_even):
    """Exact results of every pair: nearest, ties up or to even."""
    x, z = (codes[0].astype(np.int64) + shift for codes, shift in zip(every_pair(dtypes), (-3, 5)))
    a, b, product, offset, denominator = factors
    twice = 2 * (x * a + z * b + x * z * product + offset) + denominator
    up = twice // (2 * denominator)
    return up - (half_even & (twice % (2 * denominator) == 0) & (up % 2 == 1)) + 4


@pytest.mark.parametrize(("dtypes", "limits", "counts"), CASES)
@pytest.mark.parametrize(
    ("factors", "mode", "form"),
    [
        ((1, 1, 0, 0, 2), "half_up", "affine"),
        ((7, -3, 0, 5, 10), "half_up", "affine"),
        ((-900, 13, 0, -7, 11), "half_up", "affine"),
        ((1, 1, 0, 0, 3), "half_even", "affine"),
        ((1, 1, 0, 0, 2), "half_even", "table"),
        ((0, 0, 1, 0, 64), "half_up", "table"),
        ((-5, 2, 1, -9, 12), "half_even", "table"),
    ],
)
def test_rational_ops(assert_pairs, factors, mode, form, dtypes, limits, counts):
    wanted = rational_results(factors, dtypes, mode == "half_even")
    call = rational(mode, factors, dtypes, limits, counts)
    assert assert_pairs(call, dtypes, wanted, limits, counts) == form


@pytest.mark.parametrize("count", [256, 257, 271, 300])
def test_vector_tails(run_call, form_bound, rng, count):
    call = replace(
        rational("half_up", (7, -3, 0, 5, 10), DTYPES[0], *LIMITS[0]), count=count, a_count=count, b_count=count
    )
    at = rng.integers(0, PAIRS, (3, count))
    inputs = [codes[0][at] for codes in every_pair(DTYPES[0])]
    codes, outside = limited(rational_results((7, -3, 0, 5, 10), DTYPES[0], False)[at], *LIMITS[0])
    got = run_call(call, inputs, count, "int8")
    np.testing.assert_array_equal(got.codes, codes)
    assert got.saturated == outside and form_bound == ["affine"]


def test_few_elements_and_wide_outputs_are_bound_as_they_are(run_call, form_bound, rng):
    plain = rational("half_up", (7, -3, 0, 5, 10), DTYPES[0], *LIMITS[0])
    for change in ({"count": 255, "a_count": 255, "b_count": 255}, {"out_dtype": "int16"}):
        call = replace(plain, **change)
        inputs = [codes[:, : call.count] for codes in every_pair(DTYPES[0])]
        wanted = rational_results((7, -3, 0, 5, 10), DTYPES[0], False)[: call.count]
        got = run_call(call, inputs, call.count, call.out_dtype)
        np.testing.assert_array_equal(got.codes[0], limited(wanted, *LIMITS[0])[0])
    assert form_bound == []


def brute(form, dtypes):
    """The affine form on every pair, in Python's integers."""
    left, a, b, addend = form
    x, z = (codes[0].astype(object) for codes in every_pair(dtypes))
    return (((x * a + z * b) << left) + addend) >> 32


@pytest.mark.parametrize("slopes", [(0.5, 0.25), (0.37, -0.91), (-3.3, 0.001), (0.0, 1.0), (5.5, 7.25), (64.0, 100.0)])
@pytest.mark.parametrize("dtypes", DTYPES)
def test_affine_form_meets_every_result(dtypes, slopes):
    x, z = (codes[0].astype(np.float64) for codes in every_pair(dtypes))
    results = np.floor(x * slopes[0] + z * slopes[1] + 3.30005).astype(np.int64)
    form = affine_form(results.reshape(256, 256), dtypes, slopes, (-129, 128))
    assert form is not None and max(abs(form[1]), abs(form[2])) < 1 << 31
    np.testing.assert_array_equal(np.clip(brute(form, dtypes).astype(np.int64), -129, 128), np.clip(results, -129, 128))


def test_one_result_off_the_line_has_no_form():
    """A result between the ends that its neighbours contradict; beyond the ends it does not matter."""
    x, z = (codes[0].astype(np.float64) for codes in every_pair(DTYPES[0]))
    results = np.floor(x * 0.5 + z * 0.75 + 0.1).astype(np.int64).reshape(256, 256)
    inside, far = (128 + 10, 128 - 7), (255, 255)
    assert results[far] == 158 > 128
    for at, holds in ((inside, False), (far, True)):
        changed = results.copy()
        changed[at] += 1
        form = affine_form(changed, DTYPES[0], (0.5, 0.75), (-129, 128))
        assert (form is not None) == holds


def test_no_addend_meets_what_has_no_form():
    """Each pair's results allow an interval of addends; where they have nothing in common, none of their ends serves."""
    x, z = (codes[0].astype(np.int64) for codes in every_pair(DTYPES[0]))
    results = np.rint((x + z) / 2).astype(np.int64)  # ties to even
    assert affine_form(results.reshape(256, 256), DTYPES[0], (0.5, 0.5), (-129, 128)) is None
    for addend in np.unique((results << 32) - ((x + z) << 31)):
        assert (((x + z << 31) + addend) >> 32 != results).any()
