"""Functions of two operands of which one is a single constant: tables equal the definition."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.rounding import Rounding

FORMATS = (hb.Format("int4", scale=0.5, zero_point=2), hb.Format("int8", scale=0.07, zero_point=-11),
           hb.Format("uint8", scale=2.0**-5, zero_point=130))  # fmt: skip
OUTPUTS = (hb.Format("int8", scale=0.11), hb.Format("int5", scale=0.5), hb.Format("uint8", scale=0.03, zero_point=9))
WHOLE = hb.Format("int8", scale=1.0)
CASES = (
    (hb.Pow(), False, 2),
    (hb.Pow(), False, 3),
    (hb.SquaredDifference(), False, 5),
    (hb.SquaredDifference(), True, -4),
    (hb.FloorDiv(), False, 3),
    (hb.FloorMod(), False, -3),
    (hb.TruncMod(), False, 2),
)


def graph_of(block, first, number, x_format, y_format, shape=(1, 3, 4), **node):
    build = GraphBuilder("g")
    operands = [build.input("x", shape, x_format), build.constant("c", np.array([number], np.int8), WHOLE)]
    made = build.add(block, *(operands[::-1] if first else operands), name="n", formats=[y_format], **node)
    return build.build(made)


@pytest.mark.parametrize(("block", "first", "number"), CASES)
def test_equals_the_definition(isa, rng, block, first, number):
    for case, rounding in enumerate(r for r in Rounding if r is not Rounding.STOCHASTIC):
        x = FORMATS[case % 3]
        node = {"clamp": (0.0, 0.9) if case % 5 == 4 else None, "arithmetic": Arithmetic(rounding=rounding)}
        graph = graph_of(block, first, number, x, OUTPUTS[(case // 2) % 3], **node)
        data = rng.integers(x.lo, x.hi + 1, (40, 3, 4)).astype(x.dtype)
        fast, exact = hb.Simulator(graph, isa=isa), hb.Simulator(graph, engine="definition")
        assert not fast.plan.unserved
        made, wanted = fast.run(data), exact.run(data)
        np.testing.assert_array_equal(made.outputs["n"], wanted.outputs["n"])
        assert made.events["n"].saturated == wanted.events["n"].saturated


@pytest.mark.parametrize(
    ("block", "first", "number", "reason"),
    [(hb.FloorDiv(), True, 3, "not defined for every code"), (hb.FloorDiv(), False, 0, "not defined for every code")],
)
def test_what_is_not_defined_for_every_code(isa, block, first, number, reason):
    graph = graph_of(block, first, number, FORMATS[1], OUTPUTS[0])
    assert reason in hb.Simulator(graph, isa=isa).plan.unserved["n"]


def test_operands_that_vary_keep_the_definition(isa):
    build = GraphBuilder("g")
    x, z = build.input("x", (1, 4), FORMATS[1]), build.input("z", (1, 4), FORMATS[2])
    graph = build.build(build.add(hb.SquaredDifference(), x, z, name="n", formats=[OUTPUTS[0]]))
    assert "that vary" in hb.Simulator(graph, isa=isa).plan.unserved["n"]
