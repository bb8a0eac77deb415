"""TFLite WHILE and IF: subgraphs become bodies; variables that they use are carried through them as extra values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hwblocks.blocks.control import If, While
from hwblocks.errors import GraphError, UnsupportedOperatorError
from hwblocks.graph.builder import Value
from hwblocks.graph.graph import Graph
from hwblocks.graph.rewrite import without_dead_nodes
from hwblocks.graph.tensor import Tensor
from hwblocks.importers.tflite_file import TfliteModel, TfliteOperator, TfliteSubgraph
from hwblocks.importers.tflite_graph import Build, TfliteImporter, Variable, format_of, name_of, where

CALLS = {
    "WHILE": ("cond_subgraph_index", "body_subgraph_index"),
    "IF": ("then_subgraph_index", "else_subgraph_index"),
    "CALL_ONCE": ("init_subgraph_index",),
    "STABLEHLO_COMPOSITE": ("decomposition_subgraph_index",),
}


def check_calls(model: TfliteModel) -> None:
    """Errors: UnsupportedOperatorError for a subgraph that leads back to itself."""
    done: set[int] = set()
    for start in range(len(model.subgraphs)):
        _visit(model, start, (), done)


def _visit(model: TfliteModel, index: int, path: tuple[int, ...], done: set[int]) -> None:
    if index in path:
        circle = " → ".join(map(str, (*path[path.index(index) :], index)))
        raise UnsupportedOperatorError(f"subgraph {index} calls itself ({circle}); recursion has no bounded arithmetic")
    if index in done:
        return
    for op in model.subgraphs[index].operators:
        for key in CALLS.get(op.name, ()):
            _visit(model, int(op.options.get(key, 0)), (*path, index), done)
    done.add(index)


@dataclass(eq=False)
class Body:
    """A subgraph imported by itself: its builder, the operator's values in it, and its variables by name."""

    build: TfliteImporter
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    @property
    def touched(self) -> dict[str, Variable]:
        """The variables that it reads or assigns."""
        return {key: v for key, v in self.build.variables.items() if v.state is not None}

    def assigns(self) -> bool:
        """True when a variable has another value at the end."""
        return any(v.state is not v.current for v in self.touched.values())

    def graph(self, carried: Mapping[str, Tensor], ends: bool) -> Graph:
        """The body with the carried variables as further inputs and, with `ends`, further outputs."""
        builder, extra, made = self.build.builder, [], []
        for key, tensor in carried.items():
            variable = self.touched.get(key)
            if variable is None:
                name = builder.fresh(tensor.name)
                value = builder.input(name, tensor.shape, tensor.format, source_name=tensor.source_name)
                variable = Variable(name, state=value, current=value)
            assert variable.state is not None
            assert variable.current is not None
            extra.append(variable.state.name)
            made.append(variable.current.name)
        builder.inputs, builder.states = [*self.inputs, *extra], {}
        return without_dead_nodes(builder.build(*self.outputs, *(made if ends else ())))


def import_body(build: TfliteImporter, op: TfliteOperator, index: int, given: Sequence[int], outputs: int) -> Body:
    """The subgraph with the operator's tensors `given` as its inputs. Resources are handed on by name."""
    subgraph = build.model.subgraphs[index]
    check_counts(op, index, subgraph, len(given), outputs)
    inner = build.nested(index)
    body = Body(inner)
    for outside, inside in zip(given, subgraph.inputs, strict=True):
        if outside in build.scope.handles:
            inner.scope.handles[inside] = inner.variable_of(build.key_of(build.scope.handles[outside]))
            continue
        tensor = subgraph.tensors[inside]
        name = inner.builder.fresh(name_of(tensor))
        inner.scope.values[inside] = inner.builder.input(name, tensor.shape, format_of(tensor), source_name=tensor.name)
        body.inputs.append(name)
    for inner_op in subgraph.operators:
        inner.run(inner_op)
    inner.complete_variables()
    body.outputs = [inner.value(i).name for i in subgraph.outputs if i not in inner.scope.handles]
    return body


