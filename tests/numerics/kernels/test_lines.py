"""Casts as lines of float32: found where they should be, equal to Epilogue.apply on every sum, refused elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwblocks.numerics.formats import Format
from hwblocks.numerics.kernels.cast import cast_of
from hwblocks.numerics.kernels.elements import ElementsCall, Operand
from hwblocks.numerics.overflow import Overflow
from hwblocks.numerics.requantize import Requantize

SCHEMES = ("single_round", "double_round", "double_round_up", "fixed", "q16", "float32", "float64", "exact")
TIES = ("floor", "half_even", "half_away", "half_up", "away")
BOUND = 40_000
CHANNELS = 16  # of an element-wise op, all alike


def epilogue_of(text, ratio=0.0137, zero=0, notation="int8", channels=CHANNELS, **more):
    target = Format(notation, scale=1.0, zero_point=zero)
    return Requantize.parse(text).epilogue(ratio, 1.0, target, channels, **more)


def lines_of(e, bound=BOUND, bits=64, dtype="int8"):
    """(number of lines, slope of each channel) of a bound cast."""
    cast = cast_of(e, dtype, e.multiplier.size, bits, bound)
    slope = cast.arrays[-3]
    return cast.numbers[-1], None if slope is None else slope[: e.multiplier.size]


def one_channel(e):
    arrays = ("multiplier", "shift", "scale32", "scale64", "numerator", "denominator")
    return replace(e, **{name: getattr(e, name)[:1] for name in arrays})


def assert_every_sum(run_call, e, dtype):
    """Each sum within ±BOUND is one code of a 16-bit operand, or of a second one."""
    codes = np.arange(1 << 16, dtype=np.uint16).reshape(1, -1)
    for first in (-BOUND, BOUND - 65_535):
        sums = np.clip(np.arange(1 << 16) + first, -BOUND, BOUND)
        operand = Operand(dtype="uint16", count=sums.size, table=sums)
        call = ElementsCall(combination="alone", operands=(operand,), count=sums.size, out_dtype=dtype, epilogue=e)
        got = run_call(call, [codes], sums.size, dtype)
        wanted, outside = one_channel(e).apply(sums[:, None])
        np.testing.assert_array_equal(got.codes[0], wanted[:, 0])
        assert got.saturated == np.count_nonzero(outside)
        assert (got.lowest, got.highest) == (sums.min(), sums.max())


@pytest.mark.parametrize("zero", [-128, 0, 11])
@pytest.mark.parametrize("mode", TIES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_sum(run_call, scheme, mode, zero):
    e = epilogue_of(scheme if scheme.startswith("double") else f"{scheme} {mode}", zero=zero)
    assert lines_of(e)[0] > 0
    assert_every_sum(run_call, e, "int8")


@pytest.mark.parametrize("counts", [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize(("notation", "dtype", "clamp"), [
    ("uint8", "uint8", None), ("int4", "int8", None), ("uint4", "uint8", (1, 14)), ("int8", "int8", (0, 90)),
])  # fmt: skip
def test_formats_and_clamps(run_call, notation, dtype, clamp, counts):
    e = epilogue_of("single_round", zero=3, notation=notation, clamp=clamp, counts=counts)
    assert lines_of(e, dtype=dtype)[0] > 0
    assert_every_sum(run_call, e, dtype)


@pytest.mark.parametrize("scheme", ["single_round", "float32", "float64", "exact"])
def test_zero_point_inside(run_call, scheme):
    e = epilogue_of(f"{scheme} half_even zero_point=inside", zero=7)
    assert lines_of(e)[0] > 0
    assert_every_sum(run_call, e, "int8")


def test_ties_by_sign_may_need_two_lines():
    """A double rounding meets many ties, which it sends away from zero: to another side below the zero point."""
    assert lines_of(epilogue_of("double_round"))[0] == 2
    assert lines_of(epilogue_of("single_round half_up"))[0] == 1


def test_channels_without_a_line_stay_so():
    """Of slopes of one in a hundred millions nothing of a float's 24 bits is left to tell sums apart."""
    ratios = np.array([0.01, 1.1e-8, 0.02])
    e = Requantize.parse("single_round").epilogue(1.0, ratios, Format("int8", scale=1.0), 3)
    count, slopes = lines_of(e, 1 << 29)
    assert count > 0 and slopes[1] == 0 and slopes[0] > 0 and slopes[2] > 0


@pytest.mark.parametrize(("e", "bound", "bits"), [
    (epilogue_of("single_round", notation="int16"), BOUND, 64),  # more codes than a float tells apart
    (replace(epilogue_of("single_round"), overflow=Overflow("wrap")), BOUND, 64),
    (epilogue_of("single_round"), 1 << 30, 64),  # beyond what is looked at
    (epilogue_of("single_round"), BOUND, 16),  # the register wraps
    (epilogue_of("q16", 1.5), 1 << 31, 64),
    (epilogue_of("double_round", 8.0), 1 << 28, 64),  # its left shift wraps
])  # fmt: skip
def test_refusals(e, bound, bits):
    assert lines_of(e, bound, bits, "int16" if e.bits == 16 else "int8")[0] == 0
