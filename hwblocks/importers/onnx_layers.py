"""ONNX layers: convolutions, matrix products, batch normalization."""

from __future__ import annotations

import numpy as np

import hwblocks.blocks.conv as conv
import hwblocks.blocks.linear as linear
import hwblocks.blocks.normalization as normalization
import hwblocks.blocks.shape as shape
from hwblocks.errors import GraphError
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, OnnxNode
from hwblocks.importers.onnx_rule import Rule, spatial


def _conv(build: Importer, node: OnnxNode) -> None:
    x = build.shape(node.inputs[0])
    w = build.shape(node.inputs[1])
    stride, padding, dilation = spatial(node, x, w[2:])
    groups = int(node.attribute("group", 1))
    cls = {3: conv.Conv1d, 4: conv.Conv2d}.get(len(x))
    if cls is None or len(w) != len(x):
        raise GraphError(f"convolutions over {len(x) - 2} axes with weights {w} are not supported")
    block = cls(stride=stride, padding=padding, dilation=dilation, groups=groups)
    weight = build.weight(node.inputs[1], lambda array: conv.channels_last_weight(array, groups))
    bias = build.value(node.inputs[2]) if node.input(2) else None
    build.add(node, block, [build.value(node.inputs[0], LAST), weight, bias], LAST)


def _refuse_conv(node: OnnxNode) -> str:
    kernel = node.attribute("kernel_shape")
    return "over 3 axes" if kernel is not None and len(kernel) > 2 else ""


def _gemm(build: Importer, node: OnnxNode) -> None:
    if not build.is_constant(node.inputs[1]):
        _gemm_of_nodes(build, node)
        return
    w = build.constant(node.inputs[1]).astype(np.float64) * float(node.attribute("alpha", 1.0))
    x = build.value(node.inputs[0])
    if node.attribute("transA", 0):
        x = build.add(node, shape.Transpose((1, 0)), [x], part="transposed")
    weight = w if node.attribute("transB", 0) else w.T
    bias = None
    if node.input(2):
        values = build.constant(node.inputs[2]).astype(np.float64) * float(node.attribute("beta", 1.0))
        if values.ndim > 1 and values.shape[0] != 1:
            raise GraphError(
                f"a bias of shape {values.shape} differs from row to row; it must have one entry per column"
            )
        bias = build.builder.constant(node.inputs[2], np.broadcast_to(values.ravel(), (weight.shape[0],)))
    matrix = build.builder.constant(node.inputs[1], np.ascontiguousarray(weight))
    build.add(node, linear.Linear(), [x, matrix, bias])


def _gemm_of_nodes(build: Importer, node: OnnxNode) -> None:
    """A Gemm whose weights a quantizer makes of constants."""
    if any(
        node.attribute(name, default) != default for name, default in (("alpha", 1.0), ("beta", 1.0), ("transA", 0))
    ):
        raise GraphError("a Gemm of quantized weights needs alpha=1, beta=1, transA=0")
    if not build.is_weight(node.inputs[1]):
        raise GraphError(f"{node.inputs[1]!r} must be a constant, but it is made at run time")
    weight = build.weight(node.inputs[1], lambda w: w if node.attribute("transB", 0) else w.T)
    bias = build.weight(node.inputs[2], np.ravel) if node.input(2) else None
    build.add(node, linear.Linear(), [build.value(node.inputs[0]), weight, bias])


def _matmul(build: Importer, node: OnnxNode) -> None:
    build.add(node, linear.MatMul(), [build.value(node.inputs[0]), build.value(node.inputs[1])])


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
    "Conv": Rule(_conv, _refuse_conv),
    "Gemm": Rule(_gemm),
    "MatMul": Rule(_matmul),
}
