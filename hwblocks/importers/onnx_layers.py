"""ONNX layers: convolutions and batch normalization."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import hwblocks.blocks.conv as conv
import hwblocks.blocks.conv_transpose as conv_transpose
import hwblocks.blocks.exponential as exponential
import hwblocks.blocks.normalization as normalization
import hwblocks.blocks.shape as shape
import hwblocks.blocks.slicing as slicing
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import Value
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, OnnxNode
from hwblocks.importers.onnx_rule import Rule, spatial

Array = np.ndarray[Any, Any]

CONVOLUTIONS: dict[int, type[Any]] = {3: conv.Conv1d, 4: conv.Conv2d, 5: conv.Conv3d}
TRANSPOSED: dict[int, type[Any]] = {
    3: conv_transpose.ConvTranspose1d,
    4: conv_transpose.ConvTranspose2d,
    5: conv_transpose.ConvTranspose3d,
}


def by_rank(classes: dict[int, type[Any]], x: tuple[int, ...], w: tuple[int, ...]) -> type[Any]:
    """The class for an input of so many axes. Errors: GraphError where there is none."""
    if len(x) not in classes or len(w) != len(x):
        raise GraphError(f"convolutions over {len(x) - 2} axes with weights {w} are not supported; 1 to 3 axes are")
    return classes[len(x)]


def _conv(build: Importer, node: OnnxNode) -> None:
    x, w = build.shape(node.inputs[0]), build.shape(node.inputs[1])
    stride, padding, dilation = spatial(node, x, w[2:])
    groups = int(node.attribute("group", 1))
    block = by_rank(CONVOLUTIONS, x, w)(stride=stride, padding=padding, dilation=dilation, groups=groups)
    bias = build.value(node.inputs[2]) if node.input(2) else None
    build.add(node, block, [build.value(node.inputs[0], LAST), conv_weight(build, node, groups), bias], LAST)


def conv_weight(build: Importer, node: OnnxNode, groups: int) -> Value:
    """The second input, [O, C / groups, *kernel] in the file, as convolutions take it; moved at run time if need be."""
    name = node.inputs[1]
    if build.is_weight(name):
        return build.weight(name, lambda array: conv.channels_last_weight(array, groups))
    w = build.shape(name)
    depthwise = groups > 1 and w[1] == 1
    perm = (1, *range(2, len(w)), 0) if depthwise else (0, *range(2, len(w)), 1)
    return build.add(node, shape.Transpose(perm), [build.value(name)], part="weights")


def _refuse_conv(node: OnnxNode) -> str:
    return "over more than 3 axes" if len(node.attribute("kernel_shape") or ()) > 3 else ""


def transposed_pads(node: OnnxNode, x: tuple[int, ...], kernel: tuple[int, ...]) -> dict[str, Any]:
    """Stride, dilation, padding and output padding of a ConvTranspose; a stated output shape decides the padding."""
    axes = len(x) - 2
    stride, padding, dilation = spatial(node, x, kernel)
    extra = tuple(node.attribute("output_padding") or (0,) * axes)
    wanted, auto = node.attribute("output_shape"), node.attribute("auto_pad", "NOTSET")
    if wanted is None and auto in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [n * s for n, s in zip(x[2:], stride, strict=True)]
    if wanted is not None:
        pairs = []
        for n, s, d, k, e, m in zip(x[2:], stride, dilation, kernel, extra, list(wanted)[-axes:], strict=True):
            total = s * (n - 1) + e + d * (k - 1) + 1 - m
            small, large = total // 2, total - total // 2
            pairs.append((small, large) if auto == "SAME_UPPER" else (large, small))
        padding = tuple(pairs)
    return {"stride": stride, "padding": padding, "dilation": dilation, "output_padding": extra}


def _conv_transpose(build: Importer, node: OnnxNode) -> None:
    x, w = build.shape(node.inputs[0]), build.shape(node.inputs[1])
    groups = int(node.attribute("group", 1))
    block = by_rank(TRANSPOSED, x, w)(**transposed_pads(node, x, w[2:]), groups=groups)
    bias = build.value(node.inputs[2]) if node.input(2) else None
    weight = _transposed_weight(build, node, w, groups)
    build.add(node, block, [build.value(node.inputs[0], LAST), weight, bias], LAST)


def _transposed_weight(build: Importer, node: OnnxNode, w: tuple[int, ...], groups: int) -> Value:
    """[C, O / groups, *kernel] of the file as [O, *kernel, C / groups]."""
    split = (groups, w[0] // groups, *w[1:])
    perm = (0, 2, *range(3, len(split)), 1)
    joined = (groups * w[1], *w[2:], w[0] // groups)
    if build.is_weight(node.inputs[1]):
        return build.weight(node.inputs[1], lambda a: a.reshape(split).transpose(perm).reshape(joined))
    parts = build.add(node, shape.Reshape(split), [build.value(node.inputs[1])], part="groups")
    moved = build.add(node, shape.Transpose(perm), [parts], part="moved")
    return build.add(node, shape.Reshape(joined), [moved], part="weights")


def _causal_conv(build: Importer, node: OnnxNode) -> None:
    """A depthwise convolution over the past state and the input; the end of both is the next state."""
    x, w = build.value(node.inputs[0], LAST), build.shape(node.inputs[1])
    channels, past = x.shape[-1], w[2] - 1
    if node.input(3):
        joined = build.add(node, shape.Concat(1), [build.value(node.inputs[3], LAST), x], LAST, part="joined")
    else:
        joined = build.add(node, shape.Pad(((0, 0), (past, 0), (0, 0))), [x], LAST, part="joined")
    bias = build.value(node.inputs[2]) if node.input(2) else None
    block, inputs = conv.Conv1d(groups=channels), [joined, conv_weight(build, node, channels), bias]
    activation: dict[str, Block] = {"silu": exponential.SiLU(), "swish": exponential.SiLU()}
    name = str(node.attribute("activation", "none")).lower()
    if name in activation:
        sums = build.add(node, block, inputs, LAST, part="sums")
        build.add(node, activation[name], [sums], LAST)
    else:
        build.add(node, block, inputs, LAST)
    if len(node.outputs) > 1 and node.outputs[1]:
        kept = replace(node, outputs=node.outputs[1:2], name=f"{node.name}.present")
        build.add(kept, slicing.Slice((joined.shape[1] - past,), (None,), (1,), (1,)), [joined], LAST)


def _refuse_causal(node: OnnxNode) -> str:
    name = str(node.attribute("activation", "none")).lower()
    return "" if name in ("none", "silu", "swish") else f"activation={name}"


def _batch_norm(build: Importer, node: OnnxNode) -> None:
    layout = LAST if len(build.shape(node.inputs[0])) > 2 else FILE
    block = normalization.BatchNorm(eps=float(node.attribute("epsilon", 1e-5)))
    values = [build.value(node.inputs[0], layout), *(build.value(name) for name in node.inputs[1:5])]
    build.add(node, block, values, layout)


def _refuse_batch_norm(node: OnnxNode) -> str:
    if node.attribute("training_mode", 0) or (node.opset < 7 and not node.attribute("is_test", 0)):
        return "in training mode"
    return "" if node.attribute("spatial", 1) else "spatial=0"


RULES: dict[str, Rule] = {
    "BatchNormalization": Rule(_batch_norm, _refuse_batch_norm),
    "CausalConvWithState": Rule(_causal_conv, _refuse_causal),
    "Conv": Rule(_conv, _refuse_conv),
    "ConvTranspose": Rule(_conv_transpose, _refuse_conv),
}
