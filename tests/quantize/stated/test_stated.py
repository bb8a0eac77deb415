"""Models that state their formats: converted graphs against ONNX Runtime, plain formulas, and the file's own run."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_file import QONNX, File, optimised

import hwblocks as hb
import quantize as qz
from hwblocks.errors import ConversionError
from hwblocks.graph.block import Accumulate


def output(graph, x, **more):
    """The one output, as real values."""
    return next(iter(hb.run(graph, x, **more).real.values()))


def integer_nodes(graph):
    return [n.type_name for n in graph.nodes if graph.site(n).is_integer]


def float_sums(graph):
    return [n.where for n in graph.nodes if isinstance(n.block, Accumulate) and not graph.site(n).is_integer]


def random_layer(rng, op):
    """A quantized layer, with every attribute that ONNX Runtime fuses into one integer kernel; and its input shape."""
    shape = (1, 3, 7, 6) if op == "Conv" else (1, 9)
    file, outputs = File(*shape), int(rng.choice([1, 5, 8]))
    x_scale = np.float32(2.0 ** rng.uniform(-6, -3))
    file.round_trip(x_scale, np.uint8(rng.integers(0, 256)))
    x = file.last
    w_shape = (outputs, 3, 3, 2) if op == "Conv" else (9, outputs)
    per_channel = op == "Conv" and rng.random() < 0.5
    w_scale = np.float32(2.0 ** rng.uniform(-7, -3, outputs if per_channel else None))
    codes = rng.integers(-63, 64, w_shape).astype(np.int8)
    zeros = np.zeros(w_scale.shape, np.int8)
    w = file.add("DequantizeLinear", inputs=[codes, w_scale, zeros], **({"axis": 0} if per_channel else {}))
    bias = rng.integers(-2000, 2000, outputs).astype(np.int32)
    steps = (x_scale * w_scale).astype(np.float32)
    b = file.add("DequantizeLinear", inputs=[bias, steps, np.zeros(steps.shape, np.int32)], axis=0)
    if op == "MatMul":
        file.add("MatMul", inputs=[x, w])
    elif op == "Gemm":
        file.add("Gemm", inputs=[x, w, b])
    else:
        file.add("Conv", inputs=[x, w, b], strides=[int(rng.integers(1, 3))] * 2, pads=rng.integers(0, 2, 4).tolist())
    relu = rng.random() < 0.5
    if relu:
        file.add("Relu")
    y_scale = np.float32(np.median(steps) * 40 * 2.0 ** rng.uniform(-1, 1))
    file.round_trip(y_scale, np.uint8(0 if relu else rng.integers(0, 256)))
    return file, shape


@pytest.mark.parametrize("op", ["Conv", "MatMul", "Gemm"])
def test_layers_equal_the_fused_kernels_of_the_runtime(op):
    for seed in range(40):
        rng = np.random.default_rng([seed, len(op)])
        file, shape = random_layer(rng, op)
        converted = qz.convert(file.graph())
        assert float_sums(converted) == []
        assert converted.dialect == ""
        x = rng.normal(scale=2, size=(6, *shape)).astype(np.float32)
        np.testing.assert_array_equal(output(converted, x), optimised(file.model(), x), f"seed {seed}")


def half_even(v):
    return np.rint(np.asarray(v, np.float32))


def quant_formula(v, scale, zero, bits, signed, narrow=False):
    """QONNX Quant, restated."""
    low, high = (-(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    scaled = np.float32(v) / np.float32(scale) + np.float32(zero)
    return (half_even(np.clip(scaled, low, high)) - np.float32(zero)) * np.float32(scale)


BETWEEN = {
    "bias": lambda f, c, rng: (f.add("Add", c := c[0]), lambda v: np.float32(v + c)),
    "gain": lambda f, c, rng: (f.add("Mul", g := c[1]), lambda v: np.float32(v.astype(float) * g)),
    "relu": lambda f, c, rng: (f.add("Relu"), lambda v: np.maximum(v, 0)),
    "leaky": lambda f, c, rng: (
        f.add("LeakyRelu", alpha=0.1),
        lambda v: np.where(v >= 0, v, np.float32(v.astype(float) * float(np.float32(0.1)))),
    ),
    "clip": lambda f, c, rng: (f.add("Clip", np.float32(-1.25), np.float32(2)), lambda v: np.clip(v, -1.25, 2)),
    "norm": lambda f, c, rng: (
        f.add("BatchNormalization", c[1], c[0], c[2], np.abs(c[3])),
        lambda v: np.float32(
            (v.astype(float) - c[2])
            * (c[1].astype(float) / np.sqrt(np.abs(c[3]).astype(float) + float(np.float32(1e-5))))
            + c[0]
        ),
    ),
}


@pytest.mark.parametrize("seed", range(60))
def test_scales_that_do_not_fold_become_thresholds(seed):
    """Power-of-two input scales: the float sums are exact, so every code must be the formula's."""
    rng = np.random.default_rng(seed)
    inner, outputs, bits = int(rng.integers(1, 40)), int(rng.integers(2, 9)), int(rng.integers(2, 9))
    x_scale = 2.0 ** int(rng.integers(-5, 2))
    file = File(1, inner)
    file.quant(x_scale, 0, 4, signed=1, narrow=0)
    w_scale = 2.0 ** rng.integers(-6, 1, (1, outputs)).astype(float)
    weight = rng.integers(-7, 8, (inner, outputs)) * w_scale
    x_name = file.last
    w = file.add(
        "Quant", inputs=[weight.astype(np.float32), *np.float32([0, 0, 4]).reshape(3, 1)], domain=QONNX, signed=1
    )
    file.constants[file.nodes[-1].input[1]] = w_scale.astype(np.float32)
    file.add("MatMul", inputs=[x_name, w])
    steps = []
    for name in rng.choice(list(BETWEEN), int(rng.integers(1, 5)), replace=False):
        constants = rng.normal(size=(4, outputs)).astype(np.float32) * 2
        steps.append(BETWEEN[name](file, constants, rng)[1])
    scale, zero, signed = np.float32(2.0 ** rng.uniform(-4, 0)), int(rng.integers(0, 2)), bool(rng.integers(2))
    file.quant(scale, zero, bits, signed=int(signed), narrow=0)
    graph = file.graph()
    converted = qz.convert(graph)
    assert float_sums(converted) == []
    assert set(integer_nodes(converted)) <= {"MatMul", "Linear", "MultiThreshold"}
    x = (rng.normal(size=(64, 1, inner)) * 4 * x_scale).astype(np.float32)
    value = np.float32(quant_formula(x, x_scale, 0, 4, True).astype(float) @ weight)
    for step in steps:
        value = step(value)
    wanted = quant_formula(value, scale, zero, bits, signed)
    np.testing.assert_array_equal(output(converted, x), wanted)
    np.testing.assert_array_equal(output(hb.load(saved(converted)), x), wanted)


