"""Graphs: what is checked when they are built, samples, files, rewriting."""

from __future__ import annotations

import contextlib
import pickle

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import FileFormatError, GraphError, HwblocksError, ShapeError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.graph.graph import Graph
from hwblocks.graph.io import content_hash, from_bytes, to_bytes
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter, without_dead_nodes
from hwblocks.graph.tensor import Tensor


def small():
    build = GraphBuilder("small")
    x = build.input("x", (1, 6, 6, 3))
    y = build.add(hb.Conv2d(weight=np.ones((4, 3, 3, 3)), bias=np.ones(4), padding=1), x, name="c")
    return build.build(hb.Softmax()(hb.Flatten()(hb.ReLU()(y))))


def tensors(*names):
    return {n: Tensor(n, (1, 3)) for n in names}


def relu(name, source, target):
    return Node(name, hb.ReLU(), (source,), (target,))


def test_nodes_are_sorted():
    nodes = (relu("second", "a", "b"), relu("first", "x", "a"))
    graph = Graph("g", tensors("x", "a", "b"), nodes, ("x",), ("b",))
    assert [n.name for n in graph.nodes] == ["first", "second"]


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ((relu("p", "b", "a"), relu("q", "a", "b")), "cycle"),
        ((relu("p", "nowhere", "a"), relu("q", "a", "b")), "dangles"),
        ((relu("p", "x", "a"), relu("p", "a", "b")), "two nodes"),
        ((relu("p", "x", "b"), relu("q", "x", "b")), "already made"),
        ((relu("p", "x", "a"),), "made by no node"),
    ],
)
def test_malformed_graphs(nodes, words):
    with pytest.raises(GraphError, match=words):
        Graph("g", tensors("x", "a", "b"), nodes, ("x",), ("b",))


def test_shapes_are_checked_with_both_shapes_named():
    build = GraphBuilder("g")
    x = build.input("x", (1, 4, 4, 3))
    with pytest.raises(ShapeError, match=r"x has 3 channels but w expects 5 \(x \(1, 4, 4, 3\), w \(2, 1, 1, 5\)\)"):
        build.add(hb.Conv2d(weight=np.ones((2, 1, 1, 5))), x)
    with pytest.raises(ShapeError, match="declared"):
        Graph("g", {"x": Tensor("x", (1, 3)), "y": Tensor("y", (1, 4))}, (relu("r", "x", "y"),), ("x",), ("y",))
    with pytest.raises(GraphError, match="'w' is missing"):
        hb.Conv2d()(np.zeros((1, 2, 2, 1)))


def graph_of(block, shape, *more):
    build = GraphBuilder("g")
    x = build.input("x", shape)
    return build.build(build.add(block, x, *[build.constant("k", m) for m in more]))


def test_whether_the_leading_axis_counts_samples():
    assert small().batched
    assert graph_of(hb.Softmax(-1), (1, 5)).batched
    assert not graph_of(hb.Softmax(0), (1, 5)).batched
    assert not graph_of(hb.Transpose((1, 0)), (1, 5)).batched
    assert graph_of(hb.Reshape((0, 6)), (1, 2, 3)).batched
    assert not graph_of(hb.Reshape((1, 6)), (1, 2, 3)).batched
    assert not graph_of(hb.Identity(), (2, 5)).batched
    assert graph_of(hb.Add(), (1, 5), np.ones(5)).batched
    assert not graph_of(hb.Add(), (1, 5), np.ones((2, 5))).batched


def test_graphs_that_mix_samples_run_one_by_one():
    graph = graph_of(hb.Softmax(0), (4, 5))
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    y = hb.run(graph, x).outputs["softmax"]
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-6)


def test_files_give_the_same_graph_and_the_same_bytes(tmp_path):
    graph = small()
    data = to_bytes(graph)
    again = from_bytes(data)
    assert to_bytes(again) == data
    assert content_hash(again) == content_hash(graph)
    assert to_bytes(pickle.loads(pickle.dumps(graph))) == data
    hb.save(graph, tmp_path / "g.hwb")
    assert (tmp_path / "g.hwb").read_bytes() == data
    assert [n.block for n in again.nodes] == [n.block for n in graph.nodes]
    assert [p.name for p in tmp_path.iterdir()] == ["g.hwb"]


def test_damaged_files(tmp_path):
    data = to_bytes(small())
    for cut in range(0, len(data), 97):
        with pytest.raises(FileFormatError):
            from_bytes(data[:cut])
    rng = np.random.default_rng(0)
    for _ in range(200):
        bad = bytearray(data)
        for position in rng.integers(0, len(bad), 3):
            bad[position] = rng.integers(0, 256)
        with contextlib.suppress(HwblocksError):
            from_bytes(bytes(bad))


def test_rewriting_keeps_names_and_drops_what_nobody_reads():
    graph = small()
    node = graph.nodes[1]
    edit = Rewriter(graph)
    edit.replace(node, node.replace(block=hb.ReLU6()))
    made = edit.build()
    assert [n.type_name for n in made.nodes] == ["Conv2d", "ReLU6", "Flatten", "Softmax"]
    cut = without_dead_nodes(made.replace(outputs=(made.nodes[0].outputs[0],)))
    assert [n.type_name for n in cut.nodes] == ["Conv2d"]


def test_a_block_of_another_module_may_not_take_a_name():
    with pytest.raises(GraphError, match="exists in"):
        type("ReLU", (hb.Pointwise,), {"__module__": "elsewhere"})
