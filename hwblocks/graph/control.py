"""Control: blocks that hold graphs of their own, their bodies, and say when these run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar

import numpy as np

from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.graph.contraction import Array
from hwblocks.graph.graph import Graph
from hwblocks.graph.nest import Nest
from hwblocks.graph.node import Node
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape, Tensor
from hwblocks.graph.work import Work


class Control(Block, abstract=True):
    """A block whose attributes include graphs. Codes are copied into and out of them, never converted.

    Each sample takes its own way through the bodies, so that samples are never computed together.
    """

    kind = "control"
    folds: ClassVar[bool] = False
    input_names: ClassVar[tuple[str, ...]] = ("xs*",)

    @property
    def bodies(self) -> dict[str, Graph]:
        """The graphs by attribute name."""
        named = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in named.items() if isinstance(value, Graph)}

    @property
    def computes_codes(self) -> bool:
        return any(body.is_integer for body in self.bodies.values())

    def with_bodies(self, change: Callable[[str, Graph], Graph]) -> Control:
        """The block with every body changed; `change` gets the attribute's name and the graph."""
        return replace(self, **{n: change(n, g) for n, g in self.bodies.items()})  # type: ignore[type-var]

    def with_body(self, name: str, body: Graph) -> Control:
        """The block with one body changed."""
        return self.with_bodies(lambda part, graph: body if part == name else graph)

    def copied(self, site: Site) -> Sequence[tuple[Tensor, str, Tensor]]:
        """Pairs that must be alike: a tensor outside, the body's name, and the tensor that stands for it inside."""
        raise GraphError(f"{type(self).__name__} states no pairs")

    def check_site(self, site: Site) -> None:
        for outer, body, inner in self.copied(site):
            if outer.format != inner.format:
                raise GraphError(
                    f"{site.where}: {outer.name!r} is {outer.format!r} but {inner.name!r} of its {body} is "
                    f"{inner.format!r}; codes are copied, so that both need one format"
                )

    def keeps_samples(self, *shapes: Shape) -> bool:
        return False

    def work(self, *shapes: Shape) -> Work:
        """Every body counted once: how often it runs depends on the data (`iterations` of a trace counts it)."""
        return sum((graph_work(body) for body in self.bodies.values()), Work())

    def nests(self, *shapes: Shape) -> tuple[Nest, ...]:
        return tuple(nest for body in self.bodies.values() for nest in graph_nests(body))

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("parameter",), output="float")

    def check_body(self, name: str, body: Graph) -> None:
        """Errors: GraphError for a body that keeps states; they have to be carried."""
        if body.states:
            raise GraphError(f"{type(self).__name__}: {name} {body.name!r} keeps states; carry them as inputs")


def alike(first: Graph, ours: Sequence[str], second: Graph, theirs: Sequence[str]) -> bool:
    """True when two lists of tensors agree in number, shapes and formats."""
    pairs = [
        [(g.tensors[n].shape, g.tensors[n].format) for n in names] for g, names in ((first, ours), (second, theirs))
    ]
    return pairs[0] == pairs[1]


def graph_work(graph: Graph) -> Work:
    """The work of all nodes of a graph."""
    return sum((node.block.work(*graph.site(node).shapes) for node in graph.nodes), Work())


def graph_nests(graph: Graph) -> tuple[Nest, ...]:
    """The loops of all nodes of a graph."""
    return tuple(nest for node in graph.nodes for nest in node.block.nests(*graph.site(node).shapes))


def every_graph(graph: Graph) -> Iterator[Graph]:
    """The graph and all bodies in it."""
    yield graph
    for node in graph.nodes:
        if isinstance(node.block, Control):
            for body in node.block.bodies.values():
                yield from every_graph(body)


def named_nodes(graph: Graph, inside: str = "") -> Iterator[tuple[str, Node]]:
    """Every node with its name in events, those of bodies after the node that holds them: "while0/body/add"."""
    for node in graph.nodes:
        yield inside + node.name, node
        if isinstance(node.block, Control):
            for part, body in node.block.bodies.items():
                yield from named_nodes(body, f"{inside}{node.name}/{part}/")


def makers(graph: Graph, inside: str = "") -> dict[str, tuple[str, Node]]:
    """For every tensor that a node makes, those of bodies by their path, the node's name in events and the node."""
    made = {}
    for node in graph.nodes:
        made.update({inside + output: (inside + node.name, node) for output in node.outputs})
        if isinstance(node.block, Control):
            for part, body in node.block.bodies.items():
                made |= makers(body, f"{inside}{node.name}/{part}/")
    return made


def with_changed_bodies(graph: Graph, change: Callable[[str, Graph], Graph]) -> Graph:
    """The graph with the bodies of its own nodes changed; `change` gets "node/attribute" and the body."""
    if not any(isinstance(node.block, Control) for node in graph.nodes):
        return graph
    nodes = []
    for node in graph.nodes:
        if isinstance(node.block, Control):
            prefix = node.name
            block = node.block.with_bodies(lambda name, body, prefix=prefix: change(f"{prefix}/{name}", body))  # type: ignore[misc]
            node = node.replace(block=block)
        nodes.append(node)
    return graph.replace(nodes=tuple(nodes))


def evaluated(graph: Graph, arrays: Sequence[Any]) -> tuple[Array, ...]:
    """The outputs of a graph of float formulas, node by node, nothing rounded; states as they start."""
    values: dict[str, Any] = dict(zip(graph.inputs, arrays, strict=True))
    values |= {state.tensor: state.initial for state in graph.states}
    values |= {tensor.name: tensor.value for tensor in graph.constants}
    for node in graph.nodes:
        made = node.block.compute(*(values[name] for name in node.inputs if name))
        results = made if isinstance(made, tuple) else (made,)
        if node.clamp is not None:
            results = tuple(np.clip(r, *node.clamp) for r in results)
        values.update(zip(node.outputs, results, strict=False))
    return tuple(np.asarray(values[name]) for name in graph.outputs)
