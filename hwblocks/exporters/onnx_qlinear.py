"""Integer blocks as the operators on codes that ONNX Runtime has: QLinearConv, QGemm, QLinearAdd, …"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hwblocks.exporters.onnx_windows import constant_weight, first_weight, pool_attributes, spatial
from hwblocks.exporters.onnx_writer import FIRST, LAST, MICROSOFT, Array, Writer, is_code
from hwblocks.graph.node import Node
from hwblocks.graph.tensor import Tensor

Rule = Callable[[Writer, Node], bool]


def coded(w: Writer, node: Node, names: Sequence[str]) -> bool:
    """True where these tensors and the output hold 8-bit codes with one scale each that fill their type."""
    tensors = [w.graph.tensors[n] for n in (*names, *node.outputs)]
    return all(
        is_code(t.format) and t.format.bits == 8 and not t.format.narrow and not isinstance(t.format.scale, tuple)
        for t in tensors
    )


def stated(w: Writer, tensor: Tensor) -> tuple[str, str]:
    """Names of a tensor's scale and zero point."""
    return w.parameters(tensor.format, tensor.name)


def done(w: Writer, node: Node, codes: str, layout: str) -> bool:
    """The node's codes, within a fused clamp."""
    format = w.graph.tensors[node.outputs[0]].format
    if node.clamp is not None:
        low, high = np.clip([format.code_of(v) for v in node.clamp], format.lo, format.hi)
        if (low, high) != (format.lo, format.hi):
            codes = w.limited(codes, int(low), int(high), f"{node.name}.clamp", format.dtype)
    w.moved(node, codes, layout)
    return True


def weight_of(w: Writer, tensor: Tensor, move: Callable[[Array], Array]) -> tuple[str, str, str]:
    """Names of a weight's codes with their axes moved, its scales and zero points."""
    assert tensor.value is not None
    if tensor.format.bits < 8:
        w.note(f"{tensor.format.bits}-bit codes are stored in {tensor.format.dtype}", tensor.name)
    return w.initializer(f"{tensor.name}.codes", move(tensor.value)), *stated(w, tensor)


def stored_bias(w: Writer, node: Node) -> list[str] | None:
    """The stored 32-bit bias; None where it has another form."""
    if len(node.inputs) < 3 or not node.inputs[2]:
        return []
    tensor = w.graph.tensors[node.inputs[2]]
    if tensor.value is None or tensor.format.dtype != np.int32:
        return None
    return [w.initializer(tensor.name, tensor.value)]


def fits(w: Writer, node: Node) -> bool:
    """True where a layer's input, output and weight have the forms of the operators."""
    weight = w.graph.tensors[node.inputs[1]]
    plain = weight.value is not None and weight.format.is_quantized and weight.format.dtype.itemsize == 1
    return plain and coded(w, node, node.inputs[:1])


def _conv(w: Writer, node: Node) -> bool:
    x, y = w.graph.tensors[node.inputs[0]], w.graph.tensors[node.outputs[0]]
    if not fits(w, node) or len(x.shape) > 4:
        return False
    weight, bias = constant_weight(w, node), stored_bias(w, node)
    if bias is None:
        return False
    kernel = weight_of(w, weight, first_weight(node, x.shape, weight.shape))
    given = [w.codes(x.name, FIRST), *stated(w, x), *kernel, *stated(w, y), *bias]
    more = spatial(node, len(x.shape) - 2)
    made = w.op("QLinearConv", given, node.name, group=node.block.groups, **more)  # type: ignore[attr-defined]
    return done(w, node, made, FIRST)


def _linear(w: Writer, node: Node) -> bool:
    x, y = w.graph.tensors[node.inputs[0]], w.graph.tensors[node.outputs[0]]
    bias = stored_bias(w, node)
    if not fits(w, node) or len(x.shape) != 2 or bias is None:
        return False
    kernel = weight_of(w, w.graph.tensors[node.inputs[1]], lambda a: a)
    given = [w.codes(x.name), *stated(w, x), *kernel, *(bias or [""]), *stated(w, y)]
    made = w.op("QGemm", given, node.name, MICROSOFT, transB=1, alpha=1.0)
    return done(w, node, made, LAST)


