"""Newton–Raphson on integers: 1 / v, 1 / √v and √v by a small seed table and a stated number of steps.

Values are normalised to d in [½, 1) or [¼, 1) with 30 fraction bits; seeds have 8 fraction bits, everything between
has 30 and is truncated (rounded down) after each product. Arrays are int64 and no product leaves 62 bits.
Source: Newton's method on 1/x − d and on 1/x² − d, as in Ercegovac and Lang, "Digital Arithmetic", 2004, chapter 7.
"""

from __future__ import annotations

from functools import cache
from math import isqrt
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

FRACTION = 30  # fraction bits of mantissas and of all that is between
SEED_BITS = 8  # fraction bits of a seed
INDEX_BITS = 5  # leading bits of the mantissa that choose a seed
ONE = 1 << FRACTION


def bit_length(v: Any) -> Array:
    """Bits of whole numbers 0 ≤ v < 2**63; 0 for 0.

    >>> bit_length(np.array([0, 1, 255, 256, 2**62])).tolist()
    [0, 1, 8, 9, 63]
    """
    v = np.asarray(v, np.int64)
    high = v >> 32
    upper, lower = (np.frexp(part.astype(np.float64))[1] for part in (high, v & 0xFFFFFFFF))
    return np.asarray(np.where(high > 0, upper + 32, lower), np.int64)


def mantissa(v: Array, exponent: Array) -> Array:
    """v · 2**(30 − exponent), bits below dropped."""
    shift = FRACTION - exponent
    return np.asarray(np.where(shift >= 0, v << np.maximum(shift, 0), v >> np.maximum(-shift, 0)))


@cache
def reciprocal_seeds() -> tuple[int, ...]:
    """round(2**8 / middle) for the 16 intervals of d that its 5 leading bits 1.... tell apart.

    >>> reciprocal_seeds()[0], reciprocal_seeds()[-1]
    (496, 260)
    """
    half = 1 << (INDEX_BITS - 1)  # the middle of interval i is (2·i + 1) / 2**6
    return tuple(((1 << (SEED_BITS + INDEX_BITS + 2)) // (2 * i + 1) + 1) >> 1 for i in range(half, 2 * half))


@cache
def root_seeds() -> tuple[int, ...]:
    """round(2**8 / √middle) for the 24 intervals of d in [¼, 1) that its 5 leading bits tell apart.

    >>> root_seeds()[0], root_seeds()[-1]
    (497, 258)
    """
    quarter = 1 << (INDEX_BITS - 2)
    squared = 1 << (2 * SEED_BITS + INDEX_BITS + 3)  # 4 · 2**16 · 2**6: twice the root, squared
    return tuple((isqrt(squared // (2 * i + 1)) + 1) >> 1 for i in range(quarter, 4 * quarter))


def reciprocal(v: Any, steps: int) -> tuple[Array, Array]:
    """(m, e) with 1 / v ≈ m · 2**e for whole numbers 0 < v < 2**62.

    v = d · 2**L, d in [½, 1) with 30 fraction bits; x = seed, then `steps` times x ← x · (2 − d·x); e = −30 − L.

    >>> m, e = reciprocal(np.array([3]), 2)
    >>> int(m[0]), int(e[0])
    (1431655460, -32)
    """
    v = np.asarray(v, np.int64)
    exponent = bit_length(v)
    d = mantissa(v, exponent)
    index = (d >> (FRACTION - INDEX_BITS)) - (1 << (INDEX_BITS - 1))
    x = np.array(reciprocal_seeds(), np.int64)[index] << (FRACTION - SEED_BITS)
    for _ in range(steps):
        x = (x * (2 * ONE - ((d * x) >> FRACTION))) >> FRACTION
    return x, -FRACTION - exponent


def inverse_root(v: Any, steps: int) -> tuple[Array, Array]:
    """(m, e) with 1 / √v ≈ m · 2**e for whole numbers 0 < v < 2**62.

    v = d · 4**k, d in [¼, 1) with 30 fraction bits; x = seed, then `steps` times x ← x · (3 − d·x²) / 2; e = −30 − k.

    >>> m, e = inverse_root(np.array([16]), 2)
    >>> int(m[0]), int(e[0])
    (2147478414, -33)
    """
    x, _, half = _root_steps(np.asarray(v, np.int64), steps)
    return x, -FRACTION - half


def _root_steps(v: Array, steps: int) -> tuple[Array, Array, Array]:
    """(1 / √d, d, k)."""
    half = (bit_length(v) + 1) // 2
    d = mantissa(v, 2 * half)
    x = np.array(root_seeds(), np.int64)[(d >> (FRACTION - INDEX_BITS)) - (1 << (INDEX_BITS - 2))]
    x = x << (FRACTION - SEED_BITS)
    for _ in range(steps):
        square = (x * x) >> FRACTION
        x = (x * (3 * ONE - ((d * square) >> FRACTION))) >> (FRACTION + 1)
    return x, d, half


def square_root(v: Any, steps: int) -> tuple[Array, Array]:
    """(m, e) with √v ≈ m · 2**e for whole numbers 0 ≤ v < 2**62: d times the Newton value of 1 / √d; e = k − 30.

    >>> m, e = square_root(np.array([0, 16]), 2)
    >>> m.tolist(), e.tolist()
    ([0, 536869603], [-30, -27])
    """
    v = np.asarray(v, np.int64)
    x, d, half = _root_steps(np.maximum(v, 1), steps)
    m = (d * x) >> FRACTION
    return np.where(v == 0, 0, m), np.where(v == 0, 0, half) - FRACTION
