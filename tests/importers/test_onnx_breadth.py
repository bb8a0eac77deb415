"""ONNX operators against ONNX Runtime: types, layouts after convolutions, run-time values, control, large integers."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import hwblocks as hb
import quantize as qz
from hwblocks.errors import GraphError, SimulationError, UnsupportedOperatorError
from hwblocks.importers.from_onnx import import_model
from hwblocks.importers.onnx_backend import Backend

RNG = np.random.default_rng(5)
IMAGE = RNG.normal(size=(1, 2, 5, 6)).astype(np.float32)


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def of(nodes, inputs, outputs=("y",), constants=None, opset=21):
    """A model whose inputs have the types and shapes of arrays; nodes: (operator, inputs, outputs, attributes)."""
    made = [helper.make_node(op, list(i), list(o), **a) for op, i, o, a in nodes]
    values = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in inputs.items()
    ]
    stored = [numpy_helper.from_array(np.asarray(a), n) for n, a in (constants or {}).items()]
    ends = [helper.make_empty_tensor_value_info(n) for n in outputs]
    graph = helper.make_graph(made, "g", values, ends, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def by_runtime(model, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, inputs)


def check(nodes, inputs, outputs=("y",), constants=None, opset=21):
    """hwblocks and ONNX Runtime agree in values, shapes and types; returns the model's representation."""
    model = of(nodes, inputs, outputs, constants, opset)
    ready = Backend.prepare(model)
    made, wanted = ready.run(dict(inputs)), by_runtime(model, inputs)
    assert len(made) == len(wanted)
    for got, right in zip(made, wanted, strict=True):
        assert (got.shape, got.dtype) == (right.shape, right.dtype)
        np.testing.assert_allclose(got, right, rtol=1e-4, atol=1e-5)
    return ready


