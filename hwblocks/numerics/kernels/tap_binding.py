"""Binding of calls on stated taps: sizes of sums and of exact comparisons checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.cast import EXACT_BITS, end_of, words
from hwblocks.numerics.kernels.norm_binding import (
    ERROR,
    HALVES_BITS,
    LARGEST_TERM,
    LEAST_MARGIN,
    LIMB_BITS,
    WHOLE_BITS,
    limbs_of,
)
from hwblocks.numerics.kernels.storage import DTYPES, INT32_SPAN, code_of_dtype, dtype_range
from hwblocks.numerics.kernels.taps import Reads, TapExtremeCall, TapSumCall

Array = np.ndarray[Any, Any]
SUM_BITS = 62


def bind_tap_sum(call: TapSumCall, isa: str) -> Any:
    """Sums and norms of taps."""
    if call.x_dtype not in DTYPES[:5]:
        return f"codes stored as {call.x_dtype}"
    sums, reads = largest_sum(call), call.reads
    divisors = None if call.divisors is None else np.asarray(call.divisors, np.int64)
    below = call.ratio_den * (1 if divisors is None else int(divisors.max(initial=1)))
    if sums.bit_length() > SUM_BITS or reads.elements >= INT32_SPAN:
        return f"sums of {sums.bit_length()} bits"
    if not call.power and max(sums * call.ratio_num, below).bit_length() > EXACT_BITS:
        return "a scale ratio beyond 128-bit integers"
    reach = sums ** (1 / call.degree) * (call.ratio_num / call.ratio_den)
    if reach >= LARGEST_TERM:
        return "results far outside every format"
    above, under = ((2 * v) ** call.degree for v in (call.ratio_num, call.ratio_den))
    under >>= call.degree
    if root_bits(call, sums, above, under) > WHOLE_BITS:
        return "scales whose exact comparison takes more than 2048 bits"
    limbs = -(-max(above.bit_length(), under.bit_length()) // LIMB_BITS)
    factor = above / under if call.power else call.ratio_num / call.ratio_den
    numbers = [*end_of(call), *taps_of(call.x_dtype, reads), call.x_zero, call.power, call.degree, limbs]
    constants = (
        *arrays_of(reads),
        None if reads.weight is None else reads.weight.astype(np.int64),
        divisors,
        words([call.ratio_num, call.ratio_den]),
        np.array([factor, max(LEAST_MARGIN, reach * ERROR)]),
        limbs_of((above, under), limbs),
    )
    y = (reads.positions * reads.inner, call.out_dtype)
    return op(isa, "tap_sum", numbers, [], constants, [(reads.elements, call.x_dtype)], y)


def largest_sum(call: TapSumCall) -> int:
    """A bound of every sum."""
    peak: int = max(abs(limit - call.x_zero) for limit in dtype_range(call.x_dtype)) ** max(call.power, 1)
    taps = int(np.diff(call.reads.first).max(initial=1))
    weights = call.reads.weight
    return taps * peak * (1 if weights is None else int(np.abs(weights).max(initial=1)))


def root_bits(call: TapSumCall, sums: int, above: int, under: int) -> int:
    """Bits of the largest product of an exact comparison of roots."""
    return max(sums.bit_length() + above.bit_length(), call.degree * HALVES_BITS + under.bit_length())


def bind_tap_extreme(call: TapExtremeCall, isa: str) -> Any:
    """Largest or smallest taps."""
    if call.dtype not in DTYPES or call.reads.elements >= INT32_SPAN:
        return f"{call.reads.elements} codes stored as {call.dtype}"
    numbers = [*taps_of(call.dtype, call.reads), call.lowest, int(call.largest)]
    y = (call.reads.positions * call.reads.inner, call.dtype)
    return op(isa, "tap_extreme", numbers, [], arrays_of(call.reads), [(call.reads.elements, call.dtype)], y)


def taps_of(dtype: str, reads: Reads) -> list[int]:
    """The fields of hwb_taps, in order."""
    return [code_of_dtype(dtype), reads.elements, reads.positions, reads.inner]


def arrays_of(reads: Reads) -> tuple[Array, Array]:
    """first and at as the core reads them."""
    return reads.first.astype(np.int64), reads.at.astype(np.int32)
