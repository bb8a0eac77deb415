"""Single-operator TFLite models, made with the schema of ai-edge-litert, and the runtimes that run them."""

from __future__ import annotations

from dataclasses import dataclass, field

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tflite_micro import runtime

TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "int4": schema.TensorType.INT4,
    "bool": schema.TensorType.BOOL,
}
RESOLVERS = {
    "litert-ref": OpResolverType.BUILTIN_REF,
    "litert-opt": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "xnnpack": OpResolverType.AUTO,
}


FIRST_VERSIONS = {"BROADCAST_TO": 2}  # of operators that LiteRT does not know in version 1


class RefusedError(Exception):
    """The runtime does not take the model."""


@dataclass
class T:
    """A tensor of a model: shape, type, quantization, and the value of a constant."""

    shape: tuple
    type: str = "int8"
    scale: object = None
    zero: object = 0
    axis: int = 0
    data: np.ndarray | None = None
    variable: bool = False


@dataclass
class Case:
    """A model of `outputs` outputs, its inputs, and those of later invokes, between which its state is kept."""

    data: bytes
    inputs: list = field(default_factory=list)
    outputs: int = 1
    later: list = field(default_factory=list)

    @property
    def invokes(self):
        """The inputs of every invoke."""
        return [self.inputs, *self.later]


def packed(array, kind):
    """The bytes of a constant; 4-bit codes two a byte, low nibble first."""
    if kind != "int4":
        return np.ascontiguousarray(array).astype(kind).tobytes()
    flat = np.append(array.ravel(), 0)[: array.size + array.size % 2].astype(np.int64) & 15
    return (flat[0::2] | flat[1::2] << 4).astype(np.uint8).tobytes()


def tensor(t, index, model):
    made = schema.TensorT()
    made.name, made.shape, made.type = f"t{index}".encode(), list(t.shape), TYPES[t.type]
    made.isVariable = t.variable
    made.buffer = 0
    if t.data is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(packed(t.data, t.type), np.uint8)
        made.buffer = len(model.buffers)
        model.buffers.append(buffer)
    if t.scale is not None:
        q = schema.QuantizationParametersT()
        q.scale = np.atleast_1d(np.asarray(t.scale, np.float32))
        q.zeroPoint = np.broadcast_to(np.atleast_1d(np.asarray(t.zero, np.int64)), q.scale.shape).copy()
        q.quantizedDimension = t.axis
        made.quantization = q
    return made


def set_options(op, options):
    """Options of an operator: (name of the table, fields) or None."""
    if options is None:
        return
    name, fields = options
    op.builtinOptionsType = getattr(schema.BuiltinOptions, name)
    op.builtinOptions = getattr(schema, f"{name}T")()
    for key, value in fields.items():
        assert hasattr(op.builtinOptions, key), key
        setattr(op.builtinOptions, key, value)


def model(operator, options, inputs, outputs, intermediates=()):
    """The bytes of a model of one operator; `options` is (name of the table, fields) or None."""
    made, graph = schema.ModelT(), schema.SubGraphT()
    made.version, made.buffers = 3, [schema.BufferT()]
    listed = [*(t for t in inputs if t is not None), *outputs, *intermediates]
    graph.tensors = [tensor(t, i, made) for i, t in enumerate(listed)]
    at = iter(range(len(listed)))
    op = schema.OperatorT()
    op.inputs = [-1 if t is None else next(at) for t in inputs]
    op.outputs, op.intermediates = [next(at) for _ in outputs], [next(at) for _ in intermediates]
    set_options(op, options)
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, operator)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), FIRST_VERSIONS.get(operator, 1)
    made.operatorCodes, made.subgraphs = [code], [graph]
    graph.operators = [op]
    given = listed[: sum(t is not None for t in inputs)]
    graph.inputs = [i for i, t in enumerate(given) if t.data is None and not t.variable]
    graph.outputs = op.outputs
    builder = flatbuffers.Builder(1024)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def run(case, kernel_set):
    """Every invoke's outputs in a runtime, stacked: one array an output. Errors: RefusedError."""
    made = run_tflm(case) if kernel_set == "tflm" else run_litert(case, RESOLVERS[kernel_set])
    return [np.stack(arrays) for arrays in zip(*made)]


def arena(case):
    """Bytes that TFLite-Micro may need: a good part of a megabyte, and several times the inputs."""
    return (1 << 18) + 8 * sum(array.nbytes for array in case.inputs)


def run_tflm(case):
    try:
        interpreter = runtime.Interpreter.from_bytes(case.data, arena_size=arena(case))
        made = []
        for arrays in case.invokes:
            for position, array in enumerate(arrays):
                interpreter.set_input(array, position)
            interpreter.invoke()
            made.append([np.array(interpreter.get_output(i)) for i in range(case.outputs)])
        return made
    except Exception as error:
        raise RefusedError(str(error)) from None


def run_litert(case, resolver):
    try:
        interpreter = Interpreter(model_content=case.data, experimental_op_resolver_type=resolver, num_threads=1)
        interpreter.allocate_tensors()
        made = []
        for arrays in case.invokes:
            for detail, array in zip(interpreter.get_input_details(), arrays, strict=True):
                interpreter.set_tensor(detail["index"], array)
            interpreter.invoke()
            made.append([np.array(interpreter.get_tensor(d["index"])) for d in interpreter.get_output_details()])
        return made
    except Exception as error:
        raise RefusedError(str(error)) from None
