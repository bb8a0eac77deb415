"""Softmax's integer variants along any axis, against loops on Python's integers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from curve_oracles import cast, ibert_power, up

import hwblocks as hb
from hwblocks.errors import SimulationError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics import gemmlowp
from hwblocks.numerics.formats import Format
from hwblocks.numerics.multiplier import quantize_multiplier

PLAIN = Format("int8", scale=0.06, zero_point=-7)
SHARES = Format("int8", scale=2.0**-8, zero_point=-128)
LOGS = Format("int8", scale=2.0**-4, zero_point=127)
ANY = Format("int16", scale=0.00021, zero_point=300)


def by_rows(oracle, codes, dim):
    moved = np.moveaxis(codes.astype(int), dim, -1)
    made = np.array([oracle(row) for row in moved.reshape(-1, moved.shape[-1]).tolist()])
    return np.moveaxis(made.reshape(moved.shape), -1, dim)


def ibert(row, x, y, beta):
    powers = [ibert_power(v - max(row), x.scale * beta)[0] for v in row]
    drop = max(ibert_power(0, x.scale * beta)[0].bit_length() - 16, 0)
    shares = [p >> drop for p in powers]
    return [cast(Fraction(s * (2**32 // sum(shares)), 2**32), y) for s in shares]


def quarters(entries, part, unit):
    """Between the entries of quarters, at part / unit of the whole."""
    q, d = divmod(part * 4, unit)
    return entries[q] + math.floor(Fraction((entries[min(q + 1, 4)] - entries[q]) * d, unit))


def base2(row, x, y, beta, f=2, r=7):
    ratio = Fraction(x.scale * beta * math.log2(math.e)) * 2**f
    t = [min(max(up(v * ratio), -(32 << f)), (32 << f) - 1) for v in row]
    powers = [round(2 ** (15 + q / 4)) for q in range(5)]

    def power(v, top):
        k = math.ceil(Fraction((top << f) - v, 2**f))
        part = (k << f) - ((top << f) - v)
        return quarters(powers, part, 1 << f) // 2**k

    top, total = math.ceil(Fraction(t[0], 2**f)), 0
    for v in t:
        higher = max(top, math.ceil(Fraction(v, 2**f)))
        total = min(total // 2 ** (higher - top) + power(v, higher) // 2 ** (16 - r), 2 ** (9 + r) - 1)
        top = higher
    e = total.bit_length() - 1
    entries = [round(2**r / (1 + q / 4)) for q in range(5)]
    q, d = divmod((total - 2**e) * 4, 2**e)
    inverse = entries[q] - math.floor(Fraction((entries[q] - entries[min(q + 1, 4)]) * d, 2**e))
    return [
        cast(Fraction(math.floor(power(v, top) * inverse * Fraction(2) ** (r - 1 - e)), 2 ** (15 + r)), y) for v in t
    ]


def logarithm(row, x, y):
    total = sum(round(math.exp(-x.scale * (max(row) - v)) * 2**30) for v in row)
    e = total.bit_length() - 1
    i, d = divmod(math.floor(Fraction(total, 2**e) * 2**30) - 2**30, 2**21)
    low, high = (round(math.log1p(min(k, 512) / 512) * 2**30) for k in (i, i + 1))
    log = (e - 30) * round(math.log(2) * 2**30) + low + (high - low) * d // 2**21
    return [cast(Fraction(x.scale) * (v - max(row)) - Fraction(log, 2**30), y) for v in row]


def run(block, x, y, codes, isa=None):
    build = GraphBuilder("g")
    made = build.build(build.add(block, build.input("x", (1, *codes.shape[1:]), x), name="n", formats=[y]))
    exact = hb.Simulator(made, engine="definition").run(codes).outputs["n"]
    np.testing.assert_array_equal(hb.Simulator(made, isa=isa).run(codes).outputs["n"], exact)
    return exact


def draws(x, seed=4, shape=(20, 3, 7)):
    rng = np.random.default_rng(seed)
    made = rng.integers(x.lo, x.hi + 1, shape)
    made[0], made[1] = x.hi, x.lo
    made[2:8] //= 16
    return made.astype(x.dtype)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("y", [SHARES, ANY])
@pytest.mark.parametrize(
    ("variant", "oracle", "more"),
    [("ibert", ibert, ()), ("base2", base2, ()), ("base2(6)", base2, (6,)), ("base2(8, 12)", base2, (8, 12))],
)
def test_variants_are_their_loops(isa, variant, oracle, more, y, dim):
    for x, beta in ((PLAIN, 1.0), (PLAIN, 0.7), (Format("ap_fixed<12,4>"), 1.0)):
        codes = draws(x)
        wanted = by_rows(lambda row: oracle(row, x, y, beta, *more), codes, dim)  # noqa: B023
        np.testing.assert_array_equal(run(hb.Softmax(dim, beta, variant=variant), x, y, codes, isa), wanted)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("y", [LOGS, ANY])
def test_logarithms_of_softmax_are_their_loops(isa, y, dim):
    for x in (PLAIN, Format("ap_fixed<12,4>")):
        codes = draws(x)
        wanted = by_rows(lambda row: logarithm(row, x, y), codes, dim)  # noqa: B023
        np.testing.assert_array_equal(run(hb.LogSoftmax(dim), x, y, codes, isa), wanted)


def test_logarithms_of_softmax_are_near_the_float():
    x, y = Format("ap_fixed<16,5>"), Format("ap_fixed<32,8>")
    codes = draws(x, shape=(50, 1000))
    exact = hb.LogSoftmax()(x.dequantize(codes))
    assert np.abs(y.dequantize(run(hb.LogSoftmax(), x, y, codes)) - exact).max() < 1e-6


def fixed_share(row, x):
    """gemmlowp's softmax of one row by its own steps."""
    m, left = quantize_multiplier(x.scale * 2.0**26)
    d = np.array([v - max(row) for v in row], np.int64)
    powers = gemmlowp.exp_negative(gemmlowp.high_product(d << left, m), 5)
    inverse, over = gemmlowp.reciprocal(gemmlowp.shift_away(powers, 12).sum(), 12)
    made = gemmlowp.shift_away(gemmlowp.high_product(powers, inverse), over + 23) - 128
    return np.clip(made, -128, 127).tolist()


@pytest.mark.parametrize("dim", [1, 2])
def test_tflites_softmax_needs_no_dialect(isa, dim):
    codes = draws(PLAIN)
    got = run(hb.Softmax(dim, variant="gemmlowp"), PLAIN, SHARES, codes, isa)
    np.testing.assert_array_equal(got, by_rows(lambda row: fixed_share(row, PLAIN), codes, dim))


REFUSED = [
    (hb.Softmax(variant="gemmlowp"), PLAIN, ANY, "scale"),
    (hb.Softmax(variant="gemmlowp"), ANY, SHARES, "at most 8 bits"),
    (hb.LogSoftmax(variant="gemmlowp"), PLAIN, SHARES, "0.0625"),
    (hb.Softmax(variant="ibert"), Format("int8", scale=0.8), SHARES, "ln 2"),
    (hb.Softmax(variant="base2"), Format("ap_fixed<40,4>"), SHARES, "at most 32"),
    (hb.Softmax(), Format("ap_fixed<24,4>"), SHARES, "at most 16"),
]


@pytest.mark.parametrize(("block", "x", "y", "words"), REFUSED)
def test_formats_that_do_not_fit_are_refused(block, x, y, words):
    with pytest.raises(SimulationError) as error:
        run(block, x, y, np.zeros((1, 3), x.dtype))
    assert words in error.value.message
