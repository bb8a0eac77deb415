"""The logarithm of a softmax by kernel equals the definition: formats of 4 to 16 bits, roundings, clamps, counts."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.kernels.log_softmax import LogSoftmaxCall
from hwblocks.numerics.rounding import Rounding

FORMATS = (hb.Format("int4", scale=0.5), hb.Format("int8", scale=0.07, zero_point=-11), hb.Format("uint8", scale=0.2),
           hb.Format("int16", scale=0.0011))  # fmt: skip
OUTPUTS = (
    hb.Format("int8", scale=0.1, zero_point=90),
    hb.Format("int16", scale=2.0**-11),
    hb.Format("int5", scale=0.25),
)


@pytest.mark.parametrize("rounding", [r for r in Rounding if r is not Rounding.STOCHASTIC])
@pytest.mark.parametrize("format", FORMATS)
def test_equals_the_definition(isa, rng, format, rounding):
    for length, output, clamp in zip((1, 7, 130), OUTPUTS, (None, (-3.0, -0.5), None), strict=True):
        build = GraphBuilder("g")
        x = build.input("x", (1, 3, length), format)
        node = {"clamp": clamp, "arithmetic": Arithmetic(rounding=rounding)}
        graph = build.build(build.add(hb.LogSoftmax(), x, name="n", formats=[output], **node))
        codes = rng.integers(format.lo, format.hi + 1, (5, 3, length)).astype(format.dtype)
        codes[0], codes[1] = format.hi, format.lo
        fast, exact = hb.Simulator(graph, isa=isa), hb.Simulator(graph, engine="definition")
        assert not fast.plan.unserved
        made, wanted = fast.run(codes), exact.run(codes)
        np.testing.assert_array_equal(made.outputs["n"], wanted.outputs["n"])
        assert made.events["n"].saturated == wanted.events["n"].saturated


@pytest.mark.parametrize(
    ("length", "factor", "reason"), [(0, 1, "rows of 0"), (1 << 40, 1, "rows of"), (4, 1 << 120, "128")]
)
def test_refusals(refusal, length, factor, reason):
    call = LogSoftmaxCall(
        x_dtype="int8", rows=1, length=length, powers=np.full(256, 1 << 30), logs=np.zeros(513), ln2=1,
        code_factor=factor, log_factor=1, denominator=1, rounding=Rounding.FLOOR, zero_point=0, out_dtype="int8",
        lo=-128, hi=127, clamp_lo=-128, clamp_hi=127,
    )  # fmt: skip
    assert reason in refusal(call)
