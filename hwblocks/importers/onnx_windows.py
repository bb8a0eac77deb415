"""ONNX poolings over windows and over all spatial axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import hwblocks.blocks.folding as folding
import hwblocks.blocks.lp_pooling as lp_pooling
import hwblocks.blocks.max_pooling as max_pooling
import hwblocks.blocks.pooling as pooling
import hwblocks.blocks.shape as shape
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.importers.onnx_graph import LAST, Importer, OnnxNode
from hwblocks.importers.onnx_rule import Build, Rule, spatial
from hwblocks.numerics.formats import Format

INT64 = Format(kind="raw", bits=64)
Make = Callable[..., Block]


def by_axes(*classes: Make) -> Callable[[int], Make]:
    """The class that pools over so many axes. Errors: GraphError for other numbers of axes."""

    def chosen(axes: int) -> Make:
        if not 1 <= axes <= len(classes):
            raise GraphError(f"poolings over {axes} axes are not supported; 1 to {len(classes)} are")
        return classes[axes - 1]

    return chosen


MAX = by_axes(max_pooling.MaxPool1d, max_pooling.MaxPool2d, max_pooling.MaxPool3d)
AVERAGE = by_axes(pooling.AvgPool1d, pooling.AvgPool2d, pooling.AvgPool3d)
POWER = by_axes(lp_pooling.LpPool1d, lp_pooling.LpPool2d, lp_pooling.LpPool3d)


def windowed(build: Importer, node: OnnxNode) -> tuple[int, dict[str, Any]]:
    """(number of axes, what all poolings over windows take)."""
    x, kernel = build.shape(node.inputs[0]), tuple(node.attribute("kernel_shape"))
    stride, padding, dilation = spatial(node, x, kernel)
    return len(x) - 2, {
        "kernel_size": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "ceil_mode": bool(node.attribute("ceil_mode", 0)),
    }


def _max_pool(build: Importer, node: OnnxNode) -> None:
    axes, numbers = windowed(build, node)
    value = build.value(node.inputs[0], LAST)
    if len(node.outputs) < 2 or not node.outputs[1]:
        build.add(node, MAX(axes)(**numbers), [value], LAST)
        return
    order = "column" if node.attribute("storage_order", 0) else "row"
    block = max_pooling.MaxPoolWithIndices(**numbers, space="tensor", order=order)
    build.add_all(node, block, [value], (value.tensor.format, INT64), LAST)


def _average_pool(build: Importer, node: OnnxNode) -> None:
    axes, numbers = windowed(build, node)
    block = AVERAGE(axes)(**numbers, count_include_pad=bool(node.attribute("count_include_pad", 0)))
    build.add(node, block, [build.value(node.inputs[0], LAST)], LAST)


def _lp_pool(build: Importer, node: OnnxNode) -> None:
    axes, numbers = windowed(build, node)
    block = POWER(axes)(**numbers, p=int(node.attribute("p", 2)))
    build.add(node, block, [build.value(node.inputs[0], LAST)], LAST)


def refuse_pool(node: OnnxNode) -> str:
    """Why a pooling is refused: three axes at most, p a whole number."""
    if len(node.attribute("kernel_shape") or ()) > 3:
        return "over more than 3 axes"
    power = node.attribute("p", 2)
    return "" if float(power) == int(power) >= 1 else f"p={power}"


def _max_unpool(build: Importer, node: OnnxNode) -> None:
    numbers = windowed(build, node)[1]
    size = tuple(int(n) for n in np.ravel(build.constant(node.inputs[2]))[2:]) if node.input(2) else None
    block = max_pooling.MaxUnpool(numbers["kernel_size"], numbers["stride"], numbers["padding"], size)
    name = node.inputs[1]
    if build.is_constant(name):
        array = np.moveaxis(build.constant(name).astype(np.int64), 1, -1)
        places = build.builder.constant(name, np.ascontiguousarray(array), INT64)
    else:
        places = build.value(name, LAST)
    build.add(node, block, [build.value(node.inputs[0], LAST), places], LAST)


def _column_to_image(build: Importer, node: OnnxNode) -> None:
    """Columns [N, C · taps, L] as rows [N, L, taps · C], folded."""
    size, kernel = (tuple(int(n) for n in np.ravel(build.constant(name))) for name in node.inputs[1:3])
    axes, taps, (n, depth, length) = len(size), int(np.prod(kernel)), build.shape(node.inputs[0])
    pads = tuple(node.attribute("pads") or (0,) * 2 * axes)
    block = folding.Fold(
        kernel,
        tuple(node.attribute("strides") or (1,) * axes),
        tuple(zip(pads[:axes], pads[axes:], strict=True)),
        tuple(node.attribute("dilations") or (1,) * axes),
        size,
    )
    parts = build.add(
        node, shape.Reshape((n, depth // taps, taps, length)), [build.value(node.inputs[0])], part="parts"
    )
    turned = build.add(node, shape.Transpose((0, 3, 2, 1)), [parts], part="turned")
    rows = build.add(node, shape.Reshape((n, length, depth)), [turned], part="rows")
    build.add(node, block, [rows], LAST)


def whole(make: Callable[[OnnxNode], Block]) -> Build:
    """A pooling over all spatial axes."""

    def build_whole(build: Importer, node: OnnxNode) -> None:
        build.add(node, make(node), [build.value(node.inputs[0], LAST)], LAST)

    return build_whole


RULES: dict[str, Rule] = {
    "AveragePool": Rule(_average_pool, refuse_pool),
    "Col2Im": Rule(_column_to_image),
    "GlobalAveragePool": Rule(whole(lambda node: pooling.GlobalAvgPool())),
    "GlobalLpPool": Rule(whole(lambda node: lp_pooling.GlobalLpPool(int(node.attribute("p", 2)))), refuse_pool),
    "GlobalMaxPool": Rule(whole(lambda node: max_pooling.GlobalMaxPool())),
    "LpPool": Rule(_lp_pool, refuse_pool),
    "MaxPool": Rule(_max_pool, refuse_pool),
    "MaxUnpool": Rule(_max_unpool),
}
