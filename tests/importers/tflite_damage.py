"""A small TFLite model as schema objects of ai-edge-litert, to be damaged field by field."""

from __future__ import annotations

import time

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from hwblocks.errors import HwblocksError
from hwblocks.importers.from_tflite import import_tflite
from hwblocks.importers.tflite_file import read_tflite

Operator = schema.BuiltinOperator
LARGEST = 2**31 - 1


def tensor(model, name, shape, kind="INT8", data=None, scale=(0.1,), zero=(0,), dimension=0):
    made = schema.TensorT()
    made.name, made.shape, made.type = name.encode(), list(shape), getattr(schema.TensorType, kind)
    made.buffer = 0
    if data is not None:
        made.buffer = len(model.buffers)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(bytes(data), np.uint8)
        model.buffers.append(buffer)
    if scale is not None:
        q = schema.QuantizationParametersT()
        q.scale, q.zeroPoint = np.array(scale, np.float32), np.array(zero, np.int64)
        q.quantizedDimension = dimension
        made.quantization = q
    return made


def code(name, version=1):
    made = schema.OperatorCodeT()
    made.builtinCode = getattr(Operator, name)
    made.deprecatedBuiltinCode, made.version = min(made.builtinCode, 127), version
    return made


def operator(inputs, outputs, options=None, index=0):
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = index, list(inputs), list(outputs)
    if options is not None:
        made.builtinOptionsType = getattr(schema.BuiltinOptions, options)
        made.builtinOptions = getattr(schema, f"{options}T")()
    return made


def subgraph(tensors, inputs, outputs, operators):
    made = schema.SubGraphT()
    made.tensors, made.inputs, made.outputs, made.operators = tensors, inputs, outputs, operators
    return made


def layer():
    """y = a fully connected layer of x with per-channel weights: tensors x 0, w 1, b 2, y 3."""
    model = schema.ModelT()
    model.version, model.buffers = 3, [schema.BufferT()]
    scales, zeros = (0.1, 0.2, 0.3), (0, 0, 0)
    tensors = [
        tensor(model, "x", (1, 4)),
        tensor(model, "w", (3, 4), data=range(12), scale=scales, zero=zeros),
        tensor(model, "b", (3,), "INT32", bytes(12), tuple(np.float32(0.1) * np.float32(s) for s in scales), zeros),
        tensor(model, "y", (1, 3)),
    ]
    model.operatorCodes = [code("FULLY_CONNECTED")]
    model.subgraphs = [subgraph(tensors, [0], [3], [operator([0, 1, 2], [3], "FullyConnectedOptions")])]
    return model


def unpacked(data):
    """The model of a file's bytes as objects."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0))


def packed(model):
    """The bytes of a model."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def load(data):
    return import_tflite(read_tflite(bytes(data), "x.tflite"), "x")


def refused(data):
    """The error of a file, or None; nothing else may be raised, and it must not take long."""
    start = time.perf_counter()
    try:
        load(data)
    except HwblocksError as error:
        return error
    finally:
        assert time.perf_counter() - start < 5
    return None
