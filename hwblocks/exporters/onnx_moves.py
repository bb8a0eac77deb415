"""Blocks that move elements, and scans, as ONNX operators on stored codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import helper

from hwblocks.exporters.onnx_writer import FIRST, LAST, Writer, first_axes, is_code, last_axes, refuse
from hwblocks.graph.node import Node

Rule = Callable[[Writer, Node], None]


def _integers(w: Writer, node: Node, name: str, values: Any) -> str:
    return w.initializer(f"{node.name}.{name}", np.array(values, dtype=np.int64))


def reshaped(w: Writer, node: Node, x: str, shape: tuple[int, ...], stem: str) -> str:
    """x in another shape; the leading axis is copied where it is the sample axis."""
    given = w.graph.tensors[node.inputs[0]].shape
    if 0 in shape:
        return w.op("Reshape", [x, _integers(w, node, "shape", shape)], stem, allowzero=1)
    keeps = bool(given and shape) and given[0] == shape[0] == 1
    return w.op("Reshape", [x, _integers(w, node, "shape", (0, *shape[1:]) if keeps else shape)], stem)


def _reshape(w: Writer, node: Node) -> None:
    x, y = (w.graph.tensors[n].shape for n in (node.inputs[0], node.outputs[0]))
    if node.marked == "layout" and len(x) == len(y) > 2:  # stands for a transposition
        if y == tuple(x[a] for a in last_axes(len(x))):
            w.moved(node, w.codes(node.inputs[0]), FIRST)
            return
        w.moved(node, w.codes(node.inputs[0], FIRST), LAST)
        return
    made = reshaped(w, node, w.codes(node.inputs[0]), w.graph.tensors[node.outputs[0]].shape, node.name)
    w.moved(node, made)


def _flatten(w: Writer, node: Node) -> None:
    if node.block.start_dim != 1:  # type: ignore[attr-defined]
        _reshape(w, node)
        return
    w.moved(node, w.op("Flatten", [w.codes(node.inputs[0])], node.name, axis=1))


def _same(w: Writer, node: Node) -> None:
    layout = w.standing(node.inputs[0])
    w.moved(node, w.codes(node.inputs[0], layout), layout)


def _transpose(w: Writer, node: Node) -> None:
    """A change between the two layouts is the tensor's other form; any other one is a node."""
    perm, name = tuple(node.block.perm), node.inputs[0]  # type: ignore[attr-defined]
    rank = len(perm)
    if rank > 2 and perm == first_axes(rank):
        w.moved(node, w.codes(name, FIRST), LAST)
    elif rank > 2 and perm == last_axes(rank):
        w.moved(node, w.codes(name, LAST), FIRST)
    else:
        w.moved(node, w.op("Transpose", [w.codes(name)], node.name, perm=list(perm)))


def _concat(w: Writer, node: Node) -> None:
    rank = len(w.graph.tensors[node.outputs[0]].shape)
    dim = node.block.dim % rank  # type: ignore[attr-defined]
    first = rank > 2 and all(w.standing(n) == FIRST for n in node.inputs)
    layout = FIRST if first else LAST
    at = first_axes(rank).index(dim) if first else dim
    w.moved(node, w.op("Concat", [w.codes(n, layout) for n in node.inputs], node.name, axis=at), layout)


def _slice(w: Writer, node: Node) -> None:
    block: Any = node.block
    ends = [2**62 if stop is None and step > 0 else -(2**62) if stop is None else stop
            for stop, step in zip(block.stops, block.steps, strict=True)]  # fmt: skip
    parts = [("starts", block.starts), ("ends", ends), ("axes", block.axes), ("steps", block.steps)]
    given = [w.codes(node.inputs[0]), *(_integers(w, node, n, v) for n, v in parts)]
    w.moved(node, w.op("Slice", given, node.name))


