"""TFLite operators that hold state or call other subgraphs: variables, CALL_ONCE, composites."""

from __future__ import annotations

from hwblocks.errors import UnsupportedOperatorError
from hwblocks.graph.builder import Value
from hwblocks.importers.tflite_file import TfliteOperator
from hwblocks.importers.tflite_graph import Build, TfliteImporter, Variable, format_of, where


def var_handle(build: TfliteImporter, op: TfliteOperator) -> None:
    names = (str(op.options.get(key) or "") for key in ("container", "shared_name"))
    build.scope.handles[op.outputs[0]] = build.variable(*names)


def handle(build: TfliteImporter, op: TfliteOperator) -> Variable:
    """The variable that an operator's first input names."""
    found = build.scope.handles.get(op.inputs[0])
    if found is None:
        raise UnsupportedOperatorError(f"{where(op)}: its resource is made by no VAR_HANDLE of this subgraph")
    return found


def read_variable(build: TfliteImporter, op: TfliteOperator) -> None:
    variable, tensor = handle(build, op), build.output_tensor(op)
    if variable.current is None:
        build.started(variable, tensor.shape, format_of(tensor), tensor.name)
    assert variable.current is not None
    build.alias(op, variable.current)


def assign_variable(build: TfliteImporter, op: TfliteOperator) -> None:
    variable, value = handle(build, op), build.input(op, 1)
    if not build.initialising:
        variable.current = value
        return
    if value.tensor.value is None:
        raise UnsupportedOperatorError(f"{where(op)}: a variable starts from a value that is not a constant")
    variable.initial, variable.initialised = value.tensor.value, True


def call_once(build: TfliteImporter, op: TfliteOperator) -> None:
    scope = build.enter(op.options["init_subgraph_index"], {})
    build.initialising = True
    for inner in scope.subgraph.operators:
        build.run(inner)
    build.initialising = False
    build.leave()


def inline(build: TfliteImporter, op: TfliteOperator, index: int) -> None:
    """The operators of another subgraph in the place of this one."""
    subgraph = build.model.subgraphs[index]
    given: dict[int, Value] = {
        inner: build.value(outer) for inner, outer in zip(subgraph.inputs, op.inputs, strict=True) if outer >= 0
    }
    build.enter(index, given)
    for inner in subgraph.operators:
        build.run(inner)
    made = [build.value(i) for i in subgraph.outputs]
    build.leave()
    for position, value in enumerate(made):
        build.alias(op, value, position)


def composite(build: TfliteImporter, op: TfliteOperator) -> None:
    inline(build, op, op.options["decomposition_subgraph_index"])


CONTROL: dict[str, Build] = {
    "ASSIGN_VARIABLE": assign_variable,
    "CALL_ONCE": call_once,
    "READ_VARIABLE": read_variable,
    "STABLEHLO_COMPOSITE": composite,
    "VAR_HANDLE": var_handle,
}
