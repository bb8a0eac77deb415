"""Fusing of activations that only clamp (ReLU, ReLU6, Clip) into the node before them."""

from __future__ import annotations

import numpy as np

from hwblocks.graph.block import Accumulate, Algorithm, Pointwise
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter
from quantize.passes.following import sole_producer

Bounds = tuple[float, float]


def apply(graph: Graph) -> Graph:
    """A clamp whose input no other node reads becomes `clamp` of the node before it, which takes over its
    output's name.

    Moves keep their clamp apart, and so do outputs of a fixed range: their formats are not free.
    """
    edit, made = Rewriter(graph), dict(graph.producer)
    for node in graph.nodes:
        bounds = clamp_of(node)
        before = sole_producer(graph, made, node.inputs[0]) if bounds else None
        if bounds is None or before is None or not takes_clamp(before):
            continue
        fused = before.replace(clamp=composed(before.clamp, bounds), outputs=node.outputs)
        edit.replace(before, fused)
        edit.remove(node)
        made[node.outputs[0]] = fused
    return edit.build()


def clamp_of(node: Node) -> Bounds | None:
    """The bounds of a node that only clamps."""
    block = node.block
    return composed(block.clamp, node.clamp) if isinstance(block, Pointwise) and block.clamp else None


def takes_clamp(node: Node) -> bool:
    """True for nodes whose result is cast to a format of their own."""
    block = node.block
    if isinstance(block, Pointwise) and block.clamp is not None:
        return False
    return isinstance(block, (Accumulate, Algorithm, Pointwise)) and block.quant.output in ("range", "same")


def composed(first: Bounds | None, then: Bounds | None) -> Bounds:
    """The bounds of one clamp after another."""
    low, high = first or (-np.inf, np.inf)
    below, above = then or (-np.inf, np.inf)
    return min(max(low, below), above), min(max(high, below), above)
