"""ONNX reductions over axes."""

from __future__ import annotations

from typing import Any

import hwblocks.blocks.pooling as pooling
import hwblocks.blocks.reduction as reduction
import hwblocks.blocks.reduction_norms as reduction_norms
import hwblocks.blocks.shape as shape
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, OnnxNode, axis_in_last
from hwblocks.importers.onnx_rule import Build, Rule, given_axes


def reduced_axes(build: Importer, node: OnnxNode) -> tuple[int, ...]:
    """The axes in the file's order: all of them where none is given, unless noop_with_empty_axes says none."""
    rank, given = len(build.shape(node.inputs[0])), given_axes(build, node)
    if given:
        return tuple(sorted({a % rank for a in given}))
    return () if node.attribute("noop_with_empty_axes", 0) else tuple(range(rank))


def reduce(make: type[Any]) -> Build:
    """A reduction; the layout that is there passes through where the reduced axes stay."""

    def build_reduce(build: Importer, node: OnnxNode) -> None:
        name, axes, keep = node.inputs[0], reduced_axes(build, node), bool(node.attribute("keepdims", 1))
        rank = len(build.shape(name))
        layout = LAST if build.has_last(name) and keep else FILE
        dims = tuple(sorted(axis_in_last(a, rank) for a in axes)) if layout == LAST else axes
        build.add(node, make(dims, keep), [build.value(name, layout)], layout)

    return build_reduce


def _reduce_mean(build: Importer, node: OnnxNode) -> None:
    """A mean over all spatial axes is a global average pooling, which has a kernel; others are reductions."""
    rank = len(build.shape(node.inputs[0]))
    if rank < 3 or reduced_axes(build, node) != tuple(range(2, rank)):
        reduce(reduction.ReduceMean)(build, node)
        return
    if node.attribute("keepdims", 1):
        build.add(node, pooling.GlobalAvgPool(), [build.value(node.inputs[0], LAST)], LAST)
        return
    pooled = build.add(node, pooling.GlobalAvgPool(), [build.value(node.inputs[0], LAST)], LAST, part="pooled")
    build.add(node, shape.Squeeze(tuple(range(1, rank - 1))), [pooled])


RULES: dict[str, Rule] = {
    "ReduceL1": Rule(reduce(reduction_norms.ReduceL1)),
    "ReduceL2": Rule(reduce(reduction_norms.ReduceL2)),
    "ReduceLogSum": Rule(reduce(reduction_norms.ReduceLogSum)),
    "ReduceLogSumExp": Rule(reduce(reduction_norms.ReduceLogSumExp)),
    "ReduceMax": Rule(reduce(reduction.ReduceMax)),
    "ReduceMean": Rule(_reduce_mean),
    "ReduceMin": Rule(reduce(reduction.ReduceMin)),
    "ReduceProd": Rule(reduce(reduction.ReduceProd)),
    "ReduceSum": Rule(reduce(reduction.ReduceSum)),
    "ReduceSumSquare": Rule(reduce(reduction_norms.ReduceSumSquare)),
}