CONV = ("Conv", ["x", "w"], ["c"], {})
LAYOUTS = {
    "slice": [("Slice", ["c", "starts", "ends", "axes", "steps"], ["s"], {})],
    "backwards": [("Slice", ["c", "last", "first", "axis"], ["s"], {}), ("Neg", ["s"], ["n"], {})],
    "split": [("Split", ["c"], ["s", "t"], {"axis": 1, "num_outputs": 2}), ("Concat", ["t", "s"], ["u"], {"axis": 1})],
    "pad": [("Pad", ["c", "pads"], ["s"], {"mode": "reflect"})],
    "where": [("Greater", ["c", "zero"], ["g"], {}), ("Where", ["g", "c", "channel"], ["s"], {})],
    "prelu": [("PRelu", ["c", "channel"], ["s"], {})],
    "sum": [("Sum", ["c", "channel", "zero"], ["s"], {}), ("Max", ["s", "c", "zero"], ["m"], {})],
    "select": [("Gather", ["c", "picked"], ["s"], {"axis": 1})],
    "crop": [("CenterCropPad", ["c", "size"], ["s"], {"axes": [2, 3]})],
    "clip": [("Clip", ["c", "zero", "one"], ["s"], {})],
    "space": [("SpaceToDepth", ["c"], ["s"], {"blocksize": 2}), ("DepthToSpace", ["s"], ["d"], {"blocksize": 2})],
}
NAMED = {
    "w": floats(4, 2, 2, 1),
    "w2": floats(3, 4, 1, 1),
    "starts": np.array([1, -1]),
    "ends": np.array([3, -9]),
    "axes": np.array([1, 3]),
    "steps": np.array([1, -2]),
    "last": np.array([3]),
    "first": np.array([1]),
    "axis": np.array([-2]),
    "pads": np.array([0, 0, 1, 2, 0, 0, 2, 1]),
    "zero": np.array(0, np.float32),
    "one": np.array(1, np.float32),
    "channel": floats(4, 1, 1),
    "picked": np.array([3, -4]),
    "size": np.array([2, 9]),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("through", [False, True], ids=["output", "before_conv"])
def test_after_a_convolution(name, through):
    """Channels stand last inside; outputs and what follows see the file's order."""
    nodes = [CONV, *LAYOUTS[name]]
    made = nodes[-1][2][0]
    nodes.append(
        ("Mul", [made, "one"], ["y"], {}) if not through else ("Transpose", [made], ["y"], {"perm": [2, 0, 3, 1]})
    )
    used = {n for _, i, _, _ in nodes for n in i}
    check(nodes, {"x": IMAGE}, ("y",), {n: a for n, a in NAMED.items() if n in used})


SLICES = [
    ([-9, 2], [-9, -9], [2, 3], [-1, -2]),  # a start before the axis counts as its first element when going backwards
    ([2**31 - 1, 1], [3, 9], [3, 1], [1, 1]),  # nothing is left of an axis
    ([5, -1], [-(2**31), 1], [-1, 1], [-3, -1]),
    ([0, 2**40], [2**40, 0], [2, 3], [1, -2]),
]


@pytest.mark.parametrize(("starts", "ends", "axes", "steps"), SLICES)
@pytest.mark.parametrize("first", ["Conv", "Add"])
def test_bounds_of_slices(first, starts, ends, axes, steps):
    inner = CONV if first == "Conv" else ("Add", ["x", "x"], ["c"], {})
    nodes = [inner, ("Slice", ["c", "starts", "ends", "axes", "steps"], ["y"], {})]
    given = {"starts": starts, "ends": ends, "axes": axes, "steps": steps}
    constants = {name: np.array(values) for name, values in given.items()}
    check(nodes, {"x": IMAGE}, constants=constants | ({"w": NAMED["w"]} if first == "Conv" else {}))


def test_outputs_of_a_split_after_a_convolution():
    nodes = [CONV, ("Split", ["c", "sizes"], ["p", "q", "r"], {"axis": 1})]
    ready = check(nodes, {"x": IMAGE}, ("p", "r"), {"w": NAMED["w"], "sizes": np.array([1, 2, 1])})
    graph = ready.built({"x": IMAGE}).graph
    assert graph.outputs == ("p", "r")


LARGE = np.array([2**62 + 1, -(2**62) - 1, 5, -7, 0], dtype=np.int64)
OTHER = np.array([3, 5, -2, 2, 9], dtype=np.int64)
UNSIGNED = np.array([2**63 + 5, 2**64 - 1, 1], dtype=np.uint64)
SMALLER = np.array([7, 2**63 + 1, 2], dtype=np.uint64)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Mod", "Max", "Min", "Less", "GreaterOrEqual", "Equal"])
@pytest.mark.parametrize(("a", "b"), [(LARGE, OTHER), (UNSIGNED, SMALLER)], ids=["int64", "uint64"])
def test_sixty_four_bits_are_exact(op, a, b):
    if op == "Mod" and a.dtype == np.int64:
        b = np.abs(b)
    inputs = {"a": a, "b": b}
    model = of([(op, ["a", "b"], ["y"], {})], inputs)
    (got,), (wanted,) = Backend.prepare(model).run(inputs), by_runtime(model, inputs)
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)


def test_bounds_of_sixty_four_bits_are_exact():
    x = np.array([2**62 + 3, 2**62 + 1, -5])
    model = of([("Clip", ["x", "", "high"], ["y"], {})], {"x": x}, constants={"high": np.array(2**62 + 2)})
    assert Backend.prepare(model).run([x])[0].tolist() == [2**62 + 2, 2**62 + 1, -5]


@pytest.mark.parametrize(
    "to", ["int8", "uint8", "int16", "int32", "int64", "uint64", "float16", "float32", "float64", "bool"]
)
@pytest.mark.parametrize(
    "x", [np.array([-3.7, 2.5, 100, 0], np.float32), np.array([300, -2, 2**33, 0])], ids=["f", "i"]
)
def test_casts(x, to):
    if to == "uint64" and x.dtype.kind == "f":
        x = np.abs(x)
    number = helper.np_dtype_to_tensor_dtype(np.dtype(to))
    if x.dtype.kind == "f" and to in ("uint8",):
        x = np.abs(x)  # what is below 0 has no meaning in the standard
    check([("Cast", ["x"], ["y"], {"to": number})], {"x": x})


def test_an_integer_quotient_by_zero_is_an_error():
    model = of([("Div", ["a", "b"], ["y"], {})], {"a": LARGE, "b": OTHER})
    graph = import_model(model, {}, "g")
    with pytest.raises(SimulationError, match="divisor is 0"):
        hb.run(graph, {"a": LARGE[None], "b": 0 * OTHER[None]})


