"""QuantizeLinear and DequantizeLinear with one scale for each block of an axis, in the standard's own steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

import hwblocks.blocks.activation as activation
import hwblocks.blocks.conversion as conversion
import hwblocks.blocks.elementary as elementary
import hwblocks.blocks.elementwise as elementwise
from hwblocks.errors import GraphError
from hwblocks.graph.builder import Value
from hwblocks.importers.onnx_graph import Importer, OnnxNode, as_stored
from hwblocks.importers.onnx_rule import Build
from hwblocks.importers.onnx_types import as_codes, format_of_array, format_of_type
from hwblocks.numerics.formats import Format

MOST_BITS = 16  # codes and their differences are exact floats


def by_blocks(whole: Build, blocks: Build) -> Build:
    """One rule for scales of tensors and channels, another where the node states a block size."""

    def build_either(build: Importer, node: OnnxNode) -> None:
        (blocks if node.attribute("block_size", 0) else whole)(build, node)

    return build_either


def check_blocks(build: Importer, node: OnnxNode) -> None:
    """Errors: GraphError where scale or zero point have not one entry for each block."""
    shape = build.shape(node.inputs[0])
    axis, block = int(node.attribute("axis", 1)) % len(shape), int(node.attribute("block_size"))
    wanted = (*shape[:axis], -(-shape[axis] // block), *shape[axis + 1 :])
    for name in node.inputs[1:3]:
        if name and build.shape(name) != wanted:
            raise GraphError(
                f"{name!r} has shape {build.shape(name)}; blocks of {block} along axis {axis} need {wanted}"
            )


def expanded(build: Importer, node: OnnxNode, position: int, kind: Any) -> Value:
    """A scale or zero point for every element: each entry repeated along the axis, as often as a block has elements."""
    shape, name = build.shape(node.inputs[0]), node.inputs[position]
    axis, block = int(node.attribute("axis", 1)) % len(shape), int(node.attribute("block_size"))
    repeated = np.repeat(as_codes(build.constant(name)), block, axis=axis)
    every = np.take(repeated, np.arange(shape[axis]), axis=axis).astype(kind)
    return build.builder.constant(f"{name}.blocks", *as_stored(np.ascontiguousarray(every)))


def checked(format: Format, what: str) -> Format:
    """The format of codes. Errors: GraphError for more bits than a float holds exactly."""
    if format.is_float or format.bits > MOST_BITS:
        raise GraphError(f"blocked {what} of {format.name}; integers of at most {MOST_BITS} bits are supported")
    return format


def dequantize_blocks(build: Importer, node: OnnxNode) -> None:
    """y = (x − zero point) · scale."""
    check_blocks(build, node)
    made = format_of_array(build.constant(node.inputs[1]))
    x = build.value(node.inputs[0])
    checked(x.tensor.format, "dequantization")
    value = build.add(node, conversion.ConvertType(made.name), [x], part="codes", types=(made,))
    if node.input(2):
        value = build.add(node, elementwise.Sub(), [value, expanded(build, node, 2, made.dtype)], part="centred")
    build.add(node, elementwise.Mul(), [value, expanded(build, node, 1, made.dtype)])


def quantize_blocks(build: Importer, node: OnnxNode) -> None:
    """y = saturate(half_even(x / scale) + zero point)."""
    check_blocks(build, node)
    stated = int(node.attribute("output_dtype", 0)) or onnx.TensorProto.UINT8
    made = format_of_array(build.constant(node.inputs[2])) if node.input(2) else format_of_type(stated, "the output")
    checked(made, "quantization")
    x = build.value(node.inputs[0])
    kind = x.tensor.format.dtype
    value = build.add(node, elementwise.Div(), [x, expanded(build, node, 1, kind)], part="scaled")
    value = build.add(node, elementary.Round(), [value], part="whole")
    if node.input(2):
        value = build.add(node, elementwise.Add(), [value, expanded(build, node, 2, kind)], part="moved")
    value = build.add(node, activation.Clip(float(made.lo), float(made.hi)), [value], part="limited")
    build.add(node, conversion.ConvertType(made.name), [value], types=(made,))
