"""Verification against runtimes and dumps: equality, first differing tensor, index and both codes."""

from __future__ import annotations

import json

import flatbuffers
import numpy as np
import pytest

import hwblocks as hb
from hwblocks import cli
from hwblocks.analysis.verification import verify_graph
from hwblocks.errors import InputError
from hwblocks.runtimes import reference
from hwblocks.runtimes.tflite_outputs import with_all_outputs


@pytest.fixture
def model(shared):
    return shared / "models" / "tflite" / "mlperf_kws_dscnn_int8.tflite"


@pytest.fixture
def dump(model, tmp_path):
    """Inputs and tensors as a board might give them: names of the file, one sample axis."""
    graph = hb.load(model)
    x = np.random.default_rng(5).integers(-128, 128, (3, 1, 49, 10, 1)).astype(np.int8)
    trace = hb.run(graph, x, trace="full").trace
    tensors = {graph.tensors[name].source_name: array[:, 0] for name, array in trace.items()}
    np.savez(tmp_path / "in.npz", **{graph.inputs[0]: x})
    return graph, x, tensors, tmp_path


@pytest.mark.parametrize("against", ["tflm", "litert", "litert-ref", "litert-opt"])
def test_against_installed_runtimes(model, against):
    pytest.importorskip("tflite_micro" if against == "tflm" else "ai_edge_litert")
    graph = hb.load(model)
    x = np.random.default_rng(6).integers(-128, 128, (48, 1, 49, 10, 1)).astype(np.int8)
    theirs, dialect = reference(against, model, graph, "reset")
    found = verify_graph(graph, x, theirs, against, dialect=dialect)
    assert found.equal
    assert len(found.tensors) == sum(not graph.is_fixed(n) for n in graph.producer)
    wrong = verify_graph(graph, x, theirs, against, dialect="tflm" if against == "litert" else "xnnpack")
    assert not wrong.equal


@pytest.mark.parametrize("name", ["tflm_mnist_lstm_int8", "mww_v2_alexa", "lyra_soundstream_encoder_16x8"])
def test_every_tensor_of_a_model_with_states(shared, name):
    pytest.importorskip("tflite_micro")
    path = shared / "models" / "tflite" / f"{name}.tflite"
    graph = hb.load(path)
    tensor, rng = graph.tensors[graph.inputs[0]], np.random.default_rng(2)
    x = rng.normal(size=(3, *tensor.shape)).astype(np.float32)
    if tensor.format.is_quantized:
        x = rng.integers(-128, 128, (3, *tensor.shape)).astype(np.int8)
    for against, state in (("tflm", "reset"), ("litert", "carry")):
        theirs, dialect = reference(against, path, graph, state)
        found = verify_graph(graph, x, theirs, against, dialect=dialect, state=state)
        assert found.equal, found.first
        assert len(found.tensors) > 1


