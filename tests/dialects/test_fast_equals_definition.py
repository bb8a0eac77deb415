"""Random single-operator models under every dialect: kernels equal the definition in codes and in saturation counts."""

from __future__ import annotations

import os
from importlib import import_module

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import HwblocksError
from hwblocks.importers.from_onnx import import_model
from hwblocks.importers.from_tflite import import_tflite
from hwblocks.importers.tflite_file import read_tflite
from hwblocks.numerics import kernels

pytest.importorskip("ai_edge_litert")
tflite = import_module("operator_cases")

FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
COUNT = 600 if FUZZ else 60
SEED = int.from_bytes(os.urandom(4)) if FUZZ else 1
SAMPLES = 3
FLOATS = ("float32", "hybrid", "asymmetric")  # kinds without kernels of codes
TFLITE = ("tflm", "litert-ref", "litert-opt", "xnnpack")
# Least share of the cases that a kernel serves. What stays: several images in one sample, axes that are not neighbours,
# sums with one element on a side, XNNPACK's means, whose offset is a fraction, sums of power-of-two scales that a model asks to be shifted.
SERVED = {
    "add": 0.75, "sub": 0.75, "mul": 1, "squared_difference": 1, "prelu": 0.9, "softmax": 1, "mean": 0.6, "requantize": 1,
    "conv2d": 0.3, "depthwise_conv2d": 0.3, "fully_connected": 1, "average_pool2d": 0.3,
    "QLinearAdd": 0.7, "QLinearMul": 1, "QLinearSoftmax": 1, "QLinearGlobalAveragePool": 1, "QLinearConcat": 1,
    "QLinearAveragePool": 0.3, "QLinearConv": 0.3, "QLinearMatMul": 1,
}  # fmt: skip


def several(array, rng):
    """Samples of an input: the drawn one, and others of the same range in another order."""
    flat = array.ravel()
    shuffled = [rng.permutation(flat).reshape(array.shape) for _ in range(SAMPLES - 2)]
    ends = rng.choice(np.array([flat.min(), flat.max()]), array.shape).astype(array.dtype)
    return np.stack([array, *shuffled, ends])


def saturated(run):
    return {name: events.saturated for name, events in run.trace.events.items()}


def served(graph, inputs, dialect, note):
    """Whether kernels serve the graph up to its float edges, after they were found equal to the definition on every instruction set."""
    exact = hb.Simulator(graph, dialect, engine="definition").run(inputs, trace="ranges")
    for isa in kernels.isa_names():
        fast = hb.Simulator(graph, dialect, isa=isa)
        made = fast.run(inputs, trace="ranges")
        for name, wanted in exact.outputs.items():
            np.testing.assert_array_equal(made.outputs[name], wanted, f"{note} {isa}")
        assert saturated(made) == saturated(exact), f"{note} {isa}"
    return all(reason == "float" for reason in fast.plan.unserved.values())


def assert_share(family, taken, kept):
    assert kept >= SERVED.get(family, 0) * taken, (family, kept, taken)


@pytest.mark.parametrize("family", tflite.FAMILIES)
def test_tflite_operators(family):
    taken = kept = 0
    kinds = [kind for kind in tflite.FAMILIES[family] if not any(word in kind for word in FLOATS)]
    for number in range(COUNT if kinds else 0):
        kind = kinds[number % len(kinds)]
        rng = np.random.default_rng([SEED, number, *family.encode(), *kind.encode()])
        case = tflite.FAMILIES[family][kind](rng)
        graph = import_tflite(read_tflite(case.data, family), family)
        inputs = [several(a, rng) for a in case.inputs]
        dialect = TFLITE[number // len(kinds) % len(TFLITE)]
        try:
            kept += served(graph, inputs, dialect, f"{family} {kind} {dialect} {number}")
        except HwblocksError as error:
            if "does not take" not in str(error):
                raise
            continue
        taken += 1
    assert_share(family, taken, kept)


@pytest.mark.parametrize("family", ["QLinearAdd", "QLinearMul", "QLinearSoftmax", "QLinearGlobalAveragePool",
                                    "QLinearAveragePool", "QLinearConv", "QLinearMatMul", "QLinearConcat"])  # fmt: skip
def test_onnx_operators(family):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    cases = import_module("onnx_operator_cases").FAMILIES
    taken = kept = 0
    for number in range(COUNT):
        rng = np.random.default_rng([SEED, number, *family.encode()])
        model, inputs = cases[family](rng)
        graph = import_model(model, {n: a.shape for n, a in inputs.items()}, family)
        given = {n: several(a, rng) for n, a in inputs.items()}
        kept += served(graph, given, "ort-noopt", f"{family} {number}")
        taken += 1
    assert_share(family, taken, kept)
