"""Damaged and nonsensical TFLite files: one clear error each, no other exception, no hang, no memory before the check."""

from __future__ import annotations

import struct
import tracemalloc
from importlib import import_module

import flatbuffers
import numpy as np
import pytest

from hwblocks.cli import run
from hwblocks.errors import FileFormatError, UnsupportedOperatorError
from hwblocks.importers.from_tflite import RULES
from hwblocks.importers.tflite_file import read_tflite
from hwblocks.importers.tflite_versions import NEWEST_VERSION

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
damage = import_module("tflite_damage")

LARGEST = damage.LARGEST
load, refused = damage.load, damage.refused


def parts(model):
    main = model.subgraphs[0]
    return main, dict(zip("xwby", main.tensors, strict=True)), main.operators[0]


def test_the_undamaged_model_is_read():
    assert [node.type_name for node in load(damage.packed(damage.layer())).nodes] == ["Linear"]


@pytest.mark.parametrize("value", [0, 1, 2, 4, 0x7F, 0xFFFF, 0x10000, LARGEST, 1 << 31, 0xFFFFFFFF])
def test_every_offset_and_count_out_of_range(value):
    """Every aligned word of the file, tables, offsets, counts and numbers alike, takes the value in turn."""
    data = damage.packed(damage.layer())
    errors = []
    for at in range(0, len(data), 2):
        errors.append(refused(data[:at] + struct.pack("<I", value)[: len(data) - at] + data[at + 4 :]))
    assert sum(e is not None for e in errors) > len(errors) / 10


def field_at(data, table, slot):
    """Where a field of a table lies."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    return table + struct.unpack_from("<H", data, vtable + 4 + 2 * slot)[0]


def target(data, table, slot):
    at = field_at(data, table, slot)
    return at + struct.unpack_from("<I", data, at)[0]


def element(data, vector, index):
    at = vector + 4 + 4 * index
    return at + struct.unpack_from("<I", data, at)[0]


@pytest.fixture
def located():
    """The bytes of the model and where its tables and vectors lie."""
    data = bytearray(damage.packed(damage.layer()))
    root = struct.unpack_from("<I", data)[0]
    graphs = target(data, root, 2)
    graph = element(data, graphs, 0)
    tensors = target(data, graph, 0)
    first = element(data, tensors, 1)
    operators = target(data, graph, 3)
    return data, {
        "root": root,
        "graph": graph,
        "tensor": first,
        "operator": element(data, operators, 0),
        "code": element(data, target(data, root, 1), 0),
        "buffer": element(data, target(data, root, 4), 1),
        "quantization": target(data, first, 4),
        "graphs": graphs,
        "tensors": tensors,
        "operators": operators,
        "shape": target(data, first, 0),
        "scales": target(data, target(data, first, 4), 2),
    }


TABLES = ("root", "graph", "tensor", "operator", "code", "buffer", "quantization")
VECTORS = ("graphs", "tensors", "operators", "shape", "scales")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("offset", [LARGEST, -LARGEST, 1 << 20, -(1 << 20)])
def test_field_lists_outside_the_file(located, table, offset):
    data, places = located
    struct.pack_into("<i", data, places[table], offset)
    with pytest.raises(FileFormatError, match="an offset leads to byte"):
        load(data)


@pytest.mark.parametrize("table", TABLES)
def test_tables_that_are_their_own_field_list(located, table):
    data, places = located
    struct.pack_into("<i", data, places[table], 0)
    with pytest.raises(FileFormatError, match="x.tflite: is not a whole TFLite file"):
        load(data)


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize("count", [LARGEST, 0xFFFFFFFF, 1 << 31, 1 << 20])
def test_enormous_vectors(located, vector, count):
    data, places = located
    struct.pack_into("<I", data, places[vector], count)
    with pytest.raises(FileFormatError, match=f"a list of {count} entries at byte {places[vector]} is longer"):
        load(data)


def test_tables_that_refer_to_each_other_in_circles(located):
    """Every subgraph's list of tensors, operators, inputs and outputs is the list of subgraphs."""
    data, places = located
    for slot in (0, 1, 2, 3):
        at = field_at(data, places["graph"], slot)
        struct.pack_into("<I", data, at, (places["graphs"] - at) % (1 << 32))
    assert isinstance(refused(data), FileFormatError)


