"""Binding of convolutions, depthwise convolutions and linear layers: how products are summed, and weights packed so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hwblocks import _core
from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.cast import Ends, ends_of
from hwblocks.numerics.kernels.conv import ConvCall
from hwblocks.numerics.kernels.ordered_binding import bind_ordered
from hwblocks.numerics.kernels.packing import (
    COLUMNS,
    Layout,
    depthwise_layout,
    fits_int16,
    flattened,
    flush_pairs,
    layout_of,
    moved_sets,
    pack_columns,
    pack_panels,
    paired_columns,
    shared_rows,
    side_by_side,
)
from hwblocks.numerics.kernels.storage import INT32_SPAN, INT64_SPAN, code_of_dtype, dtype_range
from hwblocks.numerics.kernels.weighted_binding import bind_weighted, is_weighted

Array = np.ndarray[Any, Any]

SUMS = {"s32": 0, "s64": 1, "sat16": 2, "bytes": 3, "mixed": 4}  # enum hwb_sums
ALWAYS, NARROW = 1, 2  # enum hwb_bytes
LEAST_DEPTH = 4  # pairs of products in 16 bits from which bytes are faster than words
MANY_WEIGHTS = 1 << 15  # that leave the first-level cache: in bytes they take half the time to read
FEW_ROWS = 4  # output positions of a sample up to which reading the weights takes longer than multiplying them


def bind_conv(call: ConvCall, isa: str) -> Any:
    """The op of a call, or the reason why no kernel serves it."""
    if call.in_order:
        return bind_ordered(call, isa)
    low, high = operand_range(call)
    if not fits_int16(low, high) or not fits_int16(int(call.weights.min()), int(call.weights.max())):
        return "centred operands beyond 16 bits"
    if call.bound >= INT64_SPAN:
        return f"sums of up to {call.bound} leave 64 bits"
    if is_weighted(call):
        return bind_weighted(call, isa)
    sums = kind_of_sums(call, isa)
    if call.saturate and (sums == "s64" or np.dtype(call.x_dtype).itemsize > 1):
        return "saturated pairs of products that are not of 8 bits"
    ends = ends_alike(call, sums) if is_single(call) else ends_of(
        call.epilogue, call.out_dtype, call.out_channels, call.accumulator_bits, call.bound,
        bias_of(call, sums), call.tail, call.tail_start,
    )  # fmt: skip
    if isinstance(ends, str):
        return ends
    return _depthwise_op(call, isa, sums, ends) if by_columns(call) else _conv_op(call, isa, sums, ends)


def kind_of_sums(call: ConvCall, isa: str) -> str:
    """How products are summed (a key of SUMS): in bytes where the instruction set gains by it and operands fit."""
    if call.bound >= INT32_SPAN:
        return "s64"
    if call.saturate:
        return "sat16"
    if call.weights.min() < -128 or call.weights.max() > 127:
        return "s32"
    fits = np.dtype(call.x_dtype).itemsize == 1 and 0 <= call.pad_value + byte_zero(call) <= 255
    when = _core.byte_products(isa)
    if fits and (when == ALWAYS or (when == NARROW and not is_depthwise(call) and byte_depth(call) >= LEAST_DEPTH)):
        return "bytes"
    few = call.out_height * call.out_width <= FEW_ROWS and call.groups == 1 and call.weights.size >= MANY_WEIGHTS
    return "mixed" if few and when == NARROW else "s32"


def is_depthwise(call: ConvCall) -> bool:
    """True when every group has one input channel."""
    return call.groups > 1 and call.channels == call.groups


def by_columns(call: ConvCall) -> bool:
    """True where the depthwise kernel serves: plain sums, two plain axes, padding with a code that inputs have."""
    low, high = dtype_range(call.x_dtype)
    plain = call.placement is None and not call.saturate
    return is_depthwise(call) and plain and low <= call.pad_value + call.x_zero <= high


def operand_range(call: ConvCall) -> tuple[int, int]:
    """(lowest, highest) centred input, padding included."""
    low, high = (limit - call.x_zero for limit in dtype_range(call.x_dtype))
    return min(low, call.pad_value), max(high, call.pad_value)


def is_single(call: ConvCall) -> bool:
    """True for one output channel, whose positions are then cast as if they were channels."""
    return call.out_channels == 1 and call.tail is None


def ends_alike(call: ConvCall, sums: str) -> Ends | str:
    """How the sums of one channel end, its constants once for each column of a panel."""
    e, bias = call.epilogue, bias_of(call, sums)
    repeated = e and replace(
        e,
        multiplier=np.repeat(e.multiplier, COLUMNS),
        shift=np.repeat(e.shift, COLUMNS),
        scale32=np.repeat(e.scale32, COLUMNS),
        scale64=np.repeat(e.scale64, COLUMNS),
        numerator=np.repeat(e.numerator, COLUMNS),
        denominator=np.repeat(e.denominator, COLUMNS),
    )
    biases = None if bias is None else np.repeat(bias, COLUMNS)
    return ends_of(repeated, call.out_dtype, COLUMNS, call.accumulator_bits, call.bound, biases)


def byte_depth(call: ConvCall) -> int:
    """Pairs of products of bytes whose sum stays within 16 bits for all inputs, by the weights' extremes."""
    pair = 255 * 2 * max(0, int(call.weights.max(initial=0)), -int(call.weights.min(initial=0)))
    return ((1 << 15) - 1) // pair if pair else 1 << 15


