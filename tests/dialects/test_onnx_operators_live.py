"""Random quantized ONNX operators against ONNX Runtime, and the golden vectors of the formulas."""

from __future__ import annotations

import os

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator
from onnx_operator_cases import FAMILIES, MICROSOFT, codes, one, scale, zero

import hwblocks as hb
from hwblocks.dialects import ort_avx2
from hwblocks.importers.from_onnx import import_model
from hwblocks.numerics.accumulator import accumulate

ort = pytest.importorskip("onnxruntime")

FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
COUNT = 2000 if FUZZ else 200
SEED = int.from_bytes(os.urandom(4)) if FUZZ else 0


def runtime(model, inputs, optimise=False):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    return ort.InferenceSession(model.SerializeToString(), options).run(None, inputs)


def ours(model, inputs, dialect="ort-noopt"):
    graph = import_model(model, {n: a.shape for n, a in inputs.items()}, "one")
    made = hb.run(graph, {n: a[None] for n, a in inputs.items()}, dialect=dialect).outputs
    return list(made.values())


def check(model, inputs, seed):
    wanted, got = runtime(model, inputs), ours(model, inputs)
    for a, b in zip(got, wanted, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a.reshape(b.shape), b, f"seed {seed}")


@pytest.mark.parametrize("family", FAMILIES)
def test_operators_equal_the_runtime(family):
    for number in range(COUNT):
        seed = [SEED, number, *family.encode()]
        model, inputs = FAMILIES[family](np.random.default_rng(seed))
        check(model, inputs, seed)


STANDARD = ("QLinearConv", "QLinearMatMul", "QuantizeLinear", "DequantizeLinear", "MatMulInteger", "ConvInteger")


@pytest.mark.parametrize("family", STANDARD)
def test_operators_equal_the_reference_evaluator(family):
    """The formulas of the standard: products in binary64, the zero point inside the rounding."""
    for number in range(COUNT):
        seed = [SEED, number, *family.encode()]
        model, inputs = FAMILIES[family](np.random.default_rng(seed))
        wanted = ReferenceEvaluator(model).run(None, inputs)
        for got, right in zip(ours(model, inputs, "onnx"), wanted, strict=True):
            assert got.dtype == right.dtype
            np.testing.assert_array_equal(got.reshape(right.shape), right, f"seed {seed}")


