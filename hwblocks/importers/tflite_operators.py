"""TFLite operators: one small function each, and the table that names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import hwblocks.blocks.activation as activation
import hwblocks.blocks.conv as conv
import hwblocks.blocks.conv_transpose as conv_transpose
import hwblocks.blocks.edges as edges
import hwblocks.blocks.elementwise as elementwise
import hwblocks.blocks.exponential as exponential
import hwblocks.blocks.linear as linear
import hwblocks.blocks.normalization as normalization
import hwblocks.blocks.pooling as pooling
import hwblocks.blocks.reduction as reduction
import hwblocks.blocks.resize as resize
import hwblocks.blocks.shape as shape
import hwblocks.blocks.slicing as slicing
import hwblocks.blocks.softmax as softmax
from hwblocks.errors import UnsupportedOperatorError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import Value
from hwblocks.graph.window import same_pads
from hwblocks.importers.tflite_file import TfliteOperator
from hwblocks.importers.tflite_graph import TfliteImporter, where

Array = np.ndarray[Any, Any]
Build = Callable[[TfliteImporter, TfliteOperator], None]


def fused(op: TfliteOperator) -> str:
    """The fused activation function."""
    return str(op.options.get("fused_activation_function", "NONE"))


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


def binary(make: Callable[[], Block]) -> Build:
    def build_binary(build: TfliteImporter, op: TfliteOperator) -> None:
        attributes = {"pot_scale_int16": "1"} if op.options.get("pot_scale_int16", False) else {}
        operands = [build.input(op, 0), build.input(op, 1)]
        build.add(op, make(), operands, activation=fused(op), attributes=attributes)

    return build_binary


def unary(make: Callable[[TfliteOperator], Block]) -> Build:
    def build_unary(build: TfliteImporter, op: TfliteOperator) -> None:
        build.add(op, make(op), [build.input(op, 0)])

    return build_unary


def prelu(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, activation.PReLU(), [build.input(op, 0), build.input(op, 1)])


def quantize(build: TfliteImporter, op: TfliteOperator) -> None:
    x = build.input(op, 0)
    build.add(op, edges.Rescale() if x.tensor.format.is_quantized else edges.Quantize(), [x])


def pool(make: Callable[..., Block], **more: Any) -> Build:
    def build_pool(build: TfliteImporter, op: TfliteOperator) -> None:
        x, o = build.input(op, 0), op.options
        kernel = (o["filter_height"], o["filter_width"])
        window = windowed(op, x.shape[1:3], kernel)
        block = make(kernel_size=kernel, stride=window["stride"], padding=window["padding"], **more)
        build.add(op, block, [x], activation=fused(op))

    return build_pool


def to_shape(build: TfliteImporter, op: TfliteOperator, x: Value) -> None:
    """A view of x in the shape that the file declares (−1 and batch sizes are resolved there)."""
    build.add(op, shape.Reshape(view_shape(x.shape, resolved(build.output_tensor(op).shape, x.shape))), [x])


def resolved(target: Sequence[int], x: Sequence[int]) -> tuple[int, ...]:
    """A declared shape with at most one unknown axis filled in."""
    known = int(np.prod([s for s in target if s > 0]))
    return tuple(int(s) if s > 0 else int(np.prod(x)) // max(known, 1) for s in target)


def view_shape(x: Sequence[int], target: Sequence[int]) -> tuple[int, ...]:
    """The target with a leading 0 (same as the input's) where the leading axis stays."""
    if target and x and target[0] == x[0]:
        return (0, *target[1:])
    return tuple(target)


def reshape(build: TfliteImporter, op: TfliteOperator) -> None:
    to_shape(build, op, build.input(op, 0))


def transpose(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, shape.Transpose(tuple(int(p) for p in build.constant(op, 1))), [build.input(op, 0)])


def concatenation(build: TfliteImporter, op: TfliteOperator) -> None:
    values = [build.input(op, i) for i in range(len(op.inputs))]
    build.add(op, shape.Concat(op.options["axis"]), rescaled(build, op, values), activation=fused(op))


def rescaled(build: TfliteImporter, op: TfliteOperator, values: list[Value]) -> list[Value]:
    """Inputs brought to the output's format where they differ (older uint8 files)."""
    from hwblocks.importers.tflite_graph import format_of

    wanted = format_of(build.output_tensor(op))
    return [
        v
        if v.tensor.format == wanted or not wanted.is_quantized
        else build.add(
            op, edges.Rescale(), [v], part=f"rescaled{i}", formats=[wanted], attributes={"operator": op.name}
        )
        for i, v in enumerate(values)
    ]


def split(build: TfliteImporter, op: TfliteOperator) -> None:
    axis, x = int(build.constant(op, 0).ravel()[0]), build.input(op, 1)
    count = len(op.outputs)
    build.add(op, slicing.Split((x.shape[axis] // count,) * count, axis % len(x.shape)), [x])


def split_v(build: TfliteImporter, op: TfliteOperator) -> None:
    x, sizes = build.input(op, 0), [int(s) for s in build.constant(op, 1)]
    axis = int(build.constant(op, 2).ravel()[0]) % len(x.shape)
    rest = x.shape[axis] - sum(s for s in sizes if s >= 0)
    build.add(op, slicing.Split(tuple(s if s >= 0 else rest for s in sizes), axis), [x])


def pack(build: TfliteImporter, op: TfliteOperator) -> None:
    values = [build.input(op, i) for i in range(len(op.inputs))]
    build.add(op, slicing.Stack(op.options["axis"] % (len(values[0].shape) + 1)), values)


def unpack(build: TfliteImporter, op: TfliteOperator) -> None:
    x = build.input(op, 0)
    build.add(op, slicing.Unstack(op.options["axis"] % len(x.shape)), [x])


def sliced(build: TfliteImporter, op: TfliteOperator) -> None:
    x, begin, size = build.input(op, 0), build.constant(op, 1), build.constant(op, 2)
    stops = [int(b + s) if s >= 0 else x.shape[i] for i, (b, s) in enumerate(zip(begin, size, strict=True))]
    axes = tuple(range(len(x.shape)))
    build.add(op, slicing.Slice(tuple(int(b) for b in begin), tuple(stops), (1,) * len(axes), axes), [x])


def strided_slice(build: TfliteImporter, op: TfliteOperator) -> None:
    x, o = build.input(op, 0), op.options
    begin, end, steps = (build.constant(op, i) for i in (1, 2, 3))
    if o.get("ellipsis_mask", 0) or o.get("new_axis_mask", 0):
        raise UnsupportedOperatorError(f"{where(op)}: ellipsis_mask and new_axis_mask are not supported")
    starts, stops, strides = [], [], []
    for axis in range(len(begin)):
        first, last, step = slice_bounds(o, axis, x.shape[axis], int(begin[axis]), int(end[axis]), int(steps[axis]))
        starts.append(first)
        stops.append(last)
        strides.append(step)
    block = slicing.Slice(tuple(starts), tuple(stops), tuple(strides), tuple(range(len(begin))))
    shrunk = [a for a in range(len(begin)) if o.get("shrink_axis_mask", 0) >> a & 1]
    if not shrunk:
        build.add(op, block, [x])
        return
    part = build.add(op, block, [x], part="slice")
    kept = tuple(s for a, s in enumerate(part.shape) if a not in shrunk)
    build.add(op, shape.Reshape(view_shape(part.shape, kept)), [part])


def slice_bounds(
    o: dict[str, Any], axis: int, size: int, begin: int, end: int, step: int
) -> tuple[int, int | None, int]:
    """(start, stop, step) of one axis; stop None runs to the end in the step's direction."""

    def mask(name: str) -> bool:
        return bool(o.get(name, 0) >> axis & 1)

    low, high = (0, size) if step > 0 else (-1, size - 1)
    start = (
        (0 if step > 0 else size - 1)
        if mask("begin_mask")
        else min(max(begin + size if begin < 0 else begin, low), high)
    )
    if mask("shrink_axis_mask"):
        return start, start + 1, 1
    if o.get("offset", False):
        end = start + end
    stop = (size if step > 0 else -1) if mask("end_mask") else min(max(end + size if end < 0 else end, low), high)
    return start, None if stop < 0 else stop, step


def pad(build: TfliteImporter, op: TfliteOperator) -> None:
    pads = tuple((int(a), int(b)) for a, b in build.constant(op, 1))
    value = 0.0
    if build.has(op, 2):
        tensor = build.input(op, 2).tensor
        value = float(np.asarray(tensor.format.dequantize(tensor.value)).ravel()[0])
    build.add(op, shape.Pad(pads, value), [build.input(op, 0)])


def mirror_pad(build: TfliteImporter, op: TfliteOperator) -> None:
    pads = tuple((int(a), int(b)) for a, b in build.constant(op, 1))
    build.add(op, slicing.MirrorPad(pads, str(op.options.get("mode", "REFLECT")).lower()), [build.input(op, 0)])


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


def gather(build: TfliteImporter, op: TfliteOperator) -> None:
    x, indices = build.input(op, 0), build.constant(op, 1)
    if op.options.get("batch_dims", 0):
        raise UnsupportedOperatorError(f"{where(op)}: batch_dims are not supported")
    build.add(op, slicing.Gather(nested(indices), op.options.get("axis", 0) % len(x.shape)), [x])


def nested(indices: Array) -> Any:
    """An array as nested tuples of integers."""
    return int(indices) if indices.ndim == 0 else tuple(nested(i) for i in indices)


def tile(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, slicing.Tile(tuple(int(r) for r in build.constant(op, 1))), [build.input(op, 0)])


def broadcast_to(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, slicing.Expand(tuple(int(s) for s in build.constant(op, 1))), [build.input(op, 0)])


def reverse(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, slicing.Flip(tuple(int(d) for d in np.ravel(build.constant(op, 1)))), [build.input(op, 0)])


def resized(make: Callable[..., Block]) -> Build:
    def build_resize(build: TfliteImporter, op: TfliteOperator) -> None:
        size = tuple(int(s) for s in build.constant(op, 1))
        o = op.options
        block = make(size, bool(o.get("align_corners", False)), bool(o.get("half_pixel_centers", False)))
        build.add(op, block, [build.input(op, 0)])

    return build_resize


def shape_of(build: TfliteImporter, op: TfliteOperator) -> None:
    sizes = np.array(build.input(op, 0).shape)
    from hwblocks.importers.tflite_graph import format_of, name_of

    tensor = build.output_tensor(op)
    build.alias(op, build.builder.constant(name_of(tensor), sizes, format_of(tensor)))


def softmax_of(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, softmax.Softmax(-1, float(op.options.get("beta", 1.0))), [build.input(op, 0)])


def gelu(op: TfliteOperator) -> Block:
    return exponential.GELU("tanh" if op.options.get("approximate", False) else "none")


def l2_norm(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, normalization.L2Norm(-1), [build.input(op, 0)], activation=fused(op))


def nothing(build: TfliteImporter, op: TfliteOperator) -> None:
    build.alias(op, build.input(op, 0))


OPERATORS: dict[str, Build] = {
    "ABS": unary(lambda op: activation.Abs()),
    "ADD": binary(elementwise.Add),
    "ARG_MAX": arg(reduction.ArgMax),
    "ARG_MIN": arg(reduction.ArgMin),
    "AVERAGE_POOL_2D": pool(pooling.AvgPool2d, count_include_pad=False),
    "BATCH_MATMUL": batch_matmul,
    "BROADCAST_TO": broadcast_to,
    "CONCATENATION": concatenation,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "DEPTH_TO_SPACE": unary(lambda op: slicing.DepthToSpace(op.options["block_size"])),
    "DEQUANTIZE": unary(lambda op: edges.Dequantize()),
    "DIV": binary(elementwise.Div),
    "ELU": unary(lambda op: exponential.ELU()),
    "EXP": unary(lambda op: exponential.Exp()),
    "EXPAND_DIMS": reshape,
    "FULLY_CONNECTED": fully_connected,
    "GATHER": gather,
    "GELU": unary(gelu),
    "HARD_SWISH": unary(lambda op: activation.HardSwish()),
    "L2_NORMALIZATION": l2_norm,
    "LEAKY_RELU": unary(lambda op: activation.LeakyReLU(op.options["alpha"])),
    "LOG": unary(lambda op: exponential.Log()),
    "LOGISTIC": unary(lambda op: activation.Sigmoid()),
    "LOG_SOFTMAX": unary(lambda op: softmax.LogSoftmax(-1)),
    "MAXIMUM": binary(elementwise.Maximum),
    "MAX_POOL_2D": pool(pooling.MaxPool2d),
    "MEAN": reduce(reduction.ReduceMean),
    "MINIMUM": binary(elementwise.Minimum),
    "MIRROR_PAD": mirror_pad,
    "MUL": binary(elementwise.Mul),
    "NEG": unary(lambda op: activation.Neg()),
    "PACK": pack,
    "PAD": pad,
    "PADV2": pad,
    "PRELU": prelu,
    "QUANTIZE": quantize,
    "REDUCE_MAX": reduce(reduction.ReduceMax),
    "REDUCE_MIN": reduce(reduction.ReduceMin),
    "REDUCE_PROD": reduce(reduction.ReduceProd),
    "RELU": unary(lambda op: activation.ReLU()),
    "RELU6": unary(lambda op: activation.ReLU6()),
    "RELU_N1_TO_1": unary(lambda op: activation.Clip(-1.0, 1.0)),
    "RESHAPE": reshape,
    "RESIZE_BILINEAR": resized(resize.ResizeBilinear),
    "RESIZE_NEAREST_NEIGHBOR": resized(resize.ResizeNearest),
    "REVERSE_V2": reverse,
    "RSQRT": unary(lambda op: activation.Rsqrt()),
    "SHAPE": shape_of,
    "SLICE": sliced,
    "SOFTMAX": softmax_of,
    "SPACE_TO_DEPTH": unary(lambda op: slicing.SpaceToDepth(op.options["block_size"])),
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SQRT": unary(lambda op: activation.Sqrt()),
    "SQUARE": unary(lambda op: activation.Square()),
    "SQUARED_DIFFERENCE": binary(elementwise.SquaredDifference),
    "SQUEEZE": reshape,
    "STRIDED_SLICE": strided_slice,
    "SUB": binary(elementwise.Sub),
    "SUM": reduce(reduction.ReduceSum),
    "TANH": unary(lambda op: activation.Tanh()),
    "TILE": tile,
    "TRANSPOSE": transpose,
    "TRANSPOSE_CONV": transpose_conv,
    "UNPACK": unpack,
}
