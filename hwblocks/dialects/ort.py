"""ort: ONNX Runtime's default optimisation with exact accumulators (VNNI, or x64quantprecision): QDQ groups fused.

Source: microsoft/onnxruntime `core/optimizer/qdq_transformer`; which groups are fused was read from dumped graphs.
"""

from __future__ import annotations

from hwblocks.dialects import ort_noopt
from hwblocks.graph.block import Move
from hwblocks.graph.dialect import Dialect
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter, only_consumer, without_dead_nodes
from hwblocks.graph.tensor import Tensor
from hwblocks.numerics.formats import Format

LAYERS = ("Conv1d", "Conv2d", "Linear", "MatMul")
ELEMENTS = ("Add", "Mul", "Sigmoid", "LeakyReLU", "Softmax", "GlobalAvgPool", "AvgPool1d", "AvgPool2d")


def fused(graph: Graph) -> Graph:
    """Every group DequantizeLinear → operator → QuantizeLinear as one integer node, until none is left."""
    graph = unsigned(without_covered_clamps(layouts_on_codes(graph)))
    edit = Rewriter(graph)
    for node in graph.nodes:
        quantize = only_consumer(graph, node.outputs[0]) if len(node.outputs) == 1 else None
        if quantize is None or quantize.type_name != "Quantize" or node.clamp is not None:
            continue
        made = fused_node(graph, node, quantize)
        if made is not None:
            edit.replace(node)
            edit.replace(quantize, made)
    return without_dead_nodes(edit.build())


def layouts_on_codes(graph: Graph) -> Graph:
    """Layout changes moved from between a float operator and its Dequantize or Quantize to the codes' side."""
    edit = Rewriter(graph)
    for node in graph.nodes:
        if node.marked != "layout":
            continue
        maker, reader = graph.producer.get(node.inputs[0]), only_consumer(graph, node.outputs[0])
        output = graph.tensors[node.outputs[0]]
        if maker is not None and maker.type_name == "Dequantize":
            codes = graph.tensors[maker.inputs[0]]
            name = edit.fresh(f"{output.name}.codes")
            edit.set(output.replace(name=name, format=codes.format, source_name=codes.source_name))
            moved = node.replace(inputs=maker.inputs, outputs=(name,))
            edit.replace(
                node, moved, maker.replace(name=f"{node.name}.dequantize", inputs=(name,), outputs=node.outputs)
            )
        elif reader is not None and reader.type_name == "Quantize":
            before, codes = graph.tensors[node.inputs[0]], graph.tensors[reader.outputs[0]]
            name = edit.fresh(f"{before.name}.codes")
            edit.set(before.replace(name=name, format=codes.format, source_name=codes.source_name))
            edit.replace(node, reader.replace(inputs=node.inputs, outputs=(name,)))
            edit.replace(reader, node.replace(inputs=(name,), outputs=reader.outputs))
    return without_dead_nodes(edit.build())


def unsigned(graph: Graph) -> Graph:
    """Signed 8-bit codes between one QuantizeLinear and one reader become unsigned, zero point and all.

    Tensors with several readers stay signed, and a group whose activations differ in sign is not fused.
    """
    edit = Rewriter(graph)
    for node in graph.nodes:
        tensor = graph.tensors[node.outputs[0]]
        format = tensor.format
        if node.type_name != "Quantize" or format.bits != 8 or not format.signed or isinstance(format.scale, tuple):
            continue
        moved = format.replace(signed=False, zero_point=format.zero_point + 128)
        for name in chain(graph, tensor.name):
            edit.set(graph.tensors[name].replace(format=moved))
    return edit.build()


def chain(graph: Graph, name: str) -> tuple[str, ...]:
    """The codes from a QuantizeLinear through layout changes to its one reader; none where there are several."""
    names = [name]
    reader = only_consumer(graph, name)
    while reader is not None and reader.marked == "layout":
        names.append(reader.outputs[0])
        reader = only_consumer(graph, names[-1])
    if reader is None or reader.type_name != "Dequantize":
        return ()
    made = reader.outputs[0]
    uses = len(graph.consumers.get(made, ())) + graph.sinks.count(made)
    return tuple(names) if uses == 1 else ()


def stored(graph: Graph, name: str) -> Tensor | None:
    """The codes behind a DequantizeLinear, or None."""
    maker = graph.producer.get(name)
    if maker is None or maker.type_name != "Dequantize":
        return None
    tensor = graph.tensors[maker.inputs[0]]
    return tensor if tensor.format.is_quantized else None


def fused_node(graph: Graph, node: Node, quantize: Node) -> Node | None:
    """The integer node of a group, or None where the runtime does not fuse it."""
    codes = [stored(graph, name) if name else None for name in node.inputs]
    if any(name and tensor is None for name, tensor in zip(node.inputs, codes, strict=True)):
        return None
    target = graph.tensors[quantize.outputs[0]].format
    present = [tensor for tensor in codes if tensor is not None]
    if not takes(node, present, target):
        return None
    inputs = tuple(tensor.name if tensor is not None else "" for tensor in codes)
    return node.replace(inputs=inputs, outputs=quantize.outputs)


def takes(node: Node, inputs: list[Tensor], target: Format) -> bool:
    """True where the runtime has an integer kernel for the group: one type of activations, bias in 32 bits."""
    if isinstance(node.block, Move):
        return all(tensor.format == target for tensor in inputs)
    if node.type_name in LAYERS:
        same = inputs[0].format.dtype == target.dtype
        return same and (len(inputs) < 3 or inputs[2].format.bits == 32)
    same = all(t.format.dtype == target.dtype and not isinstance(t.format.scale, tuple) for t in inputs)
    return node.type_name in ELEMENTS and same


def without_covered_clamps(graph: Graph) -> Graph:
    """The graph without ReLUs before a QuantizeLinear whose lowest code is real 0."""
    edit = Rewriter(graph)
    for node in graph.nodes:
        quantize = only_consumer(graph, node.outputs[0]) if len(node.outputs) == 1 else None
        if node.type_name != "ReLU" or quantize is None or quantize.type_name != "Quantize":
            continue
        format = graph.tensors[quantize.outputs[0]].format
        if format.zero_point == format.lo:
            edit.remove(node)
            edit.replace(quantize, quantize.replace(inputs=(node.inputs[0],)))
    return edit.build()


DIALECT = Dialect(
    name="ort",
    runtime="ONNX Runtime CPU, x86-64, all optimisations, exact accumulators",
    version="onnxruntime 1.31.1 and 1.32.0",
    summary="QDQ groups fused to integer kernels",
    base=ort_noopt.DIALECT,
    prepare=fused,
)