def saved(graph):
    import tempfile

    path = f"{tempfile.mkdtemp()}/q.hwb"
    hb.save(graph, path)
    return path


@pytest.mark.parametrize("op", ["Sigmoid", "Tanh", "LeakyRelu", "Relu", "Softplus", "rescale", "channels"])
def test_functions_of_codes_become_tables(op):
    """Every code of the input, by the runtime's own float operators where the function is exact."""
    file = File(1, 1, 256)
    file.round_trip(0.05, np.int8(3))
    if op == "channels":
        file.add("Mul", np.linspace(-1, 1, 256).astype(np.float32))
    elif op != "rescale":
        file.add(op)
    file.round_trip(0.02, np.int8(-5))
    graph = file.graph()
    converted = qz.convert(graph)
    assert integer_nodes(converted) == ["Lookup"]
    x = ((np.arange(-128, 128) - 3) * np.float32(0.05)).astype(np.float32).reshape(1, 1, 1, 256)
    np.testing.assert_array_equal(output(converted, x), output(graph, x))
    lookup = next(n for n in converted.nodes if n.type_name == "Lookup")
    assert converted.tensors[lookup.inputs[1]].shape == ((256, 256) if op == "channels" else (1, 256))
    if op != "channels":
        assert hb.Simulator(converted).plan.unserved.keys().isdisjoint({lookup.name})


def test_moves_go_to_the_codes():
    """Layout changes, a pad, a concatenation, a pooling and a reshape between the layer and its quantizer."""
    rng = np.random.default_rng(3)
    file = File(1, 2, 6, 6)
    file.round_trip(0.25, np.uint8(128))
    x = file.last
    w = file.add(
        "DequantizeLinear", inputs=[rng.integers(-9, 9, (3, 2, 3, 3)).astype(np.int8), np.float32(0.5), np.int8(0)]
    )
    conv = file.add("Conv", inputs=[x, w])
    relu = file.add("Relu", inputs=[conv])
    file.add("Concat", inputs=[conv, relu], axis=1)
    file.add("MaxPool", kernel_shape=[2, 2])
    file.add("Pad", np.array([0, 0, 1, 0, 0, 0, 0, 1]), np.float32(0))
    file.add("Transpose", perm=[0, 2, 3, 1])
    file.add("Reshape", np.array([1, -1]))
    file.round_trip(0.5, np.uint8(100))
    graph = file.graph()
    converted = qz.convert(graph)
    assert float_sums(converted) == []
    floats = [n.type_name for n in converted.nodes if not converted.site(n).is_integer]
    assert sorted(floats) == ["Dequantize", "Quantize"]
    x = rng.normal(scale=8, size=(5, 1, 2, 6, 6)).astype(np.float32)
    np.testing.assert_array_equal(output(converted, x), output(graph, x))