def test_a_table_named_very_often():
    """A short file that means millions of tables: 20,000 subgraphs that are all the same one."""
    count, model, builder = 20_000, damage.layer(), flatbuffers.Builder(1024)
    code, graph = model.operatorCodes[0].Pack(builder), model.subgraphs[0].Pack(builder)
    buffers = [buffer.Pack(builder) for buffer in model.buffers]
    listed = []
    for offsets in ([code], [graph] * count, buffers):
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        listed.append(builder.EndVector())
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddOperatorCodes(builder, listed[0])
    schema.ModelAddSubgraphs(builder, listed[1])
    schema.ModelAddBuffers(builder, listed[2])
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    with pytest.raises(FileFormatError, match="its tables refer to each other again and again"):
        load(builder.Output())


def test_a_wrong_identifier():
    data = damage.packed(damage.layer())
    for name in (b"TFL2", b"TFL4", b"\0\0\0\0", b"ONNX"):
        with pytest.raises(FileFormatError, match="x.tflite: is not a TFLite file"):
            load(data[:4] + name + data[8:])


@pytest.mark.parametrize("size", [0, 1, 11, 13, 24])
def test_buffers_too_small_and_too_large(size):
    model = damage.layer()
    model.buffers[1].data = np.zeros(size, np.uint8)
    if size == 0:  # no data at all: the weights are made nowhere
        with pytest.raises(UnsupportedOperatorError, match="'w' is read before it is made"):
            load(damage.packed(model))
        return
    with pytest.raises(
        FileFormatError, match=rf"tensor 'w' of shape \(3, 4\) int8 needs 12 bytes, its buffer holds {size}"
    ):
        load(damage.packed(model))


def damaged(name, shape):
    """The model with another shape of one tensor."""
    model = damage.layer()
    parts(model)[1][name].shape = shape
    return model


def test_shapes_whose_product_overflows():
    model = damage.layer()
    _, tensors, _ = parts(model)
    tensors["w"].quantization = None
    tensors["w"].shape = [1 << 30, 1 << 30, 1 << 4]  # 2⁶⁴ elements: 0 in 64 bits
    with pytest.raises(FileFormatError, match="needs 18446744073709551616 bytes, its buffer holds 12"):
        load(damage.packed(model))
    with pytest.raises(UnsupportedOperatorError, match="tensor 'x' of shape .* is too large for a run"):
        load(damage.packed(damaged("x", [1 << 30, 1 << 30, 1 << 4])))
    tensors["w"].shape = [3, -4]
    with pytest.raises(FileFormatError, match=r"tensor 'w' has shape \[3, -4\]"):
        load(damage.packed(model))
    tensors["w"].shape = [1] * 9
    with pytest.raises(FileFormatError, match="at most 8 axes"):
        load(damage.packed(model))


@pytest.mark.parametrize(
    ("scale", "zero", "words"),
    [
        ((0.1, 0.2), (0, 0), r"tensor 'w' of shape \(3, 4\) has 2 scales along axis 0"),
        ((0.1, 0.2, 0.3, 0.4), (0,) * 4, "has 4 scales along axis 0"),
        ((0.1, 0.2, 0.3), (0, 0), "tensor 'w' has 3 scales but 2 zero points"),
        ((0.1,), (0, 0), "tensor 'w' has 1 scales but 2 zero points"),
        ((0.1, np.nan, 0.3), (0, 0, 0), "tensor 'w' has a scale that is not a finite number above 0"),
        ((0.1, -0.2, 0.3), (0, 0, 0), "above 0"),
        ((0.1, 0.0, 0.3), (0, 0, 0), "above 0"),
        ((np.inf,), (0,), "above 0"),
        ((-1.0,), (0,), "above 0"),
        ((np.nan,), (0,), "above 0"),
    ],
)
def test_quantization_vectors(scale, zero, words):
    model = damage.layer()
    q = parts(model)[1]["w"].quantization
    q.scale, q.zeroPoint = np.array(scale, np.float32), np.array(zero, np.int64)
    with pytest.raises(FileFormatError, match=words):
        load(damage.packed(model))


def test_a_single_scale_of_zero_quantizes_nothing():
    """As in the runtimes: the tensor then holds plain integers, which a layer of codes does not take."""
    model = damage.layer()
    parts(model)[1]["x"].quantization.scale = np.zeros(1, np.float32)
    assert read_tflite(damage.packed(model), "x").subgraphs[0].tensors[0].scale == ()


