"""gemmlowp's fixed-point arithmetic: rounding products and shifts, exponential, logistic, tanh, reciprocals, roots.

Raw integers of W = 32 or 16 bits with k integer bits (Qk) stand for raw · 2**(k − W + 1). Arrays are int64; every
value fits W bits between steps. Sources: google/gemmlowp `fixedpoint/fixedpoint.h`, LiteRT `internal/common.{h,cc}`,
restated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# exp(−2**e) for e = −2 … 4 in Q0.31
EXP_FACTORS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
ONE_THIRD, EXP_EIGHTH = 715827883, 1895147668
NEWTON_A, NEWTON_B = 1515870810, -1010580540  # 48/17 and −32/17 in Q2.29
ROOT_THREE_HALVES, ROOT_TWO = 402653184, 1518500250
# log 2, √√½ and the coefficients of the logarithm's rational approximation in Q0.31
LOG_TWO, FOURTH_ROOT_HALF = 1488522236, 1805811301
LOG_NUMERATOR, LOG_DENOMINATOR, LOG_CONSTANT, LOG_LINEAR = 117049297, 127690142, 1057819769, 638450708


def limits(bits: int) -> tuple[int, int]:
    """(lowest, highest) signed integer of a width."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def saturate(v: Any, bits: int) -> Array:
    """v limited to a signed width."""
    return np.asarray(np.clip(v, *limits(bits)))


def wrap(v: Any, bits: int = 32) -> Array:
    """v modulo 2**bits, as a signed number."""
    half = 1 << (bits - 1)
    return np.asarray(((v + half) & ((1 << bits) - 1)) - half)


