"""ONNX reductions, softmax and normalizations."""

from __future__ import annotations

import hwblocks.blocks.pooling as pooling
import hwblocks.blocks.shape as shape
import hwblocks.blocks.softmax as softmax
from hwblocks.errors import GraphError
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, OnnxNode, axis_in_last
from hwblocks.importers.onnx_rule import Rule, given_axes


def _reduce_mean(build: Importer, node: OnnxNode) -> None:
    rank = len(build.shape(node.inputs[0]))
    given = given_axes(build, node)
    axes = sorted(a % rank for a in (given if given is not None else range(rank)))
    if rank < 3 or axes != list(range(2, rank)):
        raise GraphError(f"ReduceMean over axes {axes} of {rank}: only all spatial axes are supported")
    if node.attribute("keepdims", 1):
        build.add(node, pooling.GlobalAvgPool(), [build.value(node.inputs[0], LAST)], LAST)
        return
    pooled = build.add(node, pooling.GlobalAvgPool(), [build.value(node.inputs[0], LAST)], LAST, part="pooled")
    build.add(node, shape.Squeeze(tuple(range(1, rank - 1))), [pooled])


def _softmax(build: Importer, node: OnnxNode) -> None:
    x = build.shape(node.inputs[0])
    if node.opset >= 13:
        axis = int(node.attribute("axis", -1)) % len(x)
        layout = LAST if build.has_last(node.inputs[0]) else FILE
        dim = axis_in_last(axis, len(x)) if layout == LAST else axis
        build.add(node, softmax.Softmax(dim), [build.value(node.inputs[0], layout)], layout)
        return
    axis = int(node.attribute("axis", 1)) % len(x)
    value = build.value(node.inputs[0])
    if axis == len(x) - 1:
        build.add(node, softmax.Softmax(-1), [value])
        return
    flat = build.add(node, shape.Flatten(axis), [value], part="flat")
    done = build.add(node, softmax.Softmax(-1), [flat], part="softmax")
    build.add(node, shape.Reshape((0, *x[1:])), [done])


RULES: dict[str, Rule] = {
    "ReduceMean": Rule(_reduce_mean),
    "Softmax": Rule(_softmax),
}
