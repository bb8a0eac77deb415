"""Functions spelled out in steps become blocks, in any spelling; what is only nearly one of them stays."""

from __future__ import annotations

import math

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.graph.builder import GraphBuilder
from quantize.passes import recognise

RNG = np.random.default_rng(2)
GAIN, OFFSET = RNG.uniform(0.5, 2, 6), RNG.normal(size=6)


def gelu_tanh(x, factor=0.044715):
    cube = hb.Mul()(hb.Mul()(x, x), x)
    inner = hb.Mul()(hb.Add()(x, hb.Mul()(cube, factor)), math.sqrt(2 / math.pi))
    return hb.Mul()(hb.Mul()(hb.Add()(hb.Tanh()(inner), 1.0), 0.5), x)


def gelu_erf(x):
    return hb.Mul()(x, hb.Mul()(hb.Add()(hb.Erf()(hb.Div()(x, math.sqrt(2))), 1.0), 0.5))


def silu(x):
    return hb.Mul()(x, hb.Sigmoid()(x))


def softmax(x):
    powers = hb.Exp()(hb.Sub()(x, hb.ReduceMax((-1,), keepdim=True)(x)))
    return hb.Div()(powers, hb.ReduceSum((-1,), keepdim=True)(powers))


def layer_norm(x, dims=(-1,), gain=GAIN, offset=OFFSET):
    centred = hb.Sub()(x, hb.ReduceMean(dims, keepdim=True)(x))
    spread = hb.ReduceMean(dims, keepdim=True)(hb.Mul()(centred, centred))
    root = hb.Sqrt()(hb.Add()(spread, 1e-5))
    return hb.Add()(hb.Mul()(hb.Div()(centred, root), gain), offset)


def fast_layer_norm(x):
    mean = hb.ReduceMean((-1,), keepdim=True)(x)
    spread = hb.Sub()(hb.ReduceMean((-1,), keepdim=True)(hb.Mul()(x, x)), hb.Mul()(mean, mean))
    scale = hb.Mul()(hb.Reciprocal()(hb.Sqrt()(hb.Add()(spread, 1e-5))), GAIN)
    return hb.Add()(hb.Mul()(hb.Sub()(x, mean), scale), OFFSET)


def rms_norm(x):
    mean = hb.ReduceMean((-1,), keepdim=True)(hb.Mul()(x, x))
    return hb.Mul()(hb.Mul()(x, hb.Rsqrt()(hb.Add()(mean, 1e-6))), GAIN)


def instance_norm(x):
    return layer_norm(x, (1,), GAIN[:4, None], OFFSET[:4, None])


SPELLINGS = [
    (gelu_tanh, hb.GELU("tanh")),
    (gelu_erf, hb.GELU()),
    (silu, hb.SiLU()),
    (softmax, hb.Softmax()),
    (layer_norm, hb.LayerNorm(eps=float(np.float32(1e-5)))),
    (fast_layer_norm, hb.LayerNorm(eps=float(np.float32(1e-5)))),
    (rms_norm, hb.RMSNorm(eps=float(np.float32(1e-6)))),
    (instance_norm, hb.InstanceNorm(eps=float(np.float32(1e-5)))),
]


def graph_of(spelled):
    build = GraphBuilder("spelled")
    x = hb.Linear(weight=np.eye(6))(build.input("x", (1, 4, 6)))
    return build.build(spelled(x))


@pytest.mark.parametrize(("spelled", "block"), SPELLINGS, ids=[s.__name__ for s, _ in SPELLINGS])
def test_a_spelling_becomes_its_block(spelled, block):
    graph = graph_of(spelled)
    made = recognise.apply(graph)
    assert [type(n.block) for n in made.nodes] == [hb.Linear, type(block)]
    assert made.nodes[1].block == block
    assert made.outputs == graph.outputs
    x = RNG.normal(size=(7, 4, 6)).astype(np.float32)
    first, second = (hb.run(g, x).outputs[graph.outputs[0]] for g in (graph, made))
    np.testing.assert_allclose(second, first, rtol=2e-4, atol=2e-5)


def test_what_is_only_nearly_a_function_stays():
    graph = graph_of(lambda x: gelu_tanh(x, 0.0449))
    assert recognise.apply(graph) is graph


def test_a_result_inside_that_others_read_stays():
    build = GraphBuilder("read")
    x = build.input("x", (1, 6))
    curve = hb.Sigmoid()(x)
    graph = build.build(hb.Mul()(x, curve), curve)
    assert recognise.apply(graph) is graph


def test_it_makes_integers_of_a_spelled_normalization(isa):
    graph, x = graph_of(fast_layer_norm), RNG.normal(size=(200, 4, 6)).astype(np.float32)
    q = qz.convert(graph, qz.calibrate(graph, x))
    assert "LayerNorm" in [n.type_name for n in q.nodes]
    assert hb.compare(graph, q, x).layers.rows[-1]["sqnr_db"] > 30
