"""ONNX Scan as a scan over the first axis; other axes and directions by moves around it."""

from __future__ import annotations

from collections.abc import Sequence

from hwblocks.blocks.scan import Scan
from hwblocks.blocks.shape import Squeeze, Transpose, Unsqueeze
from hwblocks.blocks.slicing import Flip
from hwblocks.errors import GraphError
from hwblocks.graph.builder import Value
from hwblocks.importers.onnx_bodies import attribute_graphs, captured_values, import_body
from hwblocks.importers.onnx_graph import Importer
from hwblocks.importers.onnx_node import OnnxNode
from hwblocks.importers.onnx_rule import Rule

BATCHED = 8  # the operator set in which every tensor has a leading sample axis


def _scan(build: Importer, node: OnnxNode) -> None:
    (graph,) = attribute_graphs(node, "body")
    batched = node.opset <= BATCHED
    if batched and node.input(0):
        raise GraphError("sequence_lens is not supported")
    given = [build.value(name) for name in node.inputs[1 if batched else 0 :]]
    if batched:
        given = [_without_batch(build, node, v) for v in given]
    scanned = int(node.attribute("num_scan_inputs", 1))
    states, scans = given[: len(given) - scanned], given[len(given) - scanned :]
    axes, directions = _per(node, "scan_input_axes", scanned), _per(node, "scan_input_directions", scanned)
    if batched:
        directions = _per(node, "directions", scanned)
    scans = [_first(build, node, v, a, d) for v, a, d in zip(scans, axes, directions, strict=True)]
    captured = captured_values(build, [node])
    shapes = [*(v.shape for v in states), *(v.shape[1:] for v in scans)]
    inputs = {i.name: (s, v.tensor.format) for i, s, v in zip(graph.input, shapes, (*states, *scans), strict=True)}
    body = import_body(build, node, graph, inputs, {}, captured)
    inside = body.graph([body.value(i) for i in range(len(body.outputs))])
    inside = inside.replace(inputs=(*inputs, *body.captured))
    block = Scan(inside, len(states), scanned, axis=0)
    formats = [inside.tensors[name].format for name in inside.outputs]
    given_now = (*states, *scans, *captured.values())
    names = build.builder.reserved([f"{node.name}.made"] * len(formats))  # the file's names are given by `results`
    made = build.builder.add_all(
        block, *given_now, name=node.name, outputs=names, formats=formats, source_name=node.name
    )
    build.results(node, _as_asked(build, node, made, len(states), batched))


def _as_asked(build: Importer, node: OnnxNode, made: Sequence[Value], states: int, batched: bool) -> list[Value]:
    """The outputs with the axes and directions that the node asks for."""
    count = len(made) - states
    axes, directions = _per(node, "scan_output_axes", count), _per(node, "scan_output_directions", count)
    scans = [_placed(build, node, v, a, d) for v, a, d in zip(made[states:], axes, directions, strict=True)]
    outputs = [*made[:states], *scans]
    return [build.builder.add(Unsqueeze(0), v, name=f"{node.name}.batch") for v in outputs] if batched else outputs


def _per(node: OnnxNode, name: str, count: int) -> list[int]:
    """One number for each scanned tensor, 0 where the file states none."""
    given = list(node.attribute(name) or ())
    if given and len(given) != count:
        raise GraphError(f"{name} has {len(given)} entries for {count} tensors")
    return [int(v) for v in given] or [0] * count


def _without_batch(build: Importer, node: OnnxNode, value: Value) -> Value:
    if value.shape[:1] != (1,):
        raise GraphError(f"{value.name!r} {value.shape}: only a batch of one sample is supported before opset 9")
    return build.builder.add(Squeeze(0), value, name=f"{node.name}.sample")


def _first(build: Importer, node: OnnxNode, value: Value, axis: int, backward: int) -> Value:
    """A scanned tensor with its positions along the first axis, in the order in which they are read."""
    axis %= max(len(value.shape), 1)
    if axis:
        order = (axis, *(a for a in range(len(value.shape)) if a != axis))
        value = build.builder.add(Transpose(order), value, name=f"{node.name}.first")
    return build.builder.add(Flip((0,)), value, name=f"{node.name}.backward") if backward else value


def _placed(build: Importer, node: OnnxNode, value: Value, axis: int, backward: int) -> Value:
    """An output with its positions along an axis."""
    if backward:
        value = build.builder.add(Flip((0,)), value, name=f"{node.name}.backward")
    axis %= len(value.shape)
    order = [*range(1, axis + 1), 0, *range(axis + 1, len(value.shape))]
    return build.builder.add(Transpose(tuple(order)), value, name=f"{node.name}.placed") if axis else value


RULES: dict[str, Rule] = {"Scan": Rule(_scan)}