def check_counts(op: TfliteOperator, index: int, subgraph: TfliteSubgraph, inputs: int, outputs: int) -> None:
    """Errors: GraphError when the subgraph takes or makes another number of tensors than the operator."""
    takes, makes = len(subgraph.inputs), len(subgraph.outputs)
    if takes != inputs or makes != outputs:
        raise GraphError(
            f"subgraph {index} takes {takes} tensors and makes {makes}, the operator has {inputs} and {outputs}"
        )


def carried_variables(build: TfliteImporter, bodies: Sequence[Body]) -> dict[str, Value]:
    """Every variable that a body touches, by name, with its value at this point outside."""
    carried: dict[str, Value] = {}
    for body in bodies:
        for key, inner in body.touched.items():
            assert inner.state is not None
            if inner.restarts:
                carried[key] = build.builder.constant(inner.name, inner.initial, inner.state.tensor.format)
                continue
            outer = build.variable_of(key, inner)
            carried[key] = build.current(outer, inner.state.tensor)
    return carried


def add_control(
    build: TfliteImporter,
    op: TfliteOperator,
    block: While | If,
    values: Sequence[Value],
    carried: Mapping[str, Value],
) -> None:
    """The node; its extra outputs become the variables' values. Resource outputs stay names of variables.

    What starts anew with each run is no variable here.
    """
    results = [i for i in op.outputs if i >= 0 and build.tensor(i).type != "resource"]
    tensors = [build.tensor(i) for i in results]
    names = build.builder.reserved([*(name_of(t) for t in tensors), *(f"{v.name}.next" for v in carried.values())])
    formats = [*(format_of(t) for t in tensors), *(v.tensor.format for v in carried.values())]
    build.builder.add(
        block,
        *values,
        *carried.values(),
        name=f"{op.name.lower()}.{op.index}",
        outputs=names,
        formats=formats,
        source_name=f"{op.name} {op.index}",
    )
    for index, tensor, name in zip(results, tensors, names, strict=False):
        build.builder.tensors[name] = build.builder.tensors[name].replace(source_name=tensor.name)
        build.scope.values[index] = Value(build.builder, name)
    for key, name in zip(carried, names[len(results) :], strict=True):
        if key in build.variables:
            build.variables[key].current = Value(build.builder, name)


def while_loop(build: TfliteImporter, op: TfliteOperator) -> None:
    indices = [int(op.options[key]) for key in CALLS["WHILE"]]
    cond = import_body(build, op, indices[0], op.inputs, 1)
    body = import_body(build, op, indices[1], op.inputs, len(op.outputs))
    if cond.assigns():
        raise UnsupportedOperatorError(f"{where(op)}: its condition assigns a variable, which is not supported")
    carried = carried_variables(build, (cond, body))
    tensors = {key: value.tensor for key, value in carried.items()}
    block = While(cond.graph(tensors, False), body.graph(tensors, True))
    pass_handles(build, op, op.inputs)
    add_control(build, op, block, plain_values(build, op.inputs), carried)


def if_branch(build: TfliteImporter, op: TfliteOperator) -> None:
    condition, given = build.input(op, 0), op.inputs[1:]
    branches = [import_body(build, op, int(op.options[key]), given, len(op.outputs)) for key in CALLS["IF"]]
    carried = carried_variables(build, branches)
    tensors = {key: value.tensor for key, value in carried.items()}
    block = If(*(branch.graph(tensors, True) for branch in branches))
    add_control(build, op, block, [condition, *plain_values(build, given)], carried)


def plain_values(build: TfliteImporter, given: Sequence[int]) -> list[Value]:
    """The values among an operator's inputs; resources are no values."""
    return [build.value(i) for i in given if i not in build.scope.handles]


def pass_handles(build: TfliteImporter, op: TfliteOperator, given: Sequence[int]) -> None:
    """A loop hands resources through: the output at a resource's position names the same variable."""
    for outside, made in zip(given, op.outputs, strict=True):
        if outside in build.scope.handles:
            build.scope.handles[made] = build.scope.handles[outside]


BODIES: dict[str, Build] = {"IF": if_branch, "WHILE": while_loop}
