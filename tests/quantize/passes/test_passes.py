"""Passes: every surviving tensor keeps its name and values; numbers are chosen so that floats are exact."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.tensor import Origin
from quantize.passes import (
    fold_batch_norm,
    fold_constants,
    fuse_bias,
    fuse_clamp,
    matmul_to_linear,
    prepare,
    remove_identity,
    split_constants,
)

RNG = np.random.default_rng(0)


def integers(*shape: int) -> np.ndarray:
    return RNG.integers(-3, 4, size=shape).astype(np.float32)


def batch_norm(build, x, channels, name="bn"):
    """A BatchNorm whose factor and offset are dyadic: factors ±2, ±1, ±1/2, integer means and biases."""
    parameters = (
        build.constant("gamma", np.resize([2.0, -1.0, 4.0], channels)),
        build.constant("beta", np.resize([1.0, 0.0, -2.0], channels)),
        build.constant("mean", np.resize([3.0, -1.0, 2.0], channels)),
        build.constant("var", np.resize([1.0, 4.0, 16.0], channels)),
    )
    return build.add(hb.BatchNorm(eps=0.0), x, *parameters, name=name)


def types(graph) -> list[str]:
    return [node.type_name for node in graph.nodes]


@pytest.fixture
def check_survivors(all_tensors):
    """Assert that a rewritten graph gives equal values for every run-time tensor that it still has."""

    def check(before, after, x):
        old, new = all_tensors(before, x), all_tensors(after, x)
        assert set(after.outputs) == set(before.outputs)
        for tensor in after.runtime_tensors:
            origin = tensor.origin_name
            assert origin in old, f"{tensor.name} comes from {origin}, which the graph before did not have"
            assert np.array_equal(new[tensor.name], old[origin]), tensor.name

    return check


CONVOLUTIONS = {
    "conv2d": (hb.Conv2d(padding=1), (1, 4, 5, 2), (3, 3, 3, 2)),
    "grouped": (hb.Conv2d(groups=2), (1, 4, 5, 4), (6, 3, 3, 2)),
    "depthwise": (hb.Conv2d(groups=3), (1, 4, 5, 3), (1, 3, 3, 6)),
    "conv1d": (hb.Conv1d(stride=2), (1, 7, 2), (3, 3, 2)),
    "linear": (hb.Linear(), (1, 5), (4, 5)),
}


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_batch_norm_is_folded(check_survivors, name, bias):
    block, x_shape, w_shape = CONVOLUTIONS[name]
    build = hb.GraphBuilder("g")
    x = build.input("x", x_shape)
    inputs = [x, build.constant("w", integers(*w_shape))]
    channels = block.shape(x_shape, w_shape)[0][-1]
    if bias:
        inputs.append(build.constant("b", integers(channels)))
    y = build.add(block, *inputs, name="layer")
    graph = build.build(batch_norm(build, y, channels))
    folded = fold_batch_norm.apply(graph)
    assert types(folded) == [type(block).__name__]
    assert folded.nodes[0].name == "layer" and folded.nodes[0].outputs == ("bn",)
    check_survivors(graph, folded, integers(3, *x_shape))
    w = folded.tensors[folded.nodes[0].inputs[1]]
    assert w.value.dtype == np.float64
    factor = np.resize([2.0, -0.5, 1.0], channels)
    assert w.origin == Origin("w", tuple(factor))
    axis = -1 if name == "depthwise" else 0
    assert np.array_equal(np.moveaxis(w.value, axis, -1), np.moveaxis(graph.tensors["w"].value, axis, -1) * factor)


def test_folded_constants_are_not_rounded():
    build = hb.GraphBuilder("g")
    y = build.add(hb.Linear(weight=np.array([[0.1]])), build.input("x", (1, 1)), name="fc")
    constants = [build.constant(n, np.array([v])) for n, v in (("g", 0.3), ("b", 0.7), ("m", 0.2), ("v", 0.9))]
    folded = fold_batch_norm.apply(build.build(build.add(hb.BatchNorm(eps=1e-3), y, *constants, name="bn")))
    g, b, m, v, w = (float(np.float32(value)) for value in (0.3, 0.7, 0.2, 0.9, 0.1))
    k = g / np.sqrt(v + 1e-3)
    assert folded.tensors["fc.weight.folded"].value.tolist() == [[w * k]]
    assert folded.tensors["fc.bias"].value.tolist() == [b - m * k]


@pytest.mark.parametrize("reason", ["another reader", "graph output", "not a layer", "run-time weights"])
def test_batch_norm_becomes_a_weight(check_survivors, reason):
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 3))
    inputs = {"x": integers(4, 1, 3)}
    if reason == "not a layer":
        y = build.add(hb.Add(), x, x, name="y")
    elif reason == "run-time weights":
        y = build.add(hb.MatMul(), x, build.input("w", (3, 3)), name="y")
        inputs["w"] = integers(4, 3, 3)
    else:
        y = build.add(hb.Linear(weight=integers(3, 3)), x, name="y")
    outputs = [batch_norm(build, y, 3)]
    if reason == "another reader":
        outputs.append(build.add(hb.ReLU(), y, name="r"))
    if reason == "graph output":
        outputs.append(y)
    graph = build.build(*outputs)
    folded = fold_batch_norm.apply(graph)
    assert "Weight" in types(folded) and "BatchNorm" not in types(folded)
    node = folded.node("bn")
    assert folded.tensors[node.inputs[1]].value.tolist() == [2.0, -0.5, 1.0]
    assert folded.tensors[node.inputs[2]].value.tolist() == [1.0 - 6.0, 0.0 - 0.5, -2.0 - 2.0]
    check_survivors(graph, folded, inputs)


def test_batch_norms_in_a_row_and_its_clamp(check_survivors):
    build = hb.GraphBuilder("g")
    y = build.add(hb.Linear(weight=integers(3, 2)), build.input("x", (1, 2)), name="fc")
    graph = build.build(batch_norm(build, batch_norm(build, y, 3, "one"), 3, "two"))
    node = graph.node("two")
    graph = graph.replace(nodes=tuple(n.replace(clamp=(0.0, 5.0)) if n is node else n for n in graph.nodes))
    folded = fold_batch_norm.apply(graph)
    assert types(folded) == ["Linear"] and folded.nodes[0].clamp == (0.0, 5.0)
    check_survivors(graph, folded, integers(5, 2))


@pytest.mark.parametrize(
    ("block", "order", "constant"),
    [
        (hb.Add(), (0, 1), integers(3)),
        (hb.Add(), (1, 0), integers(3)),
        (hb.Add(), (0, 1), integers(1, 1, 3)),
        (hb.Add(), (0, 1), np.float32(2.0)),
        (hb.Add(), (0, 1), integers(1)),
        (hb.Sub(), (0, 1), integers(3)),
    ],
)
@pytest.mark.parametrize("bias", [None, integers(3)])
def test_bias_is_fused(check_survivors, block, order, constant, bias):
    build = hb.GraphBuilder("g")
    y = build.add(hb.Conv1d(weight=integers(3, 2, 2), bias=bias), build.input("x", (1, 4, 2)), name="conv")
    pair = (y, build.constant("c", constant))
    graph = build.build(build.add(block, pair[order[0]], pair[order[1]], name="sum"))
    fused = fuse_bias.apply(graph)
    assert types(fused) == ["Conv1d"]
    assert fused.nodes[0].outputs == ("sum",)
    check_survivors(graph, fused, integers(4, 4, 2))


@pytest.mark.parametrize(
    "case", ["other axis", "constant first in Sub", "another reader", "grows the shape", "clamped"]
)
def test_bias_is_not_fused(check_survivors, case):
    build = hb.GraphBuilder("g")
    y = build.add(hb.Conv1d(weight=integers(3, 2, 2)), build.input("x", (1, 4, 2)), name="conv")
    if case == "clamped":
        build.nodes[-1] = build.nodes[-1].replace(clamp=(0.0, 9.0))
    value = {"other axis": integers(3, 1), "grows the shape": integers(2, 1, 3)}.get(case, integers(3))
    c = build.constant("c", value)
    block, pair = (hb.Sub(), (c, y)) if case == "constant first in Sub" else (hb.Add(), (y, c))
    outputs = [build.add(block, *pair, name="sum")]
    if case == "another reader":
        outputs.append(build.add(hb.ReLU(), y, name="r"))
    graph = build.build(*outputs)
    fused = fuse_bias.apply(graph)
    assert types(fused) == types(graph)
    check_survivors(graph, fused, integers(4, 4, 2))


@pytest.mark.parametrize(
    ("blocks", "bounds"),
    [
        ([hb.ReLU()], (0.0, np.inf)),
        ([hb.ReLU6()], (0.0, 6.0)),
        ([hb.Clip(min=-1.5, max=2.5)], (-1.5, 2.5)),
        ([hb.ReLU(), hb.Clip(min=-4.0, max=2.0)], (0.0, 2.0)),
        ([hb.Clip(min=-4.0, max=-2.0), hb.ReLU()], (0.0, 0.0)),
        ([hb.Clip(min=3.0, max=4.0), hb.Clip(min=5.0, max=6.0)], (5.0, 5.0)),
    ],
)
def test_clamp_is_fused(check_survivors, blocks, bounds):
    build = hb.GraphBuilder("g")
    y = build.add(hb.Linear(weight=integers(6, 3)), build.input("x", (1, 3)), name="fc")
    for position, block in enumerate(blocks):
        y = build.add(block, y, name=f"act{position}")
    graph = build.build(y)
    fused = fuse_clamp.apply(graph)
    assert types(fused) == ["Linear"]
    assert fused.nodes[0].clamp == bounds
    assert fused.nodes[0].outputs == (f"act{len(blocks) - 1}",)
    check_survivors(graph, fused, integers(20, 3))


@pytest.mark.parametrize("before", ["add", "leaky", "average"])
def test_clamp_is_fused_into_other_kinds(check_survivors, before):
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 4, 4, 2))
    block = {"add": hb.Add(), "leaky": hb.LeakyReLU(0.5), "average": hb.AvgPool2d(2)}[before]
    y = build.add(block, *([x, x] if before == "add" else [x]), name="y")
    graph = build.build(build.add(hb.ReLU6(), y, name="act"))
    fused = fuse_clamp.apply(graph)
    assert types(fused) == [type(block).__name__]
    check_survivors(graph, fused, integers(3, 4, 4, 2))


@pytest.mark.parametrize("case", ["move", "fixed range", "input", "another reader", "graph output"])
def test_clamp_is_not_fused(check_survivors, case):
    build = hb.GraphBuilder("g")
    y = x = build.input("x", (1, 4))
    if case == "move":
        y = build.add(hb.Reshape((1, 2, 2)), x, name="y")
    elif case == "fixed range":
        y = build.add(hb.Sigmoid(), x, name="y")
    elif case != "input":
        y = build.add(hb.Linear(weight=integers(4, 4)), x, name="y")
    outputs = [build.add(hb.ReLU(), y, name="act")]
    if case == "another reader":
        outputs.append(build.add(hb.Sigmoid(), y, name="z"))
    if case == "graph output":
        outputs.append(y)
    graph = build.build(*outputs)
    fused = fuse_clamp.apply(graph)
    assert types(fused) == types(graph)
    check_survivors(graph, fused, integers(4, 4))


def test_identities_are_removed(check_survivors):
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 3))
    y = build.add(hb.Identity(), x, name="i1")
    y = build.add(hb.Linear(weight=integers(2, 3)), y, name="fc")
    y = build.add(hb.Dropout(), y, name="d1")
    y = build.add(hb.ReLU(), y, name="r")
    graph = build.build(build.add(hb.Identity(), y, name="out"))
    clean = remove_identity.apply(graph)
    assert types(clean) == ["Linear", "ReLU"]
    assert clean.outputs == ("out",) and clean.nodes[-1].outputs == ("out",)
    check_survivors(graph, clean, integers(5, 3))


def test_identities_between_ends_stay(check_survivors):
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 3))
    r = build.add(hb.ReLU(), x, name="r")
    graph = build.build(build.add(hb.Identity(), x, name="copy"), r, build.add(hb.Identity(), r, name="again"))
    clean = remove_identity.apply(graph)
    assert sorted(types(clean)) == ["Identity", "Identity", "ReLU"]
    check_survivors(graph, clean, integers(5, 3))


def test_constants_are_folded(check_survivors):
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 3))
    a, b = build.constant("a", integers(3)), build.constant("b", integers(3))
    c = build.add(hb.LeakyReLU(0.5), build.add(hb.Add(), a, b, name="c"), name="d")
    graph = build.build(build.add(hb.Mul(), x, c, name="y"), build.add(hb.ReLU(), a, name="constant_output"))
    folded = fold_constants.apply(graph)
    assert sorted(types(folded)) == ["Mul", "ReLU"]
    total = graph.tensors["a"].value + graph.tensors["b"].value
    assert np.array_equal(folded.tensors["d"].value, np.where(total < 0, total / 2, total))
    check_survivors(graph.replace(outputs=("y",)), folded.replace(outputs=("y",)), integers(5, 3))


def test_matmul_becomes_linear(check_survivors):
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 5, 3))
    y = build.add(hb.MatMul(), x, build.constant("m", integers(3, 4)), name="y")
    graph = build.build(build.add(hb.Add(), y, build.constant("c", integers(4)), name="z"))
    made = fuse_bias.apply(matmul_to_linear.apply(graph))
    assert types(made) == ["Linear"]
    assert np.array_equal(made.tensors["m.transposed"].value, graph.tensors["m"].value.T)
    assert made.tensors["m.transposed"].origin == Origin("m")
    check_survivors(graph, made, integers(3, 5, 3))


def test_matmuls_of_other_forms_stay():
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 3, 3))
    first = build.add(hb.MatMul(), x, x, name="both")
    second = build.add(hb.MatMul(), build.constant("a", integers(3, 3)), first, name="left")
    graph = build.build(build.add(hb.MatMul(), second, build.constant("b", integers(1, 3, 3)), name="batch"))
    assert types(matmul_to_linear.apply(graph)) == ["MatMul"] * 3


def test_shared_constants_are_split(check_survivors):
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 3))
    w, b = build.constant("w", integers(3, 3)), build.constant("b", integers(3))
    y = build.add(hb.Linear(), x, w, b, name="one")
    z = build.add(hb.Linear(), y, w, b, name="two")
    graph = build.build(build.add(hb.Add(), z, b, name="sum"))
    split = split_constants.apply(graph)
    assert split.node("one").inputs[1:] == ("w", "b")
    assert split.node("two").inputs[1:] == ("w", "b_1")
    assert split.node("sum").inputs == ("two", "b_2")
    assert split.tensors["b_2"].origin == Origin("b")
    check_survivors(graph, split, integers(5, 3))


@pytest.fixture
def network():
    """Everything at once: identity, constants, convolutions, batch norm, bias, clamps, two branches."""
    build = hb.GraphBuilder("net")
    x = build.input("x", (1, 6, 6, 2))
    y = build.add(hb.Identity(), x, name="same")
    y = build.add(hb.Conv2d(weight=integers(3, 3, 3, 2), padding=1), y, name="c1")
    c = build.add(hb.Add(), build.constant("p", integers(3)), build.constant("q", integers(3)), name="pq")
    y = build.add(hb.Add(), y, c, name="c1b")
    y = build.add(hb.ReLU(), batch_norm(build, y, 3), name="r1")
    left = build.add(hb.MaxPool2d(2), y, name="left")
    right = build.add(hb.AvgPool2d(2), y, name="right")
    y = build.add(hb.Flatten(), build.add(hb.Concat(-1), left, right, name="cat"), name="flat")
    y = build.add(hb.MatMul(), y, build.constant("m", integers(54, 4)), name="mm")
    y = build.add(hb.Dropout(), build.add(hb.Add(), y, build.constant("k", integers(4)), name="mmb"), name="drop")
    build.add(hb.ReLU(), y, name="dead end")
    return build.build(build.add(hb.ReLU6(), y, name="out"))


def test_all_passes_together(check_survivors, network):
    made = prepare(network)
    assert types(made) == ["Conv2d", "MaxPool2d", "AvgPool2d", "Concat", "Flatten", "Linear"]
    assert [n.outputs[0] for n in made.nodes] == ["r1", "left", "right", "cat", "flat", "out"]
    check_survivors(network, made, integers(4, 6, 6, 2))


def test_a_prepared_graph_is_left_as_it_is(network):
    once = prepare(network)
    twice = prepare(once)
    assert twice.nodes == once.nodes
    assert list(twice.tensors) == list(once.tensors)
