"""Integer meanings of normalizations and root reductions against decimals of 60 digits and loops over Python integers."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import SimulationError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.rounding import Rounding

DIGITS = 60


def graph(block, x, y, shape, *parameters):
    build = GraphBuilder("g")
    names = [build.input("x", shape, x), *(build.constant(f"p{i}", p) for i, p in enumerate(parameters))]
    return build.build(build.add(block, *names, name="n", formats=[y]))


def decimal(value):
    value = Fraction(value)
    return Decimal(value.numerator) / Decimal(value.denominator)


def cast(value, y):
    """The nearest code of a decimal, ties to even, and saturation."""
    code = int((value / decimal(y.scale)).to_integral_value(rounding="ROUND_HALF_EVEN")) + y.zero_point
    return min(max(code, y.lo), y.hi)


def reals(codes, x):
    return [decimal(Fraction(x.scale) * (int(c) - x.zero_point)) for c in codes]


X8, Y8 = hb.Format("int8", scale=0.037, zero_point=-11), hb.Format("int8", scale=0.021, zero_point=5)
X16, Y16 = hb.Format("int16", scale=3.1e-4), hb.Format("int16", scale=1.3e-4)
GAIN = np.array([0.5, -1.25, 2.0, 0.3, 1.0, 0.7, 1.5], np.float32)
SHIFT = np.array([0.1, 0.0, -0.4, 1.0, 0.2, -0.3, 0.0], np.float32)


def drawn(x, shape, seed=3):
    data = np.random.default_rng(seed).integers(x.lo, x.hi + 1, shape).astype(x.dtype)
    data[0] = x.zero_point + 1  # a group without spread
    return data


@pytest.mark.parametrize(("x", "y"), [(X8, Y8), (X16, Y16)])
def test_exact_layer_norm_is_the_formula_rounded_once(x, y):
    data = drawn(x, (6, 7))
    got = hb.run(graph(hb.LayerNorm(), x, y, (1, 7), GAIN, SHIFT), data).outputs["n"]
    with localcontext() as context:
        context.prec = DIGITS
        for row, made in zip(data, got, strict=True):
            values = reals(row, x)
            mean = sum(values) / 7
            root = (sum((v - mean) ** 2 for v in values) / 7 + decimal(1e-5)).sqrt()
            wanted = [
                cast((v - mean) / root * decimal(float(g)) + decimal(float(b)), y)
                for v, g, b in zip(values, GAIN, SHIFT, strict=True)
            ]
            assert made.tolist() == wanted


@pytest.mark.parametrize("eps", [0.0, 1e-5, 0.3])
def test_exact_rms_group_instance_and_l2_norms(eps):
    data = drawn(X8, (4, 3, 6))
    blocks = {
        hb.RMSNorm(eps=eps): lambda i, j: (i[0], i[1]) == (j[0], j[1]),
        hb.GroupNorm(3, eps=eps): lambda i, j: (i[0], i[2] // 2) == (j[0], j[2] // 2),
        hb.InstanceNorm(eps=eps): lambda i, j: (i[0], i[2]) == (j[0], j[2]),
    }
    for block, together in blocks.items():
        got = hb.run(graph(block, X8, Y8, (1, 3, 6)), data).outputs["n"]
        for index in np.ndindex(got.shape):
            group = [int(data[j]) for j in np.ndindex(data.shape) if together(index, j)]
            with localcontext() as context:
                context.prec = DIGITS
                values = reals(group, X8)
                mean = 0 if isinstance(block, hb.RMSNorm) else sum(values) / len(values)
                square = sum((v - mean) ** 2 for v in values) / len(values) + decimal(eps)
                value = reals([data[index]], X8)[0] - mean
                assert got[index] == cast(value / square.sqrt() if square else Decimal(0), Y8)


def test_a_half_is_a_tie():
    x, y = hb.Format("int8", scale=1.0), hb.Format("int8", scale=1.6)
    got = hb.run(graph(hb.LpNorm(), x, y, (1, 2)), np.array([[3, 4], [4, -3]], np.int8)).outputs["n"]
    assert got.tolist() == [[0, 0], [0, 0]]  # 0.8 / 1.6 = ½ goes to the even 0
    shift = np.array([0.8, 0.8], np.float32)
    y = hb.Format("int8", scale=0.1)
    block = hb.RMSNorm(eps=0.0)
    got = hb.run(graph(block, x, y, (1, 2), np.float32([1.0, 1.0]), shift), np.array([[1, 7]], np.int8)).outputs["n"]
    assert got.tolist() == [[10, 22]]  # root of 25: 0.2 + 0.8 and 1.4 + 0.8, the float32 of 0.8 lying above it


def integer_norm(row, x, y, eps, variant, bits, gain, shift, centred):
    """The recipe of the documentation in Python integers."""
    k = len(row)
    c = [int(v) - x.zero_point for v in row]
    d = [k * v - sum(c) for v in c] if centred else c
    unit = Fraction(x.scale) / (k if centred else 1)
    square = max(sum(v * v for v in d) // k + math.floor(Fraction(eps) / unit**2 + Fraction(1, 2)), 1)
    made = []
    for value, g, b in zip(d, gain, shift, strict=True):
        if variant == "ibert":
            root = math.isqrt(square)
            n = (value * 2**bits + root // 2) // root
        else:
            n = value * newton(square, int(variant[7]) if "(" in variant else 2, bits)
            n = math.floor(n + Fraction(1, 2))
        real = Fraction(n, 2**bits) * Fraction(float(g)) + Fraction(float(b))
        code = round(real / Fraction(y.scale)) + y.zero_point
        made.append(min(max(code, y.lo), y.hi))
    return made


def newton(v, steps, bits):
    """2**bits / √v: v = d · 4**k with 30 fraction bits of d, a seed of 8, every product cut to 30."""
    k = (v.bit_length() + 1) // 2
    d = v << (30 - 2 * k) if 2 * k <= 30 else v >> (2 * k - 30)
    middle = Fraction(2 * (d >> 25) + 1, 64)
    x = next(s for s in range(1, 600) if Fraction(2 * s + 1, 2) ** 2 * middle > 2**16) << 22
    for _ in range(steps):
        x = x * (3 * 2**30 - (d * (x * x >> 30) >> 30)) >> 31
    return Fraction(x, 2 ** (30 + k)) * 2**bits


@pytest.mark.parametrize("variant", ["ibert", "newton", "newton(1)"])
@pytest.mark.parametrize(("x", "y", "bits"), [(X8, Y8, 15), (X16, Y16, 20)])
def test_integer_variants_follow_their_recipe(variant, x, y, bits):
    data = drawn(x, (20, 7), 9)
    for cls in (hb.LayerNorm, hb.RMSNorm):
        block = cls(variant=variant, fraction_bits=bits)
        got = hb.run(graph(block, x, y, (1, 7), GAIN, SHIFT), data).outputs["n"]
        wanted = [integer_norm(r, x, y, 1e-5, variant, bits, GAIN, SHIFT, cls is hb.LayerNorm) for r in data]
        assert got.tolist() == wanted


@pytest.mark.parametrize("rounding", ["half_even", "floor", "half_up", "to_zero", "half_odd"])
@pytest.mark.parametrize("variant", ["exact", "ibert", "newton"])
def test_what_float64_settles_is_what_the_definition_says(monkeypatch, variant, rounding):
    from hwblocks.graph import settled

    data = drawn(X8, (300, 7), 11)
    build = GraphBuilder("g")
    names = [build.input("x", (1, 7), X8), build.constant("w", GAIN), build.constant("b", SHIFT)]
    block, arithmetic = hb.LayerNorm(variant=variant), Arithmetic(rounding=Rounding(rounding))
    g = build.build(build.add(block, *names, name="n", formats=[Y8], arithmetic=arithmetic))
    fast = hb.run(g, data)
    monkeypatch.setattr(settled, "DOUBT", 2.0)
    exact = hb.run(g, data)
    np.testing.assert_array_equal(fast.outputs["n"], exact.outputs["n"])
    assert fast.events["n"].saturated == exact.events["n"].saturated > 0


def test_parameters_may_be_codes():
    w = hb.Format("int8", scale=(0.1, 0.2, 0.05), axis=0)
    build = GraphBuilder("g")
    names = [build.input("x", (1, 3), X8), build.constant("w", np.array([3, -7, 100]), w)]
    g = build.build(build.add(hb.RMSNorm(), *names, name="n", formats=[Y8]))
    floats = graph(hb.RMSNorm(), X8, Y8, (1, 3), np.array([3, -7, 100]) * np.array([0.1, 0.2, 0.05]))
    data = drawn(X8, (9, 3))
    difference = hb.run(g, data).outputs["n"].astype(int) - hb.run(floats, data).outputs["n"]
    assert np.abs(difference).max() <= 1  # 0.3 is not the float32 of 0.3


def test_mean_variance_norm_adds_eps_to_the_root():
    block, data = hb.MeanVarianceNorm((1,), eps=0.25), drawn(X8, (6, 5))
    got = hb.run(graph(block, X8, Y8, (1, 5)), data).outputs["n"]
    with localcontext() as context:
        context.prec = DIGITS
        for row, made in zip(data, got, strict=True):
            values = reals(row, X8)
            mean = sum(values) / 5
            root = (sum((v - mean) ** 2 for v in values) / 5).sqrt() + decimal(0.25)
            assert made.tolist() == [cast((v - mean) / root, Y8) for v in values]


@pytest.mark.parametrize("beta", [0.75, 0.5, 1.0])
def test_local_response_norm_is_the_power_rounded_once(beta):
    data = drawn(X8, (3, 2, 5))
    got = hb.run(graph(hb.LocalResponseNorm(3, 0.9, beta, 1.5), X8, Y8, (1, 2, 5)), data).outputs["n"]
    with localcontext() as context:
        context.prec = DIGITS
        for s, p, c in np.ndindex(got.shape):
            values = reals(data[s, p], X8)
            squares = sum(v * v for v in values[max(c - 1, 0) : c + 2])
            divisor = decimal(1.5) + decimal(0.9) / 3 * squares
            assert got[s, p, c] == cast(values[c] / divisor ** decimal(beta), Y8)


def test_local_response_norm_refuses_odd_powers():
    g = graph(hb.LocalResponseNorm(3, beta=0.7), X8, Y8, (1, 5))
    with pytest.raises(SimulationError, match=r"beta=0\.7"):
        hb.run(g, drawn(X8, (1, 5)))


def test_root_and_sum_reductions():
    data = drawn(X8, (5, 4))
    y = hb.Format("int16", scale=0.011, zero_point=3)
    for block, formula in (
        (hb.ReduceL1(), lambda v: sum(map(abs, v))),
        (hb.ReduceSumSquare(), lambda v: sum(u * u for u in v)),
        (hb.ReduceL2(), lambda v: sum(u * u for u in v).sqrt()),
        (hb.ReduceLogSumExp(), lambda v: sum(u.exp() for u in v).ln()),
    ):
        got = hb.run(graph(block, X8, y, (1, 4)), data).outputs["n"]
        with localcontext() as context:
            context.prec = DIGITS
            assert got[:, 0].tolist() == [cast(formula(reals(row, X8)), y) for row in data]


def test_hardmax_compares_codes():
    y = hb.Format("uint8", scale=1 / 256)
    data = np.array([[3, 9, 9], [-5, -7, -6]], np.int8)
    assert hb.run(graph(hb.Hardmax(), X8, y, (1, 3)), data).outputs["n"].tolist() == [[0, 255, 0], [255, 0, 0]]


@pytest.mark.parametrize("recipe", ["int8", "fixed16"])
def test_a_converted_layer_norm_is_close_to_float(recipe):
    import quantize as qz

    build = GraphBuilder("g")
    x = build.input("x", (1, 16))
    g = build.build(build.add(hb.LayerNorm(), x, build.constant("w", np.full(16, 1.5, np.float32)), name="n"))
    samples = np.random.default_rng(1).normal(size=(40, 16)).astype(np.float32)
    q = qz.convert(g, qz.calibrate(g, samples), recipe=recipe)
    assert q.is_integer
    step = float(q.tensors["n"].format.scale)
    assert np.abs(hb.run(q, samples).real["n"] - hb.run(g, samples).outputs["n"]).max() < 4 * step


def test_work_follows_the_variant():
    shapes = ((2, 3, 8), (8,), (8,))  # 48 elements in 6 groups
    exact = hb.LayerNorm().work(*shapes)
    assert (exact.muls, exact.adds, exact.divisions, exact.requants) == (2 * 48, 4 * 48, 48 + 2 * 6, 48)
    newton = hb.LayerNorm(variant="newton(3)").work(*shapes)
    assert (newton.muls, newton.lookups, newton.divisions) == (3 * 48 + 9 * 6, 6, 6)
    plain = hb.RMSNorm(variant="ibert").work(shapes[0])
    assert (plain.muls, plain.adds) == (48, 48)
