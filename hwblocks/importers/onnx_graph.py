"""The graph under construction while an ONNX model is imported: names, constants, and layouts.

A tensor of the file with spatial axes has up to two forms here: in the file's order (N C ...) and channels last
(N ... C). Each is made when a consumer needs it, at most once, by a Transpose marked "layout".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from hwblocks.blocks.edges import Relabel
from hwblocks.blocks.shape import Reshape, Transpose
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block, Move
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.graph import Graph
from hwblocks.graph.tensor import FLOAT32
from hwblocks.numerics.formats import Format

Array = np.ndarray[Any, Any]

Rearrange = Callable[[Array], Array]

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


@dataclass(frozen=True, eq=False)
class Derived:
    """A constant that a quantizer makes from stored codes or values: kept as a node, so that the codes stay known."""

    block: Block
    arrays: tuple[Array, ...]
    formats: tuple[Format, ...]
    node: OnnxNode

    def moved(self, move: Rearrange) -> Derived:
        """The same with its axes moved; companions of full rank move along, per-channel formats follow."""
        rank = self.arrays[0].ndim
        arrays = tuple(move(a) if a.ndim == rank and rank else a for a in self.arrays)
        return replace(
            self, arrays=arrays, formats=(moved_format(self.formats[0], self.arrays[0], move), *self.formats[1:])
        )


def moved_format(format: Format, array: Array, move: Rearrange) -> Format:
    """A per-channel format after its array's axes were moved."""
    if format.axis is None:
        return format
    shape = [1] * array.ndim
    shape[format.axis] = -1
    marked = move(np.broadcast_to(np.arange(array.shape[format.axis]).reshape(shape), array.shape))
    for axis in range(marked.ndim):
        if marked.shape[axis] == array.shape[format.axis] and np.ptp(np.take(marked, 0, axis=axis)) == 0:
            return format.replace(axis=axis)
    raise GraphError("the scales of a weight do not follow one of its axes")


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
        self.derived: dict[str, Derived] = {}
        self.output_names = tuple(outputs)
        self.input_names: list[str] = []

    def add_input(self, name: str, shape: tuple[int, ...], format: Format = FLOAT32) -> None:
        """A run-time input in the file's layout."""
        self.input_names.append(name)
        self.forms[name] = {
            FILE: self.builder.input(name, shape, format, source_name=name, layout=layout_name(FILE, len(shape)))
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
        if name in self.derived:
            return tuple(self.derived[name].arrays[0].shape)
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
            return self.builder.constant(name, *as_stored(self.constants[name]))
        if name in self.derived and name not in self.forms:
            self.forms[name] = {FILE: self.made(self.derived[name], name)}
        forms = self.forms[name]
        if layout not in forms:
            other = next(iter(forms.values()))
            perm = last_axes(len(other.shape)) if layout == LAST else file_axes(len(other.shape))
            forms[layout] = self._moved(other, perm, name, layout)
        return forms[layout]

    def weight(self, name: str, move: Rearrange = lambda w: w) -> Value:
        """A constant weight with its axes moved; a derived one keeps its quantizer."""
        if name in self.derived:
            return self.made(self.derived[name].moved(move), name)
        return self.builder.constant(name, np.ascontiguousarray(move(self.constant(name).astype(np.float32))))

    def is_weight(self, name: str) -> bool:
        """True for constants and for what a quantizer makes of them."""
        return name in self.constants or name in self.derived

    def made(self, derived: Derived, name: str) -> Value:
        """The node of a derived constant."""
        node = derived.node
        values = [
            self.builder.constant(source or f"{name}.{i}", np.ascontiguousarray(array), format)
            for i, (source, array, format) in enumerate(
                zip((*node.inputs, *("",) * len(derived.arrays)), derived.arrays, derived.formats, strict=False)
            )
        ]
        output = self.builder.fresh(name)
        return self.builder.add(
            derived.block, *values, name=node.name, outputs=(output,), formats=(FLOAT32,), source_name=node.name
        )

    def quantized(self, name: str, format: Format, layout: str = FILE, move: Rearrange = lambda w: w) -> Value:
        """A tensor of stored codes in a format: a constant, or a run-time tensor, relabelled where it has another."""
        if name in self.constants:
            array = self.constants[name]
            return self.builder.constant(name, np.ascontiguousarray(move(array)), moved_format(format, array, move))
        value = self.value(name, layout)
        if value.tensor.format == format:
            return value
        unread = value.tensor.format.kind == "raw" and value.name in self.builder.inputs
        if unread and value.tensor.format.dtype == format.dtype:
            self.builder.tensors[value.name] = value.tensor.replace(format=format)
            return value
        output = self.builder.fresh(f"{name}.relabelled")
        return self.builder.add(Relabel(), value, name=output, outputs=(output,), formats=(format,))

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
        self,
        node: OnnxNode,
        block: Block,
        inputs: Sequence[Value | None],
        layout: str = FILE,
        part: str = "",
        **more: Any,
    ) -> Value:
        """Append a block that makes the node's first output (or, with `part`, a step on the way to it)."""
        if "formats" not in more:
            refuse_codes(block, inputs)
        source = node.outputs[0]
        rank = len(block.shape(*(v.shape for v in inputs if v is not None))[0])
        if part:
            return self._add(
                block, inputs, f"{node.name}.{part}", self.builder.fresh(f"{source}.{part}"), "", layout, **more
            )
        taken = layout == LAST and source in self.output_names
        output = self._twin(source, LAST, rank) if taken else self.builder.fresh(source)
        made = self._add(block, inputs, node.name, output, source, layout, source_name=node.name, **more)
        self.forms.setdefault(source, {})[layout] = made
        return made

    def add_all(
        self,
        node: OnnxNode,
        block: Block,
        inputs: Sequence[Value | None],
        formats: Sequence[Format],
        layout: str = FILE,
    ) -> None:
        """Append a block that makes all of the node's outputs; absent ones get names of their own."""
        names = [name or f"{node.name}.unused" for name in (*node.outputs, *("",) * (len(formats) - len(node.outputs)))]
        shapes = block.shape(*(v.shape for v in inputs if v is not None))
        taken = [layout == LAST and name in self.output_names for name in names]
        stems = [self._twin(n, LAST, len(s)) if t else n for n, s, t in zip(names, shapes, taken, strict=True)]
        outputs = self.builder.reserved(stems)
        self.builder.add(block, *inputs, name=node.name, outputs=outputs, formats=formats, source_name=node.name)
        for name, output in zip(node.outputs, outputs, strict=False):
            if name:
                self.forms.setdefault(name, {})[layout] = Value(self.builder, output)

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


def refuse_codes(block: Block, inputs: Sequence[Value | None]) -> None:
    """Raise GraphError for an operator that would take stored codes for the numbers that they stand for."""
    codes = [v for v in inputs if v is not None and v.tensor.format.is_quantized]
    if codes and not isinstance(block, Move):
        raise GraphError(
            f"{type(block).__name__} of the stored codes {codes[0].name!r} is not supported; "
            "put a DequantizeLinear before it"
        )


def as_stored(array: Array) -> tuple[Array, Format]:
    """A constant of the file in a format: floats as float32, integers without a scale."""
    if array.dtype.kind in "iu" and array.dtype.itemsize < 8:
        return array, Format(kind="raw", bits=8 * array.dtype.itemsize, signed=array.dtype.kind == "i")
    return array.astype(np.float32), FLOAT32


def layout_name(layout: str, rank: int) -> str:
    """The axes of a tensor of at least three axes, for example "NHWC"; "" for others."""
    spatial = SPATIAL_NAMES.get(rank - 2)
    if spatial is None:
        return ""
    return f"N{spatial}C" if layout == LAST else f"NC{spatial}"