def byte_zero(call: ConvCall) -> int:
    """The zero point of inputs as bytes: 128 is added to signed ones."""
    return call.x_zero - dtype_range(call.x_dtype)[0]


def bias_of(call: ConvCall, sums: str) -> Array | None:
    """The bias less what the zero point of uncentred inputs adds, Σ (x + z)·w − z·Σ w."""
    zero = byte_zero(call) if sums == "bytes" else call.x_zero if by_columns(call) else 0
    if zero == 0:
        return call.bias
    per_channel = call.weights.astype(np.int64).reshape(call.out_channels, -1).sum(axis=1)
    own = np.zeros(1, np.int64) if call.bias is None else call.bias.astype(np.int64)
    return np.asarray(own - zero * per_channel)


def _conv_op(call: ConvCall, isa: str, sums: str, ends: Ends) -> Any:
    made = side_by_side(call) if call.saturate else layout_of(call, 4 if sums == "bytes" else 2)
    panels = pack_panels(call, made, np.int8 if sums == "bytes" else np.int16)
    if sums == "mixed":
        panels = paired_columns(panels)
    narrow = sums == "bytes" and _core.byte_products(isa) == NARROW
    if sums in ("bytes", "s32") and not narrow:
        made = flattened(made)
    flush = byte_depth(call) if narrow else flush_of(call)
    numbers = [*geometry(call), call.groups, SUMS[sums], flush, *tap_numbers(call, made, sums), int(is_single(call))]
    constants = (*ends.arrays, panels, made.offsets, *placement_arrays(call))
    return op(isa, "conv", numbers, ends.numbers, constants, *sizes(call))


def geometry(call: ConvCall) -> list[int]:
    """The first fields of hwb_conv_numbers."""
    return [
        code_of_dtype(call.x_dtype),
        call.x_zero,
        call.height,
        call.width,
        call.channels,
        call.out_height,
        call.out_width,
        call.out_channels,
        *call.kernel,
        *call.stride,
        *call.dilation,
        *call.pad,
    ]


def tap_numbers(call: ConvCall, made: Layout, sums: str) -> list[int]:
    """The last fields of hwb_conv_numbers: how taps are packed, and what padding holds."""
    pad = call.pad_value + (byte_zero(call) if sums == "bytes" else 0)
    size = (made.padded_height, made.padded_width)
    places = 0 if call.placement is None else len(call.placement.runs)
    return [made.taps, made.run, made.steps, *size, pad, made.copied, made.copied_run, places]


def placement_arrays(call: ConvCall) -> tuple[Array | None, Array | None]:
    """Runs and starts, where there are any."""
    return (None, None) if call.placement is None else (call.placement.runs, call.placement.starts)


def flush_of(call: ConvCall) -> int:
    """Pairs of products that a 32-bit sum holds."""
    low, high = operand_range(call)
    return flush_pairs(max(-low, high), int(np.abs(call.weights).max(initial=0)))


def sizes(call: ConvCall) -> tuple[list[tuple[int, str]], tuple[int, str]]:
    """(elements, storage type) of the inputs and the output of one sample."""
    x = (call.height * call.width * call.channels, call.x_dtype)
    return [x], (call.out_height * call.out_width * call.out_channels, call.out_dtype)


def _depthwise_op(call: ConvCall, isa: str, sums: str, ends: Ends) -> Any:
    rows = 4 if sums == "bytes" else 2
    made, shared = depthwise_layout(call, rows), shared_rows(call, rows)
    first = geometry(replace(call, out_channels=call.out_channels // call.channels))  # the multiplier
    sets = made.taps // call.kernel[1]
    moved = moved_sets(call, rows, shared, sets)
    numbers = [*first, SUMS[sums], made.padded_width, sets, shared, moved, call.pad_value + call.x_zero]
    constants = (*ends.arrays, pack_columns(call, rows, shared), made.offsets)
    return op(isa, "depthwise", numbers, ends.numbers, constants, *sizes(call))
