"""The graph under construction while an ONNX model is imported: names, constants, and layouts.

A tensor of the file with spatial axes has up to two forms here: in the file's order (N C ...) and channels last
(N ... C). Each is made when a consumer needs it, at most once, by a Transpose marked "layout".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from hwblocks.blocks.shape import Reshape, Transpose
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.graph import Graph

Array = np.ndarray[Any, Any]

FILE, LAST = "file", "last"
SPATIAL_NAMES = {1: "T", 2: "HW", 3: "DHW"}


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

    @classmethod
    def read(cls, proto: onnx.NodeProto, position: int, opset: int, used: set[str]) -> OnnxNode:
        """The node of a protobuf record; outputs after the first that nobody uses count as absent."""
        domain = "" if proto.domain in ("", "ai.onnx") else f"{proto.domain}:"
        outputs = tuple(name if i == 0 or name in used else "" for i, name in enumerate(proto.output))
        name = proto.name or next((o for o in outputs if o), f"node{position}")
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
        return cls(domain + proto.op_type, name, tuple(proto.input), outputs, attributes, opset, proto)

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


def last_axes(rank: int) -> tuple[int, ...]:
    """File axes in channels-last order: (0, 2, ..., 1)."""
    return (0, *range(2, rank), 1)


def file_axes(rank: int) -> tuple[int, ...]:
    """Channels-last axes in the file's order: (0, rank − 1, 1, ...)."""
    return (0, rank - 1, *range(1, rank - 1))


def axis_in_last(axis: int, rank: int) -> int:
    """Where a file axis stands in the channels-last form."""
    return last_axes(rank).index(axis % rank)


