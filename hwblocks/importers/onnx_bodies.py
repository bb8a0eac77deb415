"""Graphs inside ONNX nodes: imported as bodies of control blocks, or in the node's place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from hwblocks.errors import GraphError
from hwblocks.graph.builder import Value
from hwblocks.graph.graph import Graph
from hwblocks.graph.rewrite import without_dead_nodes
from hwblocks.importers.onnx_graph import COPY, Importer
from hwblocks.importers.onnx_node import OnnxNode, graphs_of
from hwblocks.numerics.formats import Format

Array = np.ndarray[Any, Any]


@dataclass(eq=False)
class Body:
    """A graph of a node, imported by itself: its importer, and the tensors of outside that it reads, by name."""

    build: Importer
    outputs: tuple[str, ...]
    captured: tuple[str, ...]

    def value(self, position: int) -> Value:
        """An output as a tensor of the body."""
        return self.build.value(self.outputs[position])

    def constant(self, position: int) -> Array | None:
        """An output that is a constant, else None."""
        return self.build.constants.get(self.outputs[position])

    def graph(self, outputs: Sequence[Value]) -> Graph:
        """The finished graph with these outputs."""
        return without_dead_nodes(self.build.builder.build(*outputs))


def captured_values(outer: Importer, nodes: Sequence[OnnxNode]) -> dict[str, Value]:
    """The run-time tensors of outside that the graphs of nodes read, by name, in the file's layout."""
    names = dict.fromkeys(name for node in nodes for name in node.captured)
    return {name: outer.value(name) for name in names if not outer.is_constant(name)}


def import_body(
    outer: Importer,
    node: OnnxNode,
    graph: onnx.GraphProto,
    inputs: Mapping[str, tuple[tuple[int, ...], Format]],
    constants: Mapping[str, Array],
    captured: Mapping[str, Value],
) -> Body:
    """The graph with these inputs, these inputs that are constants, and the captured tensors as further inputs."""
    outputs = tuple(o.name for o in graph.output)
    build = Importer(f"{outer.builder.name}.{node.name}", outputs)
    build.run_graph = outer.run_graph
    build.constants |= {name: outer.constants[name] for name in node.captured if name in outer.constants}
    build.constants |= constants
    for name, (shape, format) in inputs.items():
        build.add_input(name, shape, format)
    for name, value in captured.items():
        build.add_input(name, value.shape, value.tensor.format)
    build.run_graph(build, graph, node.opset)
    return Body(build, outputs, tuple(captured))


def inline(outer: Importer, node: OnnxNode, graph: onnx.GraphProto, given: Mapping[str, str], tag: str) -> list[str]:
    """The graph's nodes in the place of the node; `given` says which outer tensor each input is.

    Returns the outer names of its outputs. `tag` makes the names of this copy different from those of others.
    """
    inner = dict.fromkeys(n for p in graph.node for n in p.output if n)
    inner |= dict.fromkeys(t.name for t in graph.initializer)
    names = {**{name: f"{tag}{COPY}{name}" for name in inner}, **given}
    copy = renamed(graph, names)
    for proto in copy.node:
        proto.name = f"{tag}{COPY}{proto.name or proto.op_type}"
    outer.run_graph(outer, copy, node.opset)
    return [o.name for o in copy.output]


def renamed(graph: onnx.GraphProto, names: Mapping[str, str]) -> onnx.GraphProto:
    """A copy of a graph with other names of tensors, in the graphs inside it too."""
    copy = onnx.GraphProto()
    copy.CopyFrom(graph)
    for tensor in (*copy.initializer, *copy.output):
        tensor.name = names.get(tensor.name, tensor.name)
    for proto in copy.node:
        for field in (proto.input, proto.output):
            field[:] = [names.get(name, name) for name in field]
        for attribute in proto.attribute:
            for inner in graphs_of(attribute):
                inner.CopyFrom(renamed(inner, names))
    return copy


def hand_over(outer: Importer, node: OnnxNode, made: Sequence[str]) -> None:
    """The node's outputs are existing tensors or constants."""
    if len(made) < len([o for o in node.outputs if o]):
        raise GraphError(f"the graph makes {len(made)} tensors, the node has {len(node.outputs)} outputs")
    for position, (output, name) in enumerate(zip(node.outputs, made, strict=False)):
        if not output:
            continue
        if outer.is_constant(name):
            outer.constants[output] = outer.constants[name]
        else:
            outer.alias(node, outer.value(name), position=position)


def attribute_graphs(node: OnnxNode, *names: str) -> Iterator[onnx.GraphProto]:
    """The graphs of attributes. Errors: GraphError for one that is missing."""
    for name in names:
        graph = node.attributes.get(name)
        if not isinstance(graph, onnx.GraphProto):
            raise GraphError(f"the attribute {name} is missing")
        yield graph
