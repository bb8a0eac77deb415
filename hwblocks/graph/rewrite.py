"""Rewriting: graphs are immutable, so passes collect edits and build a new graph from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from hwblocks.graph.control import with_changed_bodies
from hwblocks.graph.graph import Graph, used_tensors
from hwblocks.graph.node import Node
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import FLOAT32, Tensor, constant


class Rewriter:
    """Edits of one graph: nodes replaced or removed, tensors added or changed; `build` checks the result.

    A removed node's output may be taken over by another node: give that node the removed output's name, so that
    every tensor whose values survive keeps its name.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors: dict[str, Tensor] = dict(graph.tensors)
        self.nodes: dict[str, list[Node]] = {node.name: [node] for node in graph.nodes}

    def current(self, node: Node) -> Node | None:
        """The node as it stands now, or None when it was removed or split."""
        nodes = self.nodes[node.name]
        return nodes[0] if len(nodes) == 1 else None

    def replace(self, node: Node, *nodes: Node) -> None:
        """Put other nodes (or none) in the place of a node."""
        self.nodes[node.name] = list(nodes)

    def remove(self, node: Node) -> None:
        """Take a node out; its output must be made by another node or be used by none."""
        self.replace(node)

    def set(self, tensor: Tensor) -> None:
        """Add a tensor, or change the one of its name."""
        self.tensors[tensor.name] = tensor

    def fresh(self, stem: str) -> str:
        """A tensor name that is not in use."""
        name, number = stem, 0
        while name in self.tensors:
            number += 1
            name = f"{stem}_{number}"
        return name

    def constant(self, stem: str, value: Any, **more: Any) -> str:
        """Add a constant under a fresh name and return that name."""
        name = self.fresh(stem)
        self.set(constant(name, np.asarray(value), more.pop("format", FLOAT32), **more))
        return name

    def build(self, outputs: Iterable[str] | None = None, **changes: Any) -> Graph:
        """The new graph, without the tensors that nothing names any more."""
        nodes = tuple(node for group in self.nodes.values() for node in group)
        ends = tuple(outputs) if outputs is not None else self.graph.outputs
        kept = (*self.graph.sources, *self.graph.sinks[len(self.graph.outputs) :], *ends)
        tensors = used_tensors(self.tensors, nodes, kept)
        return self.graph.replace(tensors=tensors, nodes=nodes, outputs=ends, **changes)


def folded(graph: Graph, evaluate: Callable[[Site], Sequence[np.ndarray[Any, Any]]]) -> Graph:
    """The graph, and the bodies in it, with every node of constants computed by `evaluate`; its results replace it."""
    graph = with_changed_bodies(graph, lambda name, body: folded(body, evaluate))
    tensors, nodes = dict(graph.tensors), []
    for node in graph.nodes:
        inputs = tuple(tensors[name] if name else None for name in node.inputs)
        if not node.inputs or not node.block.folds or not all(t is None or t.is_constant for t in inputs):
            nodes.append(node)
            continue
        made = evaluate(Site(node, inputs, tuple(tensors[name] for name in node.outputs)))
        for name, array in zip(node.outputs, made, strict=True):
            array.setflags(write=False)
            tensors[name] = tensors[name].replace(value=array)
    if len(nodes) == len(graph.nodes):
        return graph
    results = [name for node in graph.nodes for name in node.outputs]  # those of folded nodes can still be asked for
    kept = used_tensors(tensors, nodes, (*graph.sources, *graph.sinks, *results))
    return graph.replace(nodes=tuple(nodes), tensors=kept)


def only_consumer(graph: Graph, name: str) -> Node | None:
    """The one node that reads a tensor which is no output of the graph."""
    readers = graph.consumers.get(name, ())
    return readers[0] if len(readers) == 1 and name not in graph.sinks else None


def without_dead_nodes(graph: Graph) -> Graph:
    """The graph without nodes whose outputs reach no output of the graph."""
    wanted = set(graph.sinks)
    kept = []
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
    nodes = tuple(reversed(kept))
    return graph.replace(nodes=nodes, tensors=used_tensors(graph.tensors, nodes, (*graph.sources, *graph.sinks)))
