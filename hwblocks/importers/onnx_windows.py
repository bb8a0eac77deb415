"""ONNX poolings and resizing."""

from __future__ import annotations

from typing import Any

import hwblocks.blocks.pooling as pooling
from hwblocks.errors import GraphError
from hwblocks.importers.onnx_graph import LAST, Importer, OnnxNode
from hwblocks.importers.onnx_rule import Build, Rule, spatial


def _pool(one: type[Any], two: type[Any], average: bool) -> Build:
    def build_pool(build: Importer, node: OnnxNode) -> None:
        x, kernel = build.shape(node.inputs[0]), tuple(node.attribute("kernel_shape"))
        stride, padding, dilation = spatial(node, x, kernel)
        more: dict[str, Any] = {"count_include_pad": bool(node.attribute("count_include_pad", 0))}
        if not average:
            more = {"dilation": dilation}
        cls = {3: one, 4: two}.get(len(x))
        if cls is None:
            raise GraphError(f"poolings over {len(x) - 2} axes are not supported")
        block = cls(kernel, stride=stride, padding=padding, ceil_mode=bool(node.attribute("ceil_mode", 0)), **more)
        build.add(node, block, [build.value(node.inputs[0], LAST)], LAST)

    return build_pool


def refuse_pool(node: OnnxNode) -> str:
    if len(node.attribute("kernel_shape") or ()) > 2:
        return "over 3 axes"
    if len([o for o in node.outputs if o]) > 1:
        return "with indices"
    if node.op == "AveragePool" and any(d != 1 for d in node.attribute("dilations") or ()):
        return "with dilation"
    return ""


def _global_average(build: Importer, node: OnnxNode) -> None:
    build.add(node, pooling.GlobalAvgPool(), [build.value(node.inputs[0], LAST)], LAST)


RULES: dict[str, Rule] = {
    "AveragePool": Rule(_pool(pooling.AvgPool1d, pooling.AvgPool2d, True), refuse_pool),
    "GlobalAveragePool": Rule(_global_average),
    "MaxPool": Rule(_pool(pooling.MaxPool1d, pooling.MaxPool2d, False), refuse_pool),
}