def test_one_element_on_a_side_adds_the_same_in_every_batch():
    """A sum with a scalar made at run time: the runtime's integers, however many samples are run at once."""
    for number in range(COUNT):
        rng = np.random.default_rng([SEED, number])
        kind = str(rng.choice(["uint8", "int8"]))
        inputs = {"a": codes(rng, kind, (1, 40)), "b": codes(rng, kind, (1, 1))}
        constants = {n: scale(rng) if n[1] == "s" else zero(rng, kind) for n in ("as", "az", "bs", "bz", "ys", "yz")}
        order = ["a", "as", "az", "b", "bs", "bz", "ys", "yz"]
        if rng.random() < 0.5:
            inputs, order = {"b": inputs["b"], "a": inputs["a"]}, ["b", "bs", "bz", "a", "as", "az", "ys", "yz"]
        model = one(("QLinearAdd", order), inputs, constants, None, MICROSOFT)
        check(model, inputs, number)
        graph = import_model(model, {n: a.shape for n, a in inputs.items()}, "one")
        several = {n: np.stack([a, codes(rng, kind, a.shape)]) for n, a in inputs.items()}
        together = next(iter(hb.run(graph, several, dialect="ort-noopt").outputs.values()))
        for sample, made in enumerate(together):
            (wanted,) = runtime(model, {n: a[sample] for n, a in several.items()})
            np.testing.assert_array_equal(made.reshape(wanted.shape), wanted)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_dynamic_lstm_is_near_the_runtime(direction):
    rng = np.random.default_rng(8)
    count, steps, batch, inner, hidden = 1 + (direction == "bidirectional"), 5, 2, 6, 4
    x = rng.normal(size=(steps, batch, inner)).astype(np.float32)
    constants = {
        "w": codes(rng, "int8", (count, inner, 4 * hidden), 63),
        "r": codes(rng, "int8", (count, hidden, 4 * hidden), 63),
        "b": rng.normal(size=(count, 8 * hidden)).astype(np.float32),
        "ws": np.full(count, 0.01, np.float32),
        "wz": np.zeros(count, np.int8),
        "rs": np.full(count, 0.02, np.float32),
        "rz": np.zeros(count, np.int8),
    }
    order = ["x", "w", "r", "b", "", "", "", "", "ws", "wz", "rs", "rz"]
    attributes = {"direction": direction, "hidden_size": hidden}
    model = one(("DynamicQuantizeLSTM", order), {"x": x}, constants, attributes, MICROSOFT, 3)
    for got, wanted in zip(ours(model, {"x": x}), runtime(model, {"x": x}), strict=True):
        np.testing.assert_allclose(got.reshape(wanted.shape), wanted, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_specials_of_quantize_linear(kind):
    x = np.array([np.inf, -np.inf, 1e20, -1e20, 3e9, -3e9, 0, -0.0], np.float32)
    constants = {"s": np.float32(1), "z": np.array(3, kind)}
    model = one(("QuantizeLinear", ["x", "s", "z"]), {"x": x}, constants, {"axis": 0})
    wanted = {"uint8": [255, 0, 255, 0, 255, 0, 3, 3], "int8": [127, -128, 127, -128, 127, -128, 3, 3]}[kind]
    assert runtime(model, {"x": x})[0].tolist() == wanted
    from hwblocks.numerics.edge import EdgeRule
    from hwblocks.numerics.formats import Format

    assert EdgeRule().codes(x, Format(kind, zero_point=3))[0].tolist() == wanted


def matmul_of_ones(y_zero):
    a = np.array([[5]], np.uint8)
    constants = {
        "as": np.float32(0.5),
        "az": np.uint8(0),
        "b": np.array([[1]], np.uint8),
        "bs": np.float32(1),
        "bz": np.uint8(0),
        "ys": np.float32(1),
        "yz": np.uint8(y_zero),
    }
    return one(("QLinearMatMul", ["a", *constants]), {"a": a}, constants), {"a": a}


@pytest.mark.parametrize(("y_zero", "runtimes", "standard"), [(0, 2, 2), (1, 3, 4)])
def test_the_zero_point_stands_after_rounding_in_the_runtime_and_before_it_in_the_standard(y_zero, runtimes, standard):
    model, inputs = matmul_of_ones(y_zero)
    assert ours(model, inputs)[0].item() == runtimes == runtime(model, inputs)[0].item()
    assert ours(model, inputs, "onnx")[0].item() == standard


def test_pair_saturation():
    """255 · 127 twice leaves 16 bits: 32767 + (255 · 127 − 255 · 128) = 32512, where the exact sum is 64515."""
    a, b = np.array([[255] * 4]), np.array([[127], [127], [127], [-128]])
    assert accumulate(a, b, None, ort_avx2.PAIRS)[0].item() == 32512
    assert accumulate(a, b, None, ort_avx2.EXACT)[0].item() == 64515


def test_addition_and_product_of_the_specification():
    a, b = np.array([0, 100, 200, 255], np.uint8), np.array([255, 7, 128, 0], np.uint8)
    constants = {
        "as": np.float32(0.5),
        "az": np.uint8(128),
        "bs": np.float32(0.25),
        "bz": np.uint8(128),
        "ys": np.float32(1),
        "yz": np.uint8(127),
    }
    order = ["a", "as", "az", "b", "bs", "bz", "ys", "yz"]
    model = one(("QLinearAdd", order), {"a": a, "b": b}, constants, None, MICROSOFT)
    assert ours(model, {"a": a, "b": b})[0].ravel().tolist() == [95, 83, 163, 158]
    model = one(("QLinearMul", order), {"a": a, "b": b}, constants | {"ys": np.float32(16)}, None, MICROSOFT)
    assert ours(model, {"a": a, "b": b})[0].ravel().tolist() == [0, 153, 127, 0]


@pytest.mark.parametrize(("step", "first"), [(1 / 256, 127), (np.float32(1 / 255), 126)])
def test_softmax_floors_its_steps(step, first):
    x = np.array([[127, -128, -128, -128]], np.int8)
    constants = {"xs": np.float32(0.2), "xz": np.int8(0), "ys": np.float32(step), "yz": np.int8(-128)}
    model = one(("QLinearSoftmax", ["x", *constants]), {"x": x}, constants, {"axis": -1, "opset": 13}, MICROSOFT)
    assert ours(model, {"x": x})[0].ravel().tolist() == [first, -128, -128, -128]
