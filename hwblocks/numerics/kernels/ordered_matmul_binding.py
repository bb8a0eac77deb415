"""Binding of ordered sums of two run-time operands: what they can reach by their formats alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.cast import ends_of
from hwblocks.numerics.kernels.matmul import MatmulCall
from hwblocks.numerics.kernels.ordered_binding import REGISTER_BITS, sum_numbers, unmeant
from hwblocks.numerics.kernels.ordered_reach import Reach, held_range, kind_of, largest_held
from hwblocks.numerics.kernels.packing import fits_int16
from hwblocks.numerics.kernels.storage import INT64_SPAN, code_of_dtype, dtype_range


def bind_ordered_matmul(call: MatmulCall, isa: str) -> Any:
    """The op of a matrix product whose products meet its accumulator in order, or the reason why there is none."""
    made = call.ordered
    assert made is not None
    accumulator = made.accumulator
    zero = 0 if accumulator.zero_point == "correct" else call.a_zero
    x = (made.x_lo - zero, made.x_hi - zero)
    low, high = call.b_codes or dtype_range(call.b_dtype)
    w = (low - call.b_zero, high - call.b_zero)
    if not fits_int16(*x) or not fits_int16(*w):
        return "operands beyond 16 bits as they meet the multiplier"
    reason = unmeant(accumulator)
    if reason:
        return reason
    reach = reach_of(call, x, w)
    result = largest_held(accumulator, reach, call.k) << accumulator.drop
    if max(result, reach.total) >= INT64_SPAN:
        return f"accumulator {accumulator}: its values leave 64 bits"
    ends = ends_of(call.epilogue, call.out_dtype, call.n, REGISTER_BITS, result)
    if isinstance(ends, str):
        return ends
    sums = sum_numbers(made, reach, kind_of(accumulator, reach), result)
    numbers = [*product_numbers(call), *row_numbers(call, zero), *sums]
    a = (call.batch * call.m * call.k, call.a_dtype)
    b = (call.b_batch * call.k * call.n, call.b_dtype)
    y = (call.batch * call.m * call.n, call.out_dtype)
    return op(isa, "ordered_matmul", numbers, ends.numbers, ends.arrays, [a, b], y)


def reach_of(call: MatmulCall, x: tuple[int, int], w: tuple[int, int]) -> Reach:
    """What sums of k products of any operands can reach; every channel may leave its register where one may."""
    made = call.ordered
    assert made is not None
    w_peak = max(-w[0], w[1])
    corrected = made.accumulator.zero_point == "correct"
    constant = call.k * w_peak * abs(call.a_zero) if corrected else 0
    total = call.k * max(-x[0], x[1]) * w_peak + constant
    low, high = held_range(made.accumulator)
    leaves = -total < low or total > high or bool(made.accumulator.drop)
    both = np.array([-constant, constant], dtype=np.int64)
    return Reach(x, w, total, low, high, both, np.zeros(1, np.int64), np.array([leaves]))


def product_numbers(call: MatmulCall) -> list[int]:
    """The fields of hwb_ordered_matmul_numbers before those of its sums."""
    zeros = (call.a_zero, code_of_dtype(call.b_dtype), call.b_zero)
    return [*zeros, call.batch, call.b_batch, call.m]


def row_numbers(call: MatmulCall, zero: int) -> list[int]:
    """The fields of hwb_ordered_numbers up to kind, for a plane of one row of a at each position."""
    positions = (call.batch * call.m, 1, call.k, call.batch * call.m, 1, call.n)
    plain = (1, 1, 0, 0, 1, call.batch * call.m, 1, 1, call.k, 0, 0)
    return [code_of_dtype(call.a_dtype), zero, *positions, *plain]
