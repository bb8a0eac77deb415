"""The drawn form of a graph: its nodes and inputs, and the run-time tensors between them."""

from __future__ import annotations

from hwblocks.charts.graph_view import Edge, GraphNode, GraphView
from hwblocks.graph.control import Control
from hwblocks.graph.graph import Graph
from hwblocks.graph.memory import is_view
from hwblocks.graph.node import Node


def outline(graph: Graph) -> GraphView:
    """A view of the graph without measures; nodes that cost nothing (views, layout changes) are faint.

    >>> import hwblocks as hb
    >>> [n.name for n in outline(hb.Sequential(hb.ReLU(), input_shape=(3,)).graph()).nodes]
    ['x', 'relu0']
    """
    taken = {node.name for node in graph.nodes}
    names = {name: f"{name} (input)" if name in taken else name for name in graph.sources}
    inputs = tuple(GraphNode(names[name], "input", graph.tensors[name].format.name) for name in graph.sources)
    nodes = tuple(
        GraphNode(node.name, node.type_name, _formats(graph, node), is_free(graph, node)) for node in graph.nodes
    )
    makers = names | {name: node.name for node in graph.nodes for name in node.outputs}
    edges = tuple(
        Edge(makers[name], node.name, name + " " + "×".join(map(str, graph.tensors[name].shape)))
        for node in graph.nodes
        for name in dict.fromkeys(node.inputs)
        if name in makers
    )
    return GraphView(graph.title, (*inputs, *nodes), edges, in_table=True)


def is_free(graph: Graph, node: Node) -> bool:
    """True when a node costs nothing and is no loop: a view, or a change of layout at an edge."""
    return node.marked == "layout" or (not isinstance(node.block, Control) and is_view(graph.site(node)))


def _formats(graph: Graph, node: Node) -> str:
    return ", ".join(dict.fromkeys(graph.tensors[name].format.name for name in node.outputs))


def input_links(view: GraphView) -> dict[str, str]:
    """For each input of the graph the name of its node in the view."""
    return {node.name.removesuffix(" (input)"): node.name for node in view.nodes if node.kind == "input"}
