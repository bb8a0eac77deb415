"""ConvCall: dense, grouped and depthwise convolutions and linear layers equal exact int64 sums on every ISA."""

from __future__ import annotations

import numpy as np
import pytest

SAMPLES = (1, 3, 7)


def assert_sums(run_call, conv_sums, call, codes, chunk=None):
    wanted = conv_sums(codes, call).reshape(codes.shape[0], -1)
    got = run_call(call, [codes], wanted.shape[1], call.out_dtype, chunk=chunk)
    np.testing.assert_array_equal(got.codes, wanted)
    assert (got.lowest, got.highest) == (wanted.min(), wanted.max())
    assert got.outside == 0


def codes_of(random_codes, rng, call, n, kind="any"):
    return random_codes(rng, call.x_dtype, (n, call.height, call.width, call.channels), kind)


@pytest.mark.parametrize("outputs", [1, 15, 16, 17, 33])
@pytest.mark.parametrize("channels", [1, 2, 3, 7, 8, 9, 16])
def test_channel_tails(run_call, conv_sums, conv_call, random_codes, rng, channels, outputs):
    call = conv_call(rng, channels=channels, outputs=outputs)
    assert_sums(run_call, conv_sums, call, codes_of(random_codes, rng, call, 2))


@pytest.mark.parametrize("n", SAMPLES)
@pytest.mark.parametrize("width", [1, 2, 5, 6, 7, 13])
def test_row_tails(run_call, conv_sums, conv_call, random_codes, rng, width, n):
    call = conv_call(rng, height=3, width=width)
    assert_sums(run_call, conv_sums, call, codes_of(random_codes, rng, call, n), chunk=n + 2)


@pytest.mark.parametrize("kernel", [(1, 1), (1, 3), (3, 1), (2, 5), (5, 5)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1), (1, 2), (2, 3)])
def test_geometry(run_call, conv_sums, conv_call, random_codes, rng, kernel, stride, dilation):
    call = conv_call(
        rng, height=11, width=14, channels=4, outputs=9, kernel=kernel, stride=stride, dilation=dilation, pad=(1, 2),
        after=(2, 0),
    )  # fmt: skip
    assert_sums(run_call, conv_sums, call, codes_of(random_codes, rng, call, 2))


@pytest.mark.parametrize(("pad", "after"), [((0, 0), (0, 0)), ((0, 2), (1, 0)), ((2, 0), (0, 3)), ((4, 5), (4, 5))])
def test_asymmetric_padding_is_real_zero(run_call, conv_sums, conv_call, random_codes, rng, pad, after):
    call = conv_call(rng, "uint8", pad=pad, after=after, x_zero=77)
    assert_sums(run_call, conv_sums, call, codes_of(random_codes, rng, call, 2))


@pytest.mark.parametrize(("channels", "outputs", "groups"), [(4, 6, 2), (9, 3, 3), (10, 40, 2), (6, 51, 3)])
def test_groups(run_call, conv_sums, conv_call, random_codes, rng, channels, outputs, groups):
    call = conv_call(rng, channels=channels, outputs=outputs, groups=groups)
    assert_sums(run_call, conv_sums, call, codes_of(random_codes, rng, call, 3))


@pytest.mark.parametrize("channels", [2, 7, 8, 9, 15, 16, 17, 40])
@pytest.mark.parametrize("multiplier", [1, 2, 3])
@pytest.mark.parametrize("kernel", [(3, 3), (1, 4), (2, 2)])
def test_depthwise(run_call, conv_sums, conv_call, random_codes, rng, channels, multiplier, kernel):
    call = conv_call(
        rng, channels=channels, outputs=channels * multiplier, groups=channels, kernel=kernel, stride=(2, 1),
        dilation=(1, 2), x_zero=-9, after=(2, 2),
    )  # fmt: skip
    assert_sums(run_call, conv_sums, call, codes_of(random_codes, rng, call, 3))


@pytest.mark.parametrize("groups", [1, 18])
def test_depthwise_and_dense_in_64_bits(run_call, conv_sums, conv_call, random_codes, rng, groups):
    call = conv_call(rng, "int16", channels=18, outputs=18, groups=groups, w_peak=1 << 15, kernel=(3, 3))
    assert call.bound >= 1 << 31
    assert_sums(run_call, conv_sums, call, codes_of(random_codes, rng, call, 2, "ends"))


