"""ONNX If and Loop: control blocks where only run time decides, plain nodes where the file does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import hwblocks.blocks.control as control
import hwblocks.blocks.elementwise as elementwise
import hwblocks.blocks.logic as logic
import hwblocks.blocks.selection as selection
import hwblocks.blocks.shape as shape
from hwblocks.errors import GraphError, HwblocksError
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.graph import Graph
from hwblocks.importers.onnx_bodies import Body, attribute_graphs, captured_values, hand_over, import_body, inline
from hwblocks.importers.onnx_graph import COPY, Importer, OnnxNode
from hwblocks.importers.onnx_rule import Rule
from hwblocks.importers.onnx_types import BOOL, INT64

MOST_COPIES = 256  # trips of a loop that may be written out


def _if(build: Importer, node: OnnxNode) -> None:
    branches = tuple(attribute_graphs(node, "then_branch", "else_branch"))
    if build.is_constant(node.inputs[0]):
        chosen = branches[0] if build.constant(node.inputs[0]).any() else branches[1]
        hand_over(build, node, inline(build, node, chosen, {}, node.name))
        return
    captured = captured_values(build, [node])
    bodies = [import_body(build, node, branch, {}, {}, captured) for branch in branches]
    graphs = [body.graph([body.value(i) for i in range(len(body.outputs))]) for body in bodies]
    block = control.If(*graphs)
    formats = [graphs[0].tensors[name].format for name in graphs[0].outputs]
    build.add_all(node, block, [build.value(node.inputs[0]), *captured.values()], formats)


def _loop(build: Importer, node: OnnxNode) -> None:
    (graph,) = attribute_graphs(node, "body")
    carried = max(len(node.inputs) - 2, 0)
    scans = len(graph.output) - 1 - carried
    starts = not node.input(1) or not build.is_constant(node.inputs[1]) or bool(build.constant(node.inputs[1]).any())
    trips = trip_count(build, node, scans > 0)
    if not starts or trips == 0:
        _no_trips(build, node, scans)
        return
    if trips is not None and trips <= MOST_COPIES and all(build.is_constant(name) for name in node.reads):
        _written_out(build, node, carried, scans, trips)
        return
    try:
        _while(build, node, carried, scans, trips)
    except HwblocksError:
        if trips is None or trips > MOST_COPIES or not starts_surely(build, node):
            raise
        _written_out(build, node, carried, scans, trips)


def trip_count(build: Importer, node: OnnxNode, needed: bool) -> int | None:
    """The largest number of trips, None where the file states none or run time does; asked for where it is needed."""
    if not node.input(0):
        if needed:
            raise GraphError("a loop without a trip count has scan outputs whose shape depends on data")
        return None
    if not needed and not build.is_constant(node.inputs[0]):
        return None
    return max(int(np.ravel(build.constant(node.inputs[0]))[0]), 0)


def _no_trips(build: Importer, node: OnnxNode, scans: int) -> None:
    if scans:
        raise GraphError("a loop without a trip has empty scan outputs, whose shape is not known")
    hand_over(build, node, node.inputs[2:])


def _while(build: Importer, node: OnnxNode, carried: int, scans: int, trips: int | None) -> None:
    """A While that carries the trip's number, the condition, the loop's values, its scan outputs and what it reads."""
    (graph,) = attribute_graphs(node, "body")
    captured = captured_values(build, [node])
    number, condition, *names = (i.name for i in graph.input)
    values = [build.value(name) for name in node.inputs[2:]]
    inputs = {number: ((), INT64)}
    inputs |= {name: (v.shape, v.tensor.format) for name, v in zip(names, values, strict=True)}
    body = import_body(build, node, graph, inputs, {condition: np.array(True)}, captured)
    goes_on = body.constant(0)
    if scans and (goes_on is None or not goes_on.any() or not starts_surely(build, node)):
        raise GraphError("the loop's condition may end it early, so that the shape of its scan outputs depends on data")
    rows = [body.value(1 + carried + i) for i in range(scans)]
    scanned = [_empty(build, node, row, int(trips or 0)) for row in rows]
    limit = [build.value(node.inputs[0])] if node.input(0) and not build.is_constant(node.inputs[0]) else []
    start = [build.builder.constant(f"{node.name}.number", np.array(0), INT64), _first_condition(build, node)]
    outside = [*start, *values, *scanned, *limit, *captured.values()]
    most: Value | int | None = outside[2 + carried + scans] if limit else trips
    block = control.While(
        _condition(f"{build.builder.name}.{node.name}.goes_on", outside, most),
        _step(body, [number, *names], scanned, limit, rows),
        **({} if trips is None else {"max_iterations": trips}),
    )
    _add_loop(build, node, block, outside, carried + scans)


def starts_surely(build: Importer, node: OnnxNode) -> bool:
    """True when the file itself lets the loop begin."""
    return not node.input(1) or build.is_constant(node.inputs[1])


def _first_condition(build: Importer, node: OnnxNode) -> Value:
    if node.input(1) and not build.is_constant(node.inputs[1]):
        value = build.value(node.inputs[1])
        return value if value.shape == () else build.builder.add(shape.Reshape(()), value)
    return build.builder.constant(f"{node.name}.goes_on", np.array(True), BOOL)


def _empty(build: Importer, node: OnnxNode, row: Value, trips: int) -> Value:
    """Where the rows of a scan output are written."""
    format = row.tensor.format
    return build.builder.constant(f"{node.name}.scan", np.zeros((trips, *row.shape), format.dtype), format)


def _condition(name: str, outside: Sequence[Value], most: Value | int | None) -> Graph:
    """The loop goes on while its condition is true and its number is below the largest number of trips."""
    builder = GraphBuilder(name)
    inputs = [builder.input(f"x{i}", v.shape, v.tensor.format) for i, v in enumerate(outside)]
    goes_on = builder.add(shape.Identity(), inputs[1])
    if most is not None:
        trips = builder.constant("trips", np.array(most), INT64) if isinstance(most, int) else None
        below = builder.add(logic.Less(), inputs[0], trips or inputs[outside.index(most)], formats=(BOOL,))  # type: ignore[arg-type]
        goes_on = builder.add(logic.LogicalAnd(), goes_on, below, formats=(BOOL,))
    return builder.build(builder.add(shape.Reshape(()), goes_on))


def _step(
    body: Body, names: Sequence[str], scanned: Sequence[Value], limit: Sequence[Value], rows: Sequence[Value]
) -> Graph:
    """One trip: the body with the further values handed on, in the order of the While's.

    names: the body's inputs, the trip's number first. scanned, limit: the values outside that inputs here stand for.
    """
    builder = body.build.builder
    number, *values = names
    goes_on = builder.input(builder.fresh("goes_on"), (), BOOL)
    kept = [builder.input(builder.fresh("scan"), v.shape, v.tensor.format) for v in scanned]
    most = [builder.input(builder.fresh("limit"), v.shape, v.tensor.format) for v in limit]
    builder.inputs = [number, goes_on.name, *values, *(v.name for v in (*kept, *most)), *body.captured]
    count, captured = Value(builder, number), [Value(builder, name) for name in body.captured]
    following = builder.add(elementwise.Add(), count, builder.constant("one", np.array(1), INT64))
    stays = builder.add(shape.Reshape(()), body.value(0), outputs=(builder.fresh("stays"),))
    written = [_written(builder, old, row, count) for old, row in zip(kept, rows, strict=True)]
    made = [body.value(1 + i) for i in range(len(values))]
    return body.graph([following, stays, *made, *written, *most, *captured])


def _written(builder: GraphBuilder, kept: Value, row: Value, number: Value) -> Value:
    """A scan output with one row written at the trip's number."""
    update = builder.add(shape.Unsqueeze(0), row)
    first = builder.add(shape.Reshape((1,)), number)
    rest = builder.constant("zeros", np.zeros(len(row.shape)), INT64)
    place = builder.add(shape.Concat(0), first, rest) if row.shape else first
    return builder.add(selection.DynamicUpdateSlice(), kept, update, place)


