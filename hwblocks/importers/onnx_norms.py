"""ONNX normalizations and the softmax family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import hwblocks.blocks.activation as activation
import hwblocks.blocks.elementwise as elementwise
import hwblocks.blocks.feature_norm as feature_norm
import hwblocks.blocks.hardmax as hardmax
import hwblocks.blocks.local_response as local_response
import hwblocks.blocks.reduction as reduction
import hwblocks.blocks.shape as shape
import hwblocks.blocks.softmax as softmax
from hwblocks.graph.block import Block
from hwblocks.graph.builder import Value
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, OnnxNode, axis_in_last
from hwblocks.importers.onnx_rule import Build, Rule


def softmax_family(make: Callable[[int], Block]) -> Build:
    """One axis from opset 13; all axes from `axis` on as one before it."""

    def build_softmax(build: Importer, node: OnnxNode) -> None:
        x = build.shape(node.inputs[0])
        if node.opset >= 13:
            axis = int(node.attribute("axis", -1)) % len(x)
            layout = LAST if build.has_last(node.inputs[0]) else FILE
            dim = axis_in_last(axis, len(x)) if layout == LAST else axis
            build.add(node, make(dim), [build.value(node.inputs[0], layout)], layout)
            return
        axis = int(node.attribute("axis", 1)) % len(x)
        value = build.value(node.inputs[0])
        if axis == len(x) - 1:
            build.add(node, make(-1), [value])
            return
        flat = build.add(node, shape.Flatten(axis), [value], part="flat")
        done = build.add(node, make(-1), [flat], part=type(make(-1)).__name__.lower())
        build.add(node, shape.Reshape((0, *x[1:]) if axis else x), [done])

    return build_softmax


def parameters(build: Importer, node: OnnxNode, *positions: int) -> list[Value | None]:
    """Scale and offset, None where absent."""
    return [build.value(node.input(i)) if node.input(i) else None for i in positions]


def _layer_norm(build: Importer, node: OnnxNode) -> None:
    x = build.value(node.inputs[0])
    rank = len(x.shape)
    dims, eps = rank - int(node.attribute("axis", -1)) % rank, float(node.attribute("epsilon", 1e-5))
    build.add(node, feature_norm.LayerNorm(dims, eps=eps), [x, *parameters(build, node, 1, 2)])
    _statistics(build, node, x, tuple(range(rank - dims, rank)), eps)


def _statistics(build: Importer, node: OnnxNode, x: Value, axes: tuple[int, ...], eps: float) -> None:
    """The optional outputs of LayerNormalization: mean and 1 / √(variance + eps)."""
    names = (*node.outputs, "", "")[1:3]
    if not any(names):
        return
    mean_block = reduction.ReduceMean(axes)
    of_mean = replace(node, outputs=(names[0] or f"{node.name}.mean",), name=f"{node.name}.mean")
    mean = build.add(of_mean, mean_block, [x])
    if not names[1]:
        return
    of_deviation = replace(node, outputs=(names[1],), name=f"{node.name}.inverse_deviation")
    distance = build.add(of_deviation, elementwise.Sub(), [x, mean], part="centred")
    square = build.add(of_deviation, activation.Square(), [distance], part="squared")
    variance = build.add(of_deviation, mean_block, [square], part="variance")
    offset = build.builder.constant(f"{node.name}.epsilon", np.float32(eps))
    above = build.add(of_deviation, elementwise.Add(), [variance, offset], part="above")
    build.add(of_deviation, activation.Rsqrt(), [above])


def _rms_norm(build: Importer, node: OnnxNode) -> None:
    x = build.value(node.inputs[0])
    dims = len(x.shape) - int(node.attribute("axis", -1)) % len(x.shape)
    block = feature_norm.RMSNorm(dims, eps=float(node.attribute("epsilon", 1e-5)))
    build.add(node, block, [x, *parameters(build, node, 1)])


def _group_norm(build: Importer, node: OnnxNode) -> None:
    x, groups = build.value(node.inputs[0], LAST), int(node.attribute("num_groups"))
    scales = parameters(build, node, 1, 2)
    if node.opset < 21:  # one entry for each group
        channels = x.shape[-1]
        scales = [
            build.builder.constant(name, np.repeat(build.constant(name), channels // groups).astype(np.float32))
            for name in node.inputs[1:3]
        ]
    block = feature_norm.GroupNorm(groups, eps=float(node.attribute("epsilon", 1e-5)))
    build.add(node, block, [x, *scales], LAST)


def _instance_norm(build: Importer, node: OnnxNode) -> None:
    block = feature_norm.InstanceNorm(eps=float(node.attribute("epsilon", 1e-5)))
    build.add(node, block, [build.value(node.inputs[0], LAST), *parameters(build, node, 1, 2)], LAST)


def _lp_norm(build: Importer, node: OnnxNode) -> None:
    axis = int(node.attribute("axis", -1)) % len(build.shape(node.inputs[0]))
    build.add(node, feature_norm.LpNorm(int(node.attribute("p", 2)), axis), [build.value(node.inputs[0])])


def _mean_variance(build: Importer, node: OnnxNode) -> None:
    axes: Any = tuple(int(a) for a in node.attribute("axes", (0, 2, 3)))
    build.add(node, feature_norm.MeanVarianceNorm(axes), [build.value(node.inputs[0])])


def _local_response(build: Importer, node: OnnxNode) -> None:
    numbers = (float(node.attribute(name, value)) for name, value in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    block = local_response.LocalResponseNorm(int(node.attribute("size")), *numbers)
    build.add(node, block, [build.value(node.inputs[0], LAST)], LAST)


RULES: dict[str, Rule] = {
    "GroupNormalization": Rule(_group_norm),
    "Hardmax": Rule(softmax_family(hardmax.Hardmax)),
    "InstanceNormalization": Rule(_instance_norm),
    "LRN": Rule(_local_response),
    "LayerNormalization": Rule(_layer_norm),
    "LogSoftmax": Rule(softmax_family(softmax.LogSoftmax)),
    "LpNormalization": Rule(_lp_norm),
    "MeanVarianceNormalization": Rule(_mean_variance),
    "RMSNormalization": Rule(_rms_norm),
    "Softmax": Rule(softmax_family(softmax.Softmax)),
}
