"""ONNX operators that move elements: reshape, transpose, pad, concatenate."""

from __future__ import annotations

import numpy as np

import hwblocks.blocks.shape as shape
import hwblocks.blocks.slicing as slicing
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, OnnxNode, axis_in_last, last_axes
from hwblocks.importers.onnx_rule import Rule, given_axes


def _reshape(build: Importer, node: OnnxNode) -> None:
    x = build.shape(node.inputs[0])
    target = node.attribute("shape") if node.opset < 5 else build.constant(node.inputs[1]).tolist()
    block = shape.Reshape(tuple(target), bool(node.attribute("allowzero", 0)))
    (made,) = block.shape(x)
    if len(x) > 1 and len(made) > 1 and x[0] == made[0] == 1:
        block = shape.Reshape((0, *made[1:])) if 0 not in made else block
    elif 0 not in made:
        block = shape.Reshape(made)
    build.add(node, block, [build.value(node.inputs[0])])


def _flatten(build: Importer, node: OnnxNode) -> None:
    x = build.shape(node.inputs[0])
    axis = int(node.attribute("axis", 1))
    axis = axis + len(x) if axis < 0 else axis
    value = build.value(node.inputs[0])
    if axis == 1:
        build.add(node, shape.Flatten(1), [value])
        return
    rows = int(np.prod(x[:axis], dtype=np.int64))
    build.add(node, shape.Reshape((rows, -1)), [value])


def _squeeze(build: Importer, node: OnnxNode) -> None:
    x = build.shape(node.inputs[0])
    axes = given_axes(build, node)
    if axes is None:
        axes = tuple(i for i, size in enumerate(x) if size == 1)
    build.add(node, shape.Squeeze(axes), [build.value(node.inputs[0])])


def _unsqueeze(build: Importer, node: OnnxNode) -> None:
    build.add(node, shape.Unsqueeze(given_axes(build, node)), [build.value(node.inputs[0])])


def _transpose(build: Importer, node: OnnxNode) -> None:
    name = node.inputs[0]
    rank = len(build.shape(name))
    perm = tuple(node.attribute("perm") or reversed(range(rank)))
    if not build.has_last(name):
        build.add(node, shape.Transpose(perm), [build.value(name)])
        return
    composed = tuple(axis_in_last(axis, rank) for axis in perm)
    value = build.value(name, LAST)
    if composed == tuple(range(rank)):
        build.alias(node, value)
        return
    build.add(node, shape.Transpose(composed), [value])


def _pad(build: Importer, node: OnnxNode) -> None:
    name = node.inputs[0]
    rank = len(build.shape(name))
    attribute = node.attribute("pads") or node.attribute("paddings")
    flat = list(attribute) if attribute is not None else build.constant(node.inputs[1]).ravel().tolist()
    value = float(build.constant(node.inputs[2])) if node.input(2) else float(node.attribute("value", 0.0))
    axes = list(range(rank))
    if node.input(3):
        axes = [int(a) % rank for a in build.constant(node.inputs[3]).ravel()]
    pairs = [(0, 0)] * rank
    for axis, before, after in zip(axes, flat[: len(axes)], flat[len(axes) :], strict=True):
        pairs[axis] = (int(before), int(after))
    layout = LAST if build.has_last(name) else FILE
    if layout == LAST:
        pairs = [pairs[a] for a in last_axes(rank)]
    build.add(
        node, pad_block(tuple(pairs), value, node.attribute("mode", "constant")), [build.value(name, layout)], layout
    )


def pad_block(pairs: tuple[tuple[int, int], ...], value: float, mode: str) -> Block:
    """The block of a padding mode. Errors: GraphError for elements taken away in a mode that adds others."""
    if mode == "constant":
        return shape.Pad(pairs, value)
    if min(min(pair) for pair in pairs) < 0:
        raise GraphError(f"pads {pairs} take elements away in mode {mode!r}; only mode 'constant' does")
    return slicing.MirrorPad(pairs, mode)


def _refuse_pad(node: OnnxNode) -> str:
    mode = node.attribute("mode", "constant")
    return "" if mode in ("constant", "reflect", "edge", "wrap") else f"mode={mode}"


def _concat(build: Importer, node: OnnxNode) -> None:
    rank = len(build.shape(node.inputs[0]))
    axis = int(node.attribute("axis", 1)) % rank
    running = [n for n in node.inputs if not build.is_constant(n)]
    layout = LAST if rank > 2 and all(build.has_last(n) for n in running) and len(running) == len(node.inputs) else FILE
    dim = axis_in_last(axis, rank) if layout == LAST else axis
    build.add(node, shape.Concat(dim), [build.value(n, layout) for n in node.inputs], layout)


def _depth_to_space(build: Importer, node: OnnxNode) -> None:
    block = slicing.DepthToSpace(int(node.attribute("blocksize")), node.attribute("mode", "DCR"))
    build.add(node, block, [build.value(node.inputs[0], LAST)], LAST)


def _space_to_depth(build: Importer, node: OnnxNode) -> None:
    block = slicing.SpaceToDepth(int(node.attribute("blocksize")), node.attribute("mode", "DCR"))
    build.add(node, block, [build.value(node.inputs[0], LAST)], LAST)


RULES: dict[str, Rule] = {
    "Concat": Rule(_concat),
    "DepthToSpace": Rule(_depth_to_space),
    "Flatten": Rule(_flatten),
    "Pad": Rule(_pad, _refuse_pad),
    "Reshape": Rule(_reshape),
    "SpaceToDepth": Rule(_space_to_depth),
    "Squeeze": Rule(_squeeze),
    "Transpose": Rule(_transpose),
    "Unsqueeze": Rule(_unsqueeze),
}
