"""Quantized ONNX and QONNX models against recorded outputs, and against ONNX Runtime tensor by tensor."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest

import hwblocks as hb

SHARED = Path(os.environ.get("HWBLOCKS_SHARED", Path(__file__).parents[2].parent / "shared"))
INDEX = SHARED / "models" / "index.json"
models = json.loads(INDEX.read_text(encoding="utf-8"))["models"] if INDEX.is_file() else []
EXCEPTIONS = tomllib.loads(Path(__file__).with_name("cannot_be_equal.toml").read_text(encoding="utf-8"))["onnx"]
NEAR_TIE = 1e-3  # codes: float sums in another order may move a value across a tie that is this near
ORT = {"ort-noopt": "ort_noopt", "ort": "ort_default_x64quantprecision", "ort-avx2": "ort_default"}
QUANTIZED = {m["name"]: m for m in models if "qdq" in m["name"] or "qop" in m["name"]}
QONNX = {m["name"]: m for m in models if m["name"].startswith("qonnx")}


def recorded(model, kernel_set):
    """Inputs and outputs; a kernel set that equals the base is not stored again."""
    data = np.load(SHARED / "models" / model["data"])
    name = f"{kernel_set}_out0"
    return data["in0"], data[name if name in data.files else f"{model['base']}_out0"]


def loaded(model):
    return hb.load(SHARED / "models" / model["model"])


def near_ties(graph, name, got, wanted, reals):
    """Check that codes differ by one step, next to a tie; returns how many do."""
    differing = np.flatnonzero(got.ravel() != wanted.ravel())
    format = graph.tensors[name].format
    scale = np.float32(format.scale) if format.is_quantized else np.float32(1)
    fractions = np.abs((reals.ravel()[differing] / scale) % 1 - 0.5)
    assert np.abs(got.ravel()[differing].astype(int) - wanted.ravel()[differing].astype(int)).max(initial=0) <= 1
    assert fractions.max(initial=0) <= NEAR_TIE
    return len(differing)


def listed(name, dialect):
    """How many codes of a model's outputs cannot be equal."""
    return EXCEPTIONS.get(name, {}).get(dialect, {"codes": 0})["codes"]


@pytest.mark.parametrize(("name", "dialect"), [(n, d) for n in QUANTIZED for d in ORT])
def test_outputs_equal_the_recorded_ones(name, dialect):
    """In all integers; where float sums decide, up to the codes that are listed (held next to ties below)."""
    inputs, wanted = recorded(QUANTIZED[name], ORT[dialect])
    got = next(iter(hb.run(loaded(QUANTIZED[name]), inputs, dialect=dialect).outputs.values()))
    assert np.count_nonzero(got.reshape(wanted.shape) != wanted) == listed(name, dialect)


@pytest.mark.parametrize("name", [n for n in QUANTIZED if "qdq" in n])
def test_unfused_models_equal_the_runtime_up_to_ties(name):
    """Up to the first tensor of codes that differs, sample by sample; there every code is next to a tie."""
    ort, onnx = pytest.importorskip("onnxruntime"), pytest.importorskip("onnx")
    model = onnx.load(str(SHARED / "models" / QUANTIZED[name]["model"]))
    made = {o for node in model.graph.node for o in node.output} - {o.name for o in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=o) for o in sorted(made))
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options)
    graph = loaded(QUANTIZED[name])
    inputs, _ = recorded(QUANTIZED[name], "ort_noopt")
    names = [o.name for o in session.get_outputs()]
    simulator = hb.Simulator(graph, "ort-noopt")
    ties = 0
    for sample in inputs:
        theirs = dict(zip(names, session.run(None, {session.get_inputs()[0].name: sample}), strict=True))
        ours = simulator.run(sample[None], trace="full").trace
        ties += first_difference(simulator.graph, theirs, ours)
    assert ties <= 2 * len(inputs)  # how many there are depends on the processor's float kernels


def first_difference(graph, theirs, ours):
    """Number of near ties in the first tensor of codes that differs."""
    for node in graph.nodes:
        tensor = graph.tensors[node.outputs[0]]
        if node.type_name != "Quantize" or tensor.source_name not in theirs:
            continue
        got, wanted = ours[tensor.name][0], theirs[tensor.source_name]
        if tensor.layout == "NHWC" and wanted.ndim == 4:
            wanted = wanted.transpose(0, 2, 3, 1)
        count = near_ties(graph, tensor.name, got, wanted.reshape(got.shape), ours[node.inputs[0]][0])
        if count:
            return count
    return 0


@pytest.mark.parametrize("name", QONNX)
def test_qonnx_models_equal_the_recorded_outputs_up_to_ties(name):
    inputs, wanted = recorded(QONNX[name], "qonnx")
    graph = loaded(QONNX[name])
    assert graph.dialect == "qonnx"
    run = hb.run(graph, inputs, trace="full")
    got = next(iter(run.outputs.values())).reshape(wanted.shape)
    if np.array_equal(got, wanted):
        assert listed(name, "qonnx") == 0
        return
    last = [n for n in graph.nodes if n.type_name == "Quant" and n.outputs[0] in run.trace][-1]
    scale, reals = np.float32(graph.tensors[last.inputs[1]].value), run.trace[last.inputs[0]]
    reals = np.moveaxis(reals, -1, -3).reshape(wanted.shape)  # the output is channels first
    steps = np.rint(got / scale).astype(int) - np.rint(wanted / scale).astype(int)
    differing = steps != 0
    assert np.abs(steps).max() == 1
    assert np.abs((reals[differing] / scale) % 1 - 0.5).max() <= NEAR_TIE
    assert np.count_nonzero(differing) == listed(name, "qonnx")
