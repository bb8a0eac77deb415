"""Binding of recurrent blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.cast import Ends, ends_of
from hwblocks.numerics.kernels.packing import fits_int16, pack_rows
from hwblocks.numerics.kernels.recurrent import GateStep, LstmCall, SumPart, SvdfCall
from hwblocks.numerics.kernels.storage import INT32_SPAN, INT64_SPAN, code_of_dtype, dtype_range

INT16_SPAN = 1 << 15
NEAR = 1 << 30  # totals of 64-bit sums that are cast as 32-bit ones
FITTING, NEAR_TOTALS, LOWEST_BITS = 0, 1, 2  # enum hwb_reach
EXACT = 64  # bits of a register that is never reduced


def part_ends(part: SumPart, outputs: int) -> Ends | str:
    """How the sums of a part end."""
    return ends_of(part.epilogue, part.out_dtype, outputs, EXACT, part.bound, part.bias)


def unsuited(dtype: str, zero: int, part: SumPart) -> str:
    """Why a part's products cannot be summed in 32 bits from 16-bit operands, or ""."""
    low, high = (limit - zero for limit in dtype_range(dtype))
    w_low, w_high = int(part.weights.min(initial=0)), int(part.weights.max(initial=0))
    if not fits_int16(low, high) or not fits_int16(w_low, w_high):
        return "centred operands beyond 16 bits"
    return f"sums of up to {part.bound} leave 32 bits" if part.bound >= INT32_SPAN else ""


def near_part(part: SumPart) -> tuple[SumPart, int]:
    """Sums of 64 bits as 32-bit ones, and which of them such a cast serves.

    Two roundings begin with the lowest 32 bits of a sum; shifted by one at least, what they give stays far within 32.
    """
    e = part.epilogue
    if e.scheme.startswith("double_round") and e.shift.min(initial=1) > 0:
        return replace(part, bound=INT32_SPAN - 1 - abs(e.zero_point)), LOWEST_BITS
    return replace(part, bound=NEAR), NEAR_TOTALS


def bind_svdf(call: SvdfCall, isa: str) -> Any:
    """A filter memory."""
    filters, inputs = call.newest.weights.shape
    taps, memory = call.units.weights.shape[1], call.newest.out_dtype
    reason = unsuited(call.x_dtype, call.x_zero, call.newest)
    if reason or call.units.bound >= INT64_SPAN:
        return reason or "sums over time beyond 64 bits"
    if not fits_int16(*(limit - call.memory_zero for limit in dtype_range(memory))):
        return "a centred memory beyond 16 bits"
    if np.abs(call.units.weights).max(initial=0) >= INT16_SPAN:
        return "weights over time beyond 16 bits"
    wide, outputs = call.units.bound >= INT32_SPAN, filters // call.rank
    near, reach = near_part(call.units) if wide else (call.units, FITTING)
    newest, units, close = part_ends(call.newest, filters), part_ends(call.units, outputs), part_ends(near, outputs)
    if isinstance(newest, str) or isinstance(units, str) or isinstance(close, str):
        return next(e for e in (newest, units, close) if isinstance(e, str))
    numbers = [
        code_of_dtype(call.x_dtype),
        call.x_zero,
        inputs,
        (inputs + 1) // 2,
        filters,
        taps,
        call.rank,
        code_of_dtype(memory),
        call.memory_zero,
        reach,
    ]
    weights = (pack_rows(call.newest.weights), call.units.weights.astype(np.int16))
    constants = (*newest.arrays, *units.arrays, *close.arrays, *weights)
    held, y = (filters * taps, memory), (filters // call.rank, call.units.out_dtype)
    casts = [*newest.numbers, *units.numbers, *close.numbers]
    return op(isa, "svdf", numbers, casts, constants, [(inputs, call.x_dtype), held], y, held)


def bind_lstm(call: LstmCall, isa: str) -> Any:
    """Gates by tables."""
    gates, inputs = call.fed.weights.shape
    units = gates // 4
    reason = unsuited(call.x_dtype, call.x_zero, call.fed) or unsuited("int8", call.h_zero, call.back)
    if reason:
        return reason
    fed, back = part_ends(call.fed, gates), part_ends(call.back, gates)
    if isinstance(fed, str) or isinstance(back, str):
        return fed if isinstance(fed, str) else back
    numbers = [
        code_of_dtype(call.x_dtype),
        call.x_zero,
        call.h_zero,
        call.steps,
        inputs,
        (inputs + 1) // 2,
        units,
        (units + 1) // 2,
        call.clip,
        *(number for step in (call.kept, call.added, call.hidden) for number in step_numbers(step)),
    ]
    tables = (t.astype(np.int16) for t in (call.sigmoid, call.tanh, call.cell_tanh))
    constants = (*fed.arrays, *back.arrays, pack_rows(call.fed.weights), pack_rows(call.back.weights), *tables)
    h, c = (units, "int8"), (units, "int16")
    inputs_of = [(call.steps * inputs, call.x_dtype), h, c]
    casts = [*fed.numbers, *back.numbers]
    return op(isa, "lstm", numbers, casts, constants, inputs_of, (call.steps * units, "int8"), h, c)


def step_numbers(step: GateStep) -> tuple[int, int]:
    """The fields of hwb_gate_step."""
    return step.multiplier, step.shift
