"""Binding of ordered sums: which channels may leave their register, how they are summed, and what is packed."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.numerics.accumulator import Accumulator, partial_bounds
from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.cast import ROUNDINGS, ends_of, padded
from hwblocks.numerics.kernels.conv import ConvCall
from hwblocks.numerics.kernels.ordered import OrderedSum
from hwblocks.numerics.kernels.ordered_packing import (
    by_tap,
    channel_order,
    in_register_order,
    pack_pairs,
    pack_skewed,
    taken,
    together_parts,
    weight_bounds,
)
from hwblocks.numerics.kernels.ordered_reach import (
    ELEMENTS,
    LIMITED,
    ONES,
    PROBED,
    SAFE_CONSTANT,
    SAT16,
    WORD_BITS,
    WORD_REACH,
    Reach,
    carried_by,
    finds_totals,
    held_range,
    kind_of,
    largest_held,
    moves_of,
    part_of,
    together_of,
)
from hwblocks.numerics.kernels.packing import fits_int16, flush_pairs, layout_of, row_offsets
from hwblocks.numerics.kernels.storage import INT32_SPAN, INT64_SPAN, code_of_dtype
from hwblocks.numerics.overflow import Overflow, OverflowMode

Array = np.ndarray[Any, Any]

REGISTER_BITS = 64  # accumulator_bits of a cast whose sums are in their register already
HOLDS = ("saturate", "saturate_symmetric", "saturate_to_zero", "wrap", "wrap_sign_magnitude")  # enum hwb_hold
ORDERS = ("sequential", "dot", "interleaved", "tiles", "tree")  # enum hwb_order


def bind_ordered(call: ConvCall, isa: str) -> Any:
    """The op of a call whose products meet its accumulator in order, or the reason why no kernel serves it."""
    assert call.ordered is not None
    accumulator = call.ordered.accumulator
    low, high, _ = _inputs(call)
    if not fits_int16(low, high) or not fits_int16(int(call.weights.min()), int(call.weights.max())):
        return "operands beyond 16 bits as they meet the multiplier"
    reason = unmeant(accumulator)
    if reason:
        return reason
    reach = _reach(call)
    result = largest_held(accumulator, reach, call.weights[0].size) << accumulator.drop
    if max(result, reach.total) >= INT64_SPAN:
        return f"accumulator {accumulator}: its values leave 64 bits"
    may_leave = reach.may_leave.reshape(call.groups, -1)
    order, unsafe = channel_order(may_leave, movable=call.tail is None)
    ends = ends_of(taken(call.epilogue, order), call.out_dtype, call.out_channels, REGISTER_BITS, result, None,
                   call.tail, call.tail_start)  # fmt: skip
    if isinstance(ends, str):
        return ends
    kind = kind_of(accumulator, reach)
    numbers = _numbers(call, reach, kind, result)
    moved = None if order is None else order.astype(np.int32)
    packed = _packed(call, reach, kind, order)
    place = (None, None) if call.placement is None else (call.placement.runs, call.placement.starts)
    constants = (*ends.arrays, *packed[:-2], unsafe, moved, *packed[-2:], *place)
    x = (call.height * call.width * call.channels, call.x_dtype)
    y = (call.out_height * call.out_width * call.out_channels, call.out_dtype)
    return op(isa, "ordered", numbers, ends.numbers, constants, [x], y)


def unmeant(accumulator: Accumulator) -> str:
    """Registers that have no meaning: the definition says so when it runs."""
    registers = [(accumulator.overflow, accumulator.bits, accumulator.signed)]
    if accumulator.psum is not None:
        registers.append((accumulator.psum.overflow, accumulator.psum.bits, True))
    for overflow, bits, signed in registers:
        if overflow.saturated_bits > bits:
            return f"overflow {overflow}: more saturated bits than the register has"
        if overflow.mode is OverflowMode.WRAP_SIGN_MAGNITUDE and not signed:
            return f"overflow {overflow} of an unsigned register"
    return ""


def _inputs(call: ConvCall) -> tuple[int, int, int]:
    """(lowest, highest, padding) of what is multiplied: centred inputs, or stored codes where zp=correct."""
    made = call.ordered
    assert made is not None
    corrected = made.accumulator.zero_point == "correct"
    zero = 0 if corrected else made.x_zero
    pad = made.pad_code - zero
    return min(made.x_lo - zero, pad), max(made.x_hi - zero, pad), pad


def _reach(call: ConvCall) -> Reach:
    made = call.ordered
    assert made is not None
    low, high, _ = _inputs(call)
    columns = call.weights.reshape(call.out_channels, -1).astype(np.int64).T
    nothing = np.zeros(call.out_channels, np.int64)
    corrected = made.accumulator.zero_point == "correct"
    correction = -made.x_zero * columns.sum(axis=0) if corrected else nothing
    bias = nothing if made.bias is None else np.asarray(made.bias, dtype=np.int64)
    least, most = (np.array(b, dtype=object) for b in partial_bounds(columns, low, high))
    for part in (correction.astype(object), bias.astype(object)):
        least, most = least + np.minimum(part, 0), most + np.maximum(part, 0)
    range_low, range_high = held_range(made.accumulator)
    leaves = (least < range_low) | (most > range_high) | bool(made.accumulator.drop)
    total = max(int(np.max(most, initial=0)), -int(np.min(least, initial=0)))
    w_range = (int(columns.min(initial=0)), int(columns.max(initial=0)))
    return Reach((low, high), w_range, total, range_low, range_high, correction, bias, leaves.astype(bool))


def _numbers(call: ConvCall, reach: Reach, kind: int, result: int) -> list[int]:
    """The fields of hwb_ordered_numbers, in order."""
    made = call.ordered
    assert made is not None
    layout = layout_of(call)
    return [
        code_of_dtype(call.x_dtype),
        0 if made.accumulator.zero_point == "correct" else made.x_zero,
        call.height,
        call.width,
        call.channels,
        call.out_height,
        call.out_width,
        call.out_channels,
        *call.stride,
        *call.pad,
        call.groups,
        layout.padded_height,
        layout.padded_width,
        layout.taps,
        layout.run,
        _inputs(call)[2],
        0 if call.placement is None else len(call.placement.runs),
        *sum_numbers(made, reach, kind, result),
    ]


def sum_numbers(made: OrderedSum, reach: Reach, kind: int, result: int) -> list[int]:
    """The fields of hwb_ordered_numbers from kind on."""
    accumulator, low, high = made.accumulator, reach.low, reach.high
    if kind == PROBED:  # a narrower range is as good for a proof, and stays within 32 bits
        low, high = max(low, -SAFE_CONSTANT), min(high, SAFE_CONSTANT)
    if kind == ELEMENTS:
        low = high = 0
    widest = max(accumulator.bits, 0 if accumulator.psum is None else accumulator.psum.bits)
    constants = (0, 0) if kind == ELEMENTS else reach.constants
    return [
        kind,
        together_of(accumulator) // 2,
        int(carried_by(accumulator)),
        int(result >= INT32_SPAN),
        int(reach.total >= INT32_SPAN),
        int(widest > WORD_BITS or reach.total >= WORD_REACH),
        flush_pairs(reach.x_peak, reach.w_peak),
        low,
        high,
        *constants,
        *moves_of(accumulator, reach),
        *accumulator_numbers(accumulator, made.bias is not None),
    ]


def accumulator_numbers(accumulator: Accumulator, has_bias: bool) -> list[int]:
    """The fields of hwb_accumulator, in order."""
    part = part_of(accumulator)
    return [
        *_register(accumulator.overflow, accumulator.bits, accumulator.signed),
        *(_register(part[0], part[1], True) if part else _register(ONES, 16, True)),
        int(part is not None),
        ORDERS.index(accumulator.order.name),
        accumulator.order.n,
        accumulator.drop,
        ROUNDINGS.index(accumulator.drop_rounding),
        int(accumulator.bias == "first"),
        int(has_bias),
        int(accumulator.zero_point == "correct"),
        int(accumulator.overflow.mode is OverflowMode.TRAP),
    ]


def _register(overflow: Overflow, bits: int, signed: bool) -> list[int]:
    mode = "wrap" if overflow.mode is OverflowMode.TRAP else overflow.mode.value
    return [bits, int(signed), HOLDS.index(mode), overflow.saturated_bits]


def _packed(call: ConvCall, reach: Reach, kind: int, order: Array | None) -> tuple[Array | None, ...]:
    """weights, panels, skewed, offsets, source, bias, correction, the 32-bit constants, bounds, together, by_tap."""
    made = call.ordered
    assert made is not None
    weights = in_register_order(call, made.accumulator.axes)
    bias, correction = reach.bias, reach.correction
    if order is not None:
        weights, bias, correction = weights[order], bias[order], correction[order]
    grouped = weights.reshape(call.groups, -1, weights.shape[-1])
    layout = layout_of(call)
    narrow = [np.clip(v, -INT32_SPAN, INT32_SPAN - 1) for v in (bias, correction, bias + correction)]
    return (
        np.ascontiguousarray(weights, dtype=np.int16),
        pack_pairs(grouped),
        pack_skewed(grouped) if kind == SAT16 else None,
        layout.offsets,
        _source(call, row_offsets(call, layout.padded_width)) if made.accumulator.axes == "chw" else None,
        padded(bias, np.int64),
        padded(correction, np.int64),
        *(padded(v, np.int32) for v in narrow),
        weight_bounds(grouped),
        together_parts(grouped, reach.x_peak) if finds_totals(kind, reach) else None,
        by_tap(call, weights) if reach.total < INT32_SPAN and kind in (SAT16, LIMITED, PROBED) else None,
    )


def _source(call: ConvCall, rows: Array) -> Array:
    """Elements from a window's first input to each product's, channels outermost."""
    inputs = call.channels // call.groups
    c, h, w = np.meshgrid(*(np.arange(n) for n in (inputs, *call.kernel)), indexing="ij")
    return (rows[h] + w * call.dilation[1] * call.channels + c).ravel().astype(np.int32)