def test_dimensions_beyond_the_rank():
    """Biases of rank 1 that name dimension 3, and any dimension of one scale for all, exist in real files."""
    model = damage.layer()
    _, tensors, _ = parts(model)
    tensors["b"].quantization.quantizedDimension = 3
    tensors["x"].quantization.quantizedDimension = 77
    graph = load(damage.packed(model))
    assert graph.tensors["b"].format.axis == 0
    tensors["w"].quantization.quantizedDimension = 2
    with pytest.raises(FileFormatError, match="has 3 scales along axis 2"):
        load(damage.packed(model))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m, g, t, o: setattr(t["x"], "type", 77), "tensor 'x' has type 77"),
        (lambda m, g, t, o: setattr(t["x"], "type", schema.TensorType.STRING), "holds string"),
        (lambda m, g, t, o: setattr(t["x"], "type", schema.TensorType.COMPLEX64), "holds complex64"),
        (
            lambda m, g, t, o: setattr(o.builtinOptions, "fusedActivationFunction", 50),
            "option of kind activation is 50",
        ),
        (lambda m, g, t, o: setattr(m.operatorCodes[0], "builtinCode", 9999), "operator number 9999"),
        (lambda m, g, t, o: setattr(t["x"], "buffer", 99), "tensor 'x' lies in buffer 99 of 3"),
        (lambda m, g, t, o: setattr(o, "opcodeIndex", 7), "7"),
        (lambda m, g, t, o: setattr(o, "inputs", [0, 99, 2]), "99"),
        (lambda m, g, t, o: setattr(o, "inputs", [0, -7, 2]), "-7"),
        (lambda m, g, t, o: setattr(o, "outputs", [-1]), "output"),
        (lambda m, g, t, o: setattr(o, "outputs", []), "has no output"),
        (lambda m, g, t, o: setattr(o, "inputs", [0]), "input 1 is absent"),
        (lambda m, g, t, o: setattr(o, "inputs", [-1, 1, 2]), "input 0 is absent"),
        (lambda m, g, t, o: setattr(g, "inputs", [44]), "44"),
        (lambda m, g, t, o: setattr(g, "outputs", [44]), "44"),
        (lambda m, g, t, o: setattr(m, "subgraphs", []), "no subgraph"),
        (lambda m, g, t, o: setattr(t["x"], "shape", [0, 4]), "holds no elements"),
        (lambda m, g, t, o: setattr(t["x"], "shape", [1, 5]), "FULLY_CONNECTED"),
        (lambda m, g, t, o: setattr(t["y"], "shape", [7, 7]), "FULLY_CONNECTED"),
        (lambda m, g, t, o: setattr(t["w"], "isVariable", True), "tensor 'w' is a variable and a constant at once"),
        (lambda m, g, t, o: setattr(t["w"], "sparsity", schema.SparsityParametersT()), "tensor 'w' is stored sparse"),
    ],
)
def test_one_wrong_field(change, words):
    model = damage.layer()
    change(model, *parts(model))
    error = refused(damage.packed(model))
    if words == "FULLY_CONNECTED" and error is None:
        return  # the declared output shape alone: what is computed counts
    assert error is not None
    assert words in error.message


@pytest.mark.parametrize(("bytes_", "fits"), [(1, False), (2, True), (3, False)])
def test_odd_numbers_of_int4_codes(bytes_, fits):
    model = damage.layer()
    _, tensors, _ = parts(model)
    tensors["w"].type, tensors["w"].shape = schema.TensorType.INT4, [1, 3]
    tensors["w"].quantization.scale, tensors["w"].quantization.zeroPoint = np.ones(1, np.float32), np.zeros(1, np.int64)
    model.buffers[1].data = np.array([0x21, 0xF7, 0][:bytes_], np.uint8)
    if not fits:
        with pytest.raises(FileFormatError, match="int4 needs 2 bytes"):
            read_tflite(damage.packed(model), "x")
        return
    made = read_tflite(damage.packed(model), "x").subgraphs[0].tensors[1].value
    assert made.tolist() == [[1, 2, 7]]


@pytest.mark.parametrize("name", sorted(n for n in RULES if not n.startswith("CUSTOM")))
def test_versions_that_are_not_known(name):
    """The newest known version is no reason for an error; the next one is, with its number and the known range."""
    newest = NEWEST_VERSION.get(name, 1)
    for version in (newest + 1, LARGEST, 0, -1):
        model = damage.layer()
        model.operatorCodes = [damage.code(name, version)]
        known = "version 1" if newest == 1 else f"versions 1 to {newest}"
        with pytest.raises(UnsupportedOperatorError) as error:
            load(damage.packed(model))
        assert f"{name} (operator 0 of subgraph 0) has version {version}; {known} are known" in error.value.message
    model.operatorCodes = [damage.code(name, newest)]
    assert "has version" not in str(refused(damage.packed(model)))


