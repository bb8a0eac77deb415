"""Casts as the compiled core takes them: numbers, arrays per channel, and whether the vector paths may be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.affine import Affine, affine_of, wide_affine_of
from hwblocks.numerics.kernels.limited import Limited
from hwblocks.numerics.kernels.lines import Lines, lines_of
from hwblocks.numerics.kernels.storage import INT32_SPAN, code_of_dtype
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
FORM_NAMES = ("scalar", "affine", "affine_by_sign", "real32", "real64", "stored", "wide")  # of enum hwb_vector
FORMS = {name: number for number, name in enumerate(FORM_NAMES)}
EXACT_BITS = 124  # of numerators and denominators in the core's 128-bit integers
MASK = (1 << 64) - 1
REAL_EDGE = 1 << 30  # at which vectors limit products of floats; results there must be beyond the format
NO_TAIL = (1 << 63) - 1  # tail_start of hwb_ends without a tail


@dataclass(frozen=True, eq=False)
class BoundCast:
    """numbers: the fields of hwb_cast_numbers, in order. arrays: those of hwb_cast after the bias, in order."""

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
        form = FORMS["stored" if out_dtype == "int32" else "scalar"]
        return BoundCast([0] * 14 + [bits, code_of_dtype(out_dtype), form, 0], (None,) * 15)
    reason = _unsupported(epilogue, bound)
    if reason:
        return reason
    form, affine = _form(epilogue, out_dtype, bound)
    exact = epilogue.scheme == "exact"
    arrays = (
        padded(epilogue.multiplier, np.int32),
        padded(epilogue.shift, np.int32),
        padded(epilogue.scale32, np.float32),
        padded(epilogue.scale64, np.float64),
        words(epilogue.numerator) if exact else None,
        words(epilogue.denominator) if exact else None,
        *_affine_arrays(affine),
    )
    numbers = [*_numbers(epilogue), bits, code_of_dtype(out_dtype), form]
    lines = lines_of(epilogue, numbers, arrays, bits, bound) if out_dtype in ("int8", "uint8") else None
    return BoundCast([*numbers, lines.count if lines else 0], (*arrays, *_line_arrays(lines)))


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
    casts = [cast_of(e, out_dtype, channels, bits, bound) for e in ((epilogue, tail) if tail else (epilogue,))]
    for cast in casts:
        if isinstance(cast, str):
            return cast
    constants = bias_constants(bias, channels)
    first, second = (c for c in (casts[0], casts[-1]) if isinstance(c, BoundCast))
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


def _form(e: Epilogue, out_dtype: str, bound: int) -> tuple[int, Affine | None]:
    """The form in which vectors compute the cast (enum hwb_vector), and its constants; 0 where there is none."""
    if e.overflow.mode != "saturate" or out_dtype == "int64":
        return FORMS["scalar"], None
    if bound >= INT32_SPAN:
        wide = wide_affine_of(e, bound)
        return FORMS["wide" if wide else "scalar"], wide
    if bound + abs(e.zero_point) >= INT32_SPAN:
        return FORMS["scalar"], None
    if e.scheme in ("float32", "float64"):
        return _real_form(e), None
    affine = affine_of(e, bound)
    if affine is None:
        return FORMS["scalar"], None
    sign_matters = affine.by_sign and (e.counts[0] or e.clamp_lo < e.zero_point)  # else the clamp levels below 0
    return FORMS["affine_by_sign" if sign_matters else "affine"], affine


def _real_form(e: Epilogue) -> int:
    if max(-e.lo, e.hi) + abs(e.zero_point) >= REAL_EDGE:
        return FORMS["scalar"]
    if e.scheme == "float32":
        return FORMS["real32" if e.rounding is Rounding.HALF_EVEN else "scalar"]
    known = e.rounding in (Rounding.HALF_EVEN, Rounding.HALF_AWAY) and not e.zero_inside
    return FORMS["real64" if known else "scalar"]


def _affine_arrays(affine: Affine | None) -> tuple[Array | None, ...]:
    """left, factor, right, addend, addend_below of hwb_cast."""
    if affine is None:
        return (None,) * 5
    left = None if affine.left is None else padded(affine.left, np.int32)
    words64 = (padded(affine.addend, np.int64), padded(affine.addend_below, np.int64))
    return left, padded(affine.factor, np.int32), padded(affine.right, np.int32), *words64


def _line_arrays(lines: Lines | None) -> tuple[Array | None, ...]:
    """line_shift, line_slope, line_offset, line_below of hwb_cast; what vectors read after the last channel passes."""
    if lines is None:
        return (None,) * 4
    slope = np.concatenate([lines.slope, np.ones(SLACK, np.float32)])
    return padded(lines.shift, np.int32), slope, padded(lines.offset, np.float32), padded(lines.below, np.float32)


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
        0,
    ]
