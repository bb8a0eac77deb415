"""TFLite files become graphs, as the file says: float, hybrid and integer models, variables and subgraphs."""

from __future__ import annotations

from pathlib import Path

from hwblocks.dialects import dialect
from hwblocks.errors import (
    DialectError,
    FileFormatError,
    FormatError,
    GraphError,
    HwblocksError,
    ShapeError,
    SimulationError,
    UnsupportedOperatorError,
)
from hwblocks.graph.builder import Value
from hwblocks.graph.control import every_graph
from hwblocks.graph.graph import Graph
from hwblocks.graph.rewrite import without_dead_nodes
from hwblocks.importers.tflite_bodies import BODIES, check_calls
from hwblocks.importers.tflite_control import CONTROL
from hwblocks.importers.tflite_elements import ELEMENTS
from hwblocks.importers.tflite_file import TfliteModel, TfliteOperator, read_tflite
from hwblocks.importers.tflite_graph import TfliteImporter, check_made, format_of, name_of, where
from hwblocks.importers.tflite_layers import LAYERS
from hwblocks.importers.tflite_moves import MOVES
from hwblocks.importers.tflite_picks import PICKS
from hwblocks.importers.tflite_recurrent import RECURRENT
from hwblocks.importers.tflite_versions import check_versions

RULES = {**LAYERS, **MOVES, **PICKS, **ELEMENTS, **RECURRENT, **CONTROL, **BODIES}
WITHOUT_OUTPUTS = ("ASSIGN_VARIABLE", "CALL_ONCE", "IF", "WHILE")
DIALECTS = ("tflm", "litert-ref", "litert-opt")  # the default: the first that takes every node


def load_tflite(path: str | Path) -> Graph:
    """The graph of a .tflite file; its dialect is "tflm", or the first of LiteRT's that takes every node.

    Errors: FileFormatError for files that are no TFLite models; UnsupportedOperatorError lists every operator that no
    rule covers.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    return import_tflite(read_tflite(data, str(path)), path.stem)


def import_tflite(model: TfliteModel, name: str) -> Graph:
    """The graph of a parsed model."""
    check_supported(model)
    check_versions(model)
    check_calls(model)
    build = TfliteImporter(name, model, run_rule)
    main = model.subgraphs[0]
    for index in main.inputs:
        tensor = main.tensors[index]
        value = build.builder.input(name_of(tensor), tensor.shape, format_of(tensor), source_name=tensor.name)
        check_made(value.tensor)
        build.scope.values[index] = value
    for op in main.operators:
        build.run(op)
    build.finish_variables()
    outputs = [own_name(build, index) for index in main.outputs]
    graph = without_dead_nodes(build.builder.build(*outputs, metadata={"source": f"{name}.tflite"}))
    return with_default_dialect(graph)


def check_supported(model: TfliteModel) -> None:
    """One UnsupportedOperatorError that lists every operator without a rule."""
    missing: dict[str, list[str]] = {}
    for number, subgraph in enumerate(model.subgraphs):
        for op in subgraph.operators:
            if op.name not in RULES:
                missing.setdefault(op.name, []).append(f"{number}:{op.index}")
    if missing:
        shown = "; ".join(f"{op} (operator {', '.join(at)})" for op, at in sorted(missing.items()))
        raise UnsupportedOperatorError(f"no rule for {len(missing)} operators: {shown}")


def run_rule(build: TfliteImporter, op: TfliteOperator) -> None:
    """Import one operator; messages name it."""
    if not op.outputs and op.name not in WITHOUT_OUTPUTS:
        raise FileFormatError(f"{where(op)}: has no output")
    try:
        RULES[op.name](build, op)
    except (UnsupportedOperatorError, DialectError, FileFormatError):
        raise
    except (GraphError, ShapeError, FormatError, SimulationError) as error:
        raise type(error)(f"{where(op)}: {error.message}") from None
    except KeyError as error:
        raise FileFormatError(f"{where(op)}: states no option {error}") from None
    except (LookupError, ValueError, TypeError, ArithmeticError, AssertionError, AttributeError) as error:
        raise FileFormatError(f"{where(op)}: its inputs or options do not make sense ({error!r})") from None


def own_name(build: TfliteImporter, index: int) -> Value:
    """An output as a tensor of the file's name, also where it is an input or another output under a new name."""
    return build.value(index)


def with_default_dialect(graph: Graph) -> Graph:
    """The graph with the first dialect that takes every node; float graphs have none."""
    if not any(t.format.is_quantized for part in every_graph(graph) for t in part.tensors.values()):
        return graph
    reasons: list[str] = []
    for name in DIALECTS:
        try:
            dialect(name).applied(graph)
        except HwblocksError as error:
            reasons.append(error.message)
            continue
        notes = {"dialect_note": f"not {DIALECTS[0]}: {reasons[0]}"} if reasons else {}
        return graph.replace(dialect=name, metadata={**graph.metadata, **notes})
    return graph.replace(metadata={**graph.metadata, "dialect_note": reasons[-1]})
