"""Edges between float32 and codes: kernels equal exact fractions and the rules' definition, at ties, ends, NaN and tails."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import InputError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.kernels.edges import DequantizeCall, QuantizeCall

FORMATS = [
    hb.Format("int8", scale=0.1, zero_point=-3),
    hb.Format("uint8", scale=0.003921569, zero_point=255),
    hb.Format("int4", scale=0.75),
    hb.Format("int16", scale=2.0**-9),
    hb.Format("uint16", scale=0.7, zero_point=65535),
    hb.Format("int32", scale=1e-4, zero_point=7),
]
RULES = [
    *("divide", "reciprocal", "divide half_away", "reciprocal half_away", "divide64 half_up", "floor", "to_zero"),
    *(
        "inside",
        "inside reciprocal half_away",
        "divide64 inside",
        "wrap_far half_away",
        "wrap_far inside",
        "lowest_nan",
    ),
    *("half_odd", "lowest_nan wrap_far reciprocal", "half_down", "away", "ceil", "half_to_zero", "divide64 wrap_far"),
]


def reals_near(format, rng, count, far=True):
    """Steps, half steps and their neighbours in float32; far values, infinities, zeros of both signs, denormals."""
    steps = rng.integers(2 * (format.lo - format.zero_point) - 9, 2 * (format.hi - format.zero_point) + 9, count) / 2
    near = (steps * np.float64(format.scale)).astype(np.float32)
    jitter = rng.integers(-2, 3, count).astype(np.int32)
    near = np.where(near != 0, (near.view(np.int32) + jitter).view(np.float32), near)
    if not far:
        return near
    far = np.array([0.0, -0.0, 1e-45, -1e-45, 3e38, -3e38, np.inf, -np.inf, 2e9, -2e9, 1e12, 2.1474836e9], np.float32)
    near[: min(far.size, count)] = far[:count]
    return rng.permutation(near)


@pytest.mark.parametrize("format", FORMATS, ids=str)
@pytest.mark.parametrize("text", RULES)
def test_floats_to_codes(run_call, rng, text, format):
    rule, tail = EdgeRule.parse(text), EdgeRule.parse("divide64 half_away lowest_nan")
    for count, head in ((1, 1), (15, 15), (64, 64), (65, 60), (333, 320), (7, 0)):
        x = np.stack([reals_near(format, rng, count, far) for far in (True, True, False)])
        if rule.nan == "lowest_nan":
            x[1, count // 2] = np.nan
        low, high = format.lo + 1, format.hi - 2
        call = QuantizeCall(format=format, count=count, head=head, rule=rule, tail=tail, clamp_lo=low, clamp_hi=high)
        made = run_call(call, [x], count, format.dtype.name)
        parts = [r.codes(part, format) for r, part in ((rule, x[:, :head]), (tail, x[:, head:]))]
        codes, outside = (np.concatenate([p[i] for p in parts], axis=1) for i in (0, 1))
        np.testing.assert_array_equal(made.codes, np.clip(codes, low, high))
        assert made.saturated == np.count_nonzero(outside)


def exact_code(x, scale, zero, low, high, away):
    """The nearest code of float32(x / scale), the quotient in exact fractions and rounded to float32 by NumPy."""
    quotient = Fraction(float(np.float32(np.float32(x) / np.float32(scale))))
    whole = floor(quotient)
    rest = quotient - whole
    up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and (whole >= 0 if away else whole % 2))
    return min(max(whole + up + zero, low), high)


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("format", FORMATS[:5], ids=str)
def test_codes_by_fractions(run_call, rng, format, away):
    x = reals_near(format, rng, 500)[None]
    x = np.where(np.abs(x) < 1e30, x, np.float32(1))  # quotients stay finite
    rule = EdgeRule.parse("half_away" if away else "divide")
    call = QuantizeCall(
        format=format, count=500, head=500, rule=rule, tail=rule, clamp_lo=format.lo, clamp_hi=format.hi
    )
    made = run_call(call, [x], 500, format.dtype.name)
    wanted = [exact_code(v, format.scale, format.zero_point, format.lo, format.hi, away) for v in x[0]]
    np.testing.assert_array_equal(made.codes[0], wanted)


@pytest.mark.parametrize("format", FORMATS[:5], ids=str)
@pytest.mark.parametrize("text", ["divide", "affine"])
def test_codes_to_floats(run_call, rng, text, format):
    """Every code, and a tail by another rule."""
    codes = np.arange(format.lo, format.hi + 1).astype(format.dtype)
    x = rng.permutation(codes)[None]
    head = x.size // 8 * 8 - 8
    rule, tail = EdgeRule.parse(text), EdgeRule.parse("divide")
    call = DequantizeCall(format=format, count=x.size, head=head, rule=rule, tail=tail)
    made = run_call(call, [x], x.size, "float32")
    wanted = np.where(np.arange(x.size) < head, rule.reals(x, format), tail.reals(x, format))
    np.testing.assert_array_equal(made.codes.view(np.int32), wanted.view(np.int32))
    if text == "divide":
        single = [np.float32(float((Fraction(int(c)) - format.zero_point) * Fraction(format.scale))) for c in x[0]]
        np.testing.assert_array_equal(made.codes[0], single)


def test_what_no_kernel_serves(refusal):
    rule = EdgeRule()
    fields = {"count": 4, "head": 4, "rule": rule, "tail": rule}
    channels = hb.Format("int8", scale=(0.1, 0.2), axis=0)
    assert refusal(DequantizeCall(format=channels, **fields)) == "one scale per channel"
    assert refusal(DequantizeCall(format=FORMATS[5], **fields)) == "codes of more than 16 bits"
    for format, reason in (
        (channels, "one scale per channel"),
        (hb.Format("int40", scale=0.1), "codes of more than 32 bits"),
        (hb.Format("int8", scale=1e-60), "beyond float32"),
    ):
        assert reason in refusal(QuantizeCall(format=format, clamp_lo=-8, clamp_hi=7, **fields))


def chain(arithmetic, clamp=None):
    build = GraphBuilder("g")
    x = build.input("x", (1, 5, 7))
    codes = build.add(hb.Quantize(), x, name="in", formats=[FORMATS[0]], arithmetic=arithmetic, clamp=clamp)
    return build.build(
        codes, build.add(hb.Dequantize(), codes, name="out", formats=[x.tensor.format], arithmetic=arithmetic)
    )


@pytest.mark.parametrize("clamp", [None, (0.0, 6.0)])
@pytest.mark.parametrize("lanes", [None, 8, 16])
def test_graphs(isa, rng, clamp, lanes):
    tails = {"tail_edge": EdgeRule.parse("half_away"), "lanes": lanes} if lanes else {}
    graph = chain(Arithmetic(edge=EdgeRule.parse("reciprocal affine"), **tails), clamp)
    x = np.nan_to_num(reals_near(FORMATS[0], rng, 6 * 35)).reshape(6, 5, 7)
    fast, exact = hb.Simulator(graph, isa=isa), hb.Simulator(graph, engine="definition")
    assert not fast.plan.unserved
    made, wanted = fast.run(x), exact.run(x)
    for name, codes in wanted.outputs.items():
        np.testing.assert_array_equal(made.outputs[name], codes)
        assert made.outputs[name].dtype == codes.dtype
    assert made.events["in"].saturated == wanted.events["in"].saturated


def test_nan_is_refused_by_name(isa):
    build = GraphBuilder("g")
    x = build.input("x", (1, 4))
    infinite = build.add(hb.Mul(), x, x)
    graph = build.build(build.add(hb.Quantize(), build.add(hb.Sub(), infinite, infinite), formats=[FORMATS[0]]))
    for engine in ("fast", "definition"):
        simulator = hb.Simulator(graph, isa=isa, engine=engine, threads=1)
        with pytest.raises(InputError, match="NaN cannot be quantized; clean the data"), np.errstate(all="ignore"):
            simulator.run(np.full((1, 4), 3e38, np.float32))