RUNTIME = {
    "gather": [("Gather", ["t", "i"], ["y"], {"axis": 1})],
    "scatter": [("ScatterElements", ["t", "j", "u"], ["y"], {"axis": 1})],
    "add": [("ScatterND", ["t", "n", "v"], ["y"], {"reduction": "add"})],
    "one_hot": [("OneHot", ["i", "depth", "onoff"], ["y"], {"axis": 0})],
    "clip": [("Clip", ["t", "low", "high"], ["y"], {})],
    "top": [
        ("TopK", ["t", "k"], ["v", "p"], {"axis": 0, "largest": 0}),
        ("Cast", ["p"], ["q"], {"to": 1}),
        ("Add", ["v", "q"], ["y"], {}),
    ],
    "reverse": [("ReverseSequence", ["t", "lengths"], ["y"], {"batch_axis": 0, "time_axis": 1})],
    "cumulated": [("CumSum", ["t", "axis"], ["y"], {"exclusive": 1, "reverse": 1})],
    "embedding": [("Gather", ["table", "i"], ["y"], {})],
}
VALUES = {
    "t": floats(3, 4),
    "i": np.array([[1, -1], [0, 2]]),
    "j": np.array([[0, 3], [-2, 1], [2, 0]]),
    "u": floats(3, 2),
    "n": np.array([[2], [-2], [2]]),
    "v": floats(3, 4),
    "low": np.array(-0.3, np.float32),
    "high": np.array(0.4, np.float32),
    "lengths": np.array([4, 1, 3]),
}
FIXED = {
    "depth": np.array(3),
    "onoff": np.array([2, 5], np.float32),
    "k": np.array([2]),
    "axis": np.array(1),
    "table": floats(5, 2),
}


@pytest.mark.parametrize("name", RUNTIME)
def test_run_time_operands(name):
    nodes = RUNTIME[name]
    read, made = {n for _, i, _, _ in nodes for n in i}, {n for _, _, o, _ in nodes for n in o}
    inputs = {n: a for n, a in VALUES.items() if n in read and n not in made}
    check(nodes, inputs, ("y",), {n: a for n, a in FIXED.items() if n in read})


def test_samples_of_an_embedding_run_together():
    nodes = [("Gather", ["table", "i"], ["e"], {}), ("Neg", ["e"], ["y"], {})]
    given, table = RNG.integers(-5, 5, (7, 1, 3)), floats(5, 2)
    graph = import_model(of(nodes, {"i": given[0]}, constants={"table": table}), {}, "g")
    assert graph.batched
    np.testing.assert_array_equal(hb.run(graph, given).outputs["y"], -table[given])
    both = import_model(of([("Gather", ["x", "i"], ["y"], {})], {"x": floats(1, 2), "i": given[0]}), {}, "g")
    assert not both.batched


def test_an_index_outside_is_an_error():
    inputs = {"t": VALUES["t"], "i": np.array([4])}
    graph = import_model(of([("Gather", ["t", "i"], ["y"], {"axis": 1})], inputs), {}, "g")
    with pytest.raises(SimulationError, match="index 4 reaches outside"):
        hb.run(graph, {"t": inputs["t"][None], "i": inputs["i"][None]})


FUNCTIONS = [
    *("Acos", "Asin", "Atan", "Asinh", "Atanh", "Cosh", "Sinh", "Tan", "Sign", "Round", "Mish", "Softsign", "Selu"),
    *("Celu", "HardSigmoid", "ThresholdedRelu", "Shrink", "Softplus", "Reciprocal", "Erf", "HardSwish", "Ceil"),
]


@pytest.mark.parametrize("op", FUNCTIONS)
@pytest.mark.parametrize("kind", ["float16", "float32"])
def test_functions_in_the_type_of_the_file(op, kind):
    x = RNG.uniform(-0.99, 0.99, (3, 4)).astype(kind)
    model = of([(op, ["x"], ["y"], {})], {"x": x})
    (made,) = Backend.prepare(model).run([x])
    try:
        (wanted,) = by_runtime(model, {"x": x})
    except Exception:  # the runtime lacks this type
        (wanted,) = by_runtime(of([(op, ["x"], ["y"], {})], {"x": x.astype(np.float32)}), {"x": x.astype(np.float32)})
    assert made.dtype == kind
    np.testing.assert_allclose(
        made, wanted, rtol=2e-3 if kind == "float16" else 1e-5, atol=1e-3 if kind == "float16" else 1e-6
    )


