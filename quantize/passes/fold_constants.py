"""Folding of constants: nodes whose inputs are all constant floats are computed once."""

from __future__ import annotations

from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter
from hwblocks.graph.tensor import constant
from hwblocks.simulate.execute import run_float


def apply(graph: Graph) -> Graph:
    """Outputs of such nodes become constants under their own names; one that makes a graph output stays."""
    folded = None
    while folded is not graph:
        folded, graph = graph, _fold_once(graph)
    return graph


def _fold_once(graph: Graph) -> Graph:
    ready = [node for node in graph.nodes if _is_constant(graph, node)]
    if not ready:
        return graph
    edit = Rewriter(graph)
    for node in ready:
        site = graph.site(node)
        values = run_float(site, [t.value for t in site.present if t.value is not None])
        for tensor, value in zip(site.outputs, values, strict=True):
            edit.set(constant(tensor.name, value, tensor.format, layout=tensor.layout, source_name=tensor.source_name))
        edit.remove(node)
    return edit.build()


def _is_constant(graph: Graph, node: Node) -> bool:
    site = graph.site(node)
    tensors = (*site.present, *site.outputs)
    return (
        bool(site.present)
        and node.block.folds
        and all(t.is_constant for t in site.present)
        and all(t.format.is_float for t in tensors)
        and not set(node.outputs).intersection(graph.outputs)
    )
