"""ONNX files written from graphs: every block against ONNX Runtime, integers against the simulation, round trips."""

from __future__ import annotations

import importlib.util
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.cli.export_command import measured
from hwblocks.errors import InputError, OutputError, UnsupportedOperatorError
from hwblocks.exporters.to_onnx import RULES
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.formats import Format

TABLES = Path(__file__).parents[1] / "blocks"
CONSTANT = {
    "BatchNorm",
    "LayerNorm",
    "GroupNorm",
    "InstanceNorm",
    "RMSNorm",
    "PReLU",
    "Weight",
    "Linear",
}  # blocks whose further inputs are parameters
APART = {"Scan", "Quantize", "Dequantize", "Rescale", "Relabel"}  # tested in whole graphs
DEMO = files("hwblocks") / "demo_data"


def tables():
    found = {}
    for path in sorted(TABLES.glob("tables*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.update(module.CASES)
    return found


HELD = tables()
CASES = [(n, i) for n, cases in HELD.items() if n in RULES and n not in APART for i in range(len(cases))]

REFUSED = {("Take", 1), ("MirrorPad", 1)}


def ran(path, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options).run(None, feeds)


def format_of(array):
    if array.dtype == bool:
        return Format("bool")
    if array.dtype.kind in "iu":
        return Format(kind="raw", bits=64, signed=True)
    return Format("float32")


def graph_of(name, i):
    """(graph, inputs) of a case of the blocks' tables: parameters are constants, all else run-time."""
    block, inputs, _ = HELD[name][i]
    build, values, feeds = GraphBuilder("one"), [], {}
    for position, given in enumerate(inputs):
        if given is None:
            values.append(None)
            continue
        array = np.asarray(given)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array.astype(format_of(array).dtype)
        fixed = position > 0 and (name in CONSTANT or name.startswith("Conv"))
        if fixed:
            values.append(build.constant(f"c{position}", array, format_of(array)))
        else:
            values.append(build.input(f"x{position}", array.shape, format_of(array)))
            feeds[f"x{position}"] = array
    comparison = name in ("Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual") or name.startswith(
        "Logical"
    )
    count = len(block.shape(*(np.shape(a) for a in inputs if a is not None)))
    more = {"formats": (Format("bool"),)} if comparison else {}
    if name.startswith("Arg"):
        more = {"formats": (Format(kind="raw", bits=32),)}
    made = build.add_all(block, *values, name="node", **more)
    assert len(made) == count
    return build.build(*made), feeds


@pytest.mark.parametrize(("name", "i"), CASES)
def test_every_block(tmp_path, name, i):
    graph, feeds = graph_of(name, i)
    if (name, i) in REFUSED:
        with pytest.raises(UnsupportedOperatorError, match=f"^{name} 'node': "):
            hb.export_onnx(graph, tmp_path / "m.onnx")
        return
    hb.export_onnx(graph, tmp_path / "m.onnx")
    try:
        got = ran(tmp_path / "m.onnx", feeds)
    except Exception as error:
        if "NOT_IMPLEMENTED" in str(error):
            pytest.skip(str(error)[:120])
        raise
    wanted = hb.run(graph, {n: a[None] for n, a in feeds.items()}).outputs
    for one, want in zip(got, wanted.values(), strict=True):
        assert one.shape == want[0].shape
        np.testing.assert_allclose(one, want[0], rtol=1e-4, atol=1e-5)


def digits():
    graph = hb.load(str(DEMO / "digits_cnn.onnx"))
    return graph, np.load(DEMO / "digits.npz")["images"][:100].astype(np.float32)


def test_float_file_has_the_same_structure(tmp_path):
    graph, x = digits()
    hb.export_onnx(graph, tmp_path / "m.onnx")
    onnx.shape_inference.infer_shapes(onnx.load(tmp_path / "m.onnx"), check_type=True, strict_mode=True)
    again = hb.load(tmp_path / "m.onnx")
    assert [n.type_name for n in again.nodes] == [n.type_name for n in graph.nodes]
    assert (again.inputs, again.outputs) == (graph.inputs, graph.outputs)
    np.testing.assert_array_equal(*(hb.run(g, x).outputs["probabilities"] for g in (graph, again)))


def compared(path, integer, made, x):
    """(name, codes of ONNX Runtime, codes of the simulation under its dialect) of every tensor of the file."""
    names = [n for n in made.tensors if n not in integer.inputs]
    run = hb.run(integer, x, dialect="ort-noopt", trace=names)
    model = onnx.load(path)
    there = {o.name for o in model.graph.output}
    wanted = dict.fromkeys(made.tensors[n][0] for n in names)
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in wanted if n not in there)
    onnx.save(model, path)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options)
    theirs = session.run([made.tensors[n][0] for n in names], {session.get_inputs()[0].name: x})
    for name, codes in zip(names, theirs):
        _, first, stored = made.tensors[name]
        assert stored
        ours = run.outputs[name] if name in integer.outputs else run.trace.tensors[name]
        yield name, np.moveaxis(codes, 1, -1) if first else codes, ours.reshape(-1, *integer.tensors[name].shape[1:])