def _add_loop(build: Importer, node: OnnxNode, block: control.While, outside: Sequence[Value], results: int) -> None:
    """The node; its outputs are the loop's values and scan outputs, which stand after number and condition."""
    names = [f"{node.name}.number", f"{node.name}.goes_on", *(o or f"{node.name}.unused" for o in node.outputs)]
    names += [f"{node.name}.kept"] * (len(outside) - len(names))
    made = build.builder.reserved(names)
    formats = [v.tensor.format for v in outside]
    build.builder.add(block, *outside, name=node.name, outputs=made, formats=formats, source_name=node.name)
    for output, name in zip(node.outputs, made[2 : 2 + results], strict=False):
        if output:
            build.forms.setdefault(output, {})["file"] = Value(build.builder, name)


def _written_out(build: Importer, node: OnnxNode, carried: int, scans: int, trips: int) -> None:
    """A copy of the body for each trip, the trip's number a constant. Errors: GraphError for a condition in between."""
    (graph,) = attribute_graphs(node, "body")
    number, condition, *names = (i.name for i in graph.input)
    values = list(node.inputs[2:])
    rows: list[list[str]] = [[] for _ in range(scans)]
    for trip in range(trips):
        tag = f"{node.name}.{trip}"
        given = {
            number: f"{tag}{COPY}number",
            condition: f"{tag}{COPY}goes_on",
            **dict(zip(names, values, strict=True)),
        }
        build.constants[given[number]], build.constants[given[condition]] = np.array(trip), np.array(True)
        goes_on, *made = inline(build, node, graph, given, tag)
        if not build.is_constant(goes_on):
            raise GraphError("the loop's condition depends on data, so that its trips cannot be written out")
        values = made[:carried]
        for kept, name in zip(rows, made[carried:], strict=True):
            kept.append(name)
        if not build.constant(goes_on).any():
            break
    hand_over(build, node, [*values, *(_stacked(build, node, kept, i) for i, kept in enumerate(rows))])


def _stacked(build: Importer, node: OnnxNode, names: Sequence[str], position: int) -> str:
    """A scan output from its rows. Errors: GraphError for rows of several shapes."""
    shapes = {build.shape(name) for name in names}
    if len(shapes) > 1:
        raise GraphError(f"the rows of a scan output have several shapes: {sorted(shapes)}")
    output = f"{node.name}.scan{position}"
    if all(build.is_constant(name) for name in names):
        build.constants[output] = np.stack([build.constants[name] for name in names])
        return output
    parts = [build.builder.add(shape.Unsqueeze(0), build.value(name)) for name in names]
    build.forms[output] = {"file": build.builder.add(shape.Concat(0), *parts, name=output)}
    return output


RULES: dict[str, Rule] = {"If": Rule(_if), "Loop": Rule(_loop)}
