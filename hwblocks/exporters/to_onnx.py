"""Graphs as ONNX files: float graphs as plain operators, integer graphs with QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx import helper

from hwblocks.errors import InputError, UnsupportedOperatorError
from hwblocks.exporters import onnx_blocks, onnx_moves, onnx_qlinear, onnx_windows
from hwblocks.exporters.onnx_writer import FIRST, IR_VERSION, LAST, MICROSOFT, OPSET, Writer, is_code
from hwblocks.files import check_writable, write_atomically
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.table import Column, Table

RULES = {**onnx_blocks.RULES, **onnx_moves.RULES, **onnx_windows.RULES}
ONE_SAMPLE = ("Expand", "Scan")  # written for one sample at a time
STYLES = ("qdq", "qoperator")


@dataclass(frozen=True)
class Export:
    """An ONNX file that was written: how many nodes it holds, and where and why its integers may differ.

    notes: reason → names of the nodes; none for a float graph. tensors: where the file holds the graph's run-time
    tensors: name → (name in the file, True for channels first, True for stored codes).
    """

    path: str
    nodes: int
    notes: dict[str, tuple[str, ...]]
    tensors: dict[str, tuple[str, bool, bool]]

    @property
    def table(self) -> Table:
        """The notes, one reason a row."""
        columns = (Column("reason", "why integers may differ"), Column("count", "nodes"), Column("nodes", "names"))
        rows = tuple({"reason": r, "count": len(n), "nodes": ", ".join(n)} for r, n in self.notes.items())
        return Table("differences", columns, rows)


def export_onnx(graph: Graph, path: str | Path, style: str = "qdq") -> Export:
    """Write a graph as an ONNX file (operator set 21) with its names; inputs and outputs are real values.

    style: "qdq": every node computes on real values between DequantizeLinear and QuantizeLinear. "qoperator": layers
    with 8-bit codes become QLinearConv, QGemm, QLinearAdd, … of ONNX Runtime, whose integers are those of the dialect
    ort-noopt; what has no such operator is written as for "qdq".
    Errors: UnsupportedOperatorError lists every node that cannot be written; OutputError for the path. Nothing is left
    behind by a failure.
    """
    if style not in STYLES:
        raise InputError(f"style {style!r} is not one of {', '.join(STYLES)}")
    check_writable(path)
    writer = Writer(graph)
    model = model_of(writer, style)
    write_atomically(path, model.SerializeToString())
    notes = {reason: tuple(names) for reason, names in writer.notes.items()}
    return Export(str(path), len(model.graph.node), notes, held(writer))


def held(writer: Writer) -> dict[str, tuple[str, bool, bool]]:
    """Where the file holds each run-time tensor, codes before real values."""
    made = {name for node in writer.nodes for name in node.output}
    found: dict[str, tuple[str, bool, bool]] = {}
    for (tensor, layout, real), name in writer.forms.items():
        codes = is_code(writer.graph.tensors[tensor].format)
        if writer.graph.tensors[tensor].value is None and name in made and real != codes:
            found.setdefault(tensor, (name, layout == FIRST, codes))
    return found


def model_of(writer: Writer, style: str = "qdq") -> onnx.ModelProto:
    """The model of a graph."""
    graph = writer.graph
    check_writable_graph(graph)
    writer.symbolic = graph.batched and not any(n.type_name in ONE_SAMPLE for n in graph.nodes)
    inputs = [_input(writer, name) for name in graph.inputs]
    writer.taken.update(graph.outputs)
    write_nodes(writer, style)
    outputs = [_output(writer, name) for name in graph.outputs]
    made = helper.make_graph(writer.nodes, graph.name, inputs, outputs, list(writer.initializers.values()))
    domains = [helper.make_opsetid("", OPSET)]
    domains += [helper.make_opsetid(MICROSOFT, 1)] if MICROSOFT in writer.domains else []
    model = helper.make_model(made, opset_imports=domains, ir_version=IR_VERSION, producer_name="hwblocks")
    helper.set_model_props(model, {k: v for k, v in graph.metadata.items() if v})
    onnx.checker.check_model(model)
    return model


def write_nodes(writer: Writer, style: str = "qdq") -> None:
    """Write every node; each has a rule."""
    for node in writer.graph.nodes:
        for reason in differences(writer.graph, node):
            writer.note(reason, node.name)
        quantized = onnx_qlinear.RULES.get(node.type_name) if style == "qoperator" else None
        if quantized is None or not quantized(writer, node):
            if style == "qoperator" and node.type_name in onnx_qlinear.RULES and writer.graph.site(node).is_integer:
                writer.note("has no operator on codes in this form: real values between the edges", node.name)
            RULES[node.type_name](writer, node)


def check_writable_graph(graph: Graph) -> None:
    """Raise one UnsupportedOperatorError that lists every node without a rule."""
    missing: dict[str, list[str]] = {}
    for node in all_nodes(graph):
        if node.type_name not in RULES:
            missing.setdefault(node.type_name, []).append(node.name)
    if graph.states:
        names = [s.name for s in graph.states]
        missing["state kept between samples, which an ONNX file cannot hold"] = names
    if missing:
        lines = [f"{kind} × {len(names)}: {', '.join(names)}" for kind, names in sorted(missing.items())]
        raise UnsupportedOperatorError("these parts cannot be written as ONNX:\n  " + "\n  ".join(lines))


def all_nodes(graph: Graph) -> Sequence[Node]:
    """Every node, those in the bodies of scans included."""
    inner = [n for node in graph.nodes if node.type_name == "Scan" for n in all_nodes(node.block.body)]  # type: ignore[attr-defined]
    return [*graph.nodes, *inner]


def _input(writer: Writer, name: str) -> onnx.ValueInfoProto:
    """A run-time input as real values; codes are made of it by QuantizeLinear."""
    tensor = writer.graph.tensors[name]
    writer.taken.add(name)
    info = writer.info(name, tensor)
    if is_code(tensor.format):
        writer.give(name, writer.quantized(name, tensor.format, name, LAST), LAST, real=False)
    else:
        writer.give(name, name, LAST)
    return info


def _output(writer: Writer, name: str) -> onnx.ValueInfoProto:
    """An output as real values under its own name."""
    tensor = writer.graph.tensors[name]
    source = writer.real(name, LAST)
    if source != name:
        last = next((n for n in writer.nodes if source in n.output), None)
        readers = [n for n in writer.nodes if source in n.input]
        if last is not None and not readers and source not in writer.graph.outputs:
            last.output[list(last.output).index(source)] = name
            writer.forms[name, LAST, True] = name
        else:
            writer.nodes.append(helper.make_node("Identity", [source], [name], name=f"{name}.output"))
    return writer.info(name, tensor)


def differences(graph: Graph, node: Node) -> list[str]:
    """Why the file's runtime may give other integers for a node than its own arithmetic does."""
    site, found = graph.site(node), []
    if not site.is_integer:
        return []
    arithmetic: Any = node.arithmetic
    block: Any = node.block
    if arithmetic is None:
        return []
    if node.block.kind == "accumulate" and arithmetic.requantize is not None:
        if arithmetic.requantize.scheme != "float32":
            found.append(f"requantize {arithmetic.requantize}: the file's runtime multiplies by a float32")
        if arithmetic.accumulator is not None and str(arithmetic.accumulator) != "int32 wrap":
            found.append(f"accumulator {arithmetic.accumulator}: the file's runtime sums in 32 bits or in float32")
    if str(arithmetic.overflow) != "saturate":
        found.append(f"overflow {arithmetic.overflow}: the file's runtime saturates")
    if str(arithmetic.rounding) != "half_even":
        found.append(f"rounding {arithmetic.rounding}: the file's runtime rounds half to even")
    if arithmetic.algorithm is not None:
        found.append(f"algorithm {arithmetic.algorithm}: the file's runtime computes on real values")
    elif getattr(block, "variant", "table") not in ("table", "exact"):
        found.append(f"variant {block.variant}: the file's runtime computes on real values")
    elif node.block.kind == "algorithm":
        found.append("an exact rational value rounded once: the file's runtime computes in float32")
    return found
