"""e^x and ln x in float64 by sums and products alone: the same bits on every machine, and in C.

Libraries' exponentials differ from machine to machine and between scalars and vectors. These round like any other sum:
csrc/include/hwblocks/exponential.h does the same steps in the same order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LEAST, MOST = -708.0, 709.0  # of x whose power is a normal number
LOG2_E = float.fromhex("0x1.71547652b82fep+0")
LN2_HIGH = float.fromhex("0x1.62e42feep-1")  # ends in zeros: its products with exponents are exact
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
POWER_TERMS = tuple(1.0 / math.factorial(n) for n in range(13, -1, -1))  # Taylor, for |r| <= ln 2 / 2
LOG_TERMS = tuple(1.0 / n for n in range(21, 1, -2))  # of artanh, for |f / (2 + f)| <= 0.172
ROOT_HALF = float.fromhex("0x1.6a09e667f3bcdp-1")


def _polynomial(terms: tuple[float, ...], x: Array) -> Array:
    """Σ terms · x^n, the highest power first, by Horner's rule."""
    total = np.full(x.shape, terms[0])
    for term in terms[1:]:
        total *= x
        total += term
    return total


def power_of_e(x: Array) -> Array:
    """e^x for float64 x of any shape, within two units in the last place; 0 below −708, infinite above 709.

    x = k · ln 2 + r with k = half_even(x / ln 2); e^x = 2^k · Σ r^n / n!.
    """
    limited = np.clip(np.asarray(x, np.float64), LEAST, MOST)
    k = np.rint(limited * LOG2_E)
    rest = (limited - k * LN2_HIGH) - k * LN2_LOW
    with np.errstate(invalid="ignore"):  # the exponent of a NaN is arbitrary
        powers = np.ldexp(_polynomial(POWER_TERMS, rest), k.astype(np.int64))
    return np.where(x < LEAST, 0.0, np.where(x > MOST, np.inf, powers))


def natural_log(x: Array) -> Array:
    """ln x for normal positive float64 x of any shape, within two units in the last place or of 2^−53.

    x = 2^k · (1 + f) with 1 + f from √½ on, below √2; ln x = k · ln 2 + 2 · artanh(f / (2 + f)).
    """
    part, k = np.frexp(np.asarray(x, np.float64))
    small = part < ROOT_HALF
    f, k = np.where(small, 2 * part, part) - 1.0, k - small
    s = f / (2.0 + f)
    z = s * s
    twice = 2.0 * s
    return k * LN2_HIGH + (twice + (twice * z * _polynomial(LOG_TERMS, z) + k * LN2_LOW))


def sum_in_order(x: Array, axis: int) -> Array:
    """Σ along an axis from its first element to its last, the axis kept."""
    return np.take(np.add.accumulate(x, axis=axis), [-1], axis=axis)