class Importer:
    """Collects the graph; operators call `value`, `constant`, `add` and `alias`."""

    def __init__(self, name: str, outputs: Sequence[str]) -> None:
        self.builder = GraphBuilder(name)
        self.constants: dict[str, Array] = {}
        self.forms: dict[str, dict[str, Value]] = {}
        self.output_names = tuple(outputs)
        self.input_names: list[str] = []

    def add_input(self, name: str, shape: tuple[int, ...]) -> None:
        """A run-time input in the file's layout."""
        self.input_names.append(name)
        self.forms[name] = {
            FILE: self.builder.input(name, shape, source_name=name, layout=layout_name(FILE, len(shape)))
        }

    def is_constant(self, name: str) -> bool:
        """True for initializers and folded results."""
        return name in self.constants

    def constant(self, name: str) -> Array:
        """The value of a constant input. Errors: GraphError when it is made at run time."""
        if name not in self.constants:
            raise GraphError(f"{name!r} must be a constant, but it is made at run time")
        return self.constants[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape in the file's order."""
        if name in self.constants:
            return tuple(self.constants[name].shape)
        forms = self.forms[name]
        if FILE in forms:
            return forms[FILE].shape
        shape = forms[LAST].shape
        return tuple(shape[a] for a in file_axes(len(shape)))

    def has_last(self, name: str) -> bool:
        """True when the channels-last form exists already."""
        return LAST in self.forms.get(name, {})

    def value(self, name: str, layout: str = FILE) -> Value:
        """A tensor in a layout; constants in the file's layout."""
        if name in self.constants:
            return self.builder.constant(name, self.constants[name].astype(np.float32))
        forms = self.forms[name]
        if layout not in forms:
            other = next(iter(forms.values()))
            perm = last_axes(len(other.shape)) if layout == LAST else file_axes(len(other.shape))
            forms[layout] = self._moved(other, perm, name, layout)
        return forms[layout]

    def _moved(self, value: Value, perm: tuple[int, ...], name: str, layout: str) -> Value:
        """A layout change: a Reshape where only axes of size 1 move, so that K keeps its order for free."""
        shape = value.shape
        moving = [a for a in perm if shape[a] != 1]
        if moving == sorted(moving) and shape[:1] == (1,):
            block: Block = Reshape((0, *(shape[a] for a in perm[1:])))
        else:
            block = Transpose(perm)
        final = name if layout == FILE and name in self.output_names else self._twin(name, layout, len(shape))
        return self._add(block, [value], f"{final}.layout", final, name, layout, marked="layout")

    def _twin(self, name: str, layout: str, rank: int) -> str:
        return self.builder.fresh(f"{name}.{layout_name(layout, rank).lower()}")

    def _add(
        self,
        block: Block,
        inputs: Sequence[Value | None],
        node: str,
        output: str,
        source: str,
        layout: str,
        **more: Any,
    ) -> Value:
        shapes = block.shape(*(v.shape for v in inputs if v is not None))
        made = self.builder.add(
            block, *inputs, name=node, outputs=(output,), layout=layout_name(layout, len(shapes[0])), **more
        )
        self.builder.tensors[output] = made.tensor.replace(source_name=source)
        return made

    def add(
        self, node: OnnxNode, block: Block, inputs: Sequence[Value | None], layout: str = FILE, part: str = ""
    ) -> Value:
        """Append a block that makes the node's first output (or, with `part`, a step on the way to it)."""
        source = node.outputs[0]
        rank = len(block.shape(*(v.shape for v in inputs if v is not None))[0])
        if part:
            return self._add(block, inputs, f"{node.name}.{part}", self.builder.fresh(f"{source}.{part}"), "", layout)
        taken = layout == LAST and source in self.output_names
        output = self._twin(source, LAST, rank) if taken else self.builder.fresh(source)
        made = self._add(block, inputs, node.name, output, source, layout, source_name=node.name)
        self.forms.setdefault(source, {})[layout] = made
        return made

    def alias(self, node: OnnxNode, value: Value, layout: str = FILE) -> None:
        """The node's first output is an existing tensor."""
        if node.outputs[0] in self.output_names:
            from hwblocks.blocks.shape import Identity

            self.add(node, Identity(), [value], layout)
        else:
            self.forms.setdefault(node.outputs[0], {})[layout] = value

    def fold(self, node: OnnxNode) -> bool:
        """Evaluate a node whose inputs are constants, or whose result is a shape; True when that was done."""
        if node.op == "Shape" and node.inputs[0] in self.forms:
            shape = np.array(self.shape(node.inputs[0]), dtype=np.int64)
            self.constants[node.outputs[0]] = shape[node.attribute("start", 0) : node.attribute("end", len(shape))]
            return True
        if any(name and name not in self.constants for name in node.inputs):
            return False
        try:
            feeds = {name: self.constants[name] for name in node.inputs if name}
            results = ReferenceEvaluator(_one_node(node, feeds)).run(None, feeds)
        except Exception as error:  # whatever a reference operator raises on bad input
            raise GraphError(f"{node.where}: cannot be evaluated on its constants ({error})") from None
        for name, result in zip([o for o in node.outputs if o], results, strict=False):
            self.constants[name] = np.asarray(result)
        return True

    def build(self, metadata: dict[str, str]) -> Graph:
        """The finished graph."""
        outputs = []
        for name in self.output_names:
            if name not in self.forms and name not in self.constants:
                raise GraphError(f"output {name!r} is made by no node; connect or remove it")
            outputs.append(self.value(name, FILE))
        return self.builder.build(*outputs, metadata=metadata)


def _one_node(node: OnnxNode, feeds: dict[str, Array]) -> onnx.ModelProto:
    def info(name: str, array: Array | None) -> Any:
        kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype) if array is not None else 0
        return onnx.helper.make_tensor_value_info(name, kind, None)

    inputs = [info(name, array) for name, array in feeds.items()]
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.outputs if name]
    graph = onnx.helper.make_graph([node.proto], "constant", inputs, outputs)
    opsets = [onnx.helper.make_opsetid(node.proto.domain, node.opset)]
    return onnx.helper.make_model(graph, opset_imports=opsets)


def layout_name(layout: str, rank: int) -> str:
    """The axes of a tensor of at least three axes, for example "NHWC"; "" for others."""
    spatial = SPATIAL_NAMES.get(rank - 2)
    if spatial is None:
        return ""
    return f"N{spatial}C" if layout == LAST else f"NC{spatial}"
