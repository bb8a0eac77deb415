"""Binding of calls that data steer."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.masked_binding import BYTE, mask_arrays, mask_input
from hwblocks.numerics.kernels.picks import GateCall, PickCall, PlaceCall, PositionCall, RankingCall, WriteCall
from hwblocks.numerics.kernels.storage import DTYPES, INT64_SPAN, code_of_dtype


def unknown(*dtypes: str) -> str:
    """Why storage types are not served, or ""."""
    wrong = [dtype for dtype in dtypes if dtype not in DTYPES]
    return f"elements stored as {wrong[0]}" if wrong else ""


def bind_pick(call: PickCall, isa: str) -> Any:
    """Rows read by index."""
    if reason := unknown(call.dtype, call.index_dtype):
        return reason
    numbers = [code_of_dtype(call.dtype), call.outer, call.planes, call.rows, call.width, call.picks]
    numbers += [code_of_dtype(call.index_dtype), int(call.from_end)]
    planes = call.outer * call.planes
    x = [] if call.constant is not None else [(planes * call.rows * call.width, call.dtype)]
    constant = None if call.constant is None else np.asarray(call.constant, call.dtype)
    inputs = [*x, (call.outer * call.picks, call.index_dtype)]
    return op(isa, "pick", numbers, [], (constant,), inputs, (planes * call.picks * call.width, call.dtype))


def bind_place(call: PlaceCall, isa: str) -> Any:
    """Elements read by several indices."""
    if reason := unknown(call.dtype, call.index_dtype):
        return reason
    count, parts = len(call.base), len(call.limits)
    numbers = [code_of_dtype(call.dtype), call.elements, count, call.width, parts]
    numbers += [code_of_dtype(call.index_dtype), int(call.from_end)]
    constants = tuple(np.asarray(v, np.int64) for v in (call.base, call.limits, call.steps))
    inputs = [(call.elements, call.dtype), (count * parts, call.index_dtype)]
    return op(isa, "locate", numbers, [], constants, inputs, (count * call.width, call.dtype))


def bind_write(call: WriteCall, isa: str) -> Any:
    """Rows written by index."""
    if reason := unknown(call.dtype, call.address_dtype):
        return reason
    numbers = [code_of_dtype(call.dtype), call.outer, call.rows, call.width, call.ports]
    numbers += [code_of_dtype(call.address_dtype), int(call.enabled)]
    ports, x = call.outer * call.ports, (call.outer * call.rows * call.width, call.dtype)
    address = None if call.address is None else np.asarray(call.address, np.int64)
    inputs = [x, *([] if address is not None else [(ports, call.address_dtype)]), (ports * call.width, call.dtype)]
    inputs += [(ports, BYTE)] if call.enabled else []
    return op(isa, "write", numbers, [], (address,), inputs, x)


def bind_gate(call: GateCall, isa: str) -> Any:
    """Hard gates."""
    if reason := unknown(call.x_dtype, call.out_dtype):
        return reason
    threshold = min(max(call.threshold or 0, 1 - INT64_SPAN), INT64_SPAN - 1)
    numbers = [code_of_dtype(call.x_dtype), code_of_dtype(call.out_dtype), call.rows, call.length]
    numbers += [int(call.threshold is not None), threshold, int(call.average), call.zero_point, int(call.counted)]
    numbers += [0 if call.mask is None else call.mask.count]
    masks = (None, None) if call.mask is None else mask_arrays(call.mask)
    constants = (call.codes.astype(np.int64), call.saturated.astype(np.int64), *masks)
    count = call.rows * call.length
    inputs = [(count, call.x_dtype), *([] if call.mask is None else mask_input(call.mask))]
    return op(isa, "gate", numbers, [], constants, inputs, (count, call.out_dtype))


def bind_position(call: PositionCall, isa: str) -> Any:
    """Positions of extremes."""
    if reason := unknown(call.x_dtype, call.out_dtype) or ("nothing to choose from" if call.length < 1 else ""):
        return reason
    numbers = [code_of_dtype(call.x_dtype), code_of_dtype(call.out_dtype), call.outer, call.length, call.inner]
    x, y = call.outer * call.length * call.inner, call.outer * call.inner
    numbers += [int(call.largest), int(call.last)]
    return op(isa, "position", numbers, [], (), [(x, call.x_dtype)], (y, call.out_dtype))


def bind_ranking(call: RankingCall, isa: str) -> Any:
    """The k largest codes."""
    if reason := unknown(call.x_dtype, call.index_dtype) or ("" if 1 <= call.k <= call.length else f"k = {call.k}"):
        return reason
    numbers = [code_of_dtype(call.x_dtype), code_of_dtype(call.index_dtype), call.outer, call.length, call.inner]
    x, y = call.outer * call.length * call.inner, call.outer * call.k * call.inner
    outputs = (y, call.x_dtype), (y, call.index_dtype)
    return op(isa, "ranking", [*numbers, call.k, int(call.largest)], [], (), [(x, call.x_dtype)], *outputs)
