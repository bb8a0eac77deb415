"""A node of an ONNX file as the importer reads it, and what graphs inside nodes read from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx


def graphs_of(attribute: onnx.AttributeProto) -> tuple[onnx.GraphProto, ...]:
    """The graphs that an attribute holds."""
    if attribute.type == onnx.AttributeProto.GRAPH:
        return (attribute.g,)
    return tuple(attribute.graphs)


def read_names(proto: onnx.NodeProto) -> tuple[str, ...]:
    """The tensors that a node reads, those that graphs of its attributes take from outside included."""
    captured = (name for a in proto.attribute for graph in graphs_of(a) for name in read_outside(graph))
    return (*(name for name in proto.input if name), *captured)


def read_outside(graph: onnx.GraphProto) -> tuple[str, ...]:
    """The tensors that a graph inside a node takes from outside."""
    own = {v.name for v in (*graph.input, *graph.initializer)} | {n for p in graph.node for n in p.output}
    read = [*(n for p in graph.node for n in read_names(p)), *(o.name for o in graph.output)]
    return tuple(dict.fromkeys(name for name in read if name not in own))


@dataclass(frozen=True)
class OnnxNode:
    """A node of the file: operator, names, attributes as Python values, and the operator set."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    opset: int
    proto: onnx.NodeProto
    captured: tuple[str, ...] = ()

    @classmethod
    def read(cls, proto: onnx.NodeProto, position: int, opset: int, used: set[str]) -> OnnxNode:
        """The node of a protobuf record; outputs after the first that nobody uses count as absent."""
        domain = "" if proto.domain in ("", "ai.onnx") else f"{proto.domain}:"
        outputs = tuple(name if i == 0 or name in used else "" for i, name in enumerate(proto.output))
        name = proto.name or next((o for o in outputs if o), f"node{position}")
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
        captured = read_names(proto)[len([n for n in proto.input if n]) :]
        return cls(
            domain + proto.op_type,
            name,
            tuple(proto.input),
            outputs,
            attributes,
            opset,
            proto,
            tuple(dict.fromkeys(captured)),
        )

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs that are there, and the tensors of outside that graphs of the node read."""
        return (*(name for name in self.inputs if name), *self.captured)

    @property
    def where(self) -> str:
        """How messages name the node."""
        return f"{self.op} {self.name!r}"

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, bytes as text."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def input(self, position: int) -> str:
        """The name of an input, "" when absent."""
        return self.inputs[position] if position < len(self.inputs) else ""
