"""ONNX Runtime as a peer on single layers: signed 8-bit activations, unsigned ones, and float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from layers import X_SCALE, Data
from onnx import TensorProto, helper, numpy_helper

Array = np.ndarray[Any, Any]
KINDS = {"s8s8": "ONNX Runtime s8s8", "u8s8": "ONNX Runtime u8s8", "f32": "ONNX Runtime f32"}
TYPES = {"s8s8": (np.int8, 0), "u8s8": (np.uint8, 128), "f32": (np.float32, 0)}  # activations, zero point
IR_VERSION, OPSETS = 8, (("", 13), ("com.microsoft", 1))


class Ort:
    """A session bound to its input and output: `run` computes, `y` holds the result."""

    def __init__(self, model: bytes, x: Array, y: Array, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        self._held = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in (x, y)]
        binding.bind_ortvalue_input("x", self._held[0])
        binding.bind_ortvalue_output("y", self._held[1])
        self.run: Callable[[], None] = lambda: session.run_with_iobinding(binding)

    @property
    def y(self) -> Array:
        """The output of the last run."""
        made: Array = self._held[1].numpy()
        return made


def peer(data: Data, kind: str, threads: int = 1) -> Ort:
    """The layer in a kind of operands: MatMulInteger or MatMul for matrix products, QLinearConv or Conv.

    Convolutions of integers are given channels last, which spares the runtime its transposes; float ones as it likes
    them best, channels first.
    """
    made = _product(data, kind) if data.layer.is_product else _convolution(data, kind)
    return Ort(*made, threads)


def _operand(data: Data, kind: str) -> Array:
    dtype, zero = TYPES[kind]
    return (data.x.astype(np.int32) + zero).astype(dtype)


def _product(data: Data, kind: str) -> tuple[bytes, Array, Array]:
    one = data.layer
    x = _operand(data, kind).reshape(-1, one.channels)
    w = np.ascontiguousarray(data.weights.reshape(one.outputs, -1).T)
    y = np.empty((x.shape[0], one.outputs), np.float32 if kind == "f32" else np.int32)
    if kind == "f32":
        return _model("MatMul", {"w": w.astype(np.float32)}, x, y), x, y
    return _model("MatMulInteger", {"w": w, "zero": np.array(TYPES[kind][1], x.dtype)}, x, y), x, y


def _convolution(data: Data, kind: str) -> tuple[bytes, Array, Array]:
    one, x = data.layer, _operand(data, kind)
    w = np.ascontiguousarray(data.weights.transpose(0, 3, 1, 2))  # O I kh kw
    attributes = {"kernel_shape": [one.kernel] * 2, "strides": [one.stride] * 2, "pads": list(one.pads)}
    attributes["group"] = one.groups
    if kind == "f32":
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        y = np.empty((data.samples, one.outputs, *one.out), np.float32)
        return _model("Conv", {"w": w.astype(np.float32), "b": data.bias.astype(np.float32)}, x, y, attributes), x, y
    zero, y = np.array(TYPES[kind][1], x.dtype), np.empty((data.samples, *one.out, one.outputs), x.dtype)
    constants = {
        "x_scale": np.float32(X_SCALE), "x_zero": zero, "w": w, "w_scale": data.w_scale,
        "w_zero": np.zeros(one.outputs, np.int8), "y_scale": np.float32(data.y_scale), "y_zero": zero, "b": data.bias,
    }  # fmt: skip
    return _model("QLinearConv", constants, x, y, attributes | {"channels_last": 1}, "com.microsoft"), x, y


def _model(
    operator: str, constants: dict[str, Any], x: Array, y: Array, attributes: Any = None, domain: str = ""
) -> bytes:
    """A model of one operator on x and these constants, in this order."""
    names = list(constants)
    node = helper.make_node(operator, ["x", *names], ["y"], domain=domain, **(attributes or {}))
    values = [helper.make_tensor_value_info(n, _type(a), a.shape) for n, a in (("x", x), ("y", y))]
    listed = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    graph = helper.make_graph([node], "layer", values[:1], values[1:], listed)
    opsets = [helper.make_opsetid(*opset) for opset in OPSETS]
    made: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString()
    return made


def _type(array: Array) -> int:
    number: int = helper.np_dtype_to_tensor_dtype(array.dtype)
    assert number != TensorProto.UNDEFINED
    return number
