"""Moves brought to codes: what only permutes elements acts on stored codes, not between a Dequantize and a Quantize."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hwblocks.blocks.edges import Dequantize, Relabel
from hwblocks.blocks.shape import Transpose
from hwblocks.graph.block import Move, Pointwise
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter, only_consumer, without_dead_nodes
from hwblocks.graph.tensor import Origin, Tensor
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.formats import Format
from quantize.stated.grids import folded_floats

Edit = Callable[[Graph, Rewriter, Node], bool]
MOST_PASSES = 1000
EXACT_BITS = 16
PERMUTING = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Flip", "DepthToSpace", "SpaceToDepth")


def moved_to_codes(graph: Graph) -> Graph:
    """The graph after all rules of this file, applied until none changes anything."""
    for _ in range(MOST_PASSES):
        changed = False
        for rule in (lifted, sunk, swapped):
            graph, more = applied(graph, rule)
            changed |= more
        graph, more = without_round_trips(graph)
        if not (changed or more):
            break
    return graph


def applied(graph: Graph, rule: Edit) -> tuple[Graph, bool]:
    """One pass of a rule over all nodes; nodes that an edit touched wait for the next pass."""
    edit = Rewriter(graph)
    changed = [rule(graph, edit, node) for node in graph.nodes if edit.current(node) is node]
    if not any(changed):
        return graph, False
    return folded_floats(without_dead_nodes(edit.build())), True


def behind(graph: Graph, name: str) -> Tensor | None:
    """The codes behind a Dequantize without a remainder rule, or None."""
    maker = graph.producer.get(name)
    if maker is None or maker.type_name != "Dequantize" or (maker.arithmetic or Arithmetic()).tail_edge is not None:
        return None
    codes = graph.tensors[maker.inputs[0]]
    return codes if codes.format.is_quantized else None


def holds_fill(block: Move, format: Format) -> bool:
    """True when the value of elements that come from no input is exactly one of the format's."""
    if isinstance(format.scale, tuple):
        return block.fill == 0.0
    code = format.code_of(block.fill)
    return bool(float(format.dequantize(code)) == block.fill)


def moved_format(node: Node, format: Format, rank: int) -> Format | None:
    """The format after a move: scales per channel follow a Transpose; other moves need one scale."""
    if not isinstance(format.scale, tuple):
        return format
    if isinstance(node.block, Transpose) and format.axis is not None:
        return format.replace(axis=[p % rank for p in node.block.perm].index(format.axis % rank))
    return None


def lifted(graph: Graph, edit: Rewriter, node: Node) -> bool:
    """Dequantize → move: the move on the codes, then the Dequantize."""
    if not isinstance(node.block, Move) or node.clamp is not None or not node.inputs:
        return False
    codes = [behind(graph, name) for name in node.inputs if name]
    first = codes[0] if codes else None
    if first is None or any(c is None or c.format != first.format for c in codes):
        return False
    format = moved_format(node, first.format, len(first.shape))
    if format is None or not holds_fill(node.block, format):
        return False
    rule = graph.producer[node.inputs[0]].arithmetic
    names, backs = [], []
    for position, output in enumerate(node.outputs):
        name = edit.fresh(f"{output}.codes")
        edit.set(graph.tensors[output].replace(name=name, format=format, origin=Origin(output)))
        names.append(name)
        back = f"{node.name}.dequantize{position or ''}"
        backs.append(Node(back, Dequantize(), (name,), (output,), arithmetic=rule))
    inputs = iter(codes)
    moved = node.replace(inputs=tuple(next(inputs).name if n else "" for n in node.inputs), outputs=tuple(names))  # type: ignore[union-attr]
    edit.replace(node, moved, *backs)
    return True


def sunk(graph: Graph, edit: Rewriter, quantize: Node) -> bool:
    """Move → Quantize: the Quantize of every input, then the move on the codes."""
    if quantize.type_name != "Quantize" or quantize.clamp is not None:
        return False
    node = graph.producer.get(quantize.inputs[0])
    if node is None or edit.current(node) is not node or not movable(graph, node, quantize):
        return False
    codes = graph.tensors[quantize.outputs[0]]
    made, names = [], []
    for position, source in enumerate(node.inputs):
        name = edit.fresh(f"{codes.name}.{position}")
        edit.set(graph.tensors[source].replace(name=name, format=codes.format, value=None, origin=None))
        made.append(quantize.replace(name=f"{quantize.name}.{position}", inputs=(source,), outputs=(name,)))
        names.append(name)
    edit.replace(quantize, *made, node.replace(inputs=tuple(names), outputs=quantize.outputs))
    edit.replace(node)
    return True


def movable(graph: Graph, node: Node, quantize: Node) -> bool:
    """True for a move that a Quantize of one scale alone reads, and whose fill value it keeps."""
    format = graph.tensors[quantize.outputs[0]].format
    rules = quantize.arithmetic or Arithmetic()
    single = isinstance(node.block, Move) and len(node.outputs) == 1 and all(node.inputs) and node.clamp is None
    plain = not isinstance(format.scale, tuple) and rules.tail_edge is None
    if not single or not plain or only_consumer(graph, node.outputs[0]) is not quantize:
        return False
    return all(graph.tensors[n].format.is_float for n in node.inputs) and holds_fill(node.block, format)  # type: ignore[arg-type]


def swapped(graph: Graph, edit: Rewriter, node: Node) -> bool:
    """Permuting move → function of one element: the function first, so that the move comes nearer to a Quantize."""
    if not isinstance(node.block, Pointwise) or not graph.tensors[node.inputs[0]].format.is_float:
        return False
    move = graph.producer.get(node.inputs[0])
    if move is None or move.type_name not in PERMUTING or edit.current(move) is not move or move.clamp is not None:
        return False
    if only_consumer(graph, move.outputs[0]) is not node:
        return False
    source = graph.tensors[move.inputs[0]]
    name = edit.fresh(f"{node.outputs[0]}.before")
    edit.set(source.replace(name=name, origin=None, value=None))
    first = node.replace(inputs=(source.name,), outputs=(name,))
    edit.replace(node, first, move.replace(inputs=(name,), outputs=node.outputs))
    edit.replace(move)
    return True


def without_round_trips(graph: Graph) -> tuple[Graph, bool]:
    """The graph without Dequantize → Quantize into the very same format, which changes no code."""
    same: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        codes = behind(graph, node.inputs[0]) if node.type_name == "Quantize" else None
        output = graph.tensors[node.outputs[0]]
        if codes is None or codes.format != output.format or not keeps_codes(node, codes.format):
            nodes.append(node)
        elif output.name in graph.sinks:
            nodes.append(node.replace(block=Relabel(), inputs=(codes.name,)))
        else:
            same[output.name] = codes.name
    if not same and len(nodes) == len(graph.nodes) and all(a is b for a, b in zip(nodes, graph.nodes, strict=True)):
        return graph, False
    renamed = (n.replace(inputs=tuple(origin_of(same, i) for i in n.inputs)) for n in nodes)
    return without_dead_nodes(graph.replace(nodes=tuple(renamed))), True


def keeps_codes(quantize: Node, format: Format) -> bool:
    """True when a Quantize gives back the code that its value was made from: float32 tells that many bits apart."""
    rules = quantize.arithmetic or Arithmetic()
    return quantize.clamp is None and rules.tail_edge is None and format.bits <= EXACT_BITS


def origin_of(same: dict[str, str], name: Any) -> str:
    """The tensor at the end of a chain of equal ones."""
    while name in same:
        name = same[name]
    return str(name)
