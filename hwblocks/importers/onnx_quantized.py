"""Quantized ONNX operators: QDQ, QOperator, com.microsoft, dynamic quantization, QONNX. Kept as the file says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import hwblocks.blocks.activation as activation
import hwblocks.blocks.conv as conv
import hwblocks.blocks.dynamic as dynamic
import hwblocks.blocks.edges as edges
import hwblocks.blocks.elementwise as elementwise
import hwblocks.blocks.linear as linear
import hwblocks.blocks.pooling as pooling
import hwblocks.blocks.quantizers as quantizers
import hwblocks.blocks.selection as selection
import hwblocks.blocks.shape as shape
import hwblocks.blocks.softmax as softmax
import hwblocks.blocks.steps as steps
from hwblocks.composites.recurrent_dynamic import DynamicQuantizeLSTM
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block, size
from hwblocks.graph.builder import Value
from hwblocks.graph.tensor import FLOAT32
from hwblocks.importers.onnx_blocked import by_blocks, check_blocks, dequantize_blocks, quantize_blocks
from hwblocks.importers.onnx_graph import FILE, LAST, Derived, Importer, OnnxNode, axis_in_last
from hwblocks.importers.onnx_rule import Rule, spatial
from hwblocks.importers.onnx_types import format_of_array
from hwblocks.importers.onnx_windows import refuse_pool
from hwblocks.numerics.formats import Format

Array = np.ndarray[Any, Any]

QONNX_DOMAINS = ("onnx.brevitas", "qonnx.custom_op.general", "finn.custom_op.general")
MICROSOFT = "com.microsoft:"
INT32 = Format(kind="raw", bits=32)
UINT8 = Format(kind="raw", bits=8, signed=False)


def format_of(
    build: Importer, node: OnnxNode, scale: str, zero: str, axis: int | None = None, kind: str = "uint8"
) -> Format:
    """The format that a scale and a zero point state; both must be constants."""
    scales = np.asarray(build.constant(scale), dtype=np.float32).astype(np.float64)
    zeros = build.constant(zero) if zero else np.zeros((), kind)
    if zeros.dtype.kind not in "iu" and zeros.dtype.name not in SUB_BYTES:
        raise GraphError(f"codes of type {zeros.dtype} are not supported; integers are")
    bits, signed = SUB_BYTES.get(zeros.dtype.name, (8 * zeros.dtype.itemsize, zeros.dtype.kind == "i"))
    if scales.size == 1:
        return Format(bits=bits, signed=signed, scale=float(scales.ravel()[0]), zero_point=int(zeros.ravel()[0]))
    if scales.ndim != 1:
        raise GraphError(f"scales of shape {scales.shape}: one for all or one per channel is supported, not blocks")
    if zeros.size not in (1, scales.size):
        raise GraphError(f"{scales.size} scales but {zeros.size} zero points; one for each is needed")
    points = np.broadcast_to(zeros.astype(np.int64), scales.shape).tolist()
    zero_point: Any = tuple(points) if any(points) else 0
    return Format(bits=bits, signed=signed, scale=tuple(scales.tolist()), zero_point=zero_point, axis=axis)


SUB_BYTES = {"int4": (4, True), "uint4": (4, False), "int2": (2, True), "uint2": (2, False)}


def edge_axis(build: Importer, node: OnnxNode, layout: str) -> int:
    """The channel axis of a Q or DQ node in a layout."""
    rank = len(build.shape(node.inputs[0]))
    axis = int(node.attribute("axis", 1))
    axis = axis % rank if rank and -rank <= axis < rank else 0
    return axis_in_last(axis, rank) if layout == LAST else axis


def check_codes(format: Format, bits: int, signed: bool) -> Format:
    """The format. Errors: GraphError when the zero point is of another type than the codes."""
    if (format.bits, format.signed) != (bits, signed):
        codes, zero = (f"{'' if s else 'u'}int{b}" for b, s in ((bits, signed), (format.bits, format.signed)))
        raise GraphError(f"the codes are {codes} but the zero point is {zero}; both need one type")
    return format


def standing(build: Importer, name: str) -> str:
    """The layout that is there already."""
    return LAST if build.has_last(name) else FILE


def output_kind(node: OnnxNode) -> str:
    """The type of codes where no zero point states one."""
    import onnx

    number = node.attribute("output_dtype", 0)
    return str(onnx.helper.tensor_dtype_to_np_dtype(number)) if number else "uint8"


def quantize_linear(build: Importer, node: OnnxNode) -> None:
    layout = standing(build, node.inputs[0])
    format = format_of(build, node, node.inputs[1], node.input(2), edge_axis(build, node, layout), output_kind(node))
    build.add(node, edges.Quantize(), [build.value(node.inputs[0], layout)], layout, formats=(format,))


def dequantize_linear(build: Importer, node: OnnxNode) -> None:
    layout = standing(build, node.inputs[0])
    codes = build.value(node.inputs[0], layout).tensor.format
    kind = codes.dtype.name
    format = format_of(build, node, node.inputs[1], node.input(2), edge_axis(build, node, layout), kind)
    if not codes.is_float:
        check_codes(format, codes.bits, codes.signed)
    x = build.quantized(node.inputs[0], format, layout)
    build.add(node, edges.Dequantize(), [x], layout, formats=(format_of_array(build.constant(node.inputs[1])),))


def derive(build: Importer, node: OnnxNode) -> bool:
    """Keep a quantizer of constants as such; True when all inputs are constants (and none has a scale per block)."""
    if not all(build.is_constant(name) for name in node.inputs if name):
        return False
    if node.attribute("block_size", 0):
        check_blocks(build, node)
        return False
    arrays = tuple(np.asarray(build.constant(name)) for name in node.inputs if name)
    if node.op == "DequantizeLinear":
        array = arrays[0]
        axis = int(node.attribute("axis", 1))
        axis = axis % array.ndim if array.ndim and -array.ndim <= axis < array.ndim else 0
        format = format_of(build, node, node.inputs[1], node.input(2), axis, array.dtype.name)
        check_codes(format, *SUB_BYTES.get(array.dtype.name, (8 * array.dtype.itemsize, array.dtype.kind == "i")))
        stored = array.astype(format.dtype)
        build.derived[node.outputs[0]] = Derived(edges.Dequantize(), (stored,), (format,), node)
        return True
    block = QUANTIZERS[node.op]
    if block is None:
        return False
    floats = tuple(a.astype(np.float32) for a in arrays)
    build.derived[node.outputs[0]] = Derived(block(node), floats, (FLOAT32,) * len(floats), node)
    return True


def bias_of(build: Importer, name: str, x: Format, w: Format) -> Value | None:
    """A constant int32 bias in units of scale(x) · scale(w)."""
    if not name:
        return None
    scale = np.asarray(x.scale) * np.asarray(w.scale)
    format = Format(bits=32, scale=scale, axis=None if scale.ndim == 0 else 0)
    return build.builder.constant(name, np.ravel(build.constant(name)).astype(np.int32), format)


def qlinear_conv(build: Importer, node: OnnxNode) -> None:
    n = node.inputs
    x_shape, w_shape, groups = build.shape(n[0]), build.shape(n[3]), int(node.attribute("group", 1))
    cls = {3: conv.Conv1d, 4: conv.Conv2d}.get(len(x_shape))
    if cls is None:
        raise GraphError("convolutions over one or two axes are supported")
    build.constant(n[3])  # weights are packed
    stride, padding, dilation = spatial(node, x_shape, w_shape[2:])
    x_format, w_format = format_of(build, node, n[1], n[2]), format_of(build, node, n[4], n[5], 0)
    y_format = format_of(build, node, n[6], n[7])
    x = build.quantized(n[0], x_format, LAST)
    w = build.quantized(n[3], w_format, FILE, lambda a: conv.channels_last_weight(a, groups))
    block = cls(stride=stride, padding=padding, dilation=dilation, groups=groups)
    build.add(node, block, [x, w, bias_of(build, node.input(8), x_format, w_format)], LAST, formats=(y_format,))


def qlinear_matmul(build: Importer, node: OnnxNode) -> None:
    n = node.inputs
    a_format = format_of(build, node, n[1], n[2])
    b_format = format_of(build, node, n[4], n[5], len(build.shape(n[3])) - 1)
    y_format = format_of(build, node, n[6], n[7])
    operands = [build.quantized(n[0], a_format), build.quantized(n[3], b_format)]
    build.add(node, linear.MatMul(), operands, formats=(y_format,))


def qgemm(build: Importer, node: OnnxNode) -> None:
    n = node.inputs
    if node.attribute("alpha", 1.0) != 1.0 or node.attribute("transA", 0):
        raise GraphError("alpha=1 and transA=0 are supported")
    build.constant(n[3])  # weights are packed
    transposed = bool(node.attribute("transB", 0))
    a_format = format_of(build, node, n[1], n[2])
    w_format = format_of(build, node, n[4], n[5], 0 if transposed else 1)
    x = build.quantized(n[0], a_format)
    w = build.quantized(n[3], w_format, FILE, (lambda a: a) if transposed else (lambda a: a.T))
    bias = bias_of(build, node.input(6), a_format, w.tensor.format)
    if node.input(7):
        y_format = format_of(build, node, node.input(7), node.input(8))
        build.add(node, linear.Linear(), [x, w, bias], formats=(y_format,))
        return
    scale = float(np.float32(float(a_format.scale)) * np.float32(float(w_format.scale)))
    sums = build.add(node, linear.Linear(), [x, w, bias], part="sums", formats=(Format(bits=32, scale=scale),))
    build.add(node, edges.Dequantize(), [sums], formats=(FLOAT32,))


def qlinear_binary(make: Callable[[], Block]) -> Callable[[Importer, OnnxNode], None]:
    def build_binary(build: Importer, node: OnnxNode) -> None:
        n = node.inputs
        running = [name for name in (n[0], n[3]) if not build.is_constant(name)]
        ranks = {len(build.shape(name)) for name in (n[0], n[3])}
        layout = LAST if len(ranks) == 1 and all(build.has_last(name) for name in running) else FILE
        if layout == LAST and len(running) < 2:
            layout = FILE
        operands = [build.quantized(n[at], format_of(build, node, n[at + 1], n[at + 2]), layout) for at in (0, 3)]
        build.add(node, make(), operands, layout, formats=(format_of(build, node, n[6], n[7]),))

    return build_binary


def qlinear_unary(make: Callable[[OnnxNode], Block]) -> Callable[[Importer, OnnxNode], None]:
    def build_unary(build: Importer, node: OnnxNode) -> None:
        n, layout = node.inputs, standing(build, node.inputs[0])
        x = build.quantized(n[0], format_of(build, node, n[1], node.input(2)), layout)
        build.add(node, make(node), [x], layout, formats=(format_of(build, node, n[3], node.input(4)),))

    return build_unary


def qlinear_concat(build: Importer, node: OnnxNode) -> None:
    n = node.inputs
    y_format = format_of(build, node, n[0], n[1])
    names = n[2::3]
    rank = len(build.shape(names[0]))
    axis = int(node.attribute("axis", 1)) % rank
    layout = LAST if rank > 2 and all(build.has_last(name) for name in names) else FILE
    values = []
    for i, name in enumerate(names):
        format = format_of(build, node, n[3 + 3 * i], n[4 + 3 * i])
        value = build.quantized(name, format, layout)
        if format != y_format:
            value = build.add(node, edges.Rescale(), [value], layout, part=f"rescaled{i}", formats=(y_format,))
        values.append(value)
    build.add(node, shape.Concat(axis_in_last(axis, rank) if layout == LAST else axis), values, layout)


def qlinear_where(build: Importer, node: OnnxNode) -> None:
    n = node.inputs
    y_format = format_of(build, node, n[7], n[8])
    sides = []
    for at in (1, 4):
        format = format_of(build, node, n[at + 1], n[at + 2])
        value = build.quantized(n[at], format)
        if format != y_format:
            value = build.add(node, edges.Rescale(), [value], part=f"rescaled{at}", formats=(y_format,))
        sides.append(value)
    build.add(node, selection.Select(), [build.value(n[0]), *sides], formats=(y_format,))


def qlinear_global_average(build: Importer, node: OnnxNode) -> None:
    n = node.inputs
    if node.attribute("channels_last", 0):
        raise GraphError("channels_last=0 is supported")
    x = build.quantized(n[0], format_of(build, node, n[1], n[2]), LAST)
    build.add(node, pooling.GlobalAvgPool(), [x], LAST, formats=(format_of(build, node, n[3], n[4]),))


def qlinear_average(build: Importer, node: OnnxNode) -> None:
    n, x_shape = node.inputs, build.shape(node.inputs[0])
    kernel = tuple(node.attribute("kernel_shape"))
    stride, padding, _ = spatial(node, x_shape, kernel)
    cls = {3: pooling.AvgPool1d, 4: pooling.AvgPool2d}.get(len(x_shape))
    if cls is None or node.attribute("channels_last", 0):
        raise GraphError("poolings over one or two axes, channels_last=0, are supported")
    include = bool(node.attribute("count_include_pad", 0))
    block = cls(kernel, stride, padding, bool(node.attribute("ceil_mode", 0)), include)
    x = build.quantized(n[0], format_of(build, node, n[1], node.input(2)), LAST)
    build.add(node, block, [x], LAST, formats=(format_of(build, node, n[3], node.input(4)),))


def qlinear_softmax(build: Importer, node: OnnxNode) -> None:
    n, rank = node.inputs, len(build.shape(node.inputs[0]))
    axis = int(node.attribute("axis", -1)) % rank
    if axis != rank - 1 and int(node.attribute("opset", 13)) < 13:
        raise GraphError("the last axis is supported")
    x = build.quantized(n[0], format_of(build, node, n[1], node.input(2)))
    build.add(node, softmax.Softmax(axis), [x], formats=(format_of(build, node, n[3], node.input(4)),))


def dynamic_quantize(build: Importer, node: OnnxNode) -> None:
    build.add_all(node, dynamic.DynamicQuantize(), [build.value(node.inputs[0])], (UINT8, FLOAT32, UINT8))


def optional(build: Importer, node: OnnxNode, positions: tuple[int, ...]) -> list[Value | None]:
    """Inputs by position, None where absent."""
    return [build.value(node.input(i)) if node.input(i) else None for i in positions]


def with_zeros(build: Importer, node: OnnxNode, first: str) -> list[Value | None]:
    """The zero points of both operands; an absent first one becomes 0 where the second is there.

    Errors: GraphError for several zero points of the first operand.
    """
    zeros = optional(build, node, (2, 3))
    if zeros[0] is not None and size(zeros[0].shape) > 1:
        raise GraphError(f"{size(zeros[0].shape)} zero points of {first}; one for the whole tensor is supported")
    if zeros[0] is None and zeros[1] is not None:
        zeros[0] = build.builder.constant(f"{node.name}.zero", np.zeros((), np.uint8), UINT8)
    return zeros


def matmul_integer(build: Importer, node: OnnxNode) -> None:
    operands = optional(build, node, (0, 1))
    build.add(node, dynamic.MatMulInteger(), [*operands, *with_zeros(build, node, "a")], formats=(INT32,))


def conv_integer(build: Importer, node: OnnxNode) -> None:
    n, groups = node.inputs, int(node.attribute("group", 1))
    x_shape, w_shape = build.shape(n[0]), build.shape(n[1])
    stride, padding, dilation = spatial(node, x_shape, w_shape[2:])
    if build.is_constant(n[1]):
        array = np.moveaxis(build.constant(n[1]), 1, -1)
        w = build.builder.constant(n[1], array, Format(kind="raw", bits=8, signed=array.dtype.kind == "i"))
    else:
        perm = (0, *range(2, len(w_shape)), 1)
        w = build.add(node, shape.Transpose(perm), [build.value(n[1])], part="weights")
    block = dynamic.ConvInteger(stride, padding, dilation, groups)
    build.add(node, block, [build.value(n[0], LAST), w, *with_zeros(build, node, "x")], LAST, formats=(INT32,))


def matmul_integer_to_float(build: Importer, node: OnnxNode) -> None:
    has = [bool(node.input(i)) for i in (4, 5, 6)]
    block = dynamic.MatMulIntegerToFloat(*has)
    build.add(node, block, optional(build, node, (0, 1, 2, 3, 4, 5, 6)), formats=(FLOAT32,))


def dynamic_matmul(build: Importer, node: OnnxNode) -> None:
    block = dynamic.DynamicQuantizeMatMul(bool(node.input(3)), bool(node.input(4)))
    build.add(node, block, optional(build, node, (0, 1, 2, 3, 4)), formats=(FLOAT32,))


LSTM_INPUTS = (0, 1, 2, 8, 9, 10, 11, 3, 5, 6)  # x, w, r, scales and zero points of w and r, bias, h, c


def dynamic_lstm(build: Importer, node: OnnxNode) -> None:
    if node.input(4) or node.input(7) or node.attribute("input_forget", 0) or node.attribute("clip", 0.0):
        raise GraphError("sequence lengths, peepholes, input_forget and clip are not supported")
    names = [a.decode() if isinstance(a, bytes) else a for a in node.attributes.get("activations", [])]
    if any(name.lower() != ("sigmoid", "tanh", "tanh")[i % 3] for i, name in enumerate(names)):
        raise GraphError(f"activations {names}: Sigmoid, Tanh, Tanh are supported")
    block = DynamicQuantizeLSTM(
        str(node.attribute("direction", "forward")), bool(node.input(3)), bool(node.input(5)), bool(node.input(6))
    )
    build.add_all(node, block, optional(build, node, LSTM_INPUTS), (FLOAT32,) * 3)


def quant_block(node: OnnxNode) -> Block:
    return quantizers.Quant(
        bool(node.attribute("signed", 1)), bool(node.attribute("narrow", 0)), node.attribute("rounding_mode", "ROUND")
    )


def trunc_block(node: OnnxNode) -> Block:
    return quantizers.Trunc(
        node.attribute("rounding_mode", "FLOOR"),
        2 if len(node.inputs) > 5 else 1,
        bool(node.attribute("signed", 1)),
        bool(node.attribute("narrow", 0)),
    )


def float_quant_block(node: OnnxNode) -> Block:
    return quantizers.FloatQuant(
        bool(node.attribute("has_inf", 0)),
        bool(node.attribute("has_nan", 0)),
        bool(node.attribute("has_subnormal", 1)),
        bool(node.attribute("saturation", 1)),
        node.attribute("rounding_mode", "ROUND"),
    )


def bipolar_block(node: OnnxNode) -> Block:
    return quantizers.BipolarQuant()


def quantizer(make: Callable[[OnnxNode], Block]) -> Callable[[Importer, OnnxNode], None]:
    def build_quantizer(build: Importer, node: OnnxNode) -> None:
        layout = standing(build, node.inputs[0])
        rank = len(build.shape(node.inputs[0]))
        more = [
            build.value(name) if name not in build.constants else companion(build, name, layout, rank)
            for name in node.inputs[1:]
        ]
        build.add(node, make(node), [build.value(node.inputs[0], layout), *more], layout)

    return build_quantizer


def companion(build: Importer, name: str, layout: str, rank: int) -> Value:
    """A constant scale or zero point with its axes in the layout of the tensor it belongs to."""
    array = build.constant(name).astype(np.float32)
    if layout == LAST and array.ndim == rank:
        array = np.moveaxis(array, 1, -1)
    return build.builder.constant(name, np.ascontiguousarray(array))


def multi_threshold(build: Importer, node: OnnxNode) -> None:
    rank = len(build.shape(node.inputs[0]))
    stated = str(node.attribute("data_layout", "")) or ("NWC" if rank == 3 else "NC")  # as QONNX guesses
    axis = stated.index("C") if "C" in stated else 1
    if axis not in (1, rank - 1):
        raise GraphError(f"data_layout {stated!r} of {rank} axes: channels second or last are supported")
    block = steps.MultiThreshold(float(node.attribute("out_scale", 1.0)), float(node.attribute("out_bias", 0.0)))
    layout = FILE if axis == rank - 1 else LAST
    build.add(node, block, [build.value(node.inputs[0], layout), build.value(node.inputs[1])], layout)


def leaky(node: OnnxNode) -> Block:
    return activation.LeakyReLU(float(node.attribute("alpha", 0.01)))


QONNX_BLOCKS: dict[str, Callable[[OnnxNode], Block]] = {
    "BipolarQuant": bipolar_block,
    "FloatQuant": float_quant_block,
    "IntQuant": quant_block,
    "Quant": quant_block,
    "Trunc": trunc_block,
}
# Operators whose constants are kept with their quantizer, and the block of each (None: stated by the rule).
QUANTIZERS: dict[str, Callable[[OnnxNode], Block] | None] = {
    "DequantizeLinear": None,
    **{f"{domain}:{name}": make for domain in QONNX_DOMAINS for name, make in QONNX_BLOCKS.items()},
}
QUANTIZED: dict[str, Rule] = {
    "ConvInteger": Rule(conv_integer),
    "DequantizeLinear": Rule(by_blocks(dequantize_linear, dequantize_blocks)),
    "DynamicQuantizeLinear": Rule(dynamic_quantize),
    "MatMulInteger": Rule(matmul_integer),
    "QLinearConv": Rule(qlinear_conv),
    "QLinearMatMul": Rule(qlinear_matmul),
    "QuantizeLinear": Rule(by_blocks(quantize_linear, quantize_blocks)),
    f"{MICROSOFT}DequantizeLinear": Rule(dequantize_linear),
    f"{MICROSOFT}DynamicQuantizeLSTM": Rule(dynamic_lstm),
    f"{MICROSOFT}DynamicQuantizeMatMul": Rule(dynamic_matmul),
    f"{MICROSOFT}MatMulIntegerToFloat": Rule(matmul_integer_to_float),
    f"{MICROSOFT}QGemm": Rule(qgemm),
    f"{MICROSOFT}QLinearAdd": Rule(qlinear_binary(elementwise.Add)),
    f"{MICROSOFT}QLinearAveragePool": Rule(qlinear_average, refuse_pool),
    f"{MICROSOFT}QLinearConcat": Rule(qlinear_concat),
    f"{MICROSOFT}QLinearConv": Rule(qlinear_conv),
    f"{MICROSOFT}QLinearGlobalAveragePool": Rule(qlinear_global_average),
    f"{MICROSOFT}QLinearLeakyRelu": Rule(qlinear_unary(leaky)),
    f"{MICROSOFT}QLinearMul": Rule(qlinear_binary(elementwise.Mul)),
    f"{MICROSOFT}QLinearSigmoid": Rule(qlinear_unary(lambda node: activation.Sigmoid())),
    f"{MICROSOFT}QLinearSoftmax": Rule(qlinear_softmax),
    f"{MICROSOFT}QLinearWhere": Rule(qlinear_where),
    f"{MICROSOFT}QuantizeLinear": Rule(quantize_linear),
    **{f"{domain}:{name}": Rule(quantizer(make)) for domain in QONNX_DOMAINS for name, make in QONNX_BLOCKS.items()},
    **{f"{domain}:MultiThreshold": Rule(multi_threshold) for domain in QONNX_DOMAINS},
}
