"""Residual blocks and transformer layers in integers: every instruction set, accuracy, exact counts, folded norms."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz

RNG = np.random.default_rng(6)
C, E = 8, 8


def drawn(*shape):
    """Weights whose products keep the spread of their inputs."""
    inner = shape[-1] if len(shape) == 2 else int(np.prod(shape[1:]))
    return RNG.normal(size=shape) / np.sqrt(max(inner, 1))


def norms(*names, size):
    made = {}
    for name in names:
        made |= {f"{name}.weight": 1 + 0.1 * RNG.normal(size=size), f"{name}.bias": 0.1 * RNG.normal(size=size)}
        made |= {
            f"{name}.running_mean": 0.1 * RNG.normal(size=size),
            f"{name}.running_var": RNG.uniform(0.5, 1.5, size),
        }
    return made


BOTTLENECK = {"conv1.weight": drawn(4, C, 1, 1), "conv2.weight": drawn(4, 2, 3, 3), "conv3.weight": drawn(16, 4, 1, 1)}
BOTTLENECK |= {"downsample.0.weight": drawn(16, C, 1, 1), **norms("bn1", "bn2", size=4)}
BOTTLENECK |= norms("bn3", "downsample.1", size=16)
INVERTED = {
    "expand.weight": drawn(16, C, 1, 1),
    "depthwise.weight": drawn(16, 1, 3, 3),
    **norms("depthwise_bn", size=16),
}
INVERTED |= {"project.weight": drawn(C, 16, 1, 1), "se.fc1.weight": drawn(4, 16, 1, 1), "se.fc2.weight": drawn(16, 4)}
SEPARABLE = {"depthwise.weight": drawn(C, 1, 3, 3), "pointwise.weight": drawn(5, C, 1, 1), "pointwise.bias": drawn(5)}
LINE = {"depthwise.weight": drawn(C, 1, 3), "pointwise.weight": drawn(5, C, 1)}
IMAGE, ROW = (6, 7, C), (9, C)
BLOCKS = {
    "bottleneck": (hb.Bottleneck(2, groups=2, weights=BOTTLENECK), IMAGE),
    "inverted": (hb.InvertedResidual(weights=INVERTED), IMAGE),
    "separable 2d": (hb.SeparableConv2d(padding=1, weights=SEPARABLE), IMAGE),
    "separable 1d": (hb.SeparableConv1d(2, 1, weights=LINE), ROW),
    "add": (hb.Residual((hb.Linear(weight=drawn(C, C)), hb.ReLU()), activation=hb.ReLU()), ROW),
    "concat": (hb.Residual(hb.Linear(weight=drawn(3, C)), mode="concat"), ROW),
    "gate": (hb.Residual(hb.Linear(weight=drawn(C, C)), mode="gate", gate_weight=drawn(C, C)), ROW),
}


def compared(block, shapes, isa, recipe="int8"):
    """The integer graph, after its kernels were compared with its definition, and the share of error."""
    graph = block.graph(*((1, *s) for s in shapes))
    x = {n: np.random.default_rng(i).normal(size=(5, *s)) for i, (n, s) in enumerate(zip(graph.inputs, shapes))}
    q = qz.convert(graph, qz.calibrate(graph, x), recipe)
    fast = hb.Simulator(q, isa=isa)
    run, slow = fast.run(x, trace="full"), hb.Simulator(q, engine="definition").run(x, trace="full")
    for name in slow.trace:
        np.testing.assert_array_equal(run.trace[name], slow.trace[name], err_msg=name)
    wanted = next(iter(hb.run(graph, x).real.values()))
    return fast, np.abs(next(iter(run.real.values())) - wanted).max() / np.abs(wanted).max()


@pytest.mark.parametrize("recipe", ["int8", "int16x8"])
@pytest.mark.parametrize("name", BLOCKS)
def test_residual_blocks_on_every_isa(compiled_isa, name, recipe):
    block, shape = BLOCKS[name]
    simulator, error = compared(block, [shape], compiled_isa, recipe)
    assert simulator.plan.unserved == {}
    assert error < 0.06
    assert not [n for n in simulator.graph.nodes if n.type_name == "BatchNorm"]


def layer(parts, **more):
    weights = {f"{part}.in_proj_weight": drawn(3 * E, E) for part in parts}
    weights |= {f"{part}.out_proj.weight": drawn(E, E) for part in parts}
    weights |= {"linear1.weight": drawn(12, E), "linear2.weight": drawn(E, 12), "linear3.weight": drawn(12, E)}
    weights |= {f"norm{i}.weight": 1 + 0.1 * RNG.normal(size=E) for i in (1, 2, 3)}
    kind = hb.TransformerDecoderLayer if len(parts) > 1 else hb.TransformerEncoderLayer
    return kind(E, 2, weights=weights, **more)


LAYERS = {
    "encoder": (layer(["self_attn"]), [(5, E)], 2),
    "pre-norm": (layer(["self_attn"], norm_first=True, activation="gelu_tanh", is_causal=True), [(5, E)], 2),
    "swiglu": (layer(["self_attn"], norm="rms", activation="swiglu", rotary=hb.RotaryEmbedding(8)), [(5, E)], 2),
    "decoder": (layer(["self_attn", "multihead_attn"], is_causal=True), [(5, E), (3, E)], 3),
}


@pytest.mark.parametrize("name", LAYERS)
def test_transformer_layers_on_every_isa(compiled_isa, name):
    block, shapes, count = LAYERS[name]
    simulator, error = compared(block, shapes, compiled_isa)
    assert error < 0.08
    assert len(simulator.plan.unserved) <= count  # normalizations
    assert all("norm" in node for node in simulator.plan.unserved)


def test_products_of_an_encoder_are_counted():
    steps = 5
    profile = hb.profile(LAYERS["swiglu"][0].graph((1, steps, E)))
    projections, attention, forward = 4 * E * E, 2 * steps * E, 3 * 12 * E
    assert profile.macs == steps * (projections + attention + forward)
    rows = {row["layer"].rpartition("/")[2]: row for row in profile.layers}
    assert rows["gated"]["muls"] == steps * 12
