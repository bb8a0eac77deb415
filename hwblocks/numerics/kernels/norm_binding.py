"""Binding of normalizations: constants of the double estimate and of the exact comparison, and their sizes checked."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import floor, isqrt, lcm
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.cast import EXACT_BITS, end_of, words
from hwblocks.numerics.kernels.norm import NormCall
from hwblocks.numerics.kernels.storage import INT64_SPAN, code_of_dtype, dtype_range
from hwblocks.numerics.newton import root_seeds

Array = np.ndarray[Any, Any]

DIVISORS = ("root", "sizes", "whole_root", "newton")  # the order of enum hwb_divisor
WHOLE_BITS = 1984  # of every product of whole numbers in the core
LIMB_BITS = 32
HALVES_BITS = 36  # of a point at which a rounding turns
DOUBLE_SPAN = 1 << 52  # whole numbers below it are exact in a double
MEAN_SQUARE_BITS = 62  # that Newton's steps take
LARGEST_TERM = 1 << 27  # in steps of the output
ERROR = 2.0**-44  # of an estimate, relative to its largest term, with room
LEAST_MARGIN = 1e-9


def bind_norm(call: NormCall, isa: str) -> Any:
    """Normalization by statistics of groups."""
    reach = float(max(map(abs, call.gain))) * 4 * (isqrt(call.elements) + 2) + float(max(map(abs, call.offset)))
    reason = unsupported(call) or ("results far outside every format" if reach >= LARGEST_TERM else "")
    if reason:
        return reason
    parameters, group = halves_of(call), group_constants(call)
    widest = max(abs(v).bit_length() for row in (*parameters, group) for v in row)
    if product_bits(call, parameters, group) > WHOLE_BITS:
        return "scales whose exact comparison takes more than 2048 bits"
    limbs, period, row = -(-max(widest, 1) // LIMB_BITS), len(call.gain), call.groups * call.width
    fastest = lcm(period, row)
    numbers = [
        *end_of(call),
        code_of_dtype(call.x_dtype),
        call.x_zero,
        call.outer,
        call.rows,
        call.groups,
        call.width,
        int(call.centred),
        DIVISORS.index(call.divisor),
        call.count,
        call.fraction_bits,
        call.steps,
        period,
        fastest,
        limbs,
    ]
    margin = max(LEAST_MARGIN, reach * ERROR)
    constants = (
        np.array([1 / call.count, float(call.eps), float(call.more), margin]),
        *(np.resize(np.array([float(v) for v in part]), fastest) for part in (call.gain, call.offset)),
        limbs_of((v for row in parameters for v in row), limbs),
        limbs_of(group, limbs),
        words([floor(call.eps + Fraction(1, 2))]),
        np.array(root_seeds(), np.int64),
    )
    size = call.outer * call.rows * row
    return op(isa, "norm", numbers, [], constants, [(size, call.x_dtype)], (size, call.out_dtype))


def unsupported(call: NormCall) -> str:
    """Why the core cannot do it, or ""."""
    peak, elements = peak_of(call), call.elements
    if np.dtype(call.x_dtype).itemsize > 2 or call.out_dtype not in ("int8", "uint8", "int16", "uint16", "int32"):
        return "codes of more than 16 input or 32 output bits"
    if call.eps < 0 or call.more < 0:
        return "a negative eps"
    if elements * peak * peak >= INT64_SPAN or 2 * elements * peak >= DOUBLE_SPAN:
        return f"groups of {elements} elements"
    if largest_total(call).bit_length() > EXACT_BITS or mean_square(call).bit_length() > EXACT_BITS - 2:
        return "sums of squares beyond 128-bit integers"
    if call.divisor == "newton" and mean_square(call).bit_length() > MEAN_SQUARE_BITS:
        return f"mean squares that may leave {MEAN_SQUARE_BITS} bits"
    return ""


def peak_of(call: NormCall) -> int:
    """The largest |x| without its zero point."""
    return max(abs(limit - call.x_zero) for limit in dtype_range(call.x_dtype))


def largest_deviation(call: NormCall) -> int:
    """The largest |d|."""
    return 2 * call.elements * peak_of(call) if call.centred else peak_of(call)


def largest_total(call: NormCall) -> int:
    """A bound of Σ d², and of what it is made from."""
    if call.divisor == "sizes":
        return (call.elements * peak_of(call)) ** 2
    return call.elements * largest_deviation(call) ** 2


def mean_square(call: NormCall) -> int:
    """A bound of V."""
    return largest_total(call) // call.count + floor(call.eps + Fraction(1, 2)) + 1


def halves_of(call: NormCall) -> list[tuple[int, int, int]]:
    """(p, r, q) of every element: gain = p / q and offset = r / q in halves of the output's step."""
    made = []
    for gain, offset in zip(call.gain, call.offset, strict=True):
        q = lcm((2 * gain).denominator, (2 * offset).denominator)
        made.append((int(2 * gain * q), int(2 * offset * q), q))
    return made


def group_constants(call: NormCall) -> tuple[int, ...]:
    """α, β, γ with S / count + eps = (S · α + β) / γ, and `more` as a fraction."""
    if call.divisor != "root":
        return (1, 0, 1, 0, 1)
    below = lcm(call.count, call.eps.denominator)
    return (below // call.count, int(call.eps * below), below, call.more.numerator, call.more.denominator)


def product_bits(call: NormCall, parameters: Iterable[tuple[int, ...]], group: tuple[int, ...]) -> int:
    """Bits of the largest product of an exact comparison."""
    p, r, q = (max(abs(v).bit_length() for v in column) for column in zip(*parameters, strict=True))
    alpha, beta, gamma, above, below = (v.bit_length() for v in group)
    d = largest_deviation(call).bit_length() + call.fraction_bits
    turn = max(HALVES_BITS + q, r) + 1
    left, right = max(p + d + below, turn + above) + 1, turn + below
    square = max(max(largest_total(call).bit_length(), 2 * call.fraction_bits + 1) + alpha, beta) + 1
    return int(max(2 * left + gamma, 2 * right + square))


def limbs_of(values: Iterable[int], limbs: int) -> Array:
    """Whole numbers as the core reads them: 1 where negative, then 32-bit limbs, low first."""
    size = limbs * LIMB_BITS // 8
    parts = [int(v < 0).to_bytes(4, "little") + abs(v).to_bytes(size, "little") for v in values]
    return np.frombuffer(b"".join(parts), dtype="<u4").astype(np.uint32)
