"""TFLite models of several subgraphs, made with the schema of ai-edge-litert, and the runtimes on a sequence of inputs."""

from __future__ import annotations

from dataclasses import dataclass, field

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from operator_models import RESOLVERS, TYPES, RefusedError, T, set_options, tensor
from tflite_micro import runtime

TYPES.setdefault("resource", schema.TensorType.RESOURCE)


@dataclass
class Sub:
    """A subgraph under construction: `add` makes tensors and returns their numbers, `op` adds an operator."""

    tensors: list = field(default_factory=list)
    operators: list = field(default_factory=list)
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)

    def add(self, *args, **more):
        self.tensors.append(args[0] if args and isinstance(args[0], T) else T(*args, **more))
        return len(self.tensors) - 1

    def input(self, *args, **more):
        self.inputs.append(self.add(*args, **more))
        return self.inputs[-1]

    def const(self, data, kind, **more):
        array = np.asarray(data)
        return self.add(T(array.shape, kind, data=array, **more))

    def op(self, name, inputs, outputs, options=None, custom=None, version=1):
        self.operators.append((name, list(inputs), list(outputs), options, custom, version))
        return outputs[0] if outputs else None


def build(*subgraphs):
    """The bytes of a model."""
    made = schema.ModelT()
    made.version, made.buffers, made.subgraphs, made.operatorCodes = 3, [schema.BufferT()], [], []
    codes = {}
    for number, sub in enumerate(subgraphs):
        graph = schema.SubGraphT()
        graph.name = f"sub{number}"
        graph.tensors = [tensor(t, i, made) for i, t in enumerate(sub.tensors)]
        graph.inputs, graph.outputs = list(sub.inputs), list(sub.outputs)
        graph.operators = [operator(made, codes, *parts) for parts in sub.operators]
        made.subgraphs.append(graph)
    builder = flatbuffers.Builder(1024)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operator(made, codes, name, inputs, outputs, options, custom, version):
    key = (name, version)
    if key not in codes:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name, schema.BuiltinOperator.CUSTOM)
        if code.builtinCode == schema.BuiltinOperator.CUSTOM:
            code.customCode = name.encode()
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
        codes[key] = len(made.operatorCodes)
        made.operatorCodes.append(code)
    op = schema.OperatorT()
    op.opcodeIndex, op.inputs, op.outputs = codes[key], inputs, outputs
    set_options(op, options)
    if custom is not None:
        op.customOptions = np.frombuffer(custom, np.uint8)
    return op


def run(data, samples, kernel_set):
    """Every output of every sample, run one after the other on one interpreter. Errors: RefusedError."""
    try:
        return (run_tflm if kernel_set == "tflm" else run_litert)(data, samples, kernel_set)
    except Exception as error:
        raise RefusedError(str(error)) from None


def run_tflm(data, samples, kernel_set):
    interpreter = runtime.Interpreter.from_bytes(data, arena_size=1 << 20)
    count = len(schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0)).subgraphs[0].outputs)
    made = []
    for sample in samples:
        for position, array in enumerate(sample):
            interpreter.set_input(array, position)
        interpreter.invoke()
        made.append([np.array(interpreter.get_output(i)) for i in range(count)])
    return made


def run_litert(data, samples, kernel_set):
    interpreter = Interpreter(model_content=data, experimental_op_resolver_type=RESOLVERS[kernel_set], num_threads=1)
    interpreter.allocate_tensors()
    made = []
    for sample in samples:
        for detail, array in zip(interpreter.get_input_details(), sample, strict=True):
            interpreter.set_tensor(detail["index"], array)
        interpreter.invoke()
        made.append([np.array(interpreter.get_tensor(d["index"])) for d in interpreter.get_output_details()])
    return made
