"""ONNX operators of single elements: activations, element-wise operators of two tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

import hwblocks.blocks.activation as activation
import hwblocks.blocks.elementwise as elementwise
import hwblocks.blocks.exponential as exponential
import hwblocks.blocks.shape as shape
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, OnnxNode, last_axes
from hwblocks.importers.onnx_rule import Build, Rule, unary
from hwblocks.numerics.formats import Format


def _clip(build: Importer, node: OnnxNode) -> None:
    bounds = []
    for position, name, default in ((1, "min", -np.inf), (2, "max", np.inf)):
        given = node.input(position)
        bounds.append(float(build.constant(given)) if given else float(node.attribute(name, default)))
    layout = LAST if build.has_last(node.inputs[0]) else FILE
    x = build.value(node.inputs[0], layout)
    format = x.tensor.format
    if format.is_quantized:  # QCDQ: the bounds are codes
        build.add(node, activation.Clip(*real_bounds(format, *bounds)), [x], layout, formats=(format,))
        return
    block: Block = activation.ReLU6() if bounds == [0.0, 6.0] else activation.Clip(*bounds)
    build.add(node, block, [x], layout)


def real_bounds(format: Format, low: float, high: float) -> tuple[float, float]:
    """Bounds of codes as the real values that these codes mean. Errors: GraphError for one scale per channel."""
    if isinstance(format.scale, tuple):
        raise GraphError("a Clip of codes needs one scale for the whole tensor")
    ends = np.clip([low, high], format.lo, format.hi)
    return tuple(float(v) for v in format.dequantize(ends.astype(np.int64)))  # type: ignore[return-value]


def binary(cls: type[Block]) -> Build:
    """An element-wise operator of two tensors: channels last when one of them is and the ranks allow it."""

    def build_binary(build: Importer, node: OnnxNode) -> None:
        names = node.inputs[:2]
        rank = max(len(build.shape(name)) for name in names)
        running = [n for n in names if not build.is_constant(n)]
        last = any(build.has_last(n) for n in running) and all(len(build.shape(n)) == rank for n in running)
        layout = LAST if last else FILE
        values = [operand(build, name, layout, rank) for name in names]
        build.add(node, cls(), values, layout)

    return build_binary


def operand(build: Importer, name: str, layout: str, rank: int) -> Any:
    """A tensor, or a constant with its axes in the layout and without leading axes of size 1."""
    if not build.is_constant(name):
        return build.value(name, layout)
    array = build.constant(name).astype(np.float32)
    if layout == LAST and array.ndim:
        full = array.reshape((1,) * (rank - array.ndim) + array.shape)
        array = full.transpose(last_axes(rank))
    while array.ndim and array.shape[0] == 1 and array.ndim > 1:
        array = array[0]
    return build.builder.constant(name, np.ascontiguousarray(array))


def _leaky(node: OnnxNode) -> Block:
    return activation.LeakyReLU(float(node.attribute("alpha", 0.01)))


def _drop(node: OnnxNode) -> Block:
    return shape.Dropout(float(node.attribute("ratio", 0.5)))


def _refuse_dropout(node: OnnxNode) -> str:
    return "with its mask" if len([o for o in node.outputs if o]) > 1 else ""


RULES: dict[str, Rule] = {
    "Abs": Rule(unary(lambda node: activation.Abs())),
    "Add": Rule(binary(elementwise.Add)),
    "Clip": Rule(_clip),
    "Div": Rule(binary(elementwise.Div)),
    "Dropout": Rule(unary(_drop), _refuse_dropout),
    "Elu": Rule(unary(lambda node: exponential.ELU(float(node.attribute("alpha", 1.0))))),
    "Erf": Rule(unary(lambda node: exponential.Erf())),
    "Exp": Rule(unary(lambda node: exponential.Exp())),
    "Gelu": Rule(unary(lambda node: exponential.GELU(node.attribute("approximate", "none")))),
    "HardSwish": Rule(unary(lambda node: activation.HardSwish())),
    "Identity": Rule(unary(lambda node: shape.Identity())),
    "LeakyRelu": Rule(unary(_leaky)),
    "Log": Rule(unary(lambda node: exponential.Log())),
    "Mul": Rule(binary(elementwise.Mul)),
    "Neg": Rule(unary(lambda node: activation.Neg())),
    "Reciprocal": Rule(unary(lambda node: activation.Reciprocal())),
    "Relu": Rule(unary(lambda node: activation.ReLU())),
    "Sigmoid": Rule(unary(lambda node: activation.Sigmoid())),
    "Softplus": Rule(unary(lambda node: exponential.Softplus())),
    "Sqrt": Rule(unary(lambda node: activation.Sqrt())),
    "Sub": Rule(binary(elementwise.Sub)),
    "Tanh": Rule(unary(lambda node: activation.Tanh())),
}
