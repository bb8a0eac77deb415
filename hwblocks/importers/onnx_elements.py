"""ONNX operators of single elements: activations, functions, element-wise operators of several tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import hwblocks.blocks.activation as activation
import hwblocks.blocks.elementary as elementary
import hwblocks.blocks.elementwise as elementwise
import hwblocks.blocks.exponential as exponential
import hwblocks.blocks.rectifier as rectifier
import hwblocks.blocks.selection as selection
import hwblocks.blocks.several as several
import hwblocks.blocks.shape as shape
import hwblocks.blocks.trigonometry as trigonometry
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import Value
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, OnnxNode, as_stored, last_axes
from hwblocks.importers.onnx_rule import Build, Rule, unary
from hwblocks.numerics.formats import Format


def real_bounds(format: Format, low: float, high: float) -> tuple[float, float]:
    """Bounds of codes as the real values that these codes mean. Errors: GraphError for one scale per channel."""
    if isinstance(format.scale, tuple):
        raise GraphError("a Clip of codes needs one scale for the whole tensor")
    ends = np.clip([low, high], format.lo, format.hi)
    return tuple(float(v) for v in format.dequantize(ends.astype(np.int64)))  # type: ignore[return-value]


WIDE_BITS = 53  # integers of more bits have bounds that a float does not hold


def _clip(build: Importer, node: OnnxNode) -> None:
    names = [node.input(1), node.input(2)]
    given = [name for name in names if name]
    layout = LAST if build.has_last(node.inputs[0]) else FILE
    x = build.value(node.inputs[0], layout)
    format = x.tensor.format
    bounds = constant_bounds(build, node, names) if all(build.is_constant(name) for name in given) else None
    if bounds is None or not bounds[0] <= bounds[1] or (given and format.kind == "raw" and format.bits > WIDE_BITS):
        _limit(build, node, x, layout, names)
    elif format.is_quantized:  # QCDQ: the bounds are codes
        build.add(node, activation.Clip(*real_bounds(format, *bounds)), [x], layout, formats=(format,))
    else:
        block: Block = activation.ReLU6() if bounds == [0.0, 6.0] else activation.Clip(*bounds)
        build.add(node, block, [x], layout)


def constant_bounds(build: Importer, node: OnnxNode, names: Sequence[str]) -> list[float]:
    """(low, high) from constants, from the attributes of older operator sets, or infinite."""
    defaults = (("min", -np.inf), ("max", np.inf))
    return [
        float(build.constant(name)) if name else float(node.attribute(key, default))
        for name, (key, default) in zip(names, defaults, strict=True)
    ]


def _limit(build: Importer, node: OnnxNode, x: Value, layout: str, names: Sequence[str]) -> None:
    """Bounds that only run time knows, that exclude each other, or that need more bits than a float has."""
    low, high = names
    if low:
        block = elementwise.Maximum()
        x = build.add(node, block, [x, build.value(low)], layout, part="raised" if high else "")
    if high:
        build.add(node, elementwise.Minimum(), [x, build.value(high)], layout)


def elementwise_layout(build: Importer, names: Sequence[str]) -> tuple[str, int]:
    """(layout, rank) of operands that broadcast: channels last when one of them is and the ranks allow it."""
    rank = max(len(build.shape(name)) for name in names)
    running = [n for n in names if not build.is_constant(n)]
    last = any(build.has_last(n) for n in running) and all(len(build.shape(n)) == rank for n in running)
    return (LAST if last else FILE), rank


def several_operands(cls: type[Block], *types: Format) -> Build:
    """An element-wise operator of tensors that broadcast; `types`: the output's type where it is not the first's."""

    def build_several(build: Importer, node: OnnxNode) -> None:
        layout, rank = elementwise_layout(build, node.inputs)
        values = [operand(build, name, layout, rank) for name in node.inputs]
        build.add(node, cls(), values, layout, types=types)

    return build_several


def binary(cls: type[Block], *types: Format) -> Build:
    """An element-wise operator of two tensors; before operator set 7 the second one stands at an axis of the first."""
    plain = several_operands(cls, *types)

    def build_binary(build: Importer, node: OnnxNode) -> None:
        if node.opset < 7 and node.attribute("broadcast", 0) and node.attribute("axis") is not None:
            a, b = (build.shape(name) for name in node.inputs)
            axis = int(node.attribute("axis")) % max(len(a), 1)
            aligned = shape.Reshape((*b, *(1,) * (len(a) - axis - len(b))))
            second = build.add(node, aligned, [build.value(node.inputs[1])], part="aligned")
            build.add(node, cls(), [build.value(node.inputs[0]), second], types=types)
            return
        plain(build, node)

    return build_binary


def chain(cls: type[Block]) -> Build:
    """An associative operator of any number of tensors that needs no rounding: two at a time."""

    def build_chain(build: Importer, node: OnnxNode) -> None:
        layout, rank = elementwise_layout(build, node.inputs)
        value, *others = (operand(build, name, layout, rank) for name in node.inputs)
        if not others:
            build.add(node, shape.Identity(), [value], layout)
        for position, other in enumerate(others, 1):
            part = "" if position == len(others) else f"first{position + 1}"
            value = build.add(node, cls(), [value, other], layout, part=part)

    return build_chain


def operand(build: Importer, name: str, layout: str, rank: int) -> Any:
    """A tensor, or a constant with its axes in the layout and without leading axes of size 1."""
    if not build.is_constant(name):
        return build.value(name, layout)
    array = build.constant(name)
    if layout == LAST and array.ndim:
        full = array.reshape((1,) * (rank - array.ndim) + array.shape)
        array = full.transpose(last_axes(rank))
    while array.ndim and array.shape[0] == 1 and array.ndim > 1:
        array = array[0]
    return build.builder.constant(name, *as_stored(np.ascontiguousarray(array).reshape(array.shape)))


def _where(build: Importer, node: OnnxNode) -> None:
    layout, rank = elementwise_layout(build, node.inputs)
    values = [operand(build, name, layout, rank) for name in node.inputs]
    build.add(node, selection.Select(), values, layout, types=(values[1].tensor.format,))


def _prelu(build: Importer, node: OnnxNode) -> None:
    x, slope = node.inputs
    rank = len(build.shape(x))
    constant = build.is_constant(slope)
    layout = LAST if build.has_last(x) and constant else FILE
    if constant and node.opset < 7 and build.shape(slope) == build.shape(x)[1:2]:  # one slope per channel
        value = build.builder.constant(slope, *as_stored(build.constant(slope).reshape(-1, *(1,) * (rank - 2))))
        build.add(node, activation.PReLU(), [build.value(x), value])
        return
    build.add(node, activation.PReLU(), [build.value(x, layout), operand(build, slope, layout, rank)], layout)


def _mod(build: Importer, node: OnnxNode) -> None:
    binary(elementary.TruncMod if node.attribute("fmod", 0) else elementary.FloorMod)(build, node)


def _dropout(build: Importer, node: OnnxNode) -> None:
    if node.opset >= 12 and node.input(2) and build.constant(node.input(2)).any():
        raise GraphError("training_mode=1 drops elements by chance; only inference is supported")
    ratio = 0.5
    if node.opset < 12:
        ratio = float(node.attribute("ratio", 0.5))
    elif node.input(1) and build.is_constant(node.input(1)):
        ratio = float(build.constant(node.input(1)))
    mask = node.outputs[1] if len(node.outputs) > 1 else ""
    unary(lambda node: shape.Dropout(ratio))(build, node)
    if mask:
        kind = bool if node.opset >= 10 else build.value(node.inputs[0]).tensor.format.dtype
        build.constants[mask] = np.ones(build.shape(node.inputs[0]), dtype=kind)


def _refuse_dropout(node: OnnxNode) -> str:
    return "in training mode" if node.opset < 7 and not node.attribute("is_test", 0) else ""


Make = Callable[..., Block]


def stated(make: Make, **defaults: float) -> Build:
    """A function of one element whose attributes are numbers, given in the order of the block's own."""
    return unary(lambda node: make(*(float(node.attribute(key, value)) for key, value in defaults.items())))