def test_a_file_with_more_outputs_is_the_same_file(shared):
    """An independent reader sees the same model; only the list of outputs has grown."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    data = (shared / "models" / "tflite" / "mww_v2_alexa.tflite").read_bytes()
    copy, names = with_all_outputs(data)
    before, after = (schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(d), 0)) for d in (data, copy))
    own, more = before.subgraphs[0].outputs, after.subgraphs[0].outputs
    assert list(more[: len(own)]) == list(own)
    assert names == [after.subgraphs[0].tensors[i].name.decode() for i in more]
    assert len(more) > 20
    after.subgraphs[0].outputs = own
    packed = []
    for model in (before, after):
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        packed.append(bytes(builder.Output()))
    assert packed[0] == packed[1]


def test_equal_axes_do_not_hide_the_order_of_channels():
    """A tensor with as many channels as rows and columns, told with channels first."""
    build = hb.GraphBuilder("square")
    x = build.input("x", (1, 4, 4, 4), hb.Format("int8"), layout="NHWC", source_name="x.file")
    graph = build.build(build.add(hb.ReLU(), x, name="y", outputs=("y",), layout="NHWC"))
    codes = np.random.default_rng(1).integers(-9, 9, (3, 1, 4, 4, 4)).astype(np.int8)
    first = np.moveaxis(np.maximum(codes, 0), -1, 2)
    assert verify_graph(graph, codes, {"y": first}, "board").equal
    assert verify_graph(graph, codes, {"y": np.maximum(codes, 0)}, "board").equal
    first[1, 0, 2, 3, 1] += 1
    found = verify_graph(graph, codes, {"y": first}, "board")
    assert found.first[:2] == ("y", (1, 0, 3, 1, 2))


def test_against_onnxruntime(shared):
    pytest.importorskip("onnxruntime")
    path = shared / "models" / "onnx" / "mnist_conv_qdq_u8s8.onnx"
    graph = hb.load(path)
    x = np.load(path.with_suffix(".npz"))["in0"][:6]
    for against in ("ort", "ort-noopt"):
        theirs, dialect = reference(against, path, graph, "reset")
        assert verify_graph(graph, x, theirs, against, dialect=dialect).equal


def test_a_dump_names_the_first_difference(dump):
    graph, x, tensors, _ = dump
    assert verify_graph(graph, x, tensors, "board").equal
    names = [t.source_name for t in graph.runtime_tensors]
    broken = {name: array.copy() for name, array in tensors.items()}
    broken[names[4]][1, 2, 3, 5] ^= 1
    broken[names[6]][0, 0, 0, 0] ^= 1
    found = verify_graph(graph, x, broken, "board")
    name, index, ours, theirs = found.first
    assert graph.tensors[name].source_name == names[4]
    assert index == (1, 0, 2, 3, 5)
    assert (ours, theirs) == (int(tensors[names[4]][1, 2, 3, 5]), int(broken[names[4]][1, 2, 3, 5]))
    assert sum(not equal for equal in found.tensors["equal"]) == 2


def test_dumps_that_do_not_fit(dump):
    graph, x, tensors, _ = dump
    name = graph.tensors[graph.outputs[0]].source_name
    with pytest.raises(InputError, match="none of the tensors"):
        verify_graph(graph, x, {"nope": tensors[name]}, "board")
    with pytest.raises(InputError, match="does not fit"):
        verify_graph(graph, x, {name: tensors[name][:2]}, "board")
    with pytest.raises(InputError, match="codes"):
        verify_graph(graph, x, {name: tensors[name].astype(np.float32)}, "board")
    assert verify_graph(graph, x, {name: tensors[name], "more": tensors[name]}, "board").unknown == ("more",)


def test_the_commands(dump, model, capsys):
    graph, _, tensors, folder = dump
    np.savez(folder / "dump.npz", **tensors)
    arguments = [
        "verify",
        str(model),
        "--inputs",
        str(folder / "in.npz"),
        "--against",
        str(folder / "dump.npz"),
        "--json",
    ]
    assert cli.run(arguments) == 0
    assert json.loads(capsys.readouterr().out)["equal"]
    first = graph.tensors[graph.outputs[0]].source_name
    np.savez(folder / "dump.npz", **{first: tensors[first] + np.int8(1)})
    assert cli.run(arguments) == 1
    assert json.loads(capsys.readouterr().out)["first"]["tensor"] == graph.outputs[0]
    assert cli.run(["verify", str(model), "--against", str(folder / "dump.npz")]) == 2
    assert "--inputs" in capsys.readouterr().err
    assert cli.run(["verify", str(model), "--against", "tensorrt"]) == 2
    assert "litert-opt" in capsys.readouterr().err
    assert cli.run(["diff", str(model), "tflm", "xnnpack", "--samples", "2", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["first_layer"]
    assert cli.run(["diff", str(model), "tflm", "tflm", "--samples", "2", "-q"]) == 0
    assert cli.run(["info", "--dialects", "--json"]) == 0
    shown = capsys.readouterr().out
    rows = json.loads(shown[shown.index("{") :])["dialects"]
    assert {"tflm", "litert-ref", "litert-opt", "xnnpack", "ort", "qonnx", "hls"} <= {row["dialect"] for row in rows}