@pytest.mark.parametrize("rows", [1, 5, 6, 7, 100, 241])
@pytest.mark.parametrize("k", [1, 2, 3, 31, 256, 1001])
def test_linear(run_call, conv_sums, conv_call, random_codes, rng, rows, k):
    call = conv_call(
        rng, height=rows, width=1, channels=k, outputs=10, kernel=(1, 1), pad=(0, 0), after=(0, 0), x_zero=3
    )
    assert_sums(run_call, conv_sums, call, codes_of(random_codes, rng, call, 3))


@pytest.mark.parametrize("kind", ["lowest", "highest", "ends"])
@pytest.mark.parametrize(("dtype", "zero"), [("int8", 127), ("int8", -128), ("uint8", 255), ("uint8", 0), ("int16", 0)])
@pytest.mark.parametrize("weight", [-128, 127])
def test_extremes(run_call, conv_sums, conv_call, random_codes, rng, dtype, zero, weight, kind):
    call = conv_call(rng, dtype, channels=33, outputs=18, x_zero=zero, weights=weight)
    assert_sums(run_call, conv_sums, call, codes_of(random_codes, rng, call, 2, kind))


def test_longest_sum_that_fits_32_bits(run_call, conv_sums, conv_call, random_codes, rng):
    """K = 65 768 products of 255 and −128 plus the bias: the last bound below 2**31."""
    call = conv_call(
        rng, "uint8", height=1, width=1, channels=65_768, outputs=2, kernel=(1, 1), pad=(0, 0), after=(0, 0),
        weights=-128, x_zero=0,
    )  # fmt: skip
    assert (1 << 31) - 40_000 * 255 < call.bound < 1 << 31
    assert_sums(run_call, conv_sums, call, codes_of(random_codes, rng, call, 1, "highest"))


@pytest.mark.parametrize("k", [255, 256, 257, 511, 512, 1500])
def test_16x8_flushes(run_call, conv_sums, conv_call, random_codes, rng, k):
    call = conv_call(
        rng, "int16", height=2, width=1, channels=k, outputs=3, kernel=(1, 1), pad=(0, 0), after=(0, 0), weights=-128
    )
    for kind in ("lowest", "highest", "any"):
        assert_sums(run_call, conv_sums, call, codes_of(random_codes, rng, call, 2, kind))


def test_16x16_with_the_lowest_weight(run_call, conv_sums, conv_call, random_codes, rng):
    call = conv_call(rng, "int16", channels=6, outputs=5, weights=-(1 << 15))
    assert_sums(run_call, conv_sums, call, codes_of(random_codes, rng, call, 2, "lowest"))


@pytest.mark.parametrize("bits", [8, 12, 16, 20, 31])
def test_narrow_accumulators_wrap_and_are_counted(run_call, conv_sums, conv_call, random_codes, rng, bits):
    call = conv_call(rng, channels=8, bits=bits)
    codes = codes_of(random_codes, rng, call, 3)
    exact = conv_sums(codes, call).reshape(3, -1)
    half = 1 << (bits - 1)
    wrapped = (exact + half) % (2 * half) - half
    got = run_call(call, [codes], exact.shape[1], call.out_dtype)
    np.testing.assert_array_equal(got.codes, wrapped)
    assert got.outside == np.count_nonzero(exact != wrapped)
    assert (got.outside > 0) == (bits <= 16), "the sums reach about 2**18"


def test_extremes_are_those_of_the_register(run_call, conv_sums, conv_call, random_codes, rng):
    """The definition records the accumulator as the register holds it, after it wrapped."""
    call = conv_call(rng, channels=8, bits=12)
    codes = codes_of(random_codes, rng, call, 2)
    wrapped = (conv_sums(codes, call) + 2048) % 4096 - 2048
    got = run_call(call, [codes], wrapped[0].size, call.out_dtype)
    assert (got.lowest, got.highest) == (wrapped.min(), wrapped.max())


def test_bounds_of_2_to_the_63_are_refused(refusal, conv_call, rng):
    call = conv_call(rng)
    object.__setattr__(call, "bound", 1 << 63)
    assert "64 bits" in refusal(call)