def called(name, options, **fields):
    """A model whose only operator calls subgraphs: 0 is the main one, 1 a copy of it."""
    model = damage.layer()
    main = model.subgraphs[0]
    op = damage.operator([0], [3], options)
    for key, value in fields.items():
        setattr(op.builtinOptions, key, value)
    model.operatorCodes = [damage.code(name)]
    main.operators = [op]
    model.subgraphs.append(damage.subgraph(main.tensors, [0], [3], [op]))
    return damage.packed(model)


@pytest.mark.parametrize("inner", [0, 1])
def test_subgraphs_that_call_themselves(inner):
    with pytest.raises(UnsupportedOperatorError, match="calls itself"):
        load(called("WHILE", "WhileOptions", condSubgraphIndex=inner, bodySubgraphIndex=inner))
    with pytest.raises(UnsupportedOperatorError, match="calls itself"):
        load(called("IF", "IfOptions", thenSubgraphIndex=inner, elseSubgraphIndex=inner))
    with pytest.raises(UnsupportedOperatorError, match="calls itself"):
        load(called("CALL_ONCE", "CallOnceOptions", initSubgraphIndex=inner))


def test_calls_of_subgraphs_that_are_not_there():
    with pytest.raises(FileFormatError, match="calls subgraph 5 of 2"):
        load(called("WHILE", "WhileOptions", condSubgraphIndex=1, bodySubgraphIndex=5))
    with pytest.raises(FileFormatError, match="calls subgraph -1 of 2"):
        load(called("IF", "IfOptions", thenSubgraphIndex=-1, elseSubgraphIndex=1))


def peak_memory(data):
    """Bytes that reading takes at most, beyond the file itself."""
    refused(data)  # imports and caches
    tracemalloc.start()
    try:
        refused(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_no_memory_is_taken_before_sizes_are_checked(located):
    data, places = located
    limit = 40 * len(data) + (1 << 18)  # objects of Python, and the text of an error
    assert peak_memory(data) < limit
    for vector in VECTORS:
        enormous = bytearray(data)
        struct.pack_into("<I", enormous, places[vector], LARGEST)
        assert peak_memory(enormous) < limit
    model = damage.layer()
    for name in "xwy":
        tensors = parts(model)[1]
        before, tensors[name].shape = tensors[name].shape, [LARGEST, LARGEST, LARGEST]
        assert peak_memory(damage.packed(model)) < limit
        tensors[name].shape = before
    tensors = parts(model)[1]
    tensors["x"].isVariable, tensors["x"].shape = True, [1 << 20, 1 << 14]
    model.subgraphs[0].inputs = []
    assert "too large" in refused(damage.packed(model)).message
    assert peak_memory(damage.packed(model)) < limit


def broken_files():
    whole = damage.packed(damage.layer())
    sparse, old, short = damage.layer(), damage.layer(), damage.layer()
    parts(sparse)[1]["w"].sparsity = schema.SparsityParametersT()
    old.operatorCodes[0].version = 99
    parts(short)[2].inputs = [0]
    return {
        "cut": whole[: len(whole) // 2],
        "text": b"this is no model",
        "empty": b"",
        "sparse": damage.packed(sparse),
        "version": damage.packed(old),
        "inputs": damage.packed(short),
        "itself": called("WHILE", "WhileOptions", condSubgraphIndex=0, bodySubgraphIndex=0),
    }


@pytest.mark.parametrize("kind", list(broken_files()))
@pytest.mark.parametrize("command", ["info", "profile", "run"])
def test_commands_say_it_in_one_line(tmp_path, capsys, kind, command):
    path = tmp_path / "m.tflite"
    path.write_bytes(broken_files()[kind])
    np.savez(tmp_path / "x.npz", x=np.zeros((1, 1, 4), np.int8))
    more = ["--inputs", str(tmp_path / "x.npz"), "--outputs", str(tmp_path / "y.npz")] if command == "run" else []
    assert run([command, str(path), *more]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert len(said.err.strip().splitlines()) == 1
    assert "Traceback" not in said.err + said.out
