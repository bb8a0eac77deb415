"""ONNX comparisons, logic, bits and conversions of types."""

from __future__ import annotations

import hwblocks.blocks.bits as bits
import hwblocks.blocks.conversion as conversion
import hwblocks.blocks.logic as logic
from hwblocks.graph.block import Block
from hwblocks.importers.onnx_elements import binary
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, OnnxNode
from hwblocks.importers.onnx_rule import Build, Rule
from hwblocks.importers.onnx_types import BOOL, format_of_array, format_of_type
from hwblocks.numerics.formats import Format


def single(build: Importer, node: OnnxNode, block: Block, *types: Format) -> None:
    """An element-wise operator of one tensor whose output has a type of its own."""
    layout = LAST if build.has_last(node.inputs[0]) else FILE
    build.add(node, block, [build.value(node.inputs[0], layout)], layout, types=types)


def _not(build: Importer, node: OnnxNode) -> None:
    single(build, node, logic.LogicalNot(), BOOL)


def _is_nan(build: Importer, node: OnnxNode) -> None:
    single(build, node, logic.IsNaN(), BOOL)


def _is_inf(build: Importer, node: OnnxNode) -> None:
    signs = (bool(node.attribute(f"detect_{sign}", 1)) for sign in ("negative", "positive"))
    single(build, node, logic.IsInf(*signs), BOOL)


def _bitwise_not(build: Importer, node: OnnxNode) -> None:
    single(build, node, bits.BitwiseNot())


def _bit_shift(build: Importer, node: OnnxNode) -> None:
    direction = str(node.attribute("direction", "LEFT")).lower()
    a, b = (build.value(name) for name in node.inputs)
    build.add(node, bits.BitShift(direction), [a, b])


def convert(build: Importer, node: OnnxNode, to: Format) -> None:
    """The numbers of the first input in another type."""
    single(build, node, conversion.ConvertType(to.name if to.kind == "raw" else to.dtype.name), to)


def stated_type(node: OnnxNode) -> Format:
    """The type that the attribute `to` names: a number, or its name in operator sets below 6."""
    to = node.attribute("to")
    if isinstance(to, str):
        from onnx import TensorProto

        to = TensorProto.DataType.Value(to.upper())
    return format_of_type(int(to), "the attribute to")


def _cast(build: Importer, node: OnnxNode) -> None:
    convert(build, node, stated_type(node))


def _cast_like(build: Importer, node: OnnxNode) -> None:
    like = node.inputs[1]
    to = format_of_array(build.constant(like)) if build.is_constant(like) else build.value(like).tensor.format
    convert(build, node, to)


def _bit_cast(build: Importer, node: OnnxNode) -> None:
    to = stated_type(node)
    single(build, node, conversion.BitCast(to.dtype.name), to)


def truth(cls: type[Block]) -> Build:
    """A comparison, or logic of two operands."""
    return binary(cls, BOOL)


RULES: dict[str, Rule] = {
    "And": Rule(truth(logic.LogicalAnd)),
    "BitCast": Rule(_bit_cast),
    "BitShift": Rule(_bit_shift),
    "BitwiseAnd": Rule(binary(bits.BitwiseAnd)),
    "BitwiseNot": Rule(_bitwise_not),
    "BitwiseOr": Rule(binary(bits.BitwiseOr)),
    "BitwiseXor": Rule(binary(bits.BitwiseXor)),
    "Cast": Rule(_cast),
    "CastLike": Rule(_cast_like),
    "Equal": Rule(truth(logic.Equal)),
    "Greater": Rule(truth(logic.Greater)),
    "GreaterOrEqual": Rule(truth(logic.GreaterEqual)),
    "IsInf": Rule(_is_inf),
    "IsNaN": Rule(_is_nan),
    "Less": Rule(truth(logic.Less)),
    "LessOrEqual": Rule(truth(logic.LessEqual)),
    "Not": Rule(_not),
    "Or": Rule(truth(logic.LogicalOr)),
    "Xor": Rule(truth(logic.LogicalXor)),
}
