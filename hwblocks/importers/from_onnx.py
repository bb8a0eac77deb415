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
from hwblocks.graph.tensor import FLOAT32
from hwblocks.importers.onnx_graph import Importer, OnnxNode
from hwblocks.importers.onnx_operators import FOLDED, OPERATORS
from hwblocks.importers.onnx_quantized import QONNX_DOMAINS, QUANTIZED, QUANTIZERS, derive
from hwblocks.numerics.formats import Format

RULES = {**OPERATORS, **QUANTIZED}
Shapes = Mapping[str, Sequence[int]]
FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
INTEGERS: dict[int, tuple[int, bool]] = {
    onnx.TensorProto.INT8: (8, True),
    onnx.TensorProto.UINT8: (8, False),
    onnx.TensorProto.INT16: (16, True),
    onnx.TensorProto.UINT16: (16, False),
    onnx.TensorProto.INT32: (32, True),
    onnx.TensorProto.INT64: (64, True),
}
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


def import_model(model: onnx.ModelProto, shapes: Shapes, name: str) -> Graph:
    """The graph of a parsed model."""
    opset = max((e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), default=1)
    used = {n for proto in model.graph.node for n in proto.input} | {o.name for o in model.graph.output}
    nodes = [OnnxNode.read(proto, i, opset, used) for i, proto in enumerate(model.graph.node)]
    importer = Importer(name, [o.name for o in model.graph.output])
    _constants(model, importer)
    check_supported(nodes, importer.constants)
    _inputs(model, importer, shapes)
    for node in in_order(nodes, importer, name):
        _import_node(node, importer)
    graph = importer.build({"source": f"{name}.onnx", "opset": str(opset)})
    return without_dead_nodes(graph).replace(dialect=default_dialect(nodes))


def default_dialect(nodes: Sequence[OnnxNode]) -> str:
    """The runtime that a file is written for: "qonnx", "ort-noopt", or "" for float models."""
    names = {node.op for node in nodes} & set(QUANTIZED)
    if any(name.split(":")[0] in QONNX_DOMAINS for name in names):
        return "qonnx"
    return "ort-noopt" if names else ""


def _constants(model: onnx.ModelProto, importer: Importer) -> None:
    for tensor in model.graph.initializer:
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
            importer.add_input(value.name, _shape(value, shapes.get(value.name)), _format(value))


def _format(value: onnx.ValueInfoProto) -> Format:
    """Floats, truth values, or integers whose meaning their readers state."""
    kind = value.type.tensor_type.elem_type
    if kind == onnx.TensorProto.BOOL:
        return Format("bool")
    if kind in FLOATS:
        return FLOAT32
    if kind in INTEGERS:
        bits, signed = INTEGERS[kind]
        return Format(kind="raw", bits=bits, signed=signed)
    name = onnx.TensorProto.DataType.Name(kind) if kind else "no tensor"
    raise UnsupportedOperatorError(f"input {value.name!r} holds {name}; float, integer and bool inputs are supported")


def _shape(value: onnx.ValueInfoProto, given: Sequence[int] | None) -> tuple[int, ...]:
    kind = value.type.tensor_type
    dims = list(kind.shape.dim)
    if given is not None:
        if len(given) != len(dims):
            raise InputError(f"shapes[{value.name!r}] has {len(given)} axes, the input {len(dims)}")
        return tuple(int(size) for size in given)
    sizes = []
    for axis, dim in enumerate(dims):
        size = dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else (1 if axis == 0 else 0)
        if not size:
            raise InputError(
                f"input {value.name!r}: axis {axis} ({dim.dim_param or 'unnamed'}) has no size; "
                f"pass shapes={{{value.name!r}: (full shape)}}"
            )
        sizes.append(size)
    return tuple(sizes)


def check_supported(nodes: Sequence[OnnxNode], constants: Mapping[str, Any]) -> None:
    """Raise one UnsupportedOperatorError that lists every operator without a rule, and every refused attribute."""
    known = set(constants)
    missing: dict[str, list[str]] = {}
    for node in nodes:
        foldable = (
            node.op in FOLDED and node.op not in QUANTIZERS and all(name in known for name in node.inputs if name)
        )
        if node.op == "Constant" or foldable or node.op == "Shape":
            known.update(node.outputs)
            continue
        rule = RULES.get(node.op)
        reason = "" if rule is None else rule.refuse(node)
        if rule is None or reason:
            missing.setdefault(f"{node.op} ({reason})" if reason else node.op, []).append(node.name)
    if missing:
        lines = [f"{op} × {len(names)}: {', '.join(names)}" for op, names in sorted(missing.items())]
        raise UnsupportedOperatorError("the model holds operators that are not supported:\n  " + "\n  ".join(lines))


def in_order(nodes: Sequence[OnnxNode], importer: Importer, name: str) -> list[OnnxNode]:
    """Nodes so that every input is made before it is used."""
    made = {*importer.constants, *importer.input_names}
    produced = {output for node in nodes for output in node.outputs}
    for node in nodes:
        dangling = [n for n in node.inputs if n and n not in made and n not in produced]
        if dangling:
            raise GraphError(f"model {name!r}: {node.where} reads {dangling[0]!r}, which nothing makes")
    order, waiting = [], list(nodes)
    while waiting:
        ready = [n for n in waiting if all(i in made for i in n.inputs if i)]
        if not ready:
            raise GraphError(f"model {name!r}: these nodes wait for each other in a cycle: {waiting[0].where}, ...")
        for node in ready:
            made.update(node.outputs)
        order += ready
        taken = {id(n) for n in ready}
        waiting = [n for n in waiting if id(n) not in taken]
    return order


def _import_node(node: OnnxNode, importer: Importer) -> None:
    try:
        if node.op in QUANTIZERS and derive(importer, node):
            return
        if importer.fold(node):
            return
        RULES[node.op].build(importer, node)
    except HwblocksError as error:
        if repr(node.name) in error.message:
            raise
        raise type(error)(f"{node.where}: {error.message}") from None
    except (IndexError, KeyError, ValueError, TypeError, np.exceptions.AxisError) as error:
        raise GraphError(f"{node.where}: attributes or inputs are not those of the operator ({error})") from None
