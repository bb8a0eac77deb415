"""Scans opened and closed: while a graph is quantized, one pass of each scan stands among the other nodes.

An opened graph holds the nodes and tensors of a body under their paths ("scan0/body/h"), between moves that stand for
what the scan copies: so every pass and every rule sees them as it sees all others, and tensors that hand a state on
share one format. `closed` puts them back into a body.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from hwblocks.blocks.scan import Scan
from hwblocks.errors import ConversionError
from hwblocks.graph.block import Move
from hwblocks.graph.graph import Graph, used_tensors
from hwblocks.graph.node import Node
from hwblocks.graph.tensor import Shape, Tensor

Array = np.ndarray[Any, Any]
BODY = "body"


class ScanEdge(Move, abstract=True):
    """A move that stands for a copy into or out of a body; never run, never folded."""

    folds: ClassVar[bool] = False


@dataclass(frozen=True)
class ScanEntry(ScanEdge):
    """A state's first value, or a tensor that is read whole, as the body sees it."""

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (shapes[0],)


@dataclass(frozen=True)
class ScanPosition(ScanEdge):
    """One position of a scanned tensor."""

    axis: int = 1

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        place = self.axis % len(shapes[0])
        return (shapes[0][:place] + shapes[0][place + 1 :],)


@dataclass(frozen=True)
class ScanExit(ScanEdge):
    """What a state becomes, beside the state itself: both and the last value are alike."""

    input_names: ClassVar[tuple[str, ...]] = ("next", "state")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (shapes[0],)


@dataclass(frozen=True)
class ScanJoin(ScanEdge):
    """The outputs of all passes along an axis."""

    axis: int = 1
    steps: int = 1

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        place = self.axis % (len(shapes[0]) + 1)
        return ((*shapes[0][:place], self.steps, *shapes[0][place:]),)


def scans(graph: Graph) -> list[Node]:
    """The scans of a graph."""
    return [node for node in graph.nodes if isinstance(node.block, Scan)]


def opened(graph: Graph) -> Graph:
    """The graph with one pass of every scan, and of those in it, in the scan's place."""
    while found := scans(graph):
        graph = _opened_one(graph, found[0])
    return graph


def _opened_one(graph: Graph, node: Node) -> Graph:
    block, prefix = node.block, f"{node.name}/{BODY}/"
    assert isinstance(block, Scan)
    tensors = {prefix + n: _renamed(t, prefix) for n, t in block.body.tensors.items()}
    inner = [_inside(n, prefix) for n in block.body.nodes]
    nodes: list[Node] = []
    for other in graph.nodes:
        nodes += [*_entries(node, prefix), *inner, *_exits(graph, node, prefix)] if other is node else [other]
    outputs = tuple(dict.fromkeys((*graph.outputs, *node.outputs)))  # so that nothing counts as unused
    return graph.replace(tensors={**graph.tensors, **tensors}, nodes=tuple(nodes), outputs=outputs)


def _renamed(tensor: Tensor, prefix: str) -> Tensor:
    return tensor.replace(name=prefix + tensor.name)


def _inside(node: Node, prefix: str) -> Node:
    inputs = tuple(prefix + name if name else "" for name in node.inputs)
    return node.replace(name=prefix + node.name, inputs=inputs, outputs=tuple(prefix + n for n in node.outputs))


def _entries(node: Node, prefix: str) -> Iterator[Node]:
    block = node.block
    assert isinstance(block, Scan)
    positions = range(block.carried, block.carried + block.scanned)
    for i, (given, name) in enumerate(zip(node.inputs, block.body.inputs, strict=True)):
        edge = ScanPosition(block.axis) if i in positions else ScanEntry()
        yield Node(f"{node.name}/in{i}", edge, (given,), (prefix + name,))


def _exits(graph: Graph, node: Node, prefix: str) -> Iterator[Node]:
    block = node.block
    assert isinstance(block, Scan)
    steps = block.steps(graph.site(node).shapes)
    for i, (made, name) in enumerate(zip(node.outputs, block.body.outputs, strict=False)):
        if i < block.carried:
            yield Node(f"{node.name}/out{i}", ScanExit(), (prefix + name, prefix + block.body.inputs[i]), (made,))
        else:
            yield Node(f"{node.name}/out{i}", ScanJoin(block.axis, steps), (prefix + name,), (made,))


def closed(graph: Graph, source: Graph) -> Graph:
    """An opened graph with the scans of its source put together again, the innermost first."""
    for name, node in reversed(list(_every_scan(source, ""))):
        graph = _closed_one(graph, name, node)
    return graph.replace(outputs=source.outputs) if scans(source) else graph


def _every_scan(graph: Graph, inside: str) -> Iterator[tuple[str, Node]]:
    for node in scans(graph):
        assert isinstance(node.block, Scan)
        yield inside + node.name, node
        yield from _every_scan(node.block.body, f"{inside}{node.name}/{BODY}/")


def _closed_one(graph: Graph, name: str, node: Node) -> Graph:
    block = node.block
    assert isinstance(block, Scan)
    prefix, by_name = f"{name}/{BODY}/", {node.name: node for node in graph.nodes}
    entries = [by_name[f"{name}/in{i}"] for i in range(len(block.body.inputs))]
    exits = [by_name[f"{name}/out{i}"] for i in range(len(block.body.outputs))]
    inner = [n for n in graph.nodes if n.name.startswith(prefix)]
    body = _body(graph, prefix, inner, [e.outputs[0] for e in entries], [e.inputs[0] for e in exits], block.body)
    whole = node.replace(
        name=name,
        block=replace(block, body=body),
        inputs=tuple(e.inputs[0] for e in entries),
        outputs=tuple(e.outputs[0] for e in exits),
    )
    gone = {n.name for n in (*entries, *exits, *inner)}
    nodes = (*(n for n in graph.nodes if n.name not in gone), whole)
    kept = used_tensors(graph.tensors, nodes, (*graph.sources, *graph.sinks))
    return graph.replace(tensors=kept, nodes=nodes)


def _body(graph: Graph, prefix: str, nodes: list[Node], inputs: list[str], outputs: list[str], source: Graph) -> Graph:
    made = {*inputs, *(name for node in nodes for name in node.outputs)}
    read = {name for node in nodes for name in node.inputs if name}
    for name in sorted({*read, *outputs} - made):
        if not graph.tensors[name].is_constant:
            raise ConversionError(f"scan body {prefix!r}: reads {name!r} from outside; pass it as an input of the scan")
    used = [name for name in graph.tensors if name in made | read | set(outputs)]
    tensors = {t.name: t for t in (_stripped(graph.tensors[name], prefix) for name in used)}
    bare = [_outside(node, prefix) for node in nodes]
    strip = [name.removeprefix(prefix) for name in outputs]
    return Graph(source.name, tensors, tuple(bare), tuple(n.removeprefix(prefix) for n in inputs), tuple(strip))


def _stripped(tensor: Tensor, prefix: str) -> Tensor:
    return tensor.replace(name=tensor.name.removeprefix(prefix))


def _outside(node: Node, prefix: str) -> Node:
    inputs = tuple(name.removeprefix(prefix) for name in node.inputs)
    outputs = tuple(name.removeprefix(prefix) for name in node.outputs)
    return node.replace(name=node.name.removeprefix(prefix), inputs=inputs, outputs=outputs)
