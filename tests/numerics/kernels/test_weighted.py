"""Depthwise convolutions over the whole input, and layers of one output channel: exact sums, and casts as defined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwblocks.numerics.kernels.weighted_binding import is_weighted


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
@pytest.mark.parametrize("channels", [2, 15, 16, 17, 60, 64])
@pytest.mark.parametrize("kernel", [(1, 2), (5, 1), (9, 1), (2, 3), (3, 7)])
def test_whole_inputs(run_call, conv_sums, conv_call, random_codes, rng, dtype, channels, kernel):
    call = conv_call(
        rng, dtype, height=kernel[0], width=kernel[1], kernel=kernel, channels=channels, outputs=channels,
        groups=channels, pad=(0, 0), after=(0, 0), x_zero=0 if dtype == "int16" else 100,
        w_peak=128 if dtype == "int16" else 1 << 15,
    )  # fmt: skip
    assert is_weighted(call)
    for kind in ("any", "ends"):
        codes = random_codes(rng, dtype, (3, *kernel, channels), kind)
        wanted = conv_sums(codes, call).reshape(3, -1)
        got = run_call(call, [codes], channels, call.out_dtype)
        np.testing.assert_array_equal(got.codes, wanted)
        assert (got.lowest, got.highest) == (wanted.min(), wanted.max())


@pytest.mark.parametrize("text", ["double_round", "single_round", "float32", "exact"])
def test_whole_inputs_cast(run_call, conv_sums, conv_call, random_codes, epilogue_of, rng, text):
    call = conv_call(
        rng, height=9, width=1, kernel=(9, 1), channels=35, outputs=35, groups=35, pad=(0, 0), after=(0, 0), x_zero=-7
    )
    epilogue = epilogue_of(rng, text, "int8", 35, zero_point=3, scale=2.0**-5)
    codes = random_codes(rng, "int8", (4, 9, 1, 35))
    wanted, outside = epilogue.apply(conv_sums(codes, call).reshape(4, 35))
    got = run_call(replace(call, epilogue=epilogue, out_dtype="int8"), [codes], 35, "int8")
    np.testing.assert_array_equal(got.codes, wanted)
    assert got.saturated == np.count_nonzero(outside) > 0


@pytest.mark.parametrize("change", [{"pad": (1, 0)}, {"height": 10}, {"bound": 1 << 31}, {"dilation": (2, 1)}])
def test_other_convolutions_are_not(conv_call, rng, change):
    call = conv_call(rng, height=9, width=1, kernel=(9, 1), channels=3, outputs=3, groups=3, pad=(0, 0), after=(0, 0))
    assert is_weighted(call)
    assert not is_weighted(replace(call, **change))


@pytest.mark.parametrize("text", ["double_round", "single_round", "float32", "exact"])
@pytest.mark.parametrize("positions", [1, 15, 16, 17, 31, 32, 33, 250])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_one_output_channel(run_call, conv_sums, conv_call, random_codes, epilogue_of, rng, text, positions, dtype):
    call = conv_call(
        rng, dtype, height=1, width=positions, channels=9, outputs=1, kernel=(1, 1), pad=(0, 0), after=(0, 0),
        w_peak=128 if dtype == "int8" else 1 << 15,
    )  # fmt: skip
    codes = random_codes(rng, dtype, (3, 1, positions, 9))
    sums = conv_sums(codes, call).reshape(3, positions)
    epilogue = epilogue_of(rng, text, "int8", 1, zero_point=3, scale=2.0**-9 if dtype == "int8" else 2.0**-26)
    wanted, outside = epilogue.apply(sums[..., None])
    got = run_call(replace(call, epilogue=epilogue, out_dtype="int8"), [codes], positions, "int8")
    np.testing.assert_array_equal(got.codes, wanted[..., 0])
    assert got.saturated == np.count_nonzero(outside)
    assert (got.lowest, got.highest) == (sums.min(), sums.max())
