"""RationalCall, AvgPoolCall and SoftmaxCall: exact ratios equal Python's Fractions, rounded here by their own rule."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from hwblocks.numerics.kernels.pool import AvgPoolCall
from hwblocks.numerics.kernels.rational import RationalCall
from hwblocks.numerics.kernels.softmax import SoftmaxCall
from hwblocks.numerics.rounding import Rounding

MODES = tuple(r for r in Rounding if r is not Rounding.STOCHASTIC)
HALF = Fraction(1, 2)


def toward(value, mode):
    """The directed modes, and the two nearest integers of the others."""
    low, high = math.floor(value), math.ceil(value)
    return {"floor": low, "ceil": high, "to_zero": int(value), "away": low if value < 0 else high}.get(mode)


def rounded(value, mode):
    """A Fraction to an integer, written from the tie table of each mode."""
    if (done := toward(value, mode)) is not None:
        return done
    up, down = math.floor(value + HALF), math.ceil(value - HALF)
    even, odd = (up, down) if up % 2 == 0 else (down, up)
    away, zero = (down, up) if value < 0 else (up, down)
    return {
        "half_up": up, "half_down": down, "half_even": even, "half_odd": odd if up != down else up,
        "half_away": away, "half_to_zero": zero,
    }[mode]  # fmt: skip


@pytest.fixture
def end():
    """end(values, call): the codes of exact values, and how many left the format."""

    def make(values, call):
        codes = [rounded(v, call.rounding.value) + call.zero_point for v in values]
        outside = sum(call.counts[0] * (c < call.lo) + call.counts[1] * (c > call.hi) for c in codes)
        limited = np.clip(np.clip(codes, call.lo, call.hi), call.clamp_lo, call.clamp_hi)
        return limited.astype(call.out_dtype), outside

    return make


@pytest.fixture
def rational_call():
    def make(mode, factors, a="int8", b="int8", zeros=(3, -5), count=64, **changes):
        fields = {
            "a_dtype": a,
            "a_zero": zeros[0],
            "b_dtype": b,
            "b_zero": zeros[1] if b else 0,
            "out_dtype": "int8",
            "count": count,
            "a_count": count,
            "b_count": count if b else 0,
            "a_factor": factors[0],
            "b_factor": factors[1],
            "product_factor": factors[2],
            "offset": factors[3],
            "denominator": factors[4],
            "a_index": None,
            "b_index": None,
            "rounding": mode,
            "zero_point": 4,
            "lo": -128,
            "hi": 127,
            "clamp_lo": -128,
            "clamp_hi": 127,
        }
        return RationalCall(**{**fields, **changes})

    return make


@pytest.fixture
def assert_rational(run_call, random_codes, end):
    def check(rng, call, n=3):
        a = random_codes(rng, call.a_dtype, (n, call.a_count))
        b = random_codes(rng, call.b_dtype, (n, call.b_count)) if call.b_dtype else None
        wide_a = a if call.a_index is None else a[:, call.a_index]
        left = [int(v) - call.a_zero for v in wide_a.ravel()]
        right = [0] * len(left)
        if b is not None:
            wide_b = b if call.b_index is None else b[:, call.b_index]
            right = [int(v) - call.b_zero for v in wide_b.ravel()]
        values = [
            Fraction(
                x * call.a_factor + z * call.b_factor + x * z * call.product_factor + call.offset, call.denominator
            )
            for x, z in zip(left, right, strict=True)
        ]
        wanted, outside = end(values, call)
        got = run_call(call, [a] if b is None else [a, b], call.count, call.out_dtype)
        np.testing.assert_array_equal(got.codes.ravel(), wanted)
        assert got.saturated == outside

    return check


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("factors", [(1, 1, 0, 0, 2), (7, -3, 0, 5, 10), (0, 0, 1, 0, 64), (-5, 2, 1, -9, 12)])
def test_ties_of_every_mode(assert_rational, rational_call, rng, mode, factors):
    assert_rational(rng, rational_call(mode, factors))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
def test_change_of_format(assert_rational, rational_call, rng, dtype, mode):
    scale = Fraction(0.1) / Fraction(0.37)
    factors = (scale.numerator, 0, 0, 0, scale.denominator)
    assert_rational(rng, rational_call(mode, factors, a=dtype, b=None, zeros=(9, 0)))


def test_real_scales_of_addition_and_product(assert_rational, rational_call, rng):
    x, z, y = Fraction(0.013), Fraction(0.021), Fraction(0.0171)
    common = math.lcm((x / y).denominator, (z / y).denominator)
    add = (int(x / y * common), int(z / y * common), 0, 0, common)
    assert_rational(rng, rational_call(Rounding.HALF_EVEN, add))
    product = x * z / y
    assert_rational(rng, rational_call(Rounding.HALF_EVEN, (0, 0, product.numerator, 0, product.denominator)))


def test_broadcast_maps_clamp_and_wide_outputs(assert_rational, rational_call, rng):
    b_index = np.arange(64) % 8
    call = rational_call(
        Rounding.HALF_UP, (40, 60, 0, 0, 3), b_count=8, b_index=b_index, a_index=np.arange(64)[::-1].copy(),
        out_dtype="int16", lo=-3000, hi=3000, clamp_lo=0, clamp_hi=2500,
    )  # fmt: skip
    assert_rational(rng, call)


def test_ratios_beyond_128_bits_are_refused(refusal, rational_call):
    assert "128-bit" in refusal(rational_call(Rounding.HALF_UP, (1, 1, 0, 0, 1 << 125)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("dtype", "sides"), [("int8", (True, True)), ("uint8", (False, True)), ("int16", (True, False))]
)
def test_average_pooling(run_call, random_codes, end, rng, dtype, sides, mode):
    height, width, channels, kernel, pad, zero = 5, 6, 17, (3, 2), (1, 1), 3
    out_height, out_width = height + 2 * pad[0] - 2, width + 2 * pad[1] - 1
    counts = rng.integers(1, 7, (out_height, out_width))
    ratio = (1, 2) if dtype != "int16" else (3, 1000)
    call = AvgPoolCall(
        x_dtype=dtype, out_dtype="int8", x_zero=zero, height=height, width=width, channels=channels,
        out_height=out_height, out_width=out_width, kernel=kernel, stride=(1, 1), dilation=(1, 1), pad=pad,
        divisors=counts, counts=sides, ratio_num=ratio[0], ratio_den=ratio[1], rounding=mode, zero_point=-6, lo=-128, hi=127,
        clamp_lo=-128, clamp_hi=100,
    )  # fmt: skip
    x = random_codes(rng, dtype, (2, height, width, channels))
    padded = np.pad(x.astype(np.int64) - zero, ((0, 0), (1, 1), (1, 1), (0, 0)))
    sums = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2)).sum(axis=(-2, -1))
    divisors = np.broadcast_to(counts[None, :, :, None], sums.shape)
    pairs = zip(sums.ravel().tolist(), divisors.ravel().tolist(), strict=True)
    wanted, outside = end([Fraction(s * ratio[0], ratio[1] * d) for s, d in pairs], call)
    got = run_call(call, [x], wanted.size // 2, "int8")
    np.testing.assert_array_equal(got.codes.ravel(), wanted)
    assert got.saturated == outside


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("dtype", "length"), [("int8", 1), ("uint8", 10), ("int8", 33), ("int16", 12)])
def test_softmax(run_call, random_codes, end, rng, dtype, length, mode):
    limits, rows = np.iinfo(dtype), 4
    span = int(limits.max) - int(limits.min) + 1
    table = np.rint(np.exp(-np.arange(span) * 16.0 / span) * (1 << 30)).astype(np.int64)
    call = SoftmaxCall(
        x_dtype=dtype, out_dtype="int8", rows=rows, length=length, table=table, ratio_num=256, ratio_den=1,
        rounding=mode, zero_point=-128, lo=-128, hi=127, clamp_lo=-128, clamp_hi=127,
    )  # fmt: skip
    x = random_codes(rng, dtype, (3, rows, length))
    powers = table[x.max(axis=-1, keepdims=True).astype(np.int64) - x]
    totals = np.broadcast_to(powers.sum(axis=-1, keepdims=True), powers.shape)
    pairs = zip(powers.ravel().tolist(), totals.ravel().tolist(), strict=True)
    wanted, outside = end([Fraction(p * 256, t) for p, t in pairs], call)
    got = run_call(call, [x], rows * length, "int8")
    np.testing.assert_array_equal(got.codes.ravel(), wanted)
    assert got.saturated == outside
