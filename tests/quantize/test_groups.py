"""Groups and domain: which tensors share a format, and which nodes stay in float."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import ConversionError
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.numerics.formats import Format
from quantize.domain import check_float, find_domain
from quantize.groups import UnionFind, tied_groups
from quantize.recipe import load_recipe


@dataclass(frozen=True)
class FloatOnlyForTest(hb.Pointwise):
    """A block without an integer meaning."""

    def function(self, x):
        return x * x

    @property
    def quant(self):
        return QuantRule(output="float")


def test_union_find():
    sets = UnionFind("abcdef")
    for a, b in ("ab", "cd", "bd", "ef"):
        sets.join(a, b)
    assert sets.groups() == [["a", "b", "c", "d"], ["e", "f"]]
    assert sets.find("d") == sets.find("a")


def test_moves_and_constants_are_tied():
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 2, 2, 1))
    y = build.add(hb.Flatten(), build.add(hb.MaxPool2d(2, stride=1), x, name="pool"), name="flat")
    z = build.add(hb.Concat(-1), y, build.constant("c", np.ones((1, 1))), name="cat")
    graph = build.build(build.add(hb.Linear(weight=np.ones((1, 2))), z, name="fc"))
    domain = find_domain(graph, load_recipe("int8"))
    assert domain.stored == ("x", "pool", "flat", "cat", "fc")
    assert tied_groups(domain) == [["x", "pool", "flat", "cat", "c"], ["fc"]]


def test_float_nodes_split_the_domain():
    build = hb.GraphBuilder("g")
    x = build.input("x", (1, 4))
    a = build.add(hb.ReLU(), x, name="a")
    f = build.add(FloatOnlyForTest(), a, name="f")
    m = build.add(hb.Reshape((1, 2, 2)), f, name="moved")
    graph = build.build(build.add(hb.Sigmoid(), f, name="s"), m)
    domain = find_domain(graph, load_recipe("int8"))
    assert domain.integer == {"a", "s"}
    assert domain.floats == {"f": "FloatOnlyForTest has no integer meaning", "moved": "its inputs are floats"}
    assert domain.stored == ("x", "a", "f", "s")


def test_inputs_read_by_float_nodes_alone_stay_float():
    build = hb.GraphBuilder("g")
    graph = build.build(build.add(FloatOnlyForTest(), build.input("x", (1, 4)), name="f"))
    domain = find_domain(graph, load_recipe("int8"))
    assert not domain.integer and not domain.stored


def test_run_time_biases_stay_float():
    build = hb.GraphBuilder("g")
    x, b = build.input("x", (1, 4)), build.input("b", (2,))
    graph = build.build(build.add(hb.Linear(), x, build.constant("w", np.ones((2, 4))), b, name="fc"))
    assert find_domain(graph, load_recipe("int8")).floats == {"fc": "its bias 'b' is not constant"}


def test_tables_wider_than_16_bits_stay_float(changed_recipe):
    build = hb.GraphBuilder("g")
    y = build.add(hb.Reshape((1, 2, 2)), build.input("x", (1, 4)), name="r")
    graph = build.build(build.add(hb.Tanh(), y, name="t"))
    domain = find_domain(graph, changed_recipe("int8", **{"activations.bits": 24}))
    assert domain.floats == {"t": "a table serves at most 16 input bits, the recipe says 24"}
    by_input = changed_recipe("int8", override=[{"match": "x", "activations": {"bits": 17}}])
    assert find_domain(graph, by_input).floats == {"t": "a table serves at most 16 input bits, the recipe says 17"}


def test_quantized_graphs_are_refused():
    build = hb.GraphBuilder("g")
    graph = build.build(build.add(hb.ReLU(), build.input("x", (1, 4), Format("int8", scale=0.5))))
    with pytest.raises(ConversionError, match="tensor 'x' is quantized already"):
        check_float(graph)