def test_a_half_precision_network_is_quantized_like_others(tmp_path):
    w = (floats(3, 2, 2, 1) / 2).astype(np.float16)
    x = RNG.normal(size=(1, 2, 5, 6)).astype(np.float16)
    nodes = [("Conv", ["x", "w"], ["c"], {}), ("Selu", ["c"], ["s"], {}), ("Flatten", ["s"], ["y"], {})]
    onnx.save(of(nodes, {"x": x}, constants={"w": w}), str(tmp_path / "half.onnx"))
    graph = hb.load(tmp_path / "half.onnx")
    samples = RNG.normal(size=(8, 2, 5, 6)).astype(np.float16)
    float_run = hb.run(graph, samples)
    assert float_run.outputs["y"].dtype == np.float16
    made = qz.convert(graph, qz.calibrate(graph, samples), recipe="int8")
    error = hb.run(made, samples).real["y"] - float_run.real["y"]
    assert np.abs(error).max() < 0.1


def body(nodes, inputs, outputs, name="body"):
    made = [helper.make_node(op, list(i), list(o), **a) for op, i, o, a in nodes]
    values = [helper.make_tensor_value_info(n, t, s) for n, t, s in inputs]
    return helper.make_graph(made, name, values, [helper.make_empty_tensor_value_info(n) for n in outputs])


NUMBER = [("n", TensorProto.INT64, []), ("go", TensorProto.BOOL, [])]
STATE = ("s", TensorProto.FLOAT, [3])


def test_a_loop_counts_to_a_run_time_number_and_reads_outside():
    inner = body([("Add", ["s", "x"], ["t"], {}), ("Identity", ["go"], ["g"], {})], [*NUMBER, STATE], ["g", "t"])
    nodes = [("Neg", ["x0"], ["x"], {}), ("Loop", ["m", "", "x"], ["y"], {"body": inner})]
    for count in (0, 1, 4):
        ready = check(nodes, {"x0": floats(3), "m": np.array(count)})
        assert ready.frozen == frozenset()


def test_a_loop_ends_by_its_condition():
    step = [
        ("Add", ["s", "s"], ["t"], {}),
        ("Gather", ["t", "two"], ["last"], {"axis": 0}),
        ("Less", ["last", "limit"], ["g"], {}),
    ]
    nodes = [("Loop", ["", "start", "x"], ["y"], {"body": body(step, [*NUMBER, STATE], ["g", "t"])})]
    for start in (True, False):
        inputs = {"x": np.array([1, 2, 3], np.float32), "limit": np.array(50, np.float32), "start": np.array(start)}
        check(nodes, inputs, ("y",), {"two": np.array(2)})


def test_scan_outputs_of_a_counted_loop():
    inner = body(
        [("Mul", ["s", "w"], ["t"], {}), ("Identity", ["go"], ["g"], {}), ("Gather", ["t", "n"], ["r"], {"axis": 0})],
        [*NUMBER, STATE],
        ["g", "t", "t", "r"],
    )
    nodes = [("Loop", ["m", "", "x"], ["y", "rows", "picked"], {"body": inner})]
    ready = check(nodes, {"x": floats(3)}, ("y", "rows", "picked"), {"m": np.array(3), "w": floats(3)})
    graph = ready.built({"x": floats(3)}).graph
    assert [type(node.block).__name__ for node in graph.nodes].count("While") == 1


def test_scan_outputs_whose_number_depends_on_data_are_refused():
    inner = body(
        [("Less", ["s", "w"], ["g"], {}), ("Identity", ["s"], ["t"], {})],
        [*NUMBER, ("s", TensorProto.FLOAT, [])],
        ["g", "t", "s"],
    )
    nodes = [("Loop", ["m", "", "x"], ["y", "rows"], {"body": inner})]
    with pytest.raises(GraphError, match="depends on data"):
        import_model(
            of(nodes, {"x": np.array(1, np.float32)}, ("y", "rows"), {"m": np.array(3), "w": np.float32(2)}), {}, "g"
        )


