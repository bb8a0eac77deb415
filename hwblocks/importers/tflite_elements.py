"""TFLite operators that work element by element, and the table that names them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import hwblocks.blocks.activation as activation
import hwblocks.blocks.conversion as conversion
import hwblocks.blocks.edges as edges
import hwblocks.blocks.elementary as elementary
import hwblocks.blocks.elementwise as elementwise
import hwblocks.blocks.exponential as exponential
import hwblocks.blocks.logic as logic
import hwblocks.blocks.scanning as scanning
from hwblocks.graph.block import Block
from hwblocks.importers.tflite_file import TfliteOperator
from hwblocks.importers.tflite_graph import Build, TfliteImporter, fused, unary


def binary(make: Callable[[], Block]) -> Build:
    def build_binary(build: TfliteImporter, op: TfliteOperator) -> None:
        attributes = {"pot_scale_int16": "1"} if op.options.get("pot_scale_int16", False) else {}
        operands = [build.input(op, 0), build.input(op, 1)]
        build.add(op, make(), operands, activation=fused(op), attributes=attributes)

    return build_binary


def prelu(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, activation.PReLU(), [build.input(op, 0), build.input(op, 1)])


def quantize(build: TfliteImporter, op: TfliteOperator) -> None:
    x = build.input(op, 0)
    build.add(op, edges.Rescale() if x.tensor.format.is_quantized else edges.Quantize(), [x])


def cast(build: TfliteImporter, op: TfliteOperator) -> None:
    to = build.output_tensor(op).type
    build.add(op, conversion.ConvertType(to), [build.input(op, 0)])


def cumsum(build: TfliteImporter, op: TfliteOperator) -> None:
    axis = int(np.ravel(build.constant(op, 1))[0])
    exclusive, reverse = (bool(op.options.get(name, False)) for name in ("exclusive", "reverse"))
    build.add(op, scanning.CumSum(axis, exclusive, reverse), [build.input(op, 0)])


def gelu(op: TfliteOperator) -> Block:
    return exponential.GELU("tanh" if op.options.get("approximate", False) else "none")


def nothing(build: TfliteImporter, op: TfliteOperator) -> None:
    build.alias(op, build.input(op, 0))


ELEMENTS: dict[str, Build] = {
    "ABS": unary(lambda op: activation.Abs()),
    "ADD": binary(elementwise.Add),
    "CAST": cast,
    "CEIL": unary(lambda op: elementary.Ceil()),
    "COS": unary(lambda op: elementary.Cos()),
    "CUMSUM": cumsum,
    "DEQUANTIZE": unary(lambda op: edges.Dequantize()),
    "DIV": binary(elementwise.Div),
    "ELU": unary(lambda op: exponential.ELU()),
    "EQUAL": binary(logic.Equal),
    "EXP": unary(lambda op: exponential.Exp()),
    "FLOOR": unary(lambda op: elementary.Floor()),
    "FLOOR_DIV": binary(elementary.FloorDiv),
    "FLOOR_MOD": binary(elementary.FloorMod),
    "GELU": unary(gelu),
    "GREATER": binary(logic.Greater),
    "GREATER_EQUAL": binary(logic.GreaterEqual),
    "HARD_SWISH": unary(lambda op: activation.HardSwish()),
    "LEAKY_RELU": unary(lambda op: activation.LeakyReLU(op.options["alpha"])),
    "LESS": binary(logic.Less),
    "LESS_EQUAL": binary(logic.LessEqual),
    "LOG": unary(lambda op: exponential.Log()),
    "LOGICAL_AND": binary(logic.LogicalAnd),
    "LOGICAL_NOT": unary(lambda op: logic.LogicalNot()),
    "LOGICAL_OR": binary(logic.LogicalOr),
    "LOGISTIC": unary(lambda op: activation.Sigmoid()),
    "MAXIMUM": binary(elementwise.Maximum),
    "MINIMUM": binary(elementwise.Minimum),
    "MUL": binary(elementwise.Mul),
    "NEG": unary(lambda op: activation.Neg()),
    "NOT_EQUAL": binary(logic.NotEqual),
    "POW": binary(elementary.Pow),
    "PRELU": prelu,
    "QUANTIZE": quantize,
    "RELU": unary(lambda op: activation.ReLU()),
    "RELU6": unary(lambda op: activation.ReLU6()),
    "RELU_N1_TO_1": unary(lambda op: activation.Clip(-1.0, 1.0)),
    "ROUND": unary(lambda op: elementary.Round()),
    "RSQRT": unary(lambda op: activation.Rsqrt()),
    "SIN": unary(lambda op: elementary.Sin()),
    "SQRT": unary(lambda op: activation.Sqrt()),
    "SQUARE": unary(lambda op: activation.Square()),
    "SQUARED_DIFFERENCE": binary(elementwise.SquaredDifference),
    "SUB": binary(elementwise.Sub),
    "TANH": unary(lambda op: activation.Tanh()),
}
