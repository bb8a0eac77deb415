"""Normalizations by kernel equal the definition: formats of 4 to 16 bits, roundings, variants, axes, clamps, counts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder
from hwblocks.graph.norm_calls import layout_of
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.kernels.norm import NormCall
from hwblocks.numerics.rounding import Rounding

ROUNDINGS = [r for r in Rounding if r is not Rounding.STOCHASTIC]
VARIANTS = ("exact", "ibert", "newton(1)", "newton(3)")
FORMATS = (
    hb.Format("int4", scale=0.5),
    hb.Format("int8", scale=0.07, zero_point=-11),
    hb.Format("uint8", scale=2.0**-5, zero_point=130),
    hb.Format("int16", scale=0.0011, zero_point=77),
)
OUTPUTS = (hb.Format("int8", scale=0.02), hb.Format("int5", scale=0.5), hb.Format("uint8", scale=0.3, zero_point=9),
           hb.Format("int16", scale=1 / 8192))  # fmt: skip
BLOCKS = {
    "layer": (lambda **a: hb.LayerNorm(**a), (1, 3, 20)),
    "layer of two axes": (lambda **a: hb.LayerNorm(dims=2, **a), (1, 2, 3, 7)),
    "rms": (lambda **a: hb.RMSNorm(**a), (1, 2, 130)),
    "group": (lambda **a: hb.GroupNorm(2, **a), (1, 3, 2, 6)),
    "instance": (lambda **a: hb.InstanceNorm(**a), (1, 5, 3, 4)),
    "mean variance": (lambda **a: hb.MeanVarianceNorm((0, 1, 2), **a), (1, 3, 3, 5)),
    "p = 2": (lambda **a: hb.LpNorm(dim=1, **{k: v for k, v in a.items() if k != "eps"}), (1, 6, 5)),
    "p = 1": (lambda **a: hb.LpNorm(1, **{k: v for k, v in a.items() if k != "eps"}), (1, 4, 9)),
}
PLAIN = ("mean variance", "p = 2", "p = 1")


def graph_of(block, shape, x_format, y_format, *parameters, clamp=None, rounding="half_even"):
    build = GraphBuilder("g")
    inputs = [build.input("x", shape, x_format)]
    inputs += [build.constant(f"p{i}", value, fmt) for i, (value, fmt) in enumerate(parameters)]
    arithmetic = Arithmetic(rounding=Rounding(rounding))
    made = build.add(block, *inputs, name="n", formats=[y_format], clamp=clamp, arithmetic=arithmetic)
    return build.build(made)


def codes_for(rng, format, shape):
    """Some samples of any codes, of one code only, of two neighbours, and of the ends."""
    x = rng.integers(format.lo, format.hi + 1, (6, *shape[1:]))
    x[1] = rng.integers(format.lo, format.hi + 1)
    x[2] = format.zero_point
    x[3] = format.lo + rng.integers(0, 2, shape[1:])
    x[4] = rng.choice([format.lo, format.hi], shape[1:])
    return x.astype(format.dtype)


def compare(graph, x, isa):
    fast, exact = hb.Simulator(graph, isa=isa), hb.Simulator(graph, engine="definition")
    assert not fast.plan.unserved
    made, wanted = fast.run(x), exact.run(x)
    for name, codes in wanted.outputs.items():
        np.testing.assert_array_equal(made.outputs[name], codes)
    assert made.events["n"].saturated == wanted.events["n"].saturated


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", BLOCKS)
def test_equals_the_definition(isa, rng, name, variant):
    make, shape = BLOCKS[name]
    for case, rounding in enumerate(ROUNDINGS):
        x_format, y_format = FORMATS[case % len(FORMATS)], OUTPUTS[(case // 2) % len(OUTPUTS)]
        block = make(eps=(0.0, 1e-5, 0.3)[case % 3], variant=variant, fraction_bits=(15, 6, 30)[case % 3])
        parameters = []
        if name not in PLAIN and case % 4:
            parameters.append((rng.normal(1, 0.3, shape[-1:]).astype(np.float32), hb.Format("float32")))
        if name not in PLAIN and case % 4 > 1:
            stored = hb.Format("int8", scale=0.013, zero_point=3)
            parameters.append((rng.integers(-128, 128, shape[-1:]).astype(np.int8), stored))
        clamp = (0.0, 0.9) if case % 5 == 4 else None
        graph = graph_of(block, shape, x_format, y_format, *parameters, clamp=clamp, rounding=rounding)
        compare(graph, codes_for(rng, x_format, shape), isa)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_ties_are_exact(isa, rounding):
    """d / √mean square is whole or halves for these: the doubles never decide them."""
    y = hb.Format("int8", scale=0.5)
    graph = graph_of(hb.RMSNorm(eps=0.0), (1, 4), hb.Format("int8", scale=1.0), y, rounding=rounding)
    rows = [[3, 3, 3, 3], [2, 2, 2, 2], [1, 7, 1, 7], [-1, -7, 7, 1], [0, 0, 0, 4], [0, 0, 0, 0], [1, 1, 5, 3]]
    compare(graph, np.array(rows, np.int8), isa)


def test_a_weight_that_varies_along_outer_axes(isa, rng):
    weight = (rng.normal(1, 0.5, (3, 1)).astype(np.float32), hb.Format("float32"))
    for dims in (1, 2):
        graph = graph_of(hb.LayerNorm(dims=dims), (1, 2, 3, 5), FORMATS[1], OUTPUTS[0], weight)
        compare(graph, codes_for(rng, FORMATS[1], (1, 2, 3, 5)), isa)


@pytest.mark.parametrize(
    ("shape", "axes", "layout"),
    [
        ((2, 3, 4), (2,), (6, 1, 1, 4)),
        ((2, 3, 4), (1,), (2, 3, 4, 1)),
        ((2, 3, 4), (0, 2), (1, 2, 3, 4)),
        ((1, 3, 4, 5), (1, 3), (1, 3, 4, 5)),
        ((2, 3, 4, 5, 6), (1, 3), None),
        ((1, 1), (1,), (1, 1, 1, 1)),
    ],
)
def test_layout(shape, axes, layout):
    assert layout_of(shape, axes) == layout


CALL = NormCall(
    x_dtype="int8", x_zero=0, outer=1, rows=1, groups=1, width=4, centred=True, divisor="root", count=4,
    eps=Fraction(1, 100), fraction_bits=0, steps=0, gain=(Fraction(50),), offset=(Fraction(0),), zero_point=0,
    rounding=Rounding.HALF_EVEN, out_dtype="int8", lo=-128, hi=127, clamp_lo=-128, clamp_hi=127,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"x_dtype": "int32"}, "16 input"),
        ({"out_dtype": "int64"}, "32 output bits"),
        ({"eps": Fraction(-1)}, "negative eps"),
        ({"width": 1 << 50}, "groups of"),
        ({"gain": (Fraction(1 << 30),)}, "far outside"),
        ({"gain": (Fraction(1, 3**700),)}, "2048 bits"),
        ({"divisor": "newton", "eps": Fraction(1 << 70)}, "62 bits"),
    ],
)
def test_refusals(refusal, changes, reason):
    assert reason in refusal(replace(CALL, **changes))
