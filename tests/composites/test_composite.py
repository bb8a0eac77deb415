"""Composites as such: in chains, in graphs, their names, and a neuron on the bench."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.graph.builder import GraphBuilder

W = np.array([[0.5, -1.0, 0.25], [0.75, 0.5, -0.5]])


def test_a_chain_takes_composites():
    rnn = hb.RNN(3, 2, weights={"weight_ih_l0": W, "weight_hh_l0": np.eye(2) / 2})
    chain = hb.Sequential(rnn, hb.Neuron("Sigmoid", weight=np.array([1.0, -1.0])), input_shape=(4, 3))
    graph = chain.graph()
    assert [n.name for n in graph.nodes] == ["rnn0/l0/inputs", "rnn0/l0/steps", "neuron1/sum", "neuron1/sigmoid"]
    x = np.random.default_rng(0).normal(size=(5, 4, 3))
    alone = hb.Neuron("Sigmoid", weight=np.array([1.0, -1.0]))(rnn(x)[0])
    np.testing.assert_allclose(hb.run(graph, x.astype(np.float32)).outputs[graph.outputs[0]], alone, atol=1e-6)


def test_the_same_composite_twice_gets_two_names():
    build = GraphBuilder("twice")
    x = build.input("x", (1, 3))
    cell = hb.Neuron("ReLU", weight=np.eye(3))
    graph = build.build(cell(cell(x)))
    assert [n.attributes["group"] for n in graph.nodes] == ["neuron", "neuron", "neuron_1", "neuron_1"]
    assert {n.attributes["composite"] for n in graph.nodes} == {"Neuron"}


@pytest.mark.parametrize("activation", ["ReLU", "Sigmoid", "Tanh", None])
def test_a_neuron_in_integers(isa, activation):
    rng = np.random.default_rng(1)
    net = hb.Sequential(hb.Neuron(activation, weight=rng.normal(size=9), bias=np.array(0.1)), input_shape=(9,))
    x = rng.normal(size=(40, 9)).astype(np.float32)
    q = qz.convert(net, qz.calibrate(net, x))
    fast, slow = (hb.Simulator(q, engine=e).run(x) for e in ("fast", "definition"))
    for name, codes in fast.outputs.items():
        np.testing.assert_array_equal(codes, slow.outputs[name])
        exact = net.graph()
        floats = hb.run(exact, x).real[exact.outputs[0]]
        assert np.abs(fast.real[name] - floats).max() < 0.15


def test_bad_neurons_are_explained():
    with pytest.raises(hb.HwblocksError, match="weight is missing"):
        hb.Neuron()(np.zeros((1, 3)))
    with pytest.raises(hb.HwblocksError, match="no function of one element"):
        hb.Neuron("Softmax", weight=np.ones(3))(np.zeros((1, 3)))
    with pytest.raises(hb.HwblocksError, match="input 'x' is missing"):
        hb.Neuron(weight=np.ones(3))()
