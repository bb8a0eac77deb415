"""Explanations of single elements end at the stored code, for every node of whole models in every dialect."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.analysis.explanation import explain_element


@pytest.mark.parametrize("dialect", ["tflm", "litert-ref", "litert-opt", "xnnpack"])
@pytest.mark.parametrize("name", ["mlperf_kws_dscnn_int8", "mww_v2_hey_jarvis"])
def test_every_node_ends_at_the_stored_code(shared, name, dialect):
    graph = hb.load(shared / "models" / "tflite" / f"{name}.tflite")
    simulator, rng = hb.Simulator(graph, dialect), np.random.default_rng(4)
    x = rng.integers(-128, 128, (2, *graph.tensors[graph.inputs[0]].shape)).astype(np.int8)
    run = simulator.run(x, trace="full", state="reset")
    explained = 0
    for node in simulator.graph.nodes:
        site = simulator.graph.site(node)
        reads = {t.name for t in site.present if not t.is_constant}
        if not site.is_integer or not reads <= set(run.trace):
            continue
        shape = site.output.shape
        for index in (tuple(s - 1 for s in shape), tuple(int(rng.integers(s)) for s in shape)):
            found = explain_element(simulator.graph, run, node.name, 1, index)
            assert found.agrees, (node.where, index)
        explained += 1
    assert explained > 10


def test_a_named_algorithm_is_named(shared):
    graph = hb.load(shared / "models" / "tflite" / "mlperf_kws_dscnn_int8.tflite")
    simulator = hb.Simulator(graph, "tflm")
    x = np.random.default_rng(4).integers(-128, 128, (1, *graph.tensors[graph.inputs[0]].shape)).astype(np.int8)
    found = explain_element(simulator.graph, simulator.run(x, trace="full"), "softmax.12", 0, (0, 3))
    assert dict(found.steps)["algorithm"].startswith("gemmlowp: ")
