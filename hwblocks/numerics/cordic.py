"""CORDIC: exponential, logarithm, tanh, sigmoid, sine and cosine by shifts and additions in fixed point.

Every register is a whole number of units 2**−F. Shifts drop bits (round down); constants are rounded to the nearest
unit. Hyperbolic rotations use the shifts 1, 2, 3, 4, 4, 5 … 13, 13, 14 … 40, 40 …: without the repeats of 4, 13 and 40
they would not converge. `n` is the number of rotations, repeats included.
Sources: Volder 1959; Walther, "A unified algorithm for elementary functions", 1971; restated.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

REPEATED = (4, 13, 40)
MOST_SHIFT = 60  # of a result by a power of two; what is larger leaves every format


@cache
def hyperbolic_shifts(n: int) -> tuple[int, ...]:
    """The first n shifts of hyperbolic rotations.

    >>> hyperbolic_shifts(6)
    (1, 2, 3, 4, 4, 5)
    """
    shifts = [i for k in range(1, n + 1) for i in ([k, k] if k in REPEATED else [k])]
    return tuple(shifts[:n])


def units(value: float, f: int) -> int:
    """A constant in units of 2**−f, to the nearest."""
    return round(math.ldexp(value, f))


@cache
def hyperbolic_gain(n: int) -> float:
    """Π √(1 − 2**−2i): how much n hyperbolic rotations shorten."""
    return math.prod(math.sqrt(1.0 - 4.0**-i) for i in hyperbolic_shifts(n))


@cache
def circular_gain(n: int) -> float:
    """Π √(1 + 2**−2i): how much n circular rotations stretch."""
    return math.prod(math.sqrt(1.0 + 4.0**-i) for i in range(n))


def exponential(x: Any, n: int, f: int) -> Array:
    """e**x in units of 2**−f: x = k · ln 2 + r with k = ⌊x / ln 2 + ½⌋, e**r = cosh r + sinh r by rotations,
    then a shift by k.

    k is limited to 60 − f, so that results stay within 62 bits.

    >>> exponential(np.array([0, 1 << 16, -(1 << 16)]), 20, 16).tolist()
    [65538, 178152, 24109]
    """
    x, ln2 = np.asarray(x, np.int64), units(math.log(2.0), f)
    k = (2 * x + ln2) // (2 * ln2)
    z = x - k * ln2
    a, b = np.full(x.shape, units(1.0 / hyperbolic_gain(n), f)), np.zeros(x.shape, np.int64)
    for i in hyperbolic_shifts(n):
        angle = units(math.atanh(2.0**-i), f)
        up = z >= 0
        step_a, step_b = b >> i, a >> i
        a, b = np.where(up, a + step_a, a - step_a), np.where(up, b + step_b, b - step_b)
        z = np.where(up, z - angle, z + angle)
    total, k = a + b, np.minimum(k, MOST_SHIFT - f)
    return np.asarray(np.where(k >= 0, total << np.maximum(k, 0), total >> np.minimum(np.maximum(-k, 0), 62)))


def quotient(y: Any, x: Any, n: int, f: int) -> Array:
    """y / x in units of 2**−f for |y| ≤ x, by n steps of linear vectoring with the shifts 1 … n.

    >>> quotient(np.array([3 << 10]), np.array([4 << 10]), 12, 12).tolist()
    [3073]
    """
    y, x = np.asarray(y, np.int64), np.asarray(x, np.int64)
    z = np.zeros(np.broadcast_shapes(y.shape, x.shape), np.int64)
    for i in range(1, n + 1):
        up = y >= 0
        y = np.where(up, y - (x >> i), y + (x >> i))
        z = np.where(up, z + ((1 << f) >> i), z - ((1 << f) >> i))
    return z


def sigmoid(x: Any, n: int, f: int) -> Array:
    """1 / (1 + e**−|x|) by exponential and quotient; 1 minus that below 0.

    >>> sigmoid(np.array([0, 65536]), 20, 16).tolist()
    [32767, 47911]
    """
    x, one = np.asarray(x, np.int64), 1 << f
    upper = quotient(np.full(x.shape, one), one + exponential(-np.abs(x), n, f), n, f)
    return np.where(x < 0, one - upper, upper)


def tanh(x: Any, n: int, f: int) -> Array:
    """(1 − e) / (1 + e) with e = e**−2|x|, negated below 0.

    >>> tanh(np.array([65536, -65536]), 20, 16).tolist()
    [49915, -49915]
    """
    x, one = np.asarray(x, np.int64), 1 << f
    power = exponential(-2 * np.abs(x), n, f)
    upper = quotient(one - power, one + power, n, f)
    return np.where(x < 0, -upper, upper)


def natural_log(m: Any, n: int, f: int) -> Array:
    """ln(m · 2**−f) for m from 2**(f−1) to 2**f: 2 · artanh((m − 1) / (m + 1)) by hyperbolic vectoring.

    >>> natural_log(np.array([1 << 15, 1 << 16]), 20, 16).tolist()
    [-45428, 0]
    """
    m = np.asarray(m, np.int64)
    a, b, z = m + (1 << f), m - (1 << f), np.zeros(m.shape, np.int64)
    for i in hyperbolic_shifts(n):
        angle = units(math.atanh(2.0**-i), f)
        up = b < 0
        step_a, step_b = b >> i, a >> i
        a, b = np.where(up, a + step_a, a - step_a), np.where(up, b + step_b, b - step_b)
        z = np.where(up, z - angle, z + angle)
    return 2 * z


def sine_and_cosine(x: Any, n: int, f: int) -> tuple[Array, Array]:
    """(sin x, cos x): x = k · π/2 + r with k = ⌊x / (π/2) + ½⌋, r rotated by n circular steps, turned by k quarters.

    >>> [v.tolist() for v in sine_and_cosine(np.array([0, 65536]), 20, 16)]
    [[3, 55150], [65536, 35412]]
    """
    x, quarter = np.asarray(x, np.int64), units(math.pi / 2.0, f)
    k = (2 * x + quarter) // (2 * quarter)
    z = x - k * quarter
    a, b = np.full(x.shape, units(1.0 / circular_gain(n), f)), np.zeros(x.shape, np.int64)
    for i in range(n):
        angle = units(math.atan(2.0**-i), f)
        up = z >= 0
        step_a, step_b = b >> i, a >> i
        a, b = np.where(up, a - step_a, a + step_a), np.where(up, b + step_b, b - step_b)
        z = np.where(up, z - angle, z + angle)
    turn = k & 3
    sine = np.choose(turn, [b, a, -b, -a])
    return sine, np.choose(turn, [a, -b, -a, b])