@pytest.mark.parametrize("style", ["qdq", "qoperator"])
@pytest.mark.parametrize("recipe", ["int8", "w4a8"])
def test_integers_equal_those_of_onnxruntime(tmp_path, recipe, style):
    """Every tensor's codes, under the dialect of ONNX Runtime without optimisation."""
    graph, x = digits()
    integer = qz.convert(graph, qz.calibrate(graph, x[:32]), recipe=recipe)
    made = hb.export_onnx(integer, tmp_path / "q.onnx", style)
    found = list(compared(tmp_path / "q.onnx", integer, made, x))
    assert len(found) >= 8
    for name, theirs, ours in found:  # in float between the edges, a sum may fall on the other side of a tie
        different = np.count_nonzero(theirs != ours)
        assert different == 0 if style == "qoperator" else different <= ours.size // 5000, name


def branches():
    """A model with two branches that meet in sums, products, joins and means."""
    rng = np.random.default_rng(2)
    build = GraphBuilder("branches")
    x = build.input("x", (1, 8, 8, 4))
    left = hb.Conv2d(padding=1, weight=rng.normal(size=(6, 3, 3, 4)) * 0.3, bias=rng.normal(size=6))(x)
    right = hb.Conv2d(padding=1, groups=2, weight=rng.normal(size=(6, 3, 3, 2)) * 0.3)(x)
    total = hb.Add()(hb.LeakyReLU(0.1)(left), right)
    gated = hb.Mul()(total, hb.Sigmoid()(right))
    joined = hb.Concat(-1)(gated, hb.AvgPool2d(3, 1, 1, count_include_pad=False)(total))
    pooled = hb.Flatten()(hb.GlobalAvgPool()(hb.MaxPool2d(2)(joined)))
    y = hb.Softmax()(hb.Linear(weight=rng.normal(size=(5, 12)), bias=rng.normal(size=5))(pooled))
    return build.build(y), rng.normal(size=(60, 8, 8, 4)).astype(np.float32)


@pytest.mark.parametrize("style", ["qdq", "qoperator"])
def test_branches_in_integers(tmp_path, style):
    """Operators on codes are equal; what is computed in float between the edges falls to either side of a tie."""
    graph, x = branches()
    integer = qz.convert(graph, qz.calibrate(graph, x), recipe="int8")
    made = hb.export_onnx(integer, tmp_path / "q.onnx", style)
    for name, theirs, ours in compared(tmp_path / "q.onnx", integer, made, x):
        distance = np.abs(theirs.astype(int) - ours.astype(int))
        assert distance.max() <= (0 if style == "qoperator" else 8), name
    operators = {n.op_type for n in onnx.load(tmp_path / "q.onnx").graph.node}
    if style == "qoperator":
        assert {
            "QLinearConv",
            "QLinearAdd",
            "QLinearMul",
            "QLinearSigmoid",
            "QGemm",
            "QLinearAveragePool",
            "QLinearSoftmax",
        } <= operators