def _matmul(w: Writer, node: Node) -> bool:
    if not coded(w, node, node.inputs):
        return False
    given = [part for n in node.inputs for part in (w.codes(n), *stated(w, w.graph.tensors[n]))]
    made = w.op("QLinearMatMul", [*given, *stated(w, w.graph.tensors[node.outputs[0]])], node.name)
    return done(w, node, made, LAST)


def binary(op: str) -> Rule:
    """An operator of two tensors of codes."""

    def write(w: Writer, node: Node) -> bool:
        tensors = [w.graph.tensors[n] for n in node.inputs]
        if not coded(w, node, node.inputs):
            return False
        first = len({len(t.shape) for t in tensors}) == 1 and all(w.standing(t.name) == FIRST for t in tensors)
        layout = FIRST if first and len(tensors[0].shape) > 2 else LAST
        given = [part for t in tensors for part in (w.codes(t.name, layout), *stated(w, t))]
        made = w.op(op, [*given, *stated(w, w.graph.tensors[node.outputs[0]])], node.name, MICROSOFT)
        return done(w, node, made, layout)

    return write


def unary(op: str, attributes: Callable[[Any], dict[str, Any]] = lambda block: {}, spatial: bool = False) -> Rule:
    """An operator of one tensor of codes; `spatial` ones take channels first."""

    def write(w: Writer, node: Node) -> bool:
        x, y = w.graph.tensors[node.inputs[0]], w.graph.tensors[node.outputs[0]]
        if not coded(w, node, node.inputs):
            return False
        layout = FIRST if spatial else w.standing(x.name)
        given = [w.codes(x.name, layout), *stated(w, x), *stated(w, y)]
        return done(w, node, w.op(op, given, node.name, MICROSOFT, **attributes(node.block)), layout)

    return write


def _average_pool(w: Writer, node: Node) -> bool:
    x = w.graph.tensors[node.inputs[0]]
    if not coded(w, node, node.inputs) or len(x.shape) > 4 or getattr(node.block, "dilation", 1) not in (1, (1, 1)):
        return False
    given = [w.codes(x.name, FIRST), *stated(w, x), *stated(w, w.graph.tensors[node.outputs[0]])]
    more = pool_attributes(node, len(x.shape) - 2)
    return done(w, node, w.op("QLinearAveragePool", given, node.name, MICROSOFT, channels_last=0, **more), FIRST)


def _softmax(w: Writer, node: Node) -> bool:
    x, block = w.graph.tensors[node.inputs[0]], node.block
    last = block.dim % len(x.shape) == len(x.shape) - 1  # type: ignore[attr-defined]
    if not coded(w, node, node.inputs) or not last or block.beta != 1.0:  # type: ignore[attr-defined]
        return False
    given = [w.codes(x.name), *stated(w, x), *stated(w, w.graph.tensors[node.outputs[0]])]
    return done(w, node, w.op("QLinearSoftmax", given, node.name, MICROSOFT, axis=-1, opset=13), LAST)


RULES: dict[str, Rule] = {
    "Add": binary("QLinearAdd"),
    "AvgPool1d": _average_pool,
    "AvgPool2d": _average_pool,
    "Conv1d": _conv,
    "Conv2d": _conv,
    "GlobalAvgPool": unary("QLinearGlobalAveragePool", lambda block: {"channels_last": 0}, spatial=True),
    "LeakyReLU": unary("QLinearLeakyRelu", lambda block: {"alpha": block.negative_slope}),
    "Linear": _linear,
    "MatMul": _matmul,
    "Mul": binary("QLinearMul"),
    "Sigmoid": unary("QLinearSigmoid"),
    "Softmax": _softmax,
}
