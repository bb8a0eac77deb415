"""Folding of batch normalizations into the sum of products before them.

k = weight / √(var + eps);  w' = k · w per output channel;  b' = (b − mean) · k + bias
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hwblocks.blocks.linear import Weight
from hwblocks.blocks.normalization import BatchNorm
from hwblocks.graph.block import Accumulate
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter
from hwblocks.graph.tensor import Origin
from quantize.passes.following import FLOAT64, has_bias, sole_producer, takes_bias, value_of, with_bias

Array = np.ndarray[Any, Any]


def apply(graph: Graph) -> Graph:
    """Each BatchNorm with constant parameters goes into the layer before it, which takes over its output's
    name.

    Where there is no such layer, or another node reads its output, the BatchNorm becomes a Weight(x, k, b').
    Folded constants are float64.
    """
    edit, made = Rewriter(graph), dict(graph.producer)
    for node in graph.nodes:
        if not isinstance(node.block, BatchNorm):
            continue
        parameters = [value_of(edit, node, position) for position in range(1, 5)]
        if any(p is None for p in parameters):
            continue
        factor, offset = _affine(node.block, *parameters)
        made[node.outputs[0]] = _fold(graph, edit, made, node, factor, offset)
    return edit.build()


def _affine(block: BatchNorm, weight: Any, bias: Any, mean: Any, var: Any) -> tuple[Array, Array]:
    """y = factor · x + offset."""
    factor = weight / np.sqrt(var + block.eps)
    return factor, bias - mean * factor


def _fold(graph: Graph, edit: Rewriter, made: Mapping[str, Node], node: Node, factor: Array, offset: Array) -> Node:
    before = sole_producer(graph, made, node.inputs[0])
    if before is None or not takes_bias(edit, before):
        return _as_weight(edit, node, factor, offset)
    folded = with_bias(edit, _scaled(edit, before, factor), _bias(edit, before) * factor + offset, node.outputs[0])
    folded = folded.replace(clamp=node.clamp)
    edit.replace(before, folded)
    edit.remove(node)
    return folded


def _as_weight(edit: Rewriter, node: Node, factor: Array, offset: Array) -> Node:
    w = edit.constant(f"{node.name}.weight", factor, format=FLOAT64)
    b = edit.constant(f"{node.name}.bias", offset, format=FLOAT64)
    made = node.replace(block=Weight(), inputs=(node.inputs[0], w, b))
    edit.replace(node, made)
    return made


def _bias(edit: Rewriter, node: Node) -> Array:
    value = value_of(edit, node, 2) if has_bias(node) else None
    return np.zeros(()) if value is None else value


def _scaled(edit: Rewriter, node: Node, factor: Array) -> Node:
    """The node with weights times factor; the new constant's origin holds the factor per output channel."""
    block, source = node.block, edit.tensors[node.inputs[1]]
    assert isinstance(block, Accumulate)
    assert source.value is not None
    shape = [1] * len(source.shape)
    shape[block.weight_axis(edit.tensors[node.inputs[0]].shape, source.shape)] = -1
    origin = Origin(source.origin_name, _combined(source.origin, factor))
    weights = source.value.astype(np.float64) * factor.reshape(shape)
    name = edit.constant(f"{source.name}.folded", weights, format=FLOAT64, origin=origin, layout=source.layout)
    return node.replace(inputs=(node.inputs[0], name, *node.inputs[2:]))


def _combined(origin: Origin | None, factor: Array) -> tuple[float, ...]:
    return tuple((np.asarray(origin.factor if origin else 1.0) * factor).tolist())
