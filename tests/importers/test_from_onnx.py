"""ONNX files against ONNX Runtime and against recorded outputs."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import hwblocks as hb
from hwblocks.errors import FileFormatError, GraphError, HwblocksError, InputError, UnsupportedOperatorError

RNG = np.random.default_rng(0)


def model_of(nodes, shapes, constants, output="y", opset=17):
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    tensors = [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def check(tmp_path, nodes, shapes, constants=None, opset=17, ir=8):
    """hwblocks and ONNX Runtime agree on random inputs."""
    model = model_of(nodes, shapes, constants or {}, opset=opset)
    model.ir_version = ir
    path = tmp_path / "m.onnx"
    onnx.save(model, str(path))
    feeds = {n: RNG.normal(size=s).astype(np.float32) for n, s in shapes.items()}
    (wanted,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    graph = hb.load(path)
    got = hb.run(graph, {n: a[None] for n, a in feeds.items()}).outputs["y"][0]
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6 * max(1.0, float(np.abs(wanted).max())))
    return graph


def node(op, inputs, **attributes):
    return helper.make_node(op, inputs, ["y"], name=op.lower(), **attributes)


def weights(*shape):
    return RNG.normal(size=shape).astype(np.float32)


CONVS = [
    ({}, 3, 4, (3, 2)),
    ({"strides": [2, 1], "pads": [1, 0, 2, 1]}, 3, 4, (3, 2)),
    ({"dilations": [2, 3], "pads": [2, 2, 2, 2]}, 2, 5, (2, 2)),
    ({"group": 2, "pads": [1, 1, 1, 1]}, 4, 6, (3, 3)),
    ({"group": 4, "pads": [1, 1, 1, 1]}, 4, 4, (3, 3)),
    ({"group": 4}, 4, 8, (3, 3)),
    ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 3, 4, (3, 3)),
    ({"auto_pad": "SAME_LOWER", "strides": [3, 2]}, 3, 4, (2, 4)),
    ({"auto_pad": "VALID"}, 3, 4, (2, 2)),
]


@pytest.mark.parametrize(("attributes", "channels", "outputs", "kernel"), CONVS)
@pytest.mark.parametrize("bias", [False, True])
def test_conv(tmp_path, attributes, channels, outputs, kernel, bias):
    group = attributes.get("group", 1)
    constants = {"w": weights(outputs, channels // group, *kernel)}
    if bias:
        constants["b"] = weights(outputs)
    check(tmp_path, [node("Conv", ["x", *constants], **attributes)], {"x": (1, channels, 9, 8)}, constants)


def test_conv1d(tmp_path):
    attributes = {"pads": [1, 2], "strides": [2], "group": 3}
    check(tmp_path, [node("Conv", ["x", "w"], **attributes)], {"x": (1, 3, 11)}, {"w": weights(6, 1, 3)})


POOLS = [
    {"kernel_shape": [2, 2]},
    {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER", "strides": [2, 2]},
]


@pytest.mark.parametrize("attributes", POOLS)
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("include", [0, 1])
def test_pools(tmp_path, op, attributes, include):
    more = {"count_include_pad": include} if op == "AveragePool" else {"dilations": [1 + include, 1]}
    if op == "MaxPool" and include and "auto_pad" in attributes:
        more = {}
    check(tmp_path, [node(op, ["x"], **attributes, **more)], {"x": (1, 3, 9, 8)})


SHAPE = (1, 6, 4, 5)
UNARY = [
    ("Relu", {}),
    ("Sigmoid", {}),
    ("Tanh", {}),
    ("LeakyRelu", {"alpha": 0.2}),
    ("Softmax", {"axis": 1}),
    ("Softmax", {"axis": -1}),
    ("Softmax", {"axis": 2}),
    ("GlobalAveragePool", {}),
    ("Flatten", {"axis": 1}),
    ("Transpose", {"perm": [0, 2, 3, 1]}),
    ("Transpose", {"perm": [0, 3, 1, 2]}),
    ("Identity", {}),
]


@pytest.mark.parametrize(("op", "attributes"), UNARY)
def test_operators_before_and_after_a_convolution(tmp_path, op, attributes):
    check(tmp_path, [node(op, ["x"], **attributes)], {"x": SHAPE})
    conv = helper.make_node("Conv", ["x", "w"], ["c"], name="c")
    graph = check(tmp_path, [conv, node(op, ["c"], **attributes)], {"x": SHAPE}, {"w": weights(6, 6, 1, 1)})
    assert graph.batched


@pytest.mark.parametrize(
    ("op", "attributes"),
    [*((op, {}) for op in ("Abs", "Neg", "Exp", "Erf", "Softplus", "HardSwish", "Gelu")), ("Elu", {"alpha": 0.5})],
)
def test_functions_of_one_element(tmp_path, op, attributes):
    check(tmp_path, [node(op, ["x"], **attributes)], {"x": SHAPE}, opset=20, ir=9)


@pytest.mark.parametrize("op", ["Sqrt", "Log", "Reciprocal"])
def test_functions_of_positive_numbers(tmp_path, op):
    positive = helper.make_node("Clip", ["x", "lo", ""], ["p"], name="p")
    check(tmp_path, [positive, node(op, ["p"])], {"x": SHAPE}, {"lo": np.float32(0.25)})


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("shape", [(6, 1, 1), (1, 6, 4, 5), (1,), (5,), (4, 1), ()])
def test_constants_meet_channels_last(tmp_path, op, shape):
    conv = helper.make_node("Conv", ["x", "w"], ["c"], name="c")
    constants = {"w": weights(6, 6, 1, 1), "k": np.asarray(RNG.normal(size=shape), dtype=np.float32)}
    check(tmp_path, [conv, node(op, ["c", "k"])], {"x": SHAPE}, constants)
    check(tmp_path, [conv, node(op, ["k", "c"])], {"x": SHAPE}, constants)


def test_concat_pad_reshape_squeeze(tmp_path):
    conv = helper.make_node("Conv", ["x", "w"], ["c"], name="c")
    constants = {"w": weights(6, 6, 1, 1), "p": np.array([0, 1, 2, 0, 0, 0, 1, 3]), "s": np.array([1, -1])}
    for axis in (1, 2, 3):
        check(tmp_path, [conv, node("Concat", ["c", "c"], axis=axis)], {"x": SHAPE}, {"w": constants["w"]})
        check(tmp_path, [conv, node("Concat", ["c", "x"], axis=axis)], {"x": SHAPE}, {"w": constants["w"]})
    check(tmp_path, [conv, node("Pad", ["c", "p"])], {"x": SHAPE}, {k: constants[k] for k in "wp"})
    check(tmp_path, [conv, node("Reshape", ["c", "s"])], {"x": SHAPE}, {k: constants[k] for k in "ws"})
    pool = helper.make_node("GlobalAveragePool", ["c"], ["g"], name="g")
    axes = {"w": constants["w"], "a": np.array([2, 3])}
    check(tmp_path, [conv, pool, node("Squeeze", ["g", "a"])], {"x": SHAPE}, axes)
    check(tmp_path, [node("Unsqueeze", ["x", "a"])], {"x": (1, 5)}, {"a": np.array([1, 3])})
    check(tmp_path, [node("ReduceMean", ["x"], axes=[2, 3], keepdims=0)], {"x": SHAPE})


@pytest.mark.parametrize("attributes", [{}, {"transB": 1, "alpha": 0.5, "beta": 2.0}, {"transA": 1}])
def test_gemm(tmp_path, attributes):
    rows, inner = (1, 7) if not attributes.get("transA") else (7, 3)
    k = inner if not attributes.get("transA") else rows
    w = weights(4, k) if attributes.get("transB") else weights(k, 4)
    check(tmp_path, [node("Gemm", ["x", "w", "b"], **attributes)], {"x": (rows, inner)}, {"w": w, "b": weights(4)})


def test_batch_norm_clip_and_run_time_matmul(tmp_path):
    constants = {"s": weights(6), "b": weights(6), "m": weights(6), "v": np.abs(weights(6)) + 0.1}
    check(tmp_path, [node("BatchNormalization", ["x", *constants], epsilon=1e-3)], {"x": SHAPE}, constants)
    low, high = {"lo": np.float32(-0.5), "hi": np.float32(0.7)}, {"lo": np.float32(0), "hi": np.float32(6)}
    assert "Clip" in repr(check(tmp_path, [node("Clip", ["x", "lo", "hi"])], {"x": SHAPE}, low).nodes)
    assert "ReLU6" in repr(check(tmp_path, [node("Clip", ["x", "lo", "hi"])], {"x": SHAPE}, high).nodes)
    check(tmp_path, [node("MatMul", ["a", "b"])], {"a": (1, 3, 4, 5), "b": (1, 3, 5, 2)})


def test_exported_reshapes_are_folded(tmp_path):
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], name="s"),
        helper.make_node("Gather", ["s", "zero"], ["n"], name="n", axis=0),
        helper.make_node("Unsqueeze", ["n", "zero1"], ["n1"], name="n1"),
        helper.make_node("Concat", ["n1", "minus"], ["t"], name="t", axis=0),
        node("Reshape", ["x", "t"]),
    ]
    constants = {"zero": np.array(0), "zero1": np.array([0]), "minus": np.array([-1])}
    assert check(tmp_path, nodes, {"x": SHAPE}, constants).batched


def test_all_missing_operators_in_one_error(tmp_path):
    nodes = [
        helper.make_node("Multinomial", ["x"], ["a"], name="first"),
        helper.make_node("Multinomial", ["a"], ["b"], name="second"),
        node("Det", ["b"]),
        helper.make_node("NonZero", ["x"], ["i"], name="third"),
        helper.make_node("RandomNormalLike", ["i"], ["j"], name="fourth"),
    ]
    onnx.save(model_of(nodes, {"x": (1, 2, 4, 4)}, {}), str(tmp_path / "m.onnx"))
    with pytest.raises(UnsupportedOperatorError) as error:
        hb.load(tmp_path / "m.onnx")
    for words in ("Multinomial × 2: first, second", "Det × 1", "NonZero (its result's", "RandomNormalLike × 1: fourth"):
        assert words in error.value.message


def test_symbolic_axes(tmp_path):
    model = model_of([node("Relu", ["x"])], {"x": ("N", "T", 3)}, {})
    onnx.save(model, str(tmp_path / "m.onnx"))
    with pytest.raises(InputError, match="axis 1"):
        hb.load(tmp_path / "m.onnx")
    assert hb.load(tmp_path / "m.onnx", shapes={"x": (1, 7, 3)}).tensors["x"].shape == (1, 7, 3)


def test_broken_graphs(tmp_path):
    path = tmp_path / "m.onnx"
    loop = [helper.make_node("Relu", ["b"], ["a"], name="p"), helper.make_node("Relu", ["a"], ["b"], name="q")]
    for nodes, words in ((([*loop, node("Add", ["a", "x"])]), "cycle"), ([node("Relu", ["nowhere"])], "nowhere")):
        onnx.save(model_of(nodes, {"x": (1, 3)}, {}), str(path))
        with pytest.raises(GraphError, match=words):
            hb.load(path)


def test_damaged_files_never_crash(tmp_path):
    model = model_of([node("Conv", ["x", "w"])], {"x": (1, 3, 5, 5)}, {"w": weights(4, 3, 3, 3)})
    whole, path = model.SerializeToString(), tmp_path / "m.onnx"
    for cut in range(0, len(whole), 16):
        path.write_bytes(whole[:cut])
        with pytest.raises(HwblocksError):
            hb.load(path)
    path.write_bytes(np.random.default_rng(1).bytes(400))
    with pytest.raises(FileFormatError):
        hb.load(path)


CANCELLING = ("magika_v3_3_float",)  # its variances are differences of almost equal float32 numbers
COVERED = [
    "mnist_conv_float",
    "espcn_subpixel_float",
    "sdp_attention_float",
    "dtln_model_1_float",
    "magika_v3_3_float",
    "onnx_light_squeezenet",
    "alibaba_kws_float",
    "alibaba_ic_float",
]  # quantized models: tests/dialects


def recorded(shared):
    index = json.loads((shared / "models" / "index.json").read_text())
    return [
        m for m in index["models"] if (m["format"] == "onnx" and m["name"].endswith("_float")) or "squeeze" in m["name"]
    ]


def test_recorded_models(shared):
    done = []
    for entry in recorded(shared):
        path = shared / "models" / entry["model"]
        ops = [n.op_type for n in onnx.load(str(path)).graph.node]
        try:
            graph = hb.load(path)
        except UnsupportedOperatorError as error:
            for line in error.message.splitlines()[1:]:
                op, _, names = line.strip().partition(" × ")
                listed = int(names.split(":")[0])  # nodes on constants alone are folded, not listed
                assert 1 <= listed <= ops.count(op.rsplit(":", 1)[-1]), (entry["name"], line)
            continue
        data = np.load(shared / "models" / entry["data"])
        run = hb.run(graph, [data[f"in{i}"] for i in range(len(graph.inputs))])
        for i, name in enumerate(graph.outputs):
            wanted = data[f"{entry['base']}_out{i}"]
            near = 1e-3 if entry["name"] in CANCELLING else 1e-4
            assert np.abs(run.outputs[name] - wanted).max() <= near * np.abs(wanted).max(), entry["name"]
        done.append(entry["name"])
    assert done == COVERED


def qdq(constants, shape=(1, 4), weight=False, **attributes):
    """x through a quantizer of its own, or times weights that are dequantized."""
    names = [n for n in ("s", "z") if n in constants]
    if weight:
        first = helper.make_node("DequantizeLinear", ["w", *names], ["wd"], name="weights", **attributes)
        nodes = [first, helper.make_node("MatMul", ["x", "wd"], ["y"], name="matmul")]
    else:
        second = ["s", "z2"] if "z2" in constants else names
        nodes = [
            helper.make_node("QuantizeLinear", ["x", *names], ["q"], name="quantize", **attributes),
            helper.make_node("DequantizeLinear", ["q", *second], ["y"], name="dequantize", **attributes),
        ]
    return model_of(nodes, {"x": shape}, constants, opset=21)


ONE, CODES = np.float32(0.1), np.ones((4, 3), np.int8)
BAD_QUANTIZERS = [
    (qdq({"s": ONE, "z": np.int8(0), "z2": np.uint8(0)}), "the codes are int8 but the zero point is uint8"),
    (qdq({"w": CODES, "s": ONE, "z": np.uint8(0)}, weight=True), "'weights': the codes are int8 but the zero point"),
    (qdq({"s": ONE, "z": np.float32(0)}), "codes of type float32 are not supported"),
    (qdq({"s": np.ones(3, np.float32), "z": np.zeros(3, np.int8)}, axis=1), "has 3 scales along axis 1"),
    (qdq({"s": np.ones(4, np.float32), "z": np.zeros(3, np.int8)}, axis=1), "4 scales but 3 zero points"),
    (qdq({"w": CODES, "s": np.ones(2, np.float32)}, weight=True, axis=1), "has 2 scales along axis 1"),
    (qdq({"s": np.ones(4, np.float32), "z": np.zeros(4, np.int8)}, axis=7), "scales along axis"),
    (qdq({"s": np.float32(0), "z": np.int8(0)}), "a scale must be a finite number above 0"),
    (qdq({"s": np.float32(-1), "z": np.int8(0)}), "a scale must be a finite number above 0"),
    (qdq({"s": np.float32(np.nan), "z": np.int8(0)}), "a scale must be a finite number above 0"),
    (qdq({"s": np.ones((1, 3), np.float32)}, axis=1, block_size=2), "blocks of 2 along axis 1 need"),
    (
        qdq({"w": CODES, "s": np.ones((3, 3), np.float32)}, weight=True, axis=0, block_size=2),
        "blocks of 2 along axis 0 need",
    ),
]


@pytest.mark.parametrize(("model", "words"), BAD_QUANTIZERS, ids=[words for _, words in BAD_QUANTIZERS])
def test_quantizers_that_make_no_sense(tmp_path, model, words):
    onnx.save(model, str(tmp_path / "m.onnx"))
    with pytest.raises(HwblocksError) as error:
        hb.load(tmp_path / "m.onnx")
    assert words in error.value.message


@pytest.mark.parametrize(
    ("equation", "shapes", "blocks"),
    [
        ("bij,bjk->bik", ((2, 3, 4), (2, 4, 5)), ["MatMul"]),
        ("bhid,bhjd->bhij", ((1, 2, 3, 4), (1, 2, 5, 4)), ["Transpose", "MatMul"]),
        ("bij,bkj->bki", ((2, 3, 4), (2, 5, 4)), ["Einsum"]),
        ("ij,kj,kl->il", ((3, 4), (5, 4), (5, 2)), ["Transpose", "MatMul", "MatMul"]),
        ("...ii->...i", ((2, 3, 3),), ["Diagonal", "Transpose"]),
    ],
)
def test_einstein_sums_are_matrix_products_where_they_can(tmp_path, equation, shapes, blocks):
    names = [f"x{i}" for i in range(len(shapes))]
    made = helper.make_node("Einsum", names, ["y"], name="sum", equation=equation)
    values = [helper.make_tensor_value_info(n, 1, s) for n, s in zip(names, shapes, strict=True)]
    graph = helper.make_graph([made], "g", values, [helper.make_empty_tensor_value_info("y")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), str(tmp_path / "m.onnx"))
    g = hb.load(tmp_path / "m.onnx", shapes=dict(zip(names, shapes, strict=True)))
    assert [node.type_name for node in g.nodes] == blocks
    data = {n: np.random.default_rng(3).normal(size=s).astype(np.float32) for n, s in zip(names, shapes, strict=True)}
    got = hb.run(g, {n: a[None] for n, a in data.items()}).outputs["y"][0]
    np.testing.assert_allclose(got, np.einsum(equation, *data.values()), rtol=1e-5, atol=1e-6)
