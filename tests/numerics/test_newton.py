"""Newton–Raphson and I-BERT's roots against loops on Python's integers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from hwblocks.numerics import ibert, newton

RNG = np.random.default_rng(3)
VALUES = [
    *range(1, 600),
    *(1 << k for k in range(62)),
    *((1 << k) - 1 for k in range(1, 63)),
    *(int(v) >> int(s) for v, s in zip(RNG.integers(1 << 40, 1 << 62, 600), RNG.integers(0, 40, 600), strict=True)),
]
ONE = 1 << 30


def normal(v, even):
    """(d in 30 fraction bits, exponent) with v = d · 2**exponent, d from ½ on, or from ¼ on for an even exponent."""
    exponent = len(bin(v)) - 2
    if even and exponent % 2:
        exponent += 1
    return math.floor(Fraction(v) / 2**exponent * ONE), exponent


def seed(d, function):
    """The function at the middle of the interval of 1/32 that holds d, to the nearest 1/256."""
    middle = (math.floor(d * 32 / ONE) + 0.5) / 32
    return math.floor(function(middle) * 256 + 0.5) * (ONE // 256)


def loop_reciprocal(v, steps):
    d, exponent = normal(v, even=False)
    x = seed(d, lambda m: 1 / m)
    for _ in range(steps):
        x = x * (2 * ONE - d * x // ONE) // ONE
    return x, -30 - exponent


def loop_root(v, steps):
    d, exponent = normal(v, even=True)
    x = seed(d, lambda m: 1 / math.sqrt(m))
    for _ in range(steps):
        x = x * (3 * ONE - d * (x * x // ONE) // ONE) // (2 * ONE)
    return x, d, exponent // 2


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_newton_is_its_loop(steps):
    v = np.array(VALUES, np.int64)
    m, e = newton.reciprocal(v, steps)
    assert list(zip(m.tolist(), e.tolist(), strict=True)) == [loop_reciprocal(n, steps) for n in VALUES]
    m, e = newton.inverse_root(v, steps)
    roots = [loop_root(n, steps) for n in VALUES]
    assert list(zip(m.tolist(), e.tolist(), strict=True)) == [(x, -30 - k) for x, _, k in roots]
    m, e = newton.square_root(v, steps)
    assert list(zip(m.tolist(), e.tolist(), strict=True)) == [(x * d // ONE, k - 30) for x, d, k in roots]


@pytest.mark.parametrize(("steps", "bits"), [(0, 5), (1, 9), (2, 18), (3, 27)])
def test_each_step_doubles_the_bits(steps, bits):
    for n in VALUES:
        for m, e, power in (
            (*newton.reciprocal(n, steps), -2),
            (*newton.inverse_root(n, steps), -1),
            (*newton.square_root(n, steps), 1),
        ):
            squared = (Fraction(int(m)) * Fraction(2) ** int(e)) ** 2 / Fraction(n) ** power
            assert abs(squared - 1) < Fraction(2, 2**bits) * 2  # of squares, so twice the relative error


def test_ibert_square_root_is_the_floor_of_the_root():
    values = [0, *VALUES, (1 << 62) - 1]
    assert ibert.square_root(np.array(values)).tolist() == [math.isqrt(n) for n in values]
