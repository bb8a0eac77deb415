"""Following: which sum of products a later node may be folded into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hwblocks.graph.block import Accumulate
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter
from hwblocks.numerics.formats import Format

Array = np.ndarray[Any, Any]

FLOAT64 = Format("float64")  # of folded constants, so that they are rounded once only, by the quantizer
WEIGHTED = ("activation", "weight", "bias")


def sole_producer(graph: Graph, made: Mapping[str, Node], name: str) -> Node | None:
    """The node that makes a tensor which exactly one node reads and which is no output of the graph."""
    if len(graph.consumers.get(name, ())) != 1 or name in graph.outputs:
        return None
    return made.get(name)


def takes_bias(edit: Rewriter, node: Node | None) -> bool:
    """True for a sum of products with constant weights, a constant bias or none, and no fused clamp."""
    if node is None or node.clamp is not None or not isinstance(node.block, Accumulate):
        return False
    if tuple(node.block.quant.inputs) != WEIGHTED:
        return False
    return value_of(edit, node, 1) is not None and (not has_bias(node) or value_of(edit, node, 2) is not None)


def has_bias(node: Node) -> bool:
    """True when the optional bias is there."""
    return len(node.inputs) > 2 and bool(node.inputs[2])


def value_of(edit: Rewriter, node: Node, position: int) -> Array | None:
    """The constant at an input, in float64."""
    value = edit.tensors[node.inputs[position]].value
    return None if value is None else value.astype(np.float64)


def with_bias(edit: Rewriter, node: Node, bias: Array, output: str) -> Node:
    """The node with another bias, making the tensor `output`."""
    stem = f"{node.inputs[2]}.folded" if has_bias(node) else f"{node.name}.bias"
    name = edit.constant(stem, bias, format=FLOAT64)
    return node.replace(inputs=(*node.inputs[:2], name), outputs=(output,))