def _flip(w: Writer, node: Node) -> None:
    dims = node.block.dims  # type: ignore[attr-defined]
    count = len(dims)
    parts = [("starts", [-1] * count), ("ends", [-(2**62)] * count), ("axes", dims), ("steps", [-1] * count)]
    given = [w.codes(node.inputs[0]), *(_integers(w, node, n, v) for n, v in parts)]
    w.moved(node, w.op("Slice", given, node.name))


def _split(w: Writer, node: Node) -> None:
    block: Any = node.block
    given = [w.codes(node.inputs[0]), _integers(w, node, "sizes", block.sizes)]
    names = [f"{node.name}.{i}" if i else node.name for i in range(len(block.sizes))]
    for i, name in enumerate(w.ops("Split", given, names, axis=block.dim)):
        w.moved(node, name, LAST, i)


def _stack(w: Writer, node: Node) -> None:
    rank = len(w.graph.tensors[node.outputs[0]].shape)
    dim = node.block.dim % rank  # type: ignore[attr-defined]
    axes = _integers(w, node, "axes", [dim])
    rows = [w.op("Unsqueeze", [w.codes(n), axes], f"{node.name}.row{i}") for i, n in enumerate(node.inputs)]
    w.moved(node, w.op("Concat", rows, node.name, axis=dim))


def _unstack(w: Writer, node: Node) -> None:
    shape = w.graph.tensors[node.inputs[0]].shape
    dim = node.block.dim % len(shape)  # type: ignore[attr-defined]
    axes, sizes = _integers(w, node, "axes", [dim]), _integers(w, node, "sizes", [1] * shape[dim])
    rows = w.ops(
        "Split", [w.codes(node.inputs[0]), sizes], [f"{node.name}.row{i}" for i in range(shape[dim])], axis=dim
    )
    for i, row in enumerate(rows):
        w.moved(node, w.op("Squeeze", [row, axes], f"{node.name}.{i}"), LAST, i)


def _gather(w: Writer, node: Node) -> None:
    block: Any = node.block
    index = _integers(w, node, "indices", block.indices)
    w.moved(node, w.op("Gather", [w.codes(node.inputs[0]), index], node.name, axis=block.dim))


def _take(w: Writer, node: Node) -> None:
    block: Any = node.block
    if block.batch_dims:
        raise refuse(node, "batch_dims above 0 have no operator of their own")
    w.moved(node, w.op("Gather", [w.codes(node.inputs[0]), w.real(node.inputs[1])], node.name, axis=block.dim))


def _embedding(w: Writer, node: Node) -> None:
    w.moved(node, w.op("Gather", [w.codes(node.inputs[1]), w.real(node.inputs[0])], node.name, axis=0))


def _repeat(op: str, attribute: str) -> Rule:
    def write(w: Writer, node: Node) -> None:
        values = getattr(node.block, attribute)
        w.moved(node, w.op(op, [w.codes(node.inputs[0]), _integers(w, node, attribute, values)], node.name))

    return write


def _pad(w: Writer, node: Node) -> None:
    """Zeros are the code of real 0; sixteen-bit codes go by way of real values, which Pad takes."""
    block: Any = node.block
    tensor = w.graph.tensors[node.inputs[0]]
    pads = _integers(w, node, "pads", [*(a for a, _ in block.pads), *(b for _, b in block.pads)])
    value = float(getattr(block, "value", 0.0))
    if is_code(tensor.format) and tensor.format.bits == 8:
        code = w.initializer(f"{node.name}.value", np.array(tensor.format.code_of(value), tensor.format.dtype))
        w.moved(node, w.op("Pad", [w.codes(tensor.name), pads, code], node.name))
        return
    fill = w.initializer(f"{node.name}.value", np.array(value, np.float32))
    w.result(node, w.op("Pad", [w.real(tensor.name), pads, fill], node.name))


