"""The TFLite reader: equal to an independent reader on real files, and one clear error for every damaged one."""

from __future__ import annotations

import random
import re
import time

import numpy as np
import pytest

from hwblocks.errors import FileFormatError, HwblocksError
from hwblocks.importers.from_tflite import import_tflite
from hwblocks.importers.tflite_file import read_tflite

FOLDERS = ("tflite", "seanet16")


def snake(name):
    return re.sub(r"([A-Z])", lambda m: "_" + m.group(1).lower(), name)


def as_tuple(values):
    return () if values is None else tuple(np.asarray(values).tolist())


@pytest.mark.parametrize("folder", FOLDERS)
def test_real_files_equal_an_independent_reader(shared, folder):
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    for path in sorted((shared / "models" / folder).glob("*.tflite")):
        data = path.read_bytes()
        ours = read_tflite(data, path.name)
        theirs = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0))
        assert len(ours.subgraphs) == len(theirs.subgraphs)
        for a, b in zip(ours.subgraphs, theirs.subgraphs, strict=True):
            assert (a.inputs, a.outputs) == (as_tuple(b.inputs), as_tuple(b.outputs))
            for tensor, other in zip(a.tensors, b.tensors, strict=True):
                same_tensor(tensor, other, theirs.buffers[other.buffer])
            for op, other in zip(a.operators, b.operators or (), strict=True):
                same_operator(op, other)


def same_tensor(tensor, other, buffer):
    assert tensor.name == (other.name or b"").decode()
    assert (tensor.shape, tensor.is_variable) == (as_tuple(other.shape), bool(other.isVariable))
    q = other.quantization
    if tensor.scale:
        assert tensor.scale == as_tuple(np.asarray(q.scale, np.float32))
        assert tensor.zero_point == as_tuple(q.zeroPoint)
    if buffer.data is not None and len(buffer.data) and tensor.type != "int4":
        assert tensor.value.tobytes() == bytes(buffer.data)


def same_operator(op, other):
    assert (op.inputs, op.outputs) == (as_tuple(other.inputs), as_tuple(other.outputs))
    for options in (other.builtinOptions, other.builtinOptions2):
        for name, value in (vars(options) if options is not None else {}).items():
            got = op.options[snake(name)]
            if isinstance(value, (bool, int, float)) and not isinstance(got, str):
                assert got == value, (op.name, name)
            elif isinstance(value, bytes):
                assert got == value.decode()


@pytest.fixture
def model(shared):
    return (shared / "models" / "tflite" / "mlperf_kws_dscnn_int8.tflite").read_bytes()


def load(data):
    """A file that is read and imported; a damaged one must raise one of our errors, quickly."""
    start = time.perf_counter()
    try:
        import_tflite(read_tflite(bytes(data), "x.tflite"), "x")
    except HwblocksError as error:
        return error
    finally:
        assert time.perf_counter() - start < 5
    return None


def test_cut_files(model):
    for size in range(0, len(model), 64):
        with pytest.raises(FileFormatError):
            read_tflite(model[:size], "x.tflite")


def test_random_bytes_and_wrong_identifier(model):
    rng = random.Random(5)
    for size in (0, 3, 8, 40, 400):
        for _ in range(40):
            assert load(rng.randbytes(size)) is not None
            assert load(b"\x1c\0\0\0TFL3" + rng.randbytes(size)) is not None
    assert "TFL3" in load(model[:4] + b"TFL2" + model[8:]).message


def test_damaged_bytes_and_offsets(model):
    rng = random.Random(6)
    for _ in range(300):
        damaged = bytearray(model)
        for _ in range(rng.choice((1, 3, 9))):
            at = rng.randrange(len(damaged))
            damaged[at : at + 4] = rng.choice((rng.randbytes(4), b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\xff" * 4))
        load(damaged)


def test_damaged_tables(model):
    """Damage where tables and vectors lie: at both ends of the file."""
    rng = random.Random(7)
    for _ in range(300):
        damaged = bytearray(model)
        at = rng.randrange(4000) if rng.random() < 0.5 else rng.randrange(len(model) - 6000, len(model))
        damaged[at] = rng.randrange(256)
        load(damaged)
