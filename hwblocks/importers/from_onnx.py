"""ONNX files of float models become graphs; one error lists everything that is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from hwblocks.errors import FileFormatError, GraphError, HwblocksError, InputError, UnsupportedOperatorError
from hwblocks.graph.graph import Graph
from hwblocks.graph.rewrite import without_dead_nodes
from hwblocks.importers.onnx_functions import with_functions_expanded
from hwblocks.importers.onnx_graph import Importer, NeedsConstantError
from hwblocks.importers.onnx_node import OnnxNode, graphs_of, read_names
from hwblocks.importers.onnx_operators import FOLDED, OPERATORS
from hwblocks.importers.onnx_quantized import QONNX_DOMAINS, QUANTIZED, QUANTIZERS, derive
from hwblocks.importers.onnx_types import format_of_type

RULES = {**OPERATORS, **QUANTIZED}
Shapes = Mapping[str, Sequence[int]]
NEWEST_OPSET = 28


def load_onnx(path: str | Path, shapes: Shapes | None = None) -> Graph:
    """The graph of an ONNX file; inputs and outputs keep the file's names and layout, inside is channels last.

    Errors: FileFormatError for files that are no ONNX models; UnsupportedOperatorError lists every operator that no
    rule covers, with its nodes; InputError where a symbolic axis has no size; GraphError for cycles and dangling names.
    """
    model = read_model(Path(path))
    return import_model(model, shapes or {}, Path(path).stem)


def read_model(path: Path) -> onnx.ModelProto:
    """The parsed file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf raises several unrelated classes
        raise FileFormatError(f"{path}: is not an ONNX model ({type(error).__name__}); it may be cut short") from None
    if not model.opset_import or not model.graph.output:
        raise FileFormatError(f"{path}: is not a whole ONNX model: it has no operator set or no output")
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx") and not 1 <= entry.version <= NEWEST_OPSET:
            raise FileFormatError(f"{path}: uses operator set {entry.version}; sets 1 to {NEWEST_OPSET} are known")
    return model


def import_model(
    model: onnx.ModelProto, shapes: Shapes, name: str, frozen: Mapping[str, np.ndarray[Any, Any]] | None = None
) -> Graph:
    """The graph of a parsed model; inputs that are `frozen` are constants of these values."""
    model = with_functions_expanded(model, RULES)
    opset = max((e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), default=1)
    nodes = nodes_of(model.graph, opset)
    importer = Importer(name, [o.name for o in model.graph.output])
    importer.run_graph = run_graph
    _constants(model.graph, importer)
    importer.constants.update(frozen or {})
    check_supported(nodes, importer.constants)
    _inputs(model, importer, shapes)
    _import_nodes(nodes, importer, name)
    graph = importer.build({"source": f"{name}.onnx", "opset": str(opset)})
    return without_dead_nodes(graph).replace(dialect=default_dialect(nodes))


def nodes_of(graph: onnx.GraphProto, opset: int) -> list[OnnxNode]:
    """The nodes of a graph; of their outputs after the first those that nobody reads count as absent."""
    used = {n for proto in graph.node for n in read_names(proto)} | {o.name for o in graph.output}
    return [OnnxNode.read(proto, i, opset, used) for i, proto in enumerate(graph.node)]


def run_graph(importer: Importer, graph: onnx.GraphProto, opset: int) -> None:
    """Import the constants and nodes of a graph inside a node; its inputs are there already."""
    nodes = nodes_of(graph, opset)
    _constants(graph, importer)
    check_supported(nodes, importer.constants)
    _import_nodes(nodes, importer, importer.builder.name)


def _import_nodes(nodes: Sequence[OnnxNode], importer: Importer, name: str) -> None:
    for node in in_order(nodes, importer, name):
        _import_node(node, importer)


def default_dialect(nodes: Sequence[OnnxNode]) -> str:
    """The runtime that a file is written for: "qonnx", "ort-noopt", or "" for float models."""
    names = {node.op for node in nodes} & set(QUANTIZED)
    if any(name.split(":")[0] in QONNX_DOMAINS for name in names):
        return "qonnx"
    return "ort-noopt" if names else ""


def _constants(graph: onnx.GraphProto, importer: Importer) -> None:
    for tensor in graph.initializer:
        try:
            importer.constants[tensor.name] = numpy_helper.to_array(tensor)
        except Exception as error:  # damaged data of any kind
            raise FileFormatError(f"initializer {tensor.name!r} cannot be read ({error})") from None


