"""Fusing of additions of a constant per channel into the bias of the sum of products before them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hwblocks.blocks.elementwise import Add, Sub
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter
from quantize.passes.following import has_bias, sole_producer, takes_bias, value_of, with_bias

Array = np.ndarray[Any, Any]


def apply(graph: Graph) -> Graph:
    """y + c and y − c with a constant c along the last axis become the bias of the layer that makes y.

    The layer takes over the sum's name. The new bias is float64.
    """
    edit, made = Rewriter(graph), dict(graph.producer)
    for node in graph.nodes:
        fused = _fused(graph, edit, made, node) if isinstance(node.block, (Add, Sub)) else None
        if fused is not None:
            made[fused.outputs[0]] = fused
    return edit.build()


def _fused(graph: Graph, edit: Rewriter, made: Mapping[str, Node], node: Node) -> Node | None:
    position = 1 if isinstance(node.block, Sub) else int(graph.tensors[node.inputs[1]].is_constant)
    constant, shape = value_of(edit, node, position), graph.tensors[node.outputs[0]].shape
    name = node.inputs[1 - position]
    before = sole_producer(graph, made, name)
    if constant is None or before is None or graph.tensors[name].shape != shape or node.clamp is not None:
        return None
    if not takes_bias(edit, before) or not _is_per_channel(constant.shape, shape):
        return None
    addend = np.broadcast_to(constant.ravel(), shape[-1:]) * (-1 if isinstance(node.block, Sub) else 1)
    old = value_of(edit, before, 2) if has_bias(before) else None
    fused = with_bias(edit, before, addend if old is None else old + addend, node.outputs[0])
    edit.replace(before, fused)
    edit.remove(node)
    return fused


def _is_per_channel(constant: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """True when a constant varies along the last axis only."""
    return all(size == 1 for size in constant[:-1]) and (not constant or constant[-1] in (1, shape[-1]))
