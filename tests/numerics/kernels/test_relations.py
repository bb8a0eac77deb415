"""Two operands of unequal formats by kernel equal the definition: larger, smaller, quotient, comparisons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import SimulationError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.kernels.relations import RelationCall, RelationOperand
from hwblocks.numerics.rounding import Rounding

ROUNDINGS = [r for r in Rounding if r is not Rounding.STOCHASTIC]
FORMATS = (
    hb.Format("int4", scale=0.5, zero_point=2),
    hb.Format("int8", scale=0.07, zero_point=-11),
    hb.Format("uint8", scale=2.0**-5, zero_point=130),
    hb.Format("int16", scale=0.0011, zero_point=77),
)
OUTPUTS = (hb.Format("int8", scale=0.11), hb.Format("int5", scale=0.5), hb.Format("uint8", scale=0.03, zero_point=9))
COMPARISONS = (hb.Equal(), hb.NotEqual(), hb.Less(), hb.LessEqual(), hb.Greater(), hb.GreaterEqual())
SHAPES = (((1, 3, 4), (1, 3, 4)), ((1, 3, 4), (1, 1, 4)), ((1, 3, 1), (1, 3, 4)), ((1, 3, 4), "constant"),
          ("constant", (1, 3, 4)))  # fmt: skip


def drawn(rng, format, shape, nonzero):
    if format.kind == "bool":
        return rng.random(shape) < 0.5
    codes = rng.integers(format.lo, format.hi + 1, shape)
    if nonzero:
        codes[codes == format.zero_point] = format.hi
    return codes.astype(format.dtype)


def graph_of(rng, block, shapes, formats, output, nonzero=False, clamp=None, rounding="half_even"):
    build, operands, data = GraphBuilder("g"), [], {}
    for name, shape, format in zip("ab", shapes, formats, strict=True):
        apart = nonzero and name == "b"
        if shape == "constant":
            operands.append(build.constant(name, drawn(rng, format, (3, 4), apart), format))
            continue
        operands.append(build.input(name, shape, format))
        data[name] = drawn(rng, format, (9, *shape[1:]), apart)
    arithmetic = Arithmetic(rounding=Rounding(rounding))
    made = build.add(block, *operands, name="n", formats=[output], clamp=clamp, arithmetic=arithmetic)
    return build.build(made), data


def compare(graph, data, isa):
    fast, exact = hb.Simulator(graph, isa=isa), hb.Simulator(graph, engine="definition")
    assert not fast.plan.unserved
    made, wanted = fast.run(data), exact.run(data)
    for name, array in wanted.outputs.items():
        assert made.outputs[name].dtype == array.dtype
        np.testing.assert_array_equal(made.outputs[name], array)
    assert made.events["n"].saturated == wanted.events["n"].saturated


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("block", [hb.Maximum(), hb.Minimum(), hb.Div()])
def test_rounded(isa, rng, block, shapes):
    for case, rounding in enumerate(ROUNDINGS):
        formats = FORMATS[case % 4], FORMATS[(case + 1 + case // 4) % 4]
        clamp = (0.0, 0.9) if case % 5 == 4 else None
        made = graph_of(rng, block, shapes, formats, OUTPUTS[case % 3], isinstance(block, hb.Div), clamp, rounding)
        compare(*made, isa)


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("block", COMPARISONS)
def test_comparisons(isa, rng, block, shapes):
    for a in FORMATS:
        for b in (FORMATS[0], hb.Format("int8", scale=0.25), hb.Format("int32", scale=2.0**-30)):
            compare(*graph_of(rng, block, shapes, (a, b), hb.Format("bool")), isa)


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("block", [hb.LogicalAnd(), hb.LogicalOr(), hb.LogicalXor()])
def test_logic(isa, rng, block, shapes):
    truth = hb.Format("bool")
    for formats in ((truth, truth), (FORMATS[0], FORMATS[0]), (FORMATS[0], FORMATS[1])):
        compare(*graph_of(rng, block, shapes, formats, truth), isa)


def test_not(isa, rng):
    for format in (hb.Format("bool"), FORMATS[0]):
        build = GraphBuilder("g")
        made = build.add(hb.LogicalNot(), build.input("a", (1, 5), format), name="n", formats=[hb.Format("bool")])
        compare(build.build(made), {"a": drawn(rng, format, (9, 5), False)}, isa)


def test_a_truth_value_steers_a_selection(isa, rng):
    """A comparison, a selection by it and a sum are one program."""
    build, format = GraphBuilder("g"), FORMATS[1]
    a, b = build.input("a", (1, 8), format), build.input("b", (1, 8), FORMATS[2])
    less = build.add(hb.Less(), a, b, name="less", formats=[hb.Format("bool")])
    zero = build.constant("zero", np.array([format.zero_point], np.int8), format)
    graph = build.build(build.add(hb.Select(), less, a, zero, name="n", formats=[format]))
    compare(graph, {"a": drawn(rng, format, (6, 8), False), "b": drawn(rng, FORMATS[2], (6, 8), False)}, isa)


@pytest.mark.parametrize("engine", ["fast", "definition"])
def test_a_divisor_of_zero(isa, engine):
    build = GraphBuilder("g")
    a, b = build.input("a", (1, 2), FORMATS[1]), build.input("b", (1, 2), FORMATS[2])
    graph = build.build(build.add(hb.Div(), a, b, name="n", formats=[OUTPUTS[0]]))
    data = {"a": np.zeros((3, 2), np.int8), "b": np.full((3, 2), 130, np.uint8)}
    with pytest.raises(SimulationError, match="a divisor is 0"):
        hb.Simulator(graph, isa=isa, engine=engine).run(data)


CALL = RelationCall(
    relation="larger", count=4, a=RelationOperand(count=4), b=RelationOperand(count=4), a_factor=1, b_factor=1,
    denominator=1, rounding=Rounding.HALF_EVEN, zero_point=0, out_dtype="int8", lo=-128, hi=127, clamp_lo=-128,
    clamp_hi=127,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"a": RelationOperand(dtype="int64", count=4)}, "int64"),
        ({"a_factor": 1 << 120}, "128-bit"),
        ({"a_factor": 1 << 70}, "far outside"),
        ({"relation": "quotient", "a_factor": 1 << 70}, "far outside"),
    ],
)
def test_refusals(refusal, changes, reason):
    assert reason in refusal(replace(CALL, **changes))
