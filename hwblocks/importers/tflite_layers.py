"""TFLite operators that sum, reduce and resize: one small function each, and the table that names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import hwblocks.blocks.conv as conv
import hwblocks.blocks.conv_transpose as conv_transpose
import hwblocks.blocks.linear as linear
import hwblocks.blocks.max_pooling as max_pooling
import hwblocks.blocks.normalization as normalization
import hwblocks.blocks.pooling as pooling
import hwblocks.blocks.reduction as reduction
import hwblocks.blocks.resize as resize
import hwblocks.blocks.shape as shape
import hwblocks.blocks.softmax as softmax
from hwblocks.errors import UnsupportedOperatorError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import Value
from hwblocks.graph.window import same_pads
from hwblocks.importers.tflite_file import TfliteOperator
from hwblocks.importers.tflite_graph import Build, TfliteImporter, fused, unary, where

Array = np.ndarray[Any, Any]


def windowed(op: TfliteOperator, spatial: Sequence[int], kernel: Sequence[int]) -> dict[str, Any]:
    """stride, padding and dilation of an operator over height and width."""
    o = op.options
    stride = (o["stride_h"], o["stride_w"])
    dilation = (o.get("dilation_h_factor", 1), o.get("dilation_w_factor", 1))
    pads = same_pads(tuple(spatial), tuple(kernel), stride, dilation, True) if o["padding"] == "SAME" else ((0, 0),) * 2
    return {"stride": stride, "padding": pads, "dilation": dilation}


def layer_inputs(build: TfliteImporter, op: TfliteOperator, weight: int = 1, bias: int = 2) -> list[Value | None]:
    """Weights and, where there is one, the bias."""
    return [build.input(op, weight), build.input(op, bias) if build.has(op, bias) else None]


def conv_2d(build: TfliteImporter, op: TfliteOperator) -> None:
    x, (w, b) = build.input(op, 0), layer_inputs(build, op)
    assert w is not None
    groups = x.shape[-1] // w.shape[-1]
    if groups > 1 and w.shape[-1] == 1:
        w = moved_weight(build, op, w)
    block = conv.Conv2d(groups=groups, **windowed(op, x.shape[1:3], w.shape[1:3]))
    build.add(op, block, [x, w, b], activation=fused(op), attributes={"operator": op.name})


def moved_weight(build: TfliteImporter, op: TfliteOperator, w: Value) -> Value:
    """Weights [O, kh, kw, 1] of a grouped convolution with one input channel each, as [1, kh, kw, O]."""
    tensor = w.tensor
    assert tensor.value is not None
    format = tensor.format.replace(axis=3) if isinstance(tensor.format.scale, tuple) else tensor.format
    return build.builder.constant(f"{tensor.name}.moved", np.moveaxis(tensor.value, (0, 3), (3, 0)), format)


def depthwise_conv_2d(build: TfliteImporter, op: TfliteOperator) -> None:
    x, (w, b) = build.input(op, 0), layer_inputs(build, op)
    assert w is not None
    groups = x.shape[-1]
    if groups == 1:
        w = build.builder.constant(f"{w.name}.moved", *full_weight(w))
    block = conv.Conv2d(groups=groups, **windowed(op, x.shape[1:3], w.shape[1:3]))
    build.add(op, block, [x, w, b], activation=fused(op), attributes={"operator": op.name})


def full_weight(w: Value) -> tuple[Array, Any]:
    """Depthwise weights [1, kh, kw, O] of one input channel, as [O, kh, kw, 1], with their format."""
    tensor = w.tensor
    assert tensor.value is not None
    format = tensor.format.replace(axis=0) if isinstance(tensor.format.scale, tuple) else tensor.format
    return np.moveaxis(tensor.value, -1, 0)[..., None] if tensor.value.ndim == 3 else np.moveaxis(
        tensor.value, (3, 0), (0, 3)
    ), format


def conv_3d(build: TfliteImporter, op: TfliteOperator) -> None:
    """Weights [kD, kH, kW, I, O]."""
    x, (w, b) = build.input(op, 0), layer_inputs(build, op)
    assert w is not None
    if not x.tensor.format.is_float or not w.tensor.format.is_float:
        raise UnsupportedOperatorError(f"{where(op)}: only float32 is supported")
    kernel, o = w.shape[:3], op.options
    moved = build.add(op, shape.Transpose((4, 0, 1, 2, 3)), [w], part="weights")
    stride, dilation = (
        tuple(int(o.get(name.format(axis), 1)) for axis in "dhw") for name in ("stride_{}", "dilation_{}_factor")
    )
    pads = (((0, 0),) * 3) if o["padding"] == "VALID" else same_pads(x.shape[1:4], kernel, stride, dilation, True)
    block = conv.Conv3d(stride=stride, padding=pads, dilation=dilation, groups=x.shape[-1] // w.shape[3])
    build.add(op, block, [x, moved, b], activation=fused(op))


def transpose_conv(build: TfliteImporter, op: TfliteOperator) -> None:
    size, x = build.output_tensor(op).shape, build.input(op, 2)
    w, b = layer_inputs(build, op, 1, 3)
    assert w is not None
    o = op.options
    stride, kernel = (o["stride_h"], o["stride_w"]), w.shape[1:3]
    pads, extra = [], []
    for axis in (0, 1):
        out, given = int(size[1 + axis]), x.shape[1 + axis]
        total = max((given - 1) * stride[axis] + kernel[axis] - out, 0)
        before = total // 2 if o["padding"] == "SAME" else 0
        reach = (given - 1) * stride[axis] + kernel[axis] - before
        pads.append((before, max(reach - out, 0)))
        extra.append(max(out - reach, 0))
    block = conv_transpose.ConvTranspose2d(stride=stride, padding=tuple(pads), output_padding=tuple(extra))
    build.add(op, block, [x, w, b], activation=fused(op))


def fully_connected(build: TfliteImporter, op: TfliteOperator) -> None:
    x, (w, b) = build.input(op, 0), layer_inputs(build, op)
    assert w is not None
    inner = w.shape[1]
    if not op.options.get("keep_num_dims", False) and (len(x.shape) != 2 or x.shape[1] != inner):
        rows = int(np.prod(x.shape)) // inner
        x = build.add(op, shape.Reshape((x.shape[0] if rows == x.shape[0] else rows, inner)), [x], part="flat")
    attributes = {"asymmetric_quantize_inputs": "1"} if op.options.get("asymmetric_quantize_inputs", False) else {}
    build.add(op, linear.Linear(), [x, w, b], activation=fused(op), attributes=attributes)


def batch_matmul(build: TfliteImporter, op: TfliteOperator) -> None:
    sides = []
    for position, flag in ((0, "adj_x"), (1, "adj_y")):
        side = build.input(op, position)
        if op.options.get(flag, False):
            rank = len(side.shape)
            perm = (*range(rank - 2), rank - 1, rank - 2)
            side = build.add(op, shape.Transpose(perm), [side], part=flag)
        sides.append(side)
    build.add(op, linear.MatMul(), sides)


def pool(make: Callable[..., Block], **more: Any) -> Build:
    def build_pool(build: TfliteImporter, op: TfliteOperator) -> None:
        x, o = build.input(op, 0), op.options
        kernel = (o["filter_height"], o["filter_width"])
        window = windowed(op, x.shape[1:3], kernel)
        block = make(kernel_size=kernel, stride=window["stride"], padding=window["padding"], **more)
        build.add(op, block, [x], activation=fused(op))

    return build_pool


def reduce(make: Callable[..., Block]) -> Build:
    def build_reduce(build: TfliteImporter, op: TfliteOperator) -> None:
        x = build.input(op, 0)
        dims = tuple(sorted({int(d) % len(x.shape) for d in np.ravel(build.constant(op, 1))}))
        build.add(op, make(dims, bool(op.options.get("keep_dims", False))), [x])

    return build_reduce


def arg(make: Callable[..., Block]) -> Build:
    def build_arg(build: TfliteImporter, op: TfliteOperator) -> None:
        x = build.input(op, 0)
        build.add(op, make(int(np.ravel(build.constant(op, 1))[0]) % len(x.shape), False), [x])

    return build_arg


def resized(make: Callable[..., Block]) -> Build:
    def build_resize(build: TfliteImporter, op: TfliteOperator) -> None:
        size = tuple(int(s) for s in build.constant(op, 1))
        o = op.options
        block = make(size, bool(o.get("align_corners", False)), bool(o.get("half_pixel_centers", False)))
        build.add(op, block, [build.input(op, 0)])

    return build_resize


def softmax_of(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, softmax.Softmax(-1, float(op.options.get("beta", 1.0))), [build.input(op, 0)])


def l2_norm(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, normalization.L2Norm(-1), [build.input(op, 0)], activation=fused(op))


LAYERS: dict[str, Build] = {
    "ARG_MAX": arg(reduction.ArgMax),
    "ARG_MIN": arg(reduction.ArgMin),
    "AVERAGE_POOL_2D": pool(pooling.AvgPool2d, count_include_pad=False),
    "BATCH_MATMUL": batch_matmul,
    "CONV_2D": conv_2d,
    "CONV_3D": conv_3d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "FULLY_CONNECTED": fully_connected,
    "L2_NORMALIZATION": l2_norm,
    "LOG_SOFTMAX": unary(lambda op: softmax.LogSoftmax(-1)),
    "MAX_POOL_2D": pool(max_pooling.MaxPool2d),
    "MEAN": reduce(reduction.ReduceMean),
    "REDUCE_MAX": reduce(reduction.ReduceMax),
    "REDUCE_MIN": reduce(reduction.ReduceMin),
    "REDUCE_PROD": reduce(reduction.ReduceProd),
    "RESIZE_BILINEAR": resized(resize.ResizeBilinear),
    "RESIZE_NEAREST_NEIGHBOR": resized(resize.ResizeNearest),
    "SOFTMAX": softmax_of,
    "SUM": reduce(reduction.ReduceSum),
    "TRANSPOSE_CONV": transpose_conv,
}