def _inputs(model: onnx.ModelProto, importer: Importer, shapes: Shapes) -> None:
    names = [i.name for i in model.graph.input if i.name not in importer.constants]
    unknown = sorted(set(shapes) - set(names))
    if unknown:
        raise InputError(f"shapes names {unknown[0]!r}, but the inputs are {', '.join(names)}")
    for value in model.graph.input:
        if value.name not in importer.constants:
            format = format_of_type(value.type.tensor_type.elem_type, f"input {value.name!r}")
            importer.add_input(value.name, _shape(value, shapes.get(value.name)), format)


def _shape(value: onnx.ValueInfoProto, given: Sequence[int] | None) -> tuple[int, ...]:
    kind = value.type.tensor_type
    dims = list(kind.shape.dim)
    if given is not None:
        if len(given) != len(dims) and kind.HasField("shape"):
            raise InputError(f"shapes[{value.name!r}] has {len(given)} axes, the input {len(dims)}")
        return tuple(int(size) for size in given)
    sizes = []
    for axis, dim in enumerate(dims):
        size = dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else (1 if axis == 0 else 0)
        if not size:
            raise InputError(
                f"input {value.name!r}: axis {axis} ({dim.dim_param or 'unnamed'}) has no size; "
                f"pass shapes={{{value.name!r}: (full shape)}}, on the command line --shape {value.name}=N,H,..."
            )
        sizes.append(size)
    return tuple(sizes)


def check_supported(nodes: Sequence[OnnxNode], constants: Mapping[str, Any]) -> None:
    """Raise one UnsupportedOperatorError that lists every operator without a rule, and every refused attribute."""
    missing = _missing(nodes, set(constants))
    if missing:
        lines = [f"{op} × {len(names)}: {', '.join(names)}" for op, names in sorted(missing.items())]
        raise UnsupportedOperatorError("the model holds operators that are not supported:\n  " + "\n  ".join(lines))


def _missing(nodes: Sequence[OnnxNode], known: set[str]) -> dict[str, list[str]]:
    """Names of nodes by operator (and reason), those of graphs inside nodes included."""
    missing: dict[str, list[str]] = {}
    for node in nodes:
        for attribute in node.proto.attribute:
            for graph in graphs_of(attribute):
                inner = _missing(nodes_of(graph, node.opset), known | {t.name for t in graph.initializer})
                for what, names in inner.items():
                    missing.setdefault(what, []).extend(names)
        foldable = node.op in FOLDED and node.op not in QUANTIZERS and all(name in known for name in node.reads)
        if node.op == "Constant" or foldable or node.op == "Shape":
            known.update(node.outputs)
            continue
        rule = RULES.get(node.op)
        reason = "" if rule is None else rule.refuse(node)
        if rule is None or reason:
            missing.setdefault(f"{node.op} ({reason})" if reason else node.op, []).append(node.name)
    return missing


def in_order(nodes: Sequence[OnnxNode], importer: Importer, name: str) -> list[OnnxNode]:
    """Nodes so that every input is made before it is used."""
    made = {*importer.constants, *importer.forms, *importer.derived}
    produced = {output for node in nodes for output in node.outputs}
    for node in nodes:
        dangling = [n for n in node.reads if n not in made and n not in produced]
        if dangling:
            raise GraphError(f"model {name!r}: {node.where} reads {dangling[0]!r}, which nothing makes")
    order, waiting = [], list(nodes)
    while waiting:
        ready = [n for n in waiting if all(i in made for i in n.reads)]
        if not ready:
            raise GraphError(f"model {name!r}: these nodes wait for each other in a cycle: {waiting[0].where}, ...")
        for node in ready:
            made.update(node.outputs)
        order += ready
        taken = {id(n) for n in ready}
        waiting = [n for n in waiting if id(n) not in taken]
    return order


def named(error: HwblocksError, node: OnnxNode) -> HwblocksError:
    """The error with the node in front of its message."""
    message = f"{node.where}: {error.message}"
    return NeedsConstantError(message, error.tensor) if isinstance(error, NeedsConstantError) else type(error)(message)


def _import_node(node: OnnxNode, importer: Importer) -> None:
    try:
        if node.op in QUANTIZERS and derive(importer, node):
            return
        if (node.op not in RULES or RULES[node.op].folds) and importer.fold(node):
            return
        RULES[node.op].build(importer, node)
    except HwblocksError as error:
        if repr(node.name) in error.message:
            raise
        raise named(error, node) from None
    except (IndexError, KeyError, ValueError, TypeError, np.exceptions.AxisError) as error:
        raise GraphError(f"{node.where}: attributes or inputs are not those of the operator ({error})") from None
