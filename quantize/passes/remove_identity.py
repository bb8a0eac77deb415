"""Removal of nodes that change nothing at inference: Identity, Dropout."""

from __future__ import annotations

from hwblocks.blocks.shape import Dropout, Identity
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter


def apply(graph: Graph) -> Graph:
    """Readers of an identity's output read its input instead.

    Where the output is one of the graph's, the node that makes the input takes over the output's name; an
    identity between an input (or another output) and an output of the graph stays.
    """
    for name in [node.name for node in graph.nodes if isinstance(node.block, (Identity, Dropout))]:
        graph = _without(graph, graph.node(name))
    return graph


def _without(graph: Graph, node: Node) -> Graph:
    given, made = node.inputs[0], node.outputs[0]
    if node.clamp is not None:
        return graph
    if made not in graph.outputs:
        return _renamed(graph, node, made, given)
    if given in graph.inputs or given in graph.outputs or graph.tensors[given].is_constant:
        return graph
    return _renamed(graph, node, given, made)


def _renamed(graph: Graph, removed: Node, old: str, new: str) -> Graph:
    """The graph without a node, in which `new` stands wherever `old` stood."""
    edit = Rewriter(graph)
    for node in graph.nodes:
        inputs = tuple(new if name == old else name for name in node.inputs)
        outputs = tuple(new if name == old else name for name in node.outputs)
        if (inputs, outputs) != (node.inputs, node.outputs):
            edit.replace(node, node.replace(inputs=inputs, outputs=outputs))
    edit.remove(removed)
    return edit.build()