def test_reloaded_integer_file_equals_the_graph(tmp_path):
    """Written, loaded again and converted from its own formats: the same nodes and the same integers."""
    graph, x = digits()
    integer = qz.convert(graph, qz.calibrate(graph, x[:32]), recipe="int8")
    hb.export_onnx(integer, tmp_path / "q.onnx")
    again = qz.convert(hb.load(tmp_path / "q.onnx"))
    macs = [n.type_name for n in integer.nodes if n.block.kind == "accumulate"]
    assert [n.type_name for n in again.nodes if n.block.kind == "accumulate"] == macs
    ours, theirs = (hb.run(g, x).real["probabilities"] for g in (integer, again))
    assert np.count_nonzero(ours != theirs) <= ours.size // 500


def recurrent(kind, reverse=False):
    rng = np.random.default_rng(1)
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind]
    ends = ["l0", "l0_reverse"] if reverse else ["l0"]
    weights = {f"{n}_{e}": rng.normal(size=s) * 0.3 for e in ends
               for n, s in (("weight_ih", (gates * 5, 4)), ("weight_hh", (gates * 5, 5)), ("bias_ih", (gates * 5,)))}  # fmt: skip
    build = GraphBuilder("recurrent")
    x = build.input("x", (1, 7, 4))
    y, *last = build.add_all(getattr(hb, kind)(4, 5, bidirectional=reverse, weights=weights), x, name="layer")
    return build.build(y, *last), rng.normal(size=(6, 7, 4)).astype(np.float32)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("reverse", [False, True])
def test_scans_in_float(tmp_path, kind, reverse):
    graph, x = recurrent(kind, reverse)
    hb.export_onnx(graph, tmp_path / "m.onnx")
    wanted = list(hb.run(graph, x).outputs.values())
    for sample in range(len(x)):
        for got, want in zip(ran(tmp_path / "m.onnx", {"x": x[sample : sample + 1]}), wanted, strict=True):
            np.testing.assert_allclose(got[0], want[sample], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_scans_in_integers_are_measured(tmp_path, kind):
    graph, x = recurrent(kind)
    integer = qz.convert(graph, qz.calibrate(graph, x), recipe="int8")
    made = hb.export_onnx(integer, tmp_path / "q.onnx")
    assert any("requantize" in reason for reason in made.notes)
    rows = measured(integer, made, {"x": x})
    assert max(row["max_difference"] for row in rows if row["tensor"] in integer.outputs) <= 3


def test_narrow_and_sixteen_bit_codes(tmp_path):
    """Bounds inside the type's are kept by a Clip; 16-bit codes by the standard's own types."""
    build = GraphBuilder("narrow")
    x = build.input("x", (1, 64), Format("int4", scale=0.5))
    w = build.constant("w", np.array([[1, -7, 3], [2, 5, -1]]).repeat(22, 1)[:, :64], Format("int8", scale=0.25))
    graph = build.build(build.add(hb.Linear(), x, w, name="y", formats=(Format("int16", scale=0.125),)))
    made = hb.export_onnx(graph, tmp_path / "m.onnx")
    data = np.random.default_rng(0).uniform(-6, 6, (40, 64)).astype(np.float32)
    assert all(row["different"] == 0 for row in measured(graph, made, {"x": data}))
    assert {"Clip", "QuantizeLinear"} <= {n.op_type for n in onnx.load(tmp_path / "m.onnx").graph.node}


def test_refusals_leave_no_file(tmp_path):
    graph, _ = digits()
    with pytest.raises(InputError, match="style"):
        hb.export_onnx(graph, tmp_path / "m.onnx", "other")
    with pytest.raises(OutputError, match="does not exist"):
        hb.export_onnx(graph, tmp_path / "no" / "m.onnx")
    build = GraphBuilder("missing")
    y = hb.ReLU()(hb.L2Norm()(build.input("x", (1, 3))))
    with pytest.raises(UnsupportedOperatorError, match="L2Norm × 1: l2norm"):
        hb.export_onnx(build.build(y), tmp_path / "m.onnx")
    streaming = hb.RNN(2, 2, streaming=True, weights={"weight_ih_l0": np.eye(2), "weight_hh_l0": np.eye(2)})
    with pytest.raises(UnsupportedOperatorError, match="state kept between samples"):
        hb.export_onnx(streaming.graph((1, 3, 2)), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
