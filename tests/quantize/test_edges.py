"""Edges: float islands between Quantize and Dequantize, Rescale before moves; each made once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.simulate.simulator import Simulator


@dataclass(frozen=True)
class SquareForTest(hb.Pointwise):
    """A block that the quantizer leaves in float."""

    def function(self, x):
        return x * x

    @property
    def quant(self):
        return QuantRule(output="float")


@pytest.fixture
def converted():
    """(float graph, integer graph) of an island between two integer parts, read twice on either side."""
    build = hb.GraphBuilder("island")
    x = build.input("x", (1, 3))
    a = build.add(hb.Linear(weight=np.eye(3)), x, name="a")
    f = build.add(SquareForTest(), a, name="f")
    g = build.add(SquareForTest(), a, name="g")
    b = build.add(hb.Linear(weight=np.eye(3)), f, name="b")
    c = build.add(hb.Add(), f, b, name="c")
    net = build.build(c, g, build.add(SquareForTest(), f, name="h"))
    samples = np.array([[1.0, -2.0, 0.5], [0.0, 1.5, 2.0]])
    return net, qz.convert(net, qz.calibrate(net, samples)), samples


def test_island(converted):
    _, q, _ = converted
    kinds = {node.name: (node.type_name, node.inputs) for node in q.nodes}
    assert kinds == {
        "a": ("Linear", ("x", "a.weight")),
        "a.dequantized": ("Dequantize", ("a",)),
        "f": ("SquareForTest", ("a.dequantized",)),
        "g": ("SquareForTest", ("a.dequantized",)),
        "f.quantized": ("Quantize", ("f",)),
        "b": ("Linear", ("f.quantized", "b.weight")),
        "c": ("Add", ("f.quantized", "b")),
        "h": ("SquareForTest", ("f",)),
    }
    names = ("x", "a", "f.quantized", "b", "c")
    assert all(q.tensors[n].format.is_quantized for n in names)
    assert all(q.tensors[n].format.name == "float32" for n in ("a.dequantized", "f", "g", "h"))
    assert q.tensors["f.quantized"].origin_name == q.tensors["f"].origin_name == "f"
    assert q.metadata["notes"].splitlines() == [
        f"node '{name}' stays in float: SquareForTest has no integer meaning" for name in "fgh"
    ]


def test_island_values(converted):
    _, q, samples = converted
    run = Simulator(q, engine="definition").run(samples, trace="full")
    a = q.tensors["a"].format
    real = (run.trace["a"].astype(np.int64) - a.zero_point).astype(np.float32) * np.float32(a.scale)
    assert np.array_equal(run.trace["f"], (real.astype(np.float64) ** 2).astype(np.float32))
    assert np.array_equal(run.trace["f.quantized"], q.tensors["f.quantized"].format.quantize(run.trace["f"]))


def test_rescale_by_hand():
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 2))
    s = build.add(hb.Sigmoid(), x, name="s")
    net = build.build(build.add(hb.Concat(-1), s, x, name="one"), build.add(hb.Concat(-1), x, s, name="two"))
    q = qz.convert(net, qz.calibrate(net, np.array([[-8.0, 8.0]])))
    assert [n.name for n in q.nodes if n.type_name == "Rescale"] == ["s.rescaled"]
    shared = q.tensors["one"].format
    run = Simulator(q, engine="definition").run(np.array([[-8.0, 0.0], [2.0, 8.0]]), trace="full")
    for code, made in zip(run.trace["s"].ravel(), run.trace["s.rescaled"].ravel(), strict=True):
        exact = Fraction(int(code) + 128, 256) / Fraction(shared.scale)
        assert int(made) == round(exact) + shared.zero_point


def test_inserted_names_avoid_the_graphs_own():
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 2))
    s = build.add(hb.Sigmoid(), x, name="s")
    y = build.add(hb.Concat(-1), s, x, name="s.rescaled")
    q = qz.convert(build.build(y), qz.calibrate(build.build(y), np.array([[-8.0, 8.0]])))
    assert q.node("s.rescaled").inputs == ("s.rescaled_1", "x")