def _mirror_pad(w: Writer, node: Node) -> None:
    block: Any = node.block
    if block.mode not in ("reflect", "edge", "wrap"):
        raise refuse(node, f"mode={block.mode!r} has no operator")
    pads = _integers(w, node, "pads", [*(a for a, _ in block.pads), *(b for _, b in block.pads)])
    w.result(node, w.op("Pad", [w.real(node.inputs[0]), pads], node.name, mode=block.mode))


def _blocks(op: str) -> Rule:
    def write(w: Writer, node: Node) -> None:
        block: Any = node.block
        more: dict[str, Any] = {"blocksize": block.block_size}
        more |= {"mode": block.mode} if op == "DepthToSpace" else {}
        w.result(node, w.op(op, [w.real(node.inputs[0], FIRST)], node.name, **more), FIRST)

    return write


def _select(w: Writer, node: Node) -> None:
    sides = [w.codes(n) if is_code(w.graph.tensors[n].format) else w.real(n) for n in node.inputs[1:]]
    w.moved(node, w.op("Where", [w.real(node.inputs[0]), *sides], node.name))


def _scan(w: Writer, node: Node) -> None:
    """The body as a graph of its own; what every pass reads whole is read from outside."""
    from hwblocks.exporters.to_onnx import write_nodes

    block: Any = node.block
    body, last, outside = block.body, block.carried + block.scanned, len(node.inputs)
    inner = Writer(body, w)
    ends = []
    for position in range(last):
        tensor = body.tensors[body.inputs[position]]
        name = inner.fresh(f"{node.name}/{tensor.name}")
        inner.give(tensor.name, name, LAST, real=not is_code(tensor.format))
        ends.append(inner.info(name, tensor, codes=is_code(tensor.format)))
    for position in range(last, outside):
        tensor = body.tensors[body.inputs[position]]
        inner.give(tensor.name, w.codes(node.inputs[position]), LAST, real=not is_code(tensor.format))
    write_nodes(inner)
    made = []
    for i, name in enumerate(body.outputs):
        copied = inner.op("Identity", [inner.codes(name)], f"{node.name}/{name}.{i}")
        made.append(inner.info(copied, body.tensors[name], codes=is_code(body.tensors[name].format)))
    graph = helper.make_graph(inner.nodes, f"{node.name}.body", ends, made)
    _written_scan(w, node, graph, len(body.outputs) - block.carried)


def _written_scan(w: Writer, node: Node, graph: Any, scanned: int) -> None:
    block: Any = node.block
    given = [w.codes(n) for n in node.inputs[: block.carried + block.scanned]]
    axes = [block.axis % len(w.graph.tensors[n].shape) for n in node.inputs[block.carried :][: block.scanned]]
    out = [block.axis % len(w.graph.tensors[n].shape) for n in node.outputs[block.carried :]]
    turned = int(block.reverse)
    made = w.ops(
        "Scan", given, list(node.outputs), body=graph, num_scan_inputs=block.scanned, scan_input_axes=axes,
        scan_output_axes=out, scan_input_directions=[turned] * block.scanned, scan_output_directions=[turned] * scanned,
    )  # fmt: skip
    for i, name in enumerate(made):
        w.moved(node, name, LAST, i)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Reshape", "Squeeze", "Unsqueeze"), _reshape),
    **dict.fromkeys(("Dropout", "Identity", "Relabel"), _same),
    "Concat": _concat,
    "DepthToSpace": _blocks("DepthToSpace"),
    "Embedding": _embedding,
    "Expand": _repeat("Expand", "new_shape"),
    "Flatten": _flatten,
    "Flip": _flip,
    "Gather": _gather,
    "MirrorPad": _mirror_pad,
    "Pad": _pad,
    "Scan": _scan,
    "Select": _select,
    "Slice": _slice,
    "SpaceToDepth": _blocks("SpaceToDepth"),
    "Split": _split,
    "Stack": _stack,
    "Take": _take,
    "Tile": _repeat("Tile", "repeats"),
    "Transpose": _transpose,
    "Unstack": _unstack,
}
