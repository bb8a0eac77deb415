"""TFLite's runtimes as peers: single layers and whole models in LiteRT, whole models in TFLite-Micro."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from layers import X_SCALE, Data

sys.path.insert(0, str(Path(__file__).parents[1] / "dialects"))  # the writer of TFLite files

from operator_models import RESOLVERS, Interpreter, RefusedError, T, model, runtime

Array = np.ndarray[Any, Any]
SETS = {"xnnpack": "LiteRT (XNNPACK)", "litert-ref": "LiteRT reference", "tflm": "TFLite-Micro"}


def layer_model(data: Data) -> bytes:
    """A TFLite file of one layer: fully connected, depthwise or plain convolution."""
    one = data.layer
    x_scale, y_scale = np.float32(X_SCALE), np.float32(data.y_scale)
    bias = T((one.outputs,), "int32", x_scale * data.w_scale, 0, 0, data.bias)
    if one.is_product:
        x = T((data.samples * one.height, one.channels), "int8", x_scale)
        w = T((one.outputs, one.channels), "int8", data.w_scale, 0, 0, data.weights.reshape(one.outputs, -1))
        y = T((data.samples * one.height, one.outputs), "int8", y_scale)
        return model("FULLY_CONNECTED", ("FullyConnectedOptions", {}), [x, w, bias], [y])
    x = T((data.samples, one.height, one.width, one.channels), "int8", x_scale)
    y = T((data.samples, *one.out, one.outputs), "int8", y_scale)
    options: dict[str, Any] = {"padding": 0, "strideH": one.stride, "strideW": one.stride}  # SAME
    options |= {"dilationHFactor": 1, "dilationWFactor": 1}
    if one.groups == 1:
        w = T(data.weights.shape, "int8", data.w_scale, 0, 0, data.weights)
        return model("CONV_2D", ("Conv2DOptions", options), [x, w, bias], [y])
    turned = data.weights.transpose(3, 1, 2, 0)  # [1, kh, kw, C]
    w = T(turned.shape, "int8", data.w_scale, 0, 3, turned)
    return model("DEPTHWISE_CONV_2D", ("DepthwiseConv2DOptions", options | {"depthMultiplier": 1}), [x, w, bias], [y])


class LiteRT:
    """An interpreter with its inputs in place: `invoke` computes, `read` gives copies of the outputs.

    batch: the leading axis of every input, where it is not the file's. Errors: RefusedError.
    """

    def __init__(self, content: bytes, kernels: str = "xnnpack", threads: int = 1, batch: int | None = None) -> None:
        try:
            self._made = Interpreter(
                model_content=content, num_threads=threads, experimental_op_resolver_type=RESOLVERS[kernels]
            )
            for detail in self._made.get_input_details() if batch else ():
                self._made.resize_tensor_input(detail["index"], [batch, *detail["shape"][1:]])
            self._made.allocate_tensors()
            self.inputs, self.outputs = self._made.get_input_details(), self._made.get_output_details()
            if batch and any(d["shape"][0] != batch for d in self.outputs):
                raise RefusedError(f"the outputs do not follow a batch of {batch}")
        except (RuntimeError, ValueError) as error:
            raise RefusedError(str(error)) from None
        self.invoke: Callable[[], None] = self._made.invoke

    def fill(self, arrays: Sequence[Array]) -> None:
        """Put the inputs in place."""
        for detail, array in zip(self.inputs, arrays, strict=True):
            self._made.set_tensor(detail["index"], array.reshape(detail["shape"]))

    def read(self) -> list[Array]:
        """The outputs."""
        return [self._made.get_tensor(detail["index"]) for detail in self.outputs]

    def whole(self, arrays: Sequence[Array]) -> Callable[[], list[Array]]:
        """Inputs set, invoked, outputs got, as one call."""
        (first, *rest), made = [d["index"] for d in self.inputs], self._made
        shaped = [np.ascontiguousarray(a).reshape(d["shape"]) for a, d in zip(arrays, self.inputs, strict=True)]
        outputs = [detail["index"] for detail in self.outputs]

        def call() -> list[Array]:
            made.set_tensor(first, shaped[0])
            for index, array in zip(rest, shaped[1:]):
                made.set_tensor(index, array)
            made.invoke()
            return [made.get_tensor(index) for index in outputs]

        return call


class Micro:
    """TFLite-Micro's interpreter with its inputs in place. Errors: RefusedError."""

    ARENA = 4 << 20

    def __init__(self, content: bytes) -> None:
        try:
            self._made = runtime.Interpreter.from_bytes(content, arena_size=self.ARENA)
        except Exception as error:  # the interpreter raises several unrelated classes
            raise RefusedError(str(error)) from None
        self.invoke: Callable[[], None] = self._made.invoke

    def run(self, arrays: Sequence[Array]) -> Array:
        """The first output for one sample's inputs."""
        for position, array in enumerate(arrays):
            self._made.set_input(array, position)
        self._made.invoke()
        return np.array(self._made.get_output(0))