def test_a_loop_whose_shapes_grow_is_written_out():
    inner = body(
        [("Concat", ["s", "x"], ["t"], {"axis": 0}), ("Identity", ["go"], ["g"], {})],
        [*NUMBER, ("s", TensorProto.FLOAT, None)],
        ["g", "t"],
    )
    ready = check([("Loop", ["m", "", "x"], ["y"], {"body": inner})], {"x": floats(3)}, ("y",), {"m": np.array(3)})
    assert "Concat" in [type(node.block).__name__ for node in ready.built({"x": floats(3)}).graph.nodes]


BRANCHES = {
    "then_branch": body([("Mul", ["x", "w"], ["p"], {}), ("Neg", ["p"], ["q"], {})], [], ["q"], "then"),
    "else_branch": body([("Abs", ["x"], ["q"], {})], [], ["q"], "else"),
}


@pytest.mark.parametrize("condition", [True, False])
def test_branches_read_outside(condition):
    inputs = {"c": np.array(condition), "x": floats(3)}
    ready = check([("If", ["c"], ["y"], BRANCHES)], inputs, ("y",), {"w": floats(3)})
    assert [type(n.block).__name__ for n in ready.built(inputs).graph.nodes] == ["If"]


@pytest.mark.parametrize("condition", [True, False])
def test_a_constant_condition_leaves_one_branch(condition):
    nodes = [("If", ["c"], ["z"], BRANCHES), ("If", ["c"], ["y"], BRANCHES)]
    ready = check(nodes, {"x": floats(3)}, ("y", "z"), {"w": floats(3), "c": np.array(condition)})
    kinds = {type(n.block).__name__ for n in ready.built({"x": floats(3)}).graph.nodes}
    assert kinds & {"Neg", "Abs"} == {"Neg" if condition else "Abs"}


def test_a_branch_inside_a_loop(tmp_path):
    inner = body(
        [
            ("Gather", ["s", "zero"], ["first"], {"axis": 0}),
            ("Less", ["first", "limit"], ["small"], {}),
            (
                "If",
                ["small"],
                ["t"],
                {
                    "then_branch": body([("Add", ["s", "x"], ["a"], {})], [], ["a"], "then"),
                    "else_branch": body([("Sub", ["s", "x"], ["a"], {})], [], ["a"], "else"),
                },
            ),
            ("Identity", ["go"], ["g"], {}),
        ],
        [*NUMBER, STATE],
        ["g", "t"],
    )
    constants = {"zero": np.array(0), "limit": np.array(2.5, np.float32), "m": np.array(5)}
    inputs = {"x": np.array([1, 2, -3], np.float32)}
    ready = check([("Loop", ["m", "", "x"], ["y"], {"body": inner})], inputs, ("y",), constants)
    hb.save(ready.built(inputs).graph, tmp_path / "loop.hwb")
    again = hb.run(hb.load(tmp_path / "loop.hwb"), inputs["x"][None]).outputs["y"][0]
    np.testing.assert_array_equal(again, ready.run(inputs)[0])


def test_unsupported_operators_inside_bodies_are_listed():
    inner = body([("Multinomial", ["s"], ["t"], {}), ("Identity", ["go"], ["g"], {})], [*NUMBER, STATE], ["g", "t"])
    nodes = [("Loop", ["m", "", "x"], ["l"], {"body": inner}), ("Det", ["l"], ["y"], {})]
    with pytest.raises(UnsupportedOperatorError) as error:
        import_model(of(nodes, {"x": floats(3)}, constants={"m": np.array(2)}), {}, "g")
    assert "Det × 1" in error.value.message
    assert "Multinomial × 1" in error.value.message


@pytest.mark.parametrize(
    ("mode", "pads"), [("edge", [0, 1, 2, 0]), ("wrap", [1, 0, 0, 2]), ("constant", [-1, 0, 1, -1])]
)
def test_paddings(mode, pads):
    check([("Pad", ["x", "pads"], ["y"], {"mode": mode})], {"x": floats(3, 4)}, constants={"pads": np.array(pads)})


def test_data_dependent_shapes_are_refused():
    with pytest.raises(UnsupportedOperatorError, match="its result's shape depends on data"):
        import_model(of([("NonZero", ["x"], ["y"], {})], {"x": floats(3)}), {}, "g")