def high_product(a: Any, b: Any, bits: int = 32) -> Array:
    """Rounded high half of 2·a·b, ties up: saturate((a·b + 2**(W−2)) >> (W−1)).

    >>> int(high_product(np.int64(-(2**31)), -(2**31)))
    2147483647
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.asarray(np.minimum((product + (1 << (bits - 2))) >> (bits - 1), limits(bits)[1]))


def shift_away(v: Any, n: Any) -> Array:
    """v / 2**n, ties away from zero.

    >>> int(shift_away(np.int64(-5), 1))
    -3
    """
    v, n = np.asarray(v, np.int64), np.asarray(n, np.int64)
    mask = (np.int64(1) << n) - 1
    return np.asarray((v >> n) + ((v & mask) > (mask >> 1) + (v < 0)))


def shift_up(v: Any, n: Any) -> Array:
    """v / 2**n, ties up."""
    v, n = np.asarray(v, np.int64), np.asarray(n, np.int64)
    return np.asarray((v + ((np.int64(1) << n) >> 1)) >> n)


def shift_left(v: Any, n: Any, bits: int = 32) -> Array:
    """v · 2**n, saturated."""
    return saturate(np.asarray(v, np.int64) << np.asarray(n, np.int64), bits)


def rescale(v: Any, source: int, target: int, bits: int = 32) -> Array:
    """Q(source) to Q(target): a rounding right shift, or a saturating left shift."""
    e = source - target
    return shift_away(v, -e) if e <= 0 else shift_left(v, e, bits)


def constant(value: int, bits: int) -> int:
    """A 32-bit constant in a width of 32 or 16 bits."""
    return value if bits == 32 else int(shift_away(np.int64(value), 16))


def half_sum(a: Any, b: Any) -> Array:
    """(a + b) / 2, ties away from zero."""
    total = np.asarray(a, np.int64) + b
    return truncate_divide(total + np.where(total >= 0, 1, -1), 2)


def truncate_divide(a: Any, b: Any) -> Array:
    """a / b toward zero, as C divides."""
    a, b = np.asarray(a, np.int64), np.asarray(b, np.int64)
    quotient = np.abs(a) // np.abs(b)
    return np.asarray(np.where((a < 0) != (b < 0), -quotient, quotient))


def leading_zeros(v: Any) -> Array:
    """Leading zero bits of unsigned 32-bit numbers; 32 for 0."""
    wide = np.asarray(v, np.int64) & 0xFFFFFFFF
    return np.asarray(32 - np.frexp(wide.astype(np.float64))[1], dtype=np.int64)


def exp_negative(a: Any, k: int, bits: int = 32) -> Array:
    """e**a in Q0 for a ≤ 0 in Qk.

    >>> int(exp_negative(np.int64(-67108864), 5))
    790015308
    """
    a = np.asarray(a, np.int64)
    fraction = bits - 1 - k
    quarter = 1 << (fraction - 2)
    small = (a & (quarter - 1)) - quarter
    rest = small - a
    result = _exp_quarter(rescale(small, k, 0, bits), bits)
    for position, factor in enumerate(EXP_FACTORS):
        e = position - 2
        if k > e:
            hit = (rest >> (fraction + e)) & 1
            result = np.where(hit == 1, high_product(result, constant(factor, bits), bits), result)
    if k > 5:
        result = np.where(a < -(1 << (fraction + 5)), 0, result)
    return np.where(a == 0, limits(bits)[1], result)


def _exp_quarter(z: Array, bits: int) -> Array:
    """e**z for z in [−1/4, 0) in Q0: the Taylor series around −1/8."""
    x = z + (1 << (bits - 4))
    x2 = high_product(x, x, bits)
    x3 = high_product(x2, x, bits)
    x4 = high_product(x2, x2, bits)
    tail = high_product(shift_away(x4, 2) + x3, constant(ONE_THIRD, bits), bits) + x2
    series = x + shift_away(tail, 1)
    eighth = constant(EXP_EIGHTH, bits)
    return saturate(eighth + high_product(np.int64(eighth), series, bits), bits)


def newton(a: Any, bits: int = 32) -> Array:
    """2 / (1 + a) in Q2 for a in [0, 1) in Q0: three Newton steps."""
    half = half_sum(a, limits(bits)[1])
    x = constant(NEWTON_A, bits) + high_product(half, constant(NEWTON_B, bits), bits)
    for _ in range(3):
        error = (1 << (bits - 3)) - high_product(half, x, bits)
        x = x + rescale(high_product(x, error, bits), 4, 2, bits)
    return x


def one_over_one_plus(a: Any, bits: int = 32) -> Array:
    """1 / (1 + a) in Q0 for a in [0, 1) in Q0."""
    return shift_left(newton(a, bits), 1, bits)


def logistic(x: Any, k: int, bits: int = 32) -> Array:
    """1 / (1 + e**−x) in Q0 for x in Qk.

    >>> int(logistic(np.int64(134217728), 4))
    1569936226
    """
    x = np.asarray(x, np.int64)
    positive = one_over_one_plus(exp_negative(-np.abs(x), k, bits), bits)
    result = np.where(x > 0, positive, limits(bits)[1] - positive)
    return np.where(x == 0, 1 << (bits - 2), result)


def tanh(x: Any, k: int, bits: int = 32) -> Array:
    """tanh x in Q0 for x in Qk.

    >>> int(tanh(np.int64(134217728), 4))
    1635510876
    """
    x = np.asarray(x, np.int64)
    powers = exp_negative(-np.abs(saturate(x, bits)), k + 1, bits)
    positive = shift_left(newton(powers, bits) - (1 << (bits - 3)), 2, bits)
    return np.where(x == 0, 0, np.where(x > 0, positive, -positive))


def reciprocal(x: Any, integer_bits: int) -> tuple[Array, Array]:
    """(r, over) with 1 / x ≈ r · 2**−over for x in Q(integer_bits), x > 0; r in Q0.

    >>> [int(v) for v in reciprocal(np.int64(1234567), 12)]
    [1823959182, 1]
    """
    h = leading_zeros(x)
    return one_over_one_plus((np.asarray(x, np.int64) << h) - (1 << 31)), integer_bits - h


def inverse_root(v: Any) -> tuple[Array, Array]:
    """(m, e) with 1 / √v ≈ m · 2**(e − 31), e ≤ 0, for integers v of at most 31 bits; of v ≤ 1 as if it were 1.

    >>> m, e = inverse_root(65025)
    >>> int(m), int(e)
    (269488147, -5)
    """
    v = np.asarray(v, np.int64)
    whole, shift = np.maximum(v, 2), np.full(v.shape, 11)
    while (large := whole >= 1 << 29).any():
        whole, shift = np.where(large, whole // 4, whole), shift + large
    pairs = (leading_zeros(whole) - 1) // 2 - 1
    shift, whole = shift - pairs, (whole << (2 * pairs)) >> 1
    half, x = shift_away(whole, 1), np.full(v.shape, 1 << 28)
    for _ in range(5):
        cube = rescale(high_product(high_product(x, x), x), 9, 3)
        x = rescale(high_product(np.int64(ROOT_THREE_HALVES), x) - high_product(half, cube), 6, 3)
    root = high_product(x, ROOT_TWO) << np.maximum(-shift, 0)
    return np.where(v <= 1, limits(32)[1], root), np.where(v <= 1, 0, np.minimum(-shift, 0))


def scaled_by_power(v: Any, n: Any) -> Array:
    """v · 2**n: a saturating left shift, or a right shift with ties away from zero."""
    n = np.asarray(n, np.int64)
    return np.asarray(np.where(n >= 0, shift_left(v, np.maximum(n, 0)), shift_away(v, np.maximum(-n, 0))))


def log_of_at_least_one(x: Any, k: int, out: int) -> Array:
    """ln x in Q(out) for x ≥ 1 in Qk: x = z · 2**n with z near √√½, ln z by a rational function of z − √√½.

    Two candidates of n are tried, one of them for x · √½, so that z stays in a narrow range.

    >>> int(log_of_at_least_one(np.int64(1 << 20), 12, 5))  # ln 2
    46516320
    """
    x = np.asarray(x, np.int64)
    accumulator = out + 1
    quarter = shift_away(1 << 29, accumulator)
    zeros = leading_zeros(x)
    near = shift_left(high_product(scaled_by_power(x, zeros - 1), ROOT_TWO), 1)
    power = saturate(scaled_by_power(k - zeros, 31 - accumulator) + quarter, 32)
    room = leading_zeros(high_product(x, ROOT_TWO)) - 1
    other_power = saturate(scaled_by_power(k - room, 31 - accumulator) - quarter, 32)
    r, power = np.minimum(near, scaled_by_power(x, room)), np.maximum(power, other_power)
    p, q = half_sum(r, FOURTH_ROOT_HALF), wrap(2 * (r - FOURTH_ROOT_HALF))
    square = high_product(q, q)
    above = wrap(high_product(q, r) + high_product(high_product(q, square), LOG_NUMERATOR))
    below = wrap(LOG_CONSTANT + q + high_product(LOG_DENOMINATOR, square))
    below = wrap(high_product(p, below) + high_product(LOG_LINEAR, q))
    quotient = high_product(shift_away(above, accumulator), one_over_one_plus(below))
    return shift_left(wrap(high_product(power, LOG_TWO) + quotient), 1)
