"""Blocks that compute, as ONNX operators on real values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hwblocks.exporters.onnx_windows import bias_of
from hwblocks.exporters.onnx_writer import FIRST, LAST, Writer, first_axes
from hwblocks.graph.node import Node

Rule = Callable[[Writer, Node], None]
Attributes = Callable[[Any], dict[str, Any]]


def unary(op: str, attributes: Attributes = lambda block: {}) -> Rule:
    """An operator of one element: the layout that is there passes through."""

    def write(w: Writer, node: Node) -> None:
        layout = w.standing(node.inputs[0])
        made = w.op(op, [w.real(node.inputs[0], layout)], node.name, **attributes(node.block))
        w.result(node, made, layout)

    return write


def composed(*steps: tuple[str, ...]) -> Rule:
    """Operators one after the other; "x" is the input, "@" the result so far."""

    def write(w: Writer, node: Node) -> None:
        layout = w.standing(node.inputs[0])
        x = made = w.real(node.inputs[0], layout)
        for op, *names in steps:
            made = w.op(op, [x if n == "x" else made for n in names], f"{node.name}.{op.lower()}")
        w.result(node, made, layout)

    return write


def _clip(w: Writer, node: Node) -> None:
    layout = w.standing(node.inputs[0])
    low, high = node.block.clamp  # type: ignore[attr-defined]
    w.result(node, w.limited(w.real(node.inputs[0], layout), low, high, node.name), layout)


def operands(w: Writer, names: Sequence[str]) -> tuple[list[str], str]:
    """Real values of several tensors in one layout: channels first where one is so and the ranks allow it."""
    tensors = [w.graph.tensors[n] for n in names]
    rank = max(len(t.shape) for t in tensors)
    running = [t for t in tensors if t.value is None]
    if rank < 3 or any(len(t.shape) != rank for t in running) or all(w.standing(t.name) == LAST for t in running):
        return [w.real(n) for n in names], LAST
    made = []
    for tensor in tensors:
        if tensor.value is None:
            made.append(w.real(tensor.name, FIRST))
            continue
        values = tensor.format.dequantize(tensor.value) if tensor.format.is_quantized else tensor.value
        full = np.reshape(values, (1,) * (rank - values.ndim) + values.shape).transpose(first_axes(rank))
        made.append(w.initializer(tensor.name, full.astype(np.float32)))
    return made, FIRST


def binary(op: str) -> Rule:
    """An operator of two or more tensors, element by element."""

    def write(w: Writer, node: Node) -> None:
        names, layout = operands(w, node.inputs)
        w.result(node, w.op(op, names, node.name), layout)

    return write


def _squared_difference(w: Writer, node: Node) -> None:
    names, layout = operands(w, node.inputs)
    difference = w.op("Sub", names, f"{node.name}.difference")
    w.result(node, w.op("Mul", [difference, difference], node.name), layout)


def _linear(w: Writer, node: Node) -> None:
    x, weight = w.graph.tensors[node.inputs[0]], w.graph.tensors[node.inputs[1]]
    if len(x.shape) == 2 and weight.value is not None:
        given = [w.real(x.name), w.weight(weight, lambda a: a, 0), *bias_of(w, node)]
        w.result(node, w.op("Gemm", given, node.name, transB=1))
        return
    if weight.value is not None:
        turned = w.weight(weight, lambda a: a.T, 1)
    else:
        turned = w.op("Transpose", [w.real(weight.name)], f"{weight.name}.turned", perm=[1, 0])
    made = w.op("MatMul", [w.real(x.name), turned], node.name)
    for bias in bias_of(w, node):
        made = w.op("Add", [made, bias], f"{node.name}.biased")
    w.result(node, made)


def _weight(w: Writer, node: Node) -> None:
    made = w.op("Mul", [w.real(node.inputs[0]), w.real(node.inputs[1])], node.name)
    for bias in bias_of(w, node):
        made = w.op("Add", [made, bias], f"{node.name}.biased")
    w.result(node, made)


def _matmul(w: Writer, node: Node) -> None:
    w.result(node, w.op("MatMul", [w.real(n) for n in node.inputs], node.name))


def _batch_norm(w: Writer, node: Node) -> None:
    rank = len(w.graph.tensors[node.inputs[0]].shape)
    layout = FIRST if rank > 2 else LAST
    given = [w.real(node.inputs[0], layout), *(w.real(n) for n in node.inputs[1:])]
    w.result(node, w.op("BatchNormalization", given, node.name, epsilon=node.block.eps), layout)  # type: ignore[attr-defined]


def _layer_norm(w: Writer, node: Node) -> None:
    x = w.graph.tensors[node.inputs[0]]
    dims = node.block.dims  # type: ignore[attr-defined]
    given = [w.real(n) for n in node.inputs]
    if len(given) == 1:
        given.append(w.initializer(f"{node.name}.ones", np.ones(x.shape[len(x.shape) - dims :], np.float32)))
    w.result(node, w.op("LayerNormalization", given, node.name, axis=-dims, epsilon=node.block.eps))  # type: ignore[attr-defined]


def _channel_norm(op: str) -> Rule:
    """GroupNorm and InstanceNorm: one weight and bias per channel, which the operators need."""

    def write(w: Writer, node: Node) -> None:
        block: Any = node.block
        channels = w.graph.tensors[node.inputs[0]].shape[-1]
        given = [w.real(node.inputs[0], FIRST), *(w.real(n) for n in node.inputs[1:])]
        for value in (1.0, 0.0)[len(given) - 1 :]:
            given.append(w.initializer(f"{node.name}.parameter", np.full(channels, value, np.float32)))
        more = {"num_groups": block.num_groups} if op == "GroupNormalization" else {}
        w.result(node, w.op(op, given, node.name, epsilon=block.eps, **more), FIRST)

    return write


def _rms_norm(w: Writer, node: Node) -> None:
    """x / √(mean x² + eps) · weight, step by step."""
    block: Any = node.block
    x = w.real(node.inputs[0])
    axes = w.initializer(f"{node.name}.axes", np.arange(-block.dims, 0))
    mean = w.op("ReduceMean", [w.op("Mul", [x, x], f"{node.name}.square"), axes], f"{node.name}.mean")
    eps = w.initializer(f"{node.name}.eps", np.float32(block.eps))
    root = w.op("Sqrt", [w.op("Add", [mean, eps], f"{node.name}.under")], f"{node.name}.root")
    made = w.op("Div", [x, root], f"{node.name}.quotient")
    for op, name in zip(("Mul", "Add"), node.inputs[1:], strict=False):
        made = w.op(op, [made, w.real(name)], f"{node.name}.{op.lower()}")
    w.result(node, made)


def _einsum(w: Writer, node: Node) -> None:
    given = [w.real(n) for n in node.inputs]
    w.result(node, w.op("Einsum", given, node.name, equation=node.block.equation))  # type: ignore[attr-defined]


def _softmax(op: str) -> Rule:
    def write(w: Writer, node: Node) -> None:
        block: Any = node.block
        x = w.real(node.inputs[0])
        if getattr(block, "beta", 1.0) != 1.0:
            x = w.op("Mul", [x, w.initializer(f"{node.name}.beta", np.float32(block.beta))], f"{node.name}.scaled")
        w.result(node, w.op(op, [x], node.name, axis=block.dim))

    return write


def _reduce(op: str) -> Rule:
    def write(w: Writer, node: Node) -> None:
        block: Any = node.block
        axes = w.initializer(f"{node.name}.axes", np.array(block.dims, np.int64))
        w.result(node, w.op(op, [w.real(node.inputs[0]), axes], node.name, keepdims=int(block.keepdim)))

    return write


def _position(op: str) -> Rule:
    def write(w: Writer, node: Node) -> None:
        block: Any = node.block
        more: dict[str, Any] = {"axis": block.dim, "keepdims": int(block.keepdim)}
        more |= {"select_last_index": 1} if getattr(block, "last", False) else {}
        found = w.op(op, [w.real(node.inputs[0])], f"{node.name}.found", **more)
        w.give(node.outputs[0], w.op("Cast", [found], node.name, to=6))  # int32

    return write


def _cumsum(w: Writer, node: Node) -> None:
    block: Any = node.block
    axis = w.initializer(f"{node.name}.axis", np.array(block.dim, np.int64))
    more: dict[str, Any] = {"exclusive": int(block.exclusive), "reverse": int(block.reverse)}
    w.result(node, w.op("CumSum", [w.real(node.inputs[0]), axis], node.name, **more))


def _compare(op: str) -> Rule:
    def write(w: Writer, node: Node) -> None:
        w.give(node.outputs[0], w.op(op, [w.real(n) for n in node.inputs], node.name))

    return write


def _not_equal(w: Writer, node: Node) -> None:
    equal = w.op("Equal", [w.real(n) for n in node.inputs], f"{node.name}.equal")
    w.give(node.outputs[0], w.op("Not", [equal], node.name))


def _quantize(w: Writer, node: Node) -> None:
    layout = w.standing(node.inputs[0])
    w.result(node, w.real(node.inputs[0], layout), layout)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("ReLU6", "Clip", "HardTanh"), _clip),
    **dict.fromkeys(("Quantize", "Dequantize", "Rescale"), _quantize),
    **{name: unary(name) for name in ("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Log", "Mish", "Neg")},
    **{name: unary(name) for name in ("Reciprocal", "Round", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt")},
    **{name: unary(name) for name in ("Tan", "Tanh")},
    **{name: binary(name) for name in ("Add", "Div", "Mul", "Pow", "Sub")},
    **{name: _compare(name) for name in ("Equal", "Greater", "Less")},
    **{name: _reduce(name) for name in ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum")},
    "ArgMax": _position("ArgMax"),
    "ArgMin": _position("ArgMin"),
    "BatchNorm": _batch_norm,
    "CELU": unary("Celu", lambda block: {"alpha": block.alpha}),
    "CumSum": _cumsum,
    "Einsum": _einsum,
    "ELU": unary("Elu", lambda block: {"alpha": block.alpha}),
    "GELU": unary("Gelu", lambda block: {"approximate": block.approximate}),
    "GroupNorm": _channel_norm("GroupNormalization"),
    "GreaterEqual": _compare("GreaterOrEqual"),
    "HardSigmoid": unary("HardSigmoid", lambda block: {"alpha": block.alpha, "beta": block.beta}),
    "InstanceNorm": _channel_norm("InstanceNormalization"),
    "LayerNorm": _layer_norm,
    "LeakyReLU": unary("LeakyRelu", lambda block: {"alpha": block.negative_slope}),
    "LessEqual": _compare("LessOrEqual"),
    "Linear": _linear,
    "LogSoftmax": _softmax("LogSoftmax"),
    "LogicalAnd": _compare("And"),
    "LogicalNot": _compare("Not"),
    "LogicalOr": _compare("Or"),
    "MatMul": _matmul,
    "Maximum": binary("Max"),
    "Minimum": binary("Min"),
    "NotEqual": _not_equal,
    "PReLU": binary("PRelu"),
    "RMSNorm": _rms_norm,
    "ReLU": unary("Relu"),
    "Rsqrt": composed(("Sqrt", "x"), ("Reciprocal", "@")),
    "SELU": unary("Selu", lambda block: {"alpha": block.alpha, "gamma": block.gamma}),
    "Shrink": unary("Shrink", lambda block: {"lambd": block.lambd, "bias": block.bias}),
    "SiLU": composed(("Sigmoid", "x"), ("Mul", "x", "@")),
    "Softmax": _softmax("Softmax"),
    "Square": composed(("Mul", "x", "x")),
    "SquaredDifference": _squared_difference,
    "ThresholdedReLU": unary("ThresholdedRelu", lambda block: {"alpha": block.alpha}),
    "Weight": _weight,
}