def test_clipped_codes_have_their_own_width():
    """QCDQ: a Clip of codes after QuantizeLinear states a narrower format; Clip's bounds are codes."""
    file = File(1, 4)
    file.add("QuantizeLinear", np.float32(0.1), np.int8(0))
    file.add("Clip", np.int8(-8), np.int8(7))
    x_name = file.add("DequantizeLinear", np.float32(0.1), np.int8(0))
    w = file.add("DequantizeLinear", inputs=[np.eye(4, 3, dtype=np.int8), np.float32(0.5), np.int8(0)])
    file.add("MatMul", inputs=[x_name, w])
    file.add("QuantizeLinear", np.float32(0.05), np.uint8(0))
    file.add("Clip", np.uint8(0), np.uint8(15))
    file.add("DequantizeLinear", np.float32(0.05), np.uint8(0))
    graph = file.graph()
    x = np.linspace(-2, 2, 40, dtype=np.float32).reshape(10, 1, 4)
    ends = np.clip(half_even(x / np.float32(0.1)), -8, 7)
    wanted = np.clip(
        half_even(np.float32(ends[..., :3] * np.float32(0.1) * 0.5) / np.float32(0.05)), 0, 15
    ) * np.float32(0.05)
    np.testing.assert_allclose(output(graph, x), wanted, rtol=1e-7)
    converted = qz.convert(graph)
    layer = next(n for n in converted.nodes if isinstance(n.block, Accumulate))
    formats = [converted.tensors[n].format for n in (layer.inputs[0], layer.outputs[0])]
    assert [(f.bits, f.signed) for f in formats] == [(4, True), (4, False)]
    np.testing.assert_array_equal(output(converted, x), output(graph, x))


@pytest.mark.parametrize("op", ["Add", "Sub"])
def test_sums_of_one_scale_are_exact(op):
    file = File(1, 8)
    a = file.round_trip(0.25, np.int8(4))
    b = file.add("Neg", inputs=["x"])
    file.last = b
    b = file.round_trip(0.25, np.int8(-3))
    file.add(op, inputs=[a, b])
    file.add("Mul", np.linspace(-1, 1, 8).astype(np.float32))
    file.round_trip(0.1, np.int8(0))
    graph = file.graph()
    converted = qz.convert(graph)
    assert set(integer_nodes(converted)) == {op, "MultiThreshold"}
    x = np.random.default_rng(0).normal(scale=20, size=(50, 1, 8)).astype(np.float32)
    np.testing.assert_array_equal(output(converted, x), output(graph, x))


def test_two_run_time_operands_and_a_bias_made_at_run_time():
    """A product of two activations is summed exactly; a layer whose bias is no constant stays in float, with a note."""
    file = File(1, 2, 8)
    a = file.round_trip(0.25, np.int8(4))
    b = file.add("Transpose", inputs=[a], perm=[0, 2, 1])
    file.add("MatMul", inputs=[a, b])
    file.round_trip(2.0, np.int8(-3))
    graph = file.graph()
    converted = qz.convert(graph)
    assert integer_nodes(converted) == ["Transpose", "MatMul"]
    x = np.random.default_rng(0).normal(scale=20, size=(50, 1, 2, 8)).astype(np.float32)
    np.testing.assert_array_equal(output(converted, x), output(graph, x))
    build = hb.GraphBuilder("late")
    x = build.input("x", (1, 4))
    int8 = hb.Format("int8", scale=0.5)
    codes = build.add(hb.Quantize(), x, formats=(int8,))
    real = build.add(hb.Dequantize(), codes, formats=(hb.Format("float32"),))
    late = build.add(hb.Reshape((4,)), x)
    w = build.add(hb.Dequantize(), build.constant("w", np.eye(4, dtype=np.int8), int8), formats=(hb.Format("float32"),))
    y = build.add(hb.Linear(), real, w, late, name="layer")
    graph = build.build(build.add(hb.Quantize(), y, name="end", outputs=("y",), formats=(int8,)))
    converted = qz.convert(graph)
    assert float_sums(converted) == ["Linear 'layer'"]
    assert "Quantize 'end' stays in float: Linear 'layer' computes in float" in converted.metadata["notes"]
    x = np.arange(8, dtype=np.float32).reshape(2, 1, 4)
    np.testing.assert_array_equal(output(converted, x), output(graph, x))


