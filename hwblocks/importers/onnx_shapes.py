"""ONNX operators that make or change shapes: Shape, Range, Expand, Tile, Slice, Split, CenterCropPad, EyeLike."""

from __future__ import annotations

from typing import Any

import numpy as np

import hwblocks.blocks.shape as shape
import hwblocks.blocks.slicing as slicing
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, OnnxNode, axis_in_last
from hwblocks.importers.onnx_rule import Rule
from hwblocks.importers.onnx_types import format_of_type


def standing_axes(build: Importer, node: OnnxNode) -> tuple[str, Any]:
    """The layout that is there, and where a file axis stands in it."""
    rank = len(build.shape(node.inputs[0]))
    if build.has_last(node.inputs[0]):
        return LAST, lambda axis: axis_in_last(axis, rank)
    return FILE, lambda axis: axis % max(rank, 1)


def listed(build: Importer, node: OnnxNode, position: int, attribute: str) -> list[int] | None:
    """Integers from an input (newer operator sets) or an attribute; None where neither is there."""
    if node.input(position):
        return [int(v) for v in build.constant(node.inputs[position]).ravel()]
    given = node.attribute(attribute)
    return None if given is None else [int(v) for v in np.ravel(given)]


def _expand(build: Importer, node: OnnxNode) -> None:
    target = tuple(int(s) for s in build.constant(node.inputs[1]).ravel())
    build.add(node, slicing.Expand(target), [build.value(node.inputs[0])])


def _tile(build: Importer, node: OnnxNode) -> None:
    if node.opset < 6:  # one axis, repeated
        repeats = [1] * len(build.shape(node.inputs[0]))
        repeats[int(np.ravel(build.constant(node.inputs[2]))[0])] = int(np.ravel(build.constant(node.inputs[1]))[0])
    else:
        repeats = [int(r) for r in build.constant(node.inputs[1]).ravel()]
    build.add(node, slicing.Tile(tuple(repeats)), [build.value(node.inputs[0])])


def _slice(build: Importer, node: OnnxNode) -> None:
    x = build.shape(node.inputs[0])
    starts, ends = listed(build, node, 1, "starts"), listed(build, node, 2, "ends")
    if starts is None or ends is None:
        raise GraphError("starts and ends are missing")
    axes = listed(build, node, 3, "axes")
    steps = listed(build, node, 4, "steps") or [1] * len(starts)
    layout, place = standing_axes(build, node)
    cuts = []
    for start, end, step, axis in zip(starts, ends, steps, range(len(starts)) if axes is None else axes, strict=True):
        made = range(clamped(start, x[axis], step, 0), clamped(end, x[axis], step, -1), step)
        if made == range(x[axis]):
            continue
        stop = made.stop if made and made.stop >= 0 else (None if made else made.start)
        cuts.append((made.start if made else 0, stop if made else 0, step, place(axis)))
    value = build.value(node.inputs[0], layout)
    block: Block = slicing.Slice(*(tuple(part) for part in zip(*cuts, strict=True))) if cuts else shape.Identity()
    build.add(node, block, [value], layout)


def clamped(bound: int, length: int, step: int, lowest: int) -> int:
    """A bound of a Slice counted from the start; backwards a start stays on the axis, an end may lie before it."""
    counted = bound + length if bound < 0 else bound
    return min(max(counted, 0), length) if step > 0 else min(max(counted, lowest), length - 1)


def _split(build: Importer, node: OnnxNode) -> None:
    axis = int(node.attribute("axis", 0))
    length = build.shape(node.inputs[0])[axis]
    sizes = listed(build, node, 1, "split")
    if sizes is None:
        count = int(node.attribute("num_outputs", len(node.proto.output)))
        part = -(-length // count)
        sizes = [min(part, length - i * part) for i in range(count)]
    layout, place = standing_axes(build, node)
    value = build.value(node.inputs[0], layout)
    block = slicing.Split(tuple(sizes), place(axis))
    build.add_all(node, block, [value], (value.tensor.format,) * len(sizes), layout)


def _center_crop_pad(build: Importer, node: OnnxNode) -> None:
    x = build.shape(node.inputs[0])
    target = [int(s) for s in build.constant(node.inputs[1]).ravel()]
    axes = node.attribute("axes")
    layout, place = standing_axes(build, node)
    cuts, pads = [], [(0, 0)] * len(x)
    for size, axis in zip(target, range(len(x)) if axes is None else axes, strict=True):
        spare = x[axis] - size
        if spare > 0:
            cuts.append((spare // 2, spare // 2 + size, 1, place(axis)))
        pads[place(axis)] = (max(-spare, 0) // 2, max(-spare, 0) - max(-spare, 0) // 2)
    value = build.value(node.inputs[0], layout)
    if cuts:
        cut = slicing.Slice(*(tuple(part) for part in zip(*cuts, strict=True)))
        value = build.add(node, cut, [value], layout, part="cut")
    build.add(node, shape.Pad(tuple(pads)), [value], layout)


def _shape(build: Importer, node: OnnxNode) -> None:
    sizes = np.array(build.shape(node.inputs[0]), dtype=np.int64)
    build.constants[node.outputs[0]] = sizes[node.attribute("start", 0) : node.attribute("end", len(sizes))]


def _size(build: Importer, node: OnnxNode) -> None:
    build.constants[node.outputs[0]] = np.array(np.prod(build.shape(node.inputs[0]), dtype=np.int64))


def _eye_like(build: Importer, node: OnnxNode) -> None:
    x = build.shape(node.inputs[0])
    if len(x) != 2:
        raise GraphError(f"EyeLike needs a matrix, the input has shape {x}")
    kind = node.attribute("dtype")
    format = format_of_type(kind, "the attribute dtype") if kind else build.value(node.inputs[0]).tensor.format
    build.constants[node.outputs[0]] = np.eye(*x, k=int(node.attribute("k", 0)), dtype=format.dtype)


def _of_constants(build: Importer, node: OnnxNode) -> None:
    """An operator that is evaluated, so that all its inputs must be constants."""
    for name in node.inputs:
        if name:
            build.constant(name)


EVALUATED = ("BlackmanWindow", "ConstantOfShape", "HammingWindow", "HannWindow", "MelWeightMatrix", "Range")
RULES: dict[str, Rule] = {
    **{name: Rule(_of_constants) for name in EVALUATED},
    "CenterCropPad": Rule(_center_crop_pad),
    "Expand": Rule(_expand),
    "EyeLike": Rule(_eye_like),
    "Shape": Rule(_shape),
    "Size": Rule(_size),
    "Slice": Rule(_slice),
    "Split": Rule(_split),
    "Tile": Rule(_tile),
}
