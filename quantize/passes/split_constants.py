"""One copy of a constant for each place that may need a format of its own."""

from __future__ import annotations

from typing import Any

from hwblocks.graph.block import Accumulate
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter
from hwblocks.graph.tensor import Origin


def apply(graph: Graph) -> Graph:
    """A constant that several inputs read is copied, unless all of them read it as weights with the same
    channel axis.

    The first reader keeps the name.
    """
    edit = Rewriter(graph)
    for name, places in _places(graph).items():
        uses = {_use(graph, node, position) for node, position in places}
        if len(places) < 2 or (len(uses) == 1 and None not in uses):
            continue
        for node, position in places[1:]:
            now = edit.current(node)
            assert now is not None
            tensor = graph.tensors[name]
            copy = edit.fresh(name)
            edit.set(tensor.replace(name=copy, origin=tensor.origin or Origin(name)))
            inputs = (*now.inputs[:position], copy, *now.inputs[position + 1 :])
            edit.replace(node, now.replace(inputs=inputs))
    return edit.build()


def _places(graph: Graph) -> dict[str, list[tuple[Node, int]]]:
    found: dict[str, list[tuple[Node, int]]] = {}
    for node in graph.nodes:
        for position, name in enumerate(node.inputs):
            if name and graph.tensors[name].is_constant:
                found.setdefault(name, []).append((node, position))
    return found


def _use(graph: Graph, node: Node, position: int) -> Any:
    """("weight", axis), or None for a use that needs its own copy."""
    block = node.block
    if block.quant.role(position) != "weight" or not isinstance(block, Accumulate):
        return None
    return "weight", block.weight_axis(*graph.site(node).shapes)