def test_other_quantizers_end_chains():
    """BipolarQuant, MultiThreshold and Trunc state grids too."""
    rng = np.random.default_rng(5)
    file = File(1, 6)
    file.quant(1.0, 0, 4, signed=1)
    source = file.last
    w = file.add("BipolarQuant", inputs=[rng.normal(size=(6, 5)).astype(np.float32), np.float32(1)], domain=QONNX)
    file.add("MatMul", inputs=[source, w])
    file.add("Add", rng.normal(size=5).astype(np.float32))
    file.add("BipolarQuant", np.float32(0.5), domain=QONNX)
    source = file.last
    w = file.add("BipolarQuant", inputs=[rng.normal(size=(5, 4)).astype(np.float32), np.float32(1)], domain=QONNX)
    file.add("MatMul", inputs=[source, w])
    levels = np.sort(rng.integers(-5, 5, (4, 3)) / 2, axis=1).astype(np.float32)
    file.add("MultiThreshold", levels, domain=QONNX, out_scale=2.0, out_bias=-3.0, data_layout="NC", out_dtype="INT4")
    file.add("Trunc", *np.float32([1, 0, 4, 3]).reshape(4, 1), domain=QONNX)
    graph = file.graph()
    converted = qz.convert(graph)
    assert float_sums(converted) == []
    assert integer_nodes(converted).count("MultiThreshold") == 2
    x = rng.normal(scale=3, size=(60, 1, 6)).astype(np.float32)
    np.testing.assert_array_equal(output(converted, x), output(graph, x))


def test_what_stays_in_float_is_told():
    """A layer without quantized inputs, and a function that falls and rises on sums."""
    file = File(1, 4)
    w = file.add("DequantizeLinear", inputs=[np.ones((4, 4), np.int8), np.float32(0.5), np.int8(0)])
    file.add("MatMul", inputs=["x", w])
    file.round_trip(0.5, np.int8(0))
    file.add("MatMul", w)
    file.add("Abs")
    file.round_trip(0.5, np.int8(0))
    converted = qz.convert(file.graph())
    notes = converted.metadata["notes"]
    assert "MatMul 'MatMul1' stays in float" in notes
    assert "Abs 'Abs5': not known to rise everywhere" in notes
    assert integer_nodes(converted) == ["MatMul"]


def test_a_recipe_requantizes_and_ranges_are_refused(tmp_path):
    file, shape = random_layer(np.random.default_rng(2), "Conv")
    graph = file.graph()
    converted = qz.convert(graph, recipe="int8")
    layer = next(n for n in converted.nodes if isinstance(n.block, Accumulate))
    assert str(layer.arithmetic.requantize) == "single_round"
    assert converted.metadata["recipe"] == "int8"
    with pytest.raises(ConversionError, match="states its own formats"):
        qz.convert(graph, qz.calibrate(graph, np.zeros((2, *shape), np.float32)))
    x = np.random.default_rng(1).normal(size=(4, *shape)).astype(np.float32)
    compared = hb.compare(graph, converted, x)
    assert float(np.min(compared.layers["sqnr_db"])) > 20
    assert hb.cost(converted, target="ideal-64mac").content()


@pytest.mark.parametrize(
    "name", ["qonnx_TFC_1W2A", "qonnx_espcn_subpixel", "qonnx_eltwise_chanlast", "mnist_conv_qdq_u8s8"]
)
def test_whole_models_keep_every_code(shared, name):
    path = shared / "models" / "onnx" / f"{name}.onnx"
    graph = hb.load(path)
    x = np.load(path.with_suffix(".npz"))["in0"][:4]
    converted = qz.convert(graph)
    np.testing.assert_array_equal(output(converted, x), output(graph, x))
    first = [] if name in ("qonnx_TFC_1W2A", "mnist_conv_qdq_u8s8") else float_sums(graph)[:1]
    assert float_sums(converted) == first  # a layer that reads the unquantized image


@pytest.mark.parametrize("name", ["mnist_conv_qdq_u8s8", "mnist_conv_qop_u8u8"])
def test_whole_models_equal_the_fused_runtime(shared, name):
    path = shared / "models" / "onnx" / f"{name}.onnx"
    data = np.load(path.with_suffix(".npz"))
    wanted = next(data[k] for k in ("ort_default_x64quantprecision_out0", "ort_noopt_out0") if k in data.files)
    got = output(qz.convert(path), data["in0"])
    np.testing.assert_array_equal(got.reshape(wanted.shape), wanted)


def test_tflite_models_keep_their_arithmetic(shared):
    path = shared / "models" / "tflite" / "mlperf_kws_dscnn_int8.tflite"
    graph = hb.load(path)
    converted = qz.convert(graph)
    assert converted.dialect == ""
    x = np.random.default_rng(0).integers(-128, 128, (3, *graph.tensors[graph.inputs[0]].shape)).astype(np.int8)
    np.testing.assert_array_equal(output(converted, x), output(graph, x, dialect="tflm"))
