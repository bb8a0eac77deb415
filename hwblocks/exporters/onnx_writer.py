"""The ONNX file under construction: nodes, initializers, and every tensor's forms.

A tensor of the graph has up to four forms in the file: stored codes or real values, channels last as in the graph or
channels first as the standard's layers want it. Each is made when a node asks for it, at most once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from hwblocks.errors import UnsupportedOperatorError
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.tensor import Tensor
from hwblocks.numerics.formats import Format

Array = np.ndarray[Any, Any]

OPSET, IR_VERSION, MICROSOFT = 21, 10, "com.microsoft"
LAST, FIRST = "last", "first"
TYPES = {"float32": onnx.TensorProto.FLOAT, "bool": onnx.TensorProto.BOOL, "int64": onnx.TensorProto.INT64}
CODES = ("int8", "uint8", "int16", "uint16")


def first_axes(rank: int) -> tuple[int, ...]:
    """Channels-last axes in channels-first order: (0, rank − 1, 1, …)."""
    return (0, rank - 1, *range(1, rank - 1))


def last_axes(rank: int) -> tuple[int, ...]:
    """Channels-first axes in channels-last order: (0, 2, …, 1)."""
    return (0, *range(2, rank), 1)


def is_code(format: Format) -> bool:
    """True for codes that QuantizeLinear makes."""
    return format.is_quantized and format.dtype.name in CODES


class Writer:
    """Collects one graph of the file; rules call `op`, `real`, `codes`, `result` and `moved`."""

    def __init__(self, graph: Graph, outer: Writer | None = None) -> None:
        self.graph = graph
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {} if outer is None else outer.initializers
        self.taken: set[str] = set() if outer is None else outer.taken
        self.forms: dict[tuple[str, str, bool], str] = {}
        self.notes: dict[str, list[str]] = {} if outer is None else outer.notes
        self.domains: set[str] = set() if outer is None else outer.domains
        self.symbolic = False

    def fresh(self, stem: str) -> str:
        """A name that is not in use yet."""
        name, number = stem, 0
        while name in self.taken:
            number += 1
            name = f"{stem}_{number}"
        self.taken.add(name)
        return name

    def note(self, reason: str, node: str) -> None:
        """Remember why a node's integers may differ in the file's runtime."""
        names = self.notes.setdefault(reason, [])
        names += [] if node in names else [node]

    def initializer(self, stem: str, array: Any) -> str:
        """The name of a constant."""
        name = self.fresh(stem)
        self.initializers[name] = numpy_helper.from_array(np.array(array, order="C"), name)
        return name

    def op(self, op: str, inputs: Sequence[str], stem: str, domain: str = "", **attributes: Any) -> str:
        """Append a node of one output and return the output's name."""
        return self.ops(op, inputs, [stem], domain, **attributes)[0]

    def ops(
        self, op: str, inputs: Sequence[str], stems: Sequence[str], domain: str = "", **attributes: Any
    ) -> list[str]:
        """Append a node and return the names of its outputs."""
        outputs = [self.fresh(stem) for stem in stems]
        given = {name: value for name, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(op, list(inputs), outputs, name=outputs[0], domain=domain, **given))
        self.domains.add(domain)
        return outputs

    # --- forms of tensors

    def give(self, tensor: str, name: str, layout: str = LAST, real: bool = True) -> None:
        """A tensor of the graph is this tensor of the file."""
        self.forms.setdefault((tensor, layout, real), name)

    def standing(self, tensor: str) -> str:
        """The layout that is there already; channels last where both are."""
        found = {layout for name, layout, _ in self.forms if name == tensor}
        return FIRST if found == {FIRST} else LAST

    def real(self, tensor: str, layout: str = LAST) -> str:
        """A tensor's real values (floats, truth values, whole numbers that stand for themselves)."""
        return self._form(tensor, layout, True)

    def codes(self, tensor: str, layout: str = LAST) -> str:
        """A tensor's stored codes; its real values where it has none."""
        return self._form(tensor, layout, not is_code(self.graph.tensors[tensor].format))

    def _form(self, tensor: str, layout: str, real: bool) -> str:
        key = (tensor, layout, real)
        if key not in self.forms:
            self.forms[key] = self._made(self.graph.tensors[tensor], layout, real)
        return self.forms[key]

    def _made(self, tensor: Tensor, layout: str, real: bool) -> str:
        name, other = tensor.name, FIRST if layout == LAST else LAST
        if tensor.value is not None and layout == LAST:
            return self._constant(tensor, real)
        if real and is_code(tensor.format):
            return self.dequantized(self._form(name, layout, False), tensor.format, tensor, layout)
        if not real and (name, layout, True) in self.forms:
            return self.quantized(self.forms[name, layout, True], tensor.format, name, layout)
        perm = first_axes(len(tensor.shape)) if layout == FIRST else last_axes(len(tensor.shape))
        return self.op("Transpose", [self._form(name, other, real)], f"{name}.{layout}", perm=list(perm))

    def _constant(self, tensor: Tensor, real: bool) -> str:
        assert tensor.value is not None
        if not (tensor.format.is_quantized and real):
            return self.initializer(tensor.name, tensor.value)
        if tensor.format.dtype.name in (*CODES, "int32"):
            stored = self.initializer(f"{tensor.name}.codes", tensor.value)
            return self.dequantized(stored, tensor.format, tensor, LAST)
        return self.initializer(tensor.name, tensor.format.dequantize(tensor.value).astype(np.float32))

    def parameters(self, format: Format, stem: str) -> tuple[str, str]:
        """Names of a format's scale and zero point."""
        scale = np.asarray(format.scale, dtype=np.float32)
        zero = np.broadcast_to(np.asarray(format.zero_point), scale.shape).astype(format.dtype)
        return self.initializer(f"{stem}.scale", scale), self.initializer(f"{stem}.zero_point", zero)

    def axis(self, format: Format, rank: int, layout: str) -> int | None:
        """The channel axis of a format in a layout; None for one scale."""
        if format.axis is None or not isinstance(format.scale, tuple):
            return None
        at = format.axis % rank
        return at if layout == LAST else first_axes(rank).index(at)

    def dequantized(self, stored: str, format: Format, tensor: Tensor, layout: str) -> str:
        """The real values of stored codes."""
        pair = self.parameters(format, tensor.name)
        axis = self.axis(format, len(tensor.shape), layout)
        return self.op("DequantizeLinear", [stored, *pair], f"{tensor.name}.real", axis=axis)

    def quantized(self, real: str, format: Format, name: str, layout: str) -> str:
        """Codes of real values, saturated to the format's own bounds where its type holds more."""
        kind = np.iinfo(format.dtype)
        if (format.lo, format.hi) != (kind.min, kind.max):
            low, high = (float(format.dequantize(np.array(c))) for c in (format.lo, format.hi))
            real = self.limited(real, low, high, f"{name}.saturated")
        axis = self.axis(format, len(self.graph.tensors[name].shape), layout)
        return self.op("QuantizeLinear", [real, *self.parameters(format, name)], f"{name}.codes", axis=axis)

    def limited(self, x: str, low: float, high: float, stem: str, dtype: Any = np.float32) -> str:
        """x within bounds; infinite ones are left out."""
        bounds = ["" if np.isinf(v) else self.initializer(f"{stem}.bound", np.array(v, dtype)) for v in (low, high)]
        return self.op("Clip", [x, *bounds], stem)

    # --- what rules hand back

    def result(self, node: Node, real: str, layout: str = LAST, position: int = 0) -> None:
        """A node's output as real values: the fused clamp, then the output's format."""
        tensor = self.graph.tensors[node.outputs[position]]
        if node.clamp is not None and position == 0:
            real = self.limited(real, *node.clamp, stem=f"{node.name}.clamp")
        if is_code(tensor.format):
            self.give(tensor.name, self.quantized(real, tensor.format, tensor.name, layout), layout, real=False)
            return
        if tensor.format.is_quantized:
            self.note(f"{tensor.format.bits}-bit codes have no place in the file and stay real values", node.name)
        self.give(tensor.name, real, layout)

    def moved(self, node: Node, codes: str, layout: str = LAST, position: int = 0) -> None:
        """A node's output as stored codes, or as real values where there are none."""
        tensor = self.graph.tensors[node.outputs[position]]
        self.give(tensor.name, codes, layout, real=not is_code(tensor.format))

    def weight(self, tensor: Tensor, move: Callable[[Array], Array], axis: int) -> str:
        """A constant weight with its axes moved, as real values; its channels lie along `axis` then."""
        assert tensor.value is not None
        format, moved = tensor.format, move(tensor.value)
        if not format.is_quantized:
            return self.initializer(tensor.name, moved)
        if format.bits < 8:
            self.note(f"{format.bits}-bit codes are stored in {format.dtype}", tensor.name)
        pair = self.parameters(format, tensor.name)
        stored = self.initializer(f"{tensor.name}.codes", moved)
        per_channel = axis if isinstance(format.scale, tuple) else None
        return self.op("DequantizeLinear", [stored, *pair], f"{tensor.name}.real", axis=per_channel)

    def info(self, name: str, tensor: Tensor, codes: bool = False) -> onnx.ValueInfoProto:
        """The type and shape of an input or output."""
        kind = tensor.format.dtype if codes or tensor.format.kind in ("raw", "bool") else np.dtype(np.float32)
        shape: list[Any] = list(tensor.shape)
        if self.symbolic and shape:
            shape[0] = "N"
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(kind), shape)


def refuse(node: Node, reason: str) -> UnsupportedOperatorError:
    """The error of a node that the file cannot hold."""
    return UnsupportedOperatorError(f"{node.where}: {reason}")