FUNCTIONS: dict[str, Make] = {
    "Abs": activation.Abs,
    "Acos": trigonometry.Acos,
    "Acosh": trigonometry.Acosh,
    "Asin": trigonometry.Asin,
    "Asinh": trigonometry.Asinh,
    "Atan": trigonometry.Atan,
    "Atanh": trigonometry.Atanh,
    "Ceil": elementary.Ceil,
    "Cos": elementary.Cos,
    "Cosh": trigonometry.Cosh,
    "Erf": exponential.Erf,
    "Exp": exponential.Exp,
    "Floor": elementary.Floor,
    "HardSwish": activation.HardSwish,
    "Identity": shape.Identity,
    "Log": exponential.Log,
    "Mish": rectifier.Mish,
    "Neg": activation.Neg,
    "Reciprocal": activation.Reciprocal,
    "Relu": activation.ReLU,
    "Round": elementary.Round,
    "Sigmoid": activation.Sigmoid,
    "Sign": elementary.Sign,
    "Sin": elementary.Sin,
    "Sinh": trigonometry.Sinh,
    "Softplus": exponential.Softplus,
    "Softsign": rectifier.Softsign,
    "Sqrt": activation.Sqrt,
    "Tan": trigonometry.Tan,
    "Tanh": activation.Tanh,
}


RULES: dict[str, Rule] = {
    **{name: Rule(stated(make)) for name, make in FUNCTIONS.items()},
    "Add": Rule(binary(elementwise.Add)),
    "Celu": Rule(stated(rectifier.CELU, alpha=1.0)),
    "Clip": Rule(_clip),
    "Div": Rule(binary(elementwise.Div)),
    "Dropout": Rule(_dropout, _refuse_dropout),
    "Elu": Rule(stated(exponential.ELU, alpha=1.0)),
    "Gelu": Rule(unary(lambda node: exponential.GELU(node.attribute("approximate", "none")))),
    "HardSigmoid": Rule(stated(rectifier.HardSigmoid, alpha=0.2, beta=0.5)),
    "LeakyRelu": Rule(stated(activation.LeakyReLU, alpha=0.01)),
    "Max": Rule(chain(elementwise.Maximum)),
    "Mean": Rule(several_operands(several.MeanN)),
    "Min": Rule(chain(elementwise.Minimum)),
    "Mod": Rule(_mod),
    "Mul": Rule(binary(elementwise.Mul)),
    "PRelu": Rule(_prelu),
    "Pow": Rule(binary(elementary.Pow)),
    "Selu": Rule(stated(rectifier.SELU, alpha=1.67326319217681884765625, gamma=1.05070102214813232421875)),
    "Shrink": Rule(stated(rectifier.Shrink, lambd=0.5, bias=0.0)),
    "Sub": Rule(binary(elementwise.Sub)),
    "Sum": Rule(several_operands(several.AddN)),
    "Swish": Rule(stated(rectifier.Swish, alpha=1.0)),
    "ThresholdedRelu": Rule(stated(rectifier.ThresholdedReLU, alpha=1.0)),
    "Where": Rule(_where),
}
