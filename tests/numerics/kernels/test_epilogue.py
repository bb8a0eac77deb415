"""Every requantize scheme, rounding, overflow and output format of the kernels equals Epilogue.apply bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwblocks.numerics.formats import Format
from hwblocks.numerics.rounding import Rounding

SCHEMES = ("shift", "single_round", "double_round", "double_round_up", "q16", "float32", "float64", "exact")
MODES = tuple(r.value for r in Rounding if r is not Rounding.STOCHASTIC)
OUTPUTS = ("int8", "uint8", "int16", "uint16", "int32", "int4", "uint4", "int6")
CHANNELS = 35  # two panels and a tail


@pytest.fixture
def assert_applied(run_call, conv_sums, conv_call, random_codes):
    """Requantize random sums of a convolution in C and by the definition."""

    def check(rng, epilogue, notation, dtype="int8", bits=64):
        out = Format(notation, scale=1.0).dtype.name
        call = conv_call(
            rng, dtype, height=4, channels=5, outputs=CHANNELS, bits=bits, out_dtype=out, epilogue=epilogue
        )
        codes = random_codes(rng, dtype, (3, call.height, call.width, call.channels))
        sums = conv_sums(codes, call)
        if bits < 64:
            sums = (sums + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))
        wanted, outside = epilogue.apply(sums)
        got = run_call(call, [codes], wanted[0].size, out)
        np.testing.assert_array_equal(got.codes, wanted.reshape(3, -1))
        assert got.saturated == np.count_nonzero(outside)

    return check


@pytest.mark.parametrize("notation", OUTPUTS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_and_outputs(assert_applied, epilogue_of, rng, scheme, notation):
    assert_applied(rng, epilogue_of(rng, scheme, notation, CHANNELS), notation)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_roundings(assert_applied, epilogue_of, rng, scheme, mode):
    assert_applied(rng, epilogue_of(rng, f"{scheme} {mode}", "int8", CHANNELS), "int8")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scheme", ["double_round", "double_round_up"])
def test_first_roundings(assert_applied, epilogue_of, rng, scheme, mode):
    assert_applied(rng, epilogue_of(rng, f"{scheme} first_rounding={mode}", "int8", CHANNELS), "int8")


@pytest.mark.parametrize("overflow", ["saturate", "wrap"])
@pytest.mark.parametrize("notation", OUTPUTS)
@pytest.mark.parametrize("scheme", ["single_round", "shift", "double_round", "exact"])
def test_overflow(assert_applied, epilogue_of, rng, scheme, notation, overflow):
    epilogue = epilogue_of(rng, scheme, notation, CHANNELS, overflow=overflow, scale=2.0**-3)
    assert_applied(rng, epilogue, notation)


@pytest.mark.parametrize(("zero", "clamp"), [(0, (0, 127)), (-128, (-128, -50)), (37, (-100, 100)), (127, None)])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_zero_points_and_clamps(assert_applied, epilogue_of, rng, scheme, zero, clamp):
    assert_applied(rng, epilogue_of(rng, scheme, "int8", CHANNELS, zero_point=zero, clamp=clamp), "int8")


@pytest.mark.parametrize("counts", [(False, True), (True, False), (False, False)])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_sides_that_do_not_count(assert_applied, epilogue_of, rng, scheme, counts):
    assert_applied(rng, epilogue_of(rng, scheme, "int8", CHANNELS, scale=2.0**-4, counts=counts), "int8")


@pytest.mark.parametrize("mode", ["half_up", "half_even", "half_away", "to_zero"])
@pytest.mark.parametrize("scheme", ["shift", "single_round", "double_round", "exact", "float32", "float64"])
def test_zero_point_inside(assert_applied, epilogue_of, rng, scheme, mode):
    text = f"{scheme} rounding={mode} zero_point=inside"
    assert_applied(rng, epilogue_of(rng, text, "int8", CHANNELS, zero_point=-37), "int8")


@pytest.mark.parametrize("start", [1, 8, 16, 24, 34])
@pytest.mark.parametrize("groups", [1, 5, 35])
def test_a_remainder_of_channels_has_its_own_cast(
    run_call, conv_sums, conv_call, epilogue_of, random_codes, rng, groups, start
):
    first, last = (epilogue_of(rng, text, "int8", CHANNELS, zero_point=3) for text in ("double_round_up", "float64"))
    call = conv_call(rng, channels=groups, outputs=CHANNELS, groups=groups, out_dtype="int8", epilogue=first)
    call = replace(call, tail=last, tail_start=start)
    codes = random_codes(rng, "int8", (3, call.height, call.width, call.channels))
    pairs = [e.apply(conv_sums(codes, call)) for e in (first, last)]
    late = np.arange(CHANNELS) >= start
    wanted, outside = (np.where(late, b, a) for a, b in zip(*pairs, strict=True))
    got = run_call(call, [codes], wanted[0].size, "int8")
    np.testing.assert_array_equal(got.codes, wanted.reshape(3, -1))
    assert got.saturated == np.count_nonzero(outside)


@pytest.mark.parametrize("scale", [2.0**-20, 2.0**-12, 2.0**-5, 1.0, 2.0**3])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_shifts_of_every_size(assert_applied, epilogue_of, rng, scheme, scale):
    """Left shifts and shifts around 32 included: the ratio runs from 2**-22 to 2**5."""
    assert_applied(rng, epilogue_of(rng, scheme, "int16", CHANNELS, scale=scale), "int16")


@pytest.mark.parametrize("bits", [10, 16, 24])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_after_a_narrow_accumulator(assert_applied, epilogue_of, rng, scheme, bits):
    assert_applied(rng, epilogue_of(rng, scheme, "int8", CHANNELS, scale=2.0**-4), "int8", bits=bits)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_16_bit_activations(assert_applied, epilogue_of, rng, scheme):
    assert_applied(rng, epilogue_of(rng, scheme, "int16", CHANNELS, scale=2.0**-14), "int16", dtype="int16")


def test_narrow_format_saturates_symmetrically(run_call, conv_sums, conv_call, random_codes, rng):
    from hwblocks.numerics.requantize import Requantize

    target = Format("int8", scale=1.0).replace(narrow=True)
    epilogue = Requantize.preset("single_round").epilogue(0.25, 1.0, target, CHANNELS)
    call = conv_call(rng, outputs=CHANNELS, out_dtype="int8", epilogue=epilogue)
    codes = random_codes(rng, "int8", (2, call.height, call.width, call.channels))
    wanted, outside = epilogue.apply(conv_sums(codes, call))
    got = run_call(call, [codes], wanted[0].size, "int8")
    np.testing.assert_array_equal(got.codes, wanted.reshape(2, -1))
    assert got.codes.min() == -127
    assert got.saturated == np.count_nonzero(outside)
