"""Casts as the compiled core takes them: numbers, arrays per channel, and whether the vector paths may be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.limited import Limited
from hwblocks.numerics.kernels.storage import code_of_dtype
from hwblocks.numerics.requantize import Epilogue
from hwblocks.numerics.rounding import Rounding

Array = np.ndarray[Any, Any]

SLACK = 16  # entries after the last channel that vector loads may read
ROUNDINGS = tuple(Rounding)[:10]  # the order of enum hwb_rounding
SCHEMES = {
    "shift": 1,
    "single_round": 2,
    "fixed": 2,
    "double_round": 3,
    "double_round_up": 3,
    "q16": 4,
    "float32": 5,
    "float64": 6,
    "exact": 7,
}
EXACT_BITS = 124  # of numerators and denominators in the core's 128-bit integers
MASK = (1 << 64) - 1
NO_TAIL = (1 << 63) - 1  # tail_start of hwb_ends without a tail


@dataclass(frozen=True, eq=False)
class BoundCast:
    """numbers: the fields of hwb_cast_numbers, in order. arrays: multiplier, shift, scales, numerator, denominator."""

    numbers: list[int]
    arrays: tuple[Array | None, ...]


def words(values: Any) -> Array:
    """Integers as two 64-bit words each, low first."""
    flat = [int(v) for v in values]
    pairs = [(v & MASK, (v >> 64) & MASK) for v in flat]
    return np.array(pairs, dtype=np.uint64).view(np.int64).ravel()


def padded(values: Any, dtype: Any) -> Array:
    """Values with the slack that vector loads need."""
    return np.concatenate([np.asarray(values, dtype=dtype), np.zeros(SLACK, dtype)])


def bias_constants(bias: Array | None, channels: int) -> tuple[Array, Array]:
    """The bias in 64 and in 32 bits (the latter is read only where every sum fits 32 bits)."""
    wide = np.zeros(channels, np.int64) if bias is None else np.asarray(bias, dtype=np.int64)
    return padded(wide, np.int64), padded(wide.astype(np.int32), np.int32)


def cast_of(epilogue: Epilogue | None, out_dtype: str, channels: int, bits: int, bound: int) -> BoundCast | str:
    """The cast of an epilogue, or the reason why the core cannot do it. None stores the accumulators."""
    if epilogue is None:
        return BoundCast([0] * 14 + [bits, code_of_dtype(out_dtype), 0], (None,) * 6)
    reason = _unsupported(epilogue, bound)
    if reason:
        return reason
    vector = int(_suits_vectors(epilogue, out_dtype, bound))
    exact = epilogue.scheme == "exact"
    arrays = (
        padded(epilogue.multiplier, np.int32),
        padded(epilogue.shift, np.int32),
        padded(epilogue.scale32, np.float32),
        padded(epilogue.scale64, np.float64),
        words(epilogue.numerator) if exact else None,
        words(epilogue.denominator) if exact else None,
    )
    return BoundCast([*_numbers(epilogue), bits, code_of_dtype(out_dtype), vector], arrays)


@dataclass(frozen=True, eq=False)
class Ends:
    """numbers: the fields of hwb_ends, in order. arrays: bias in 64 and 32 bits and the arrays of both casts."""

    numbers: list[int]
    arrays: tuple[Array | None, ...]


def ends_of(
    epilogue: Epilogue | None,
    out_dtype: str,
    channels: int,
    bits: int,
    bound: int,
    bias: Array | None = None,
    tail: Epilogue | None = None,
    tail_start: int = 0,
) -> Ends | str:
    """How sums of `channels` channels end: by `epilogue`, those from tail_start on by `tail` where there is one."""
    casts = [cast_of(e, out_dtype, channels, bits, bound) for e in (epilogue, tail or epilogue)]
    for cast in casts:
        if isinstance(cast, str):
            return cast
    constants = bias_constants(bias, channels)
    first, second = (c for c in casts if isinstance(c, BoundCast))
    start = NO_TAIL if tail is None else tail_start
    return Ends([start, *first.numbers, *second.numbers], (*constants, *first.arrays, *constants, *second.arrays))


def _numbers(e: Epilogue) -> list[int]:
    return [
        SCHEMES[e.scheme],
        ROUNDINGS.index(e.rounding),
        ROUNDINGS.index(e.first_rounding),
        e.zero_point,
        int(e.zero_inside),
        e.bits,
        int(e.signed),
        e.lo,
        e.hi,
        e.clamp_lo,
        e.clamp_hi,
        int(e.overflow.is_wrap),
        int(e.counts[0]),
        int(e.counts[1]),
    ]


def _unsupported(e: Epilogue, bound: int) -> str:
    if e.overflow.mode != "saturate" and not e.overflow.is_plain_wrap:
        return f"output overflow {e.overflow}"
    if e.zero_inside and e.fma and e.scheme in ("float32", "float64"):
        return "a fused multiply and add of the zero point"
    if e.shift.size and (int(e.shift.max()) > 100 or int(e.shift.min()) < -31):
        return "shifts beyond 100 bits"
    if e.scheme == "exact":
        largest = max((int(n).bit_length() for n in e.numerator), default=0) + bound.bit_length()
        below = max((int(d).bit_length() for d in e.denominator), default=0) + 33 * e.zero_inside
        if max(largest, below) > EXACT_BITS:
            return "scale ratios beyond 128-bit integers"
    return ""


def _suits_vectors(e: Epilogue, out_dtype: str, bound: int) -> bool:
    """True when every channel's constants are those that cast_s32__avx2.c is exact for."""
    if (
        (e.zero_inside and e.scheme != "float32")
        or e.overflow.mode != "saturate"
        or out_dtype not in ("int8", "uint8", "int16")
    ):
        return False
    if bound + abs(e.zero_point) >= 1 << 31:
        return False
    low, high = int(e.shift.min(initial=0)), int(e.shift.max(initial=0))
    if e.scheme == "single_round":
        return e.rounding is Rounding.HALF_UP and int(e.shift.min(initial=64)) >= 32 and high <= 62
    if e.scheme in ("double_round", "double_round_up"):
        known = e.rounding in (Rounding.HALF_UP, Rounding.HALF_AWAY) and e.first_rounding is Rounding.HALF_UP
        return known and low >= 0 and high <= 31
    if e.scheme == "shift":
        return e.rounding is Rounding.HALF_UP and low >= 0 and high <= 31
    if e.scheme == "float64":
        return e.rounding in (Rounding.HALF_EVEN, Rounding.HALF_AWAY)
    return e.scheme == "float32" and e.rounding is Rounding.HALF_EVEN


def end_of(call: Limited) -> list[int]:
    """The fields of hwb_cast_numbers that the end of an op without multipliers reads; it saturates."""
    return [
        0,
        ROUNDINGS.index(getattr(call, "rounding", Rounding.HALF_EVEN)),
        0,
        getattr(call, "zero_point", 0),
        0,
        64,
        1,
        call.lo,
        call.hi,
        call.clamp_lo,
        call.clamp_hi,
        0,
        int(call.counts[0]),
        int(call.counts[1]),
        64,
        code_of_dtype(call.out_dtype),
        0,
    ]
