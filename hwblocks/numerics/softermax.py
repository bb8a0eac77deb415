"""Softermax: softmax to base 2 in few bits, with a running sum, an integer maximum and shifts for powers of two.

Formats, with the paper's f = 2 and r = 7: input Q6.f (6 integer bits with the sign), powers Q1.15, their sum Q10.(r−1),
reciprocal Q1.r; every shift drops bits. Fractions of exponents and mantissas are linear between quarters.
Source: Stevens, Venkatesan, Dai, Khailany, Raghunathan, "Softermax: hardware/software co-design of an efficient softmax
for transformers", DAC 2021; restated.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from hwblocks.numerics.newton import bit_length

Array = np.ndarray[Any, Any]

INPUT_BITS, POWER_FRACTION, SUM_BITS = (
    6,
    15,
    10,
)  # integer bits of inputs, fraction bits of powers, integer bits of sums
QUARTERS = 4
UNIT = 30  # fraction bits of a sum's mantissa


@cache
def power_entries() -> tuple[int, ...]:
    """2**(q / 4) with 15 fraction bits, q = 0 … 4.

    >>> power_entries()
    (32768, 38968, 46341, 55109, 65536)
    """
    return tuple(round(2.0 ** (q / QUARTERS + POWER_FRACTION)) for q in range(QUARTERS + 1))


@cache
def reciprocal_entries(r: int) -> tuple[int, ...]:
    """1 / (1 + q / 4) with r fraction bits, q = 0 … 4.

    >>> reciprocal_entries(7)
    (128, 102, 85, 73, 64)
    """
    return tuple(round(2.0**r / (1 + q / QUARTERS)) for q in range(QUARTERS + 1))


def limited_input(t: Any, f: int) -> Array:
    """t brought into Q6.f, saturated."""
    half = 1 << (INPUT_BITS - 1 + f)
    return np.asarray(np.clip(t, -half, half - 1), np.int64)


def power(t: Array, top: Array, f: int) -> Array:
    """2**(t · 2**−f − top) in Q1.15 for whole tops ≥ t · 2**−f."""
    below = (top << f) - t
    k = -(-below >> f)
    part = (k << f) - below
    rest = f - 2
    entries = np.array(power_entries(), np.int64)
    q, d = part >> rest, part & ((1 << rest) - 1)
    value = entries[q] + (((entries[np.minimum(q + 1, QUARTERS)] - entries[q]) * d) >> rest)
    return np.asarray(value >> np.minimum(k, 62))


def reciprocal(total: Array, r: int) -> tuple[Array, Array]:
    """(m, e): 1 / total ≈ m · 2**−r · 2**−e for whole totals, e = bits − 1."""
    e = bit_length(total) - 1
    u = (total << (UNIT - e)) - (1 << UNIT)
    rest = UNIT - 2
    entries = np.array(reciprocal_entries(r), np.int64)
    q, d = u >> rest, u & ((1 << rest) - 1)
    return entries[q] - (((entries[q] - entries[np.minimum(q + 1, QUARTERS)]) * d) >> rest), e


def softermax(t: Any, f: int, r: int) -> Array:
    """Softmax to base 2 of t [..., N] in Q6.f along the last axis, in units of 2**−(15 + r).

    From the first element to the last: top' = max(top, ⌈t⌉) and
    sum' = (sum >> (top' − top)) + (2**(t − top') >> (16 − r)), at most the largest of its format.
    Then y = 2**(t − top) times the reciprocal of the sum, shifted.

    >>> softermax(np.array([[8, 4, 0]]), 2, 7).tolist()  # 2, 1, 0: 4/7, 2/7, 1/7 of 2**22
    [[2392064, 1196032, 598016]]
    """
    t = limited_input(t, f)
    tops = -(-t >> f)
    g = r - 1
    top, total = tops[..., 0], np.zeros(t.shape[:-1], np.int64)
    for j in range(t.shape[-1]):
        higher = np.maximum(top, tops[..., j])
        added = power(t[..., j], higher, f) >> (POWER_FRACTION - g)
        total = np.minimum((total >> (higher - top)) + added, (1 << (SUM_BITS + g)) - 1)
        top = higher
    factor, e = reciprocal(total, r)
    product = 2 * power(t, top[..., None], f) * factor[..., None]  # doubled, since e may be g − 1
    return np.asarray(product >> (e - g + 1)[..., None])
