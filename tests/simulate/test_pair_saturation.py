"""Sums whose product pairs saturate to 16 bits: kernels equal the definition, over all shapes that pairs can cross."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from ordered_sums import convolution

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic

PAIRS = hb.Accumulator("int32 wrap dot(2,sat16) zp=correct")
SHAPES = [  # channels, outputs, kernel, groups, stride, dilation, padding
    (1, 8, (5, 5), 1, 1, 1, 2),
    (3, 17, (3, 3), 1, 2, 1, 1),
    (3, 5, (3, 3), 1, 1, 2, 2),
    (4, 33, (3, 2), 1, 1, 1, 1),
    (16, 16, (1, 1), 1, 1, 1, 0),
    (7, 9, (1, 1), 1, 1, 1, 0),
    (6, 12, (3, 3), 2, 1, 1, 1),
    (8, 6, (2, 2), 2, 1, 1, 0),
]


def convolution_of(rng, shape, zero):
    x, target = hb.Format("uint8", scale=0.05, zero_point=zero), hb.Format("uint8", scale=0.5, zero_point=128)
    arithmetic = Arithmetic(requantize=hb.Requantize.preset("float32"), accumulator=PAIRS)
    drawn = partial(rng.choice, [-128, 127, 100, -3], p=[0.3, 0.4, 0.2, 0.1])
    bias = partial(rng.integers, -9000, 9000, shape[1])
    return convolution(shape, (7, 6), x, drawn, bias, arithmetic, target, w_scale=0.01)


@pytest.mark.parametrize("zero", [0, 113, 255])
@pytest.mark.parametrize("shape", SHAPES)
def test_convolutions(compiled_isa, shape, zero):
    rng = np.random.default_rng([zero, *np.hstack(shape)])
    graph = convolution_of(rng, shape, zero)
    x = rng.choice([255, 254, 0, 130], (5, 7, 6, shape[0])).astype(np.uint8)
    fast, exact = hb.Simulator(graph, isa=compiled_isa), hb.Simulator(graph, engine="definition")
    assert not fast.plan.unserved
    made, wanted = fast.run(x, trace="ranges"), exact.run(x, trace="ranges")
    (name,) = wanted.outputs
    np.testing.assert_array_equal(made.outputs[name], wanted.outputs[name])
    events, defined = made.trace.events["n"], wanted.trace.events["n"]
    assert (events.saturated, events.final) == (defined.saturated, defined.final)
    assert (events.lowest, events.highest) == (defined.lowest, defined.highest)
    plain = replace(graph.nodes[0].arithmetic, accumulator=hb.Accumulator("int32 wrap"))
    unsaturated = hb.run(graph.replace(nodes=(graph.nodes[0].replace(arithmetic=plain),)), x).outputs[name]
    assert (unsaturated != made.outputs[name]).any()  # the saturation is seen


@pytest.mark.parametrize("inner", [1, 2, 15, 16, 17, 64])
def test_linear_layers(compiled_isa, inner):
    rng = np.random.default_rng(inner)
    build = GraphBuilder("g")
    x = build.input("x", (1, inner), hb.Format("uint8", scale=0.05, zero_point=9))
    w = build.constant("w", rng.choice([-128, 127], (19, inner)), hb.Format("int8", scale=0.01))
    arithmetic = Arithmetic(requantize=hb.Requantize.preset("float32"), accumulator=PAIRS)
    target = hb.Format("uint8", scale=1.0, zero_point=128)
    graph = build.build(build.add(hb.Linear(), x, w, name="n", formats=[target], arithmetic=arithmetic))
    data = rng.choice([255, 250, 0], (9, inner)).astype(np.uint8)
    fast = hb.Simulator(graph, isa=compiled_isa)
    assert not fast.plan.unserved
    (made,), (wanted,) = (
        fast.run(data).outputs.values(),
        hb.Simulator(graph, engine="definition").run(data).outputs.values(),
    )
    np.testing.assert_array_equal(made, wanted)
