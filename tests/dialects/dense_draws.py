"""What dense cases are drawn from: scales full of ties, every code and pair of codes, millions of 16-bit codes."""

from __future__ import annotations

import numpy as np
from operator_draws import RANGES, zero_point
from operator_models import T

PAIRS = 256  # codes of an 8-bit operand, each of which meets each of the other's
WIDE = 1 << 10  # rows and columns of 16-bit operands: a million pairs
DYADIC = (1.0, 0.5, 0.25, 2.0, 0.75, 1.5, 0.625, 3 / 1024, 2.0**-8, 2.0**-13)


def beside(rng, value):
    """A float32, sometimes the one below or above it."""
    v = np.float32(value)
    return float(rng.choice([v, v, v, np.nextafter(v, np.float32(0)), np.nextafter(v, np.float32(np.inf))]))


def tied(rng, low=-10, high=0):
    """A scale of which many products are ties: a power of two, or beside one; or any scale."""
    power = 2.0 ** int(rng.integers(low, high + 1))
    return float(np.float32(2.0 ** rng.uniform(low, high))) if rng.random() < 0.35 else beside(rng, power)


def related(rng, reference, reach=3.0):
    """A scale in a dyadic ratio to another, or beside it; or any within this many powers of two."""
    near = np.float32(reference * 2.0 ** rng.uniform(-reach, reach))
    dyadic = np.float32(reference) * np.float32(rng.choice(DYADIC))
    within = 2.0**-reach <= dyadic / reference <= 2.0**reach
    return float(near) if rng.random() < 0.35 or not within else beside(rng, dyadic)


def codes(rng, shape, kind):
    """Codes over the whole range, with many of the extreme and of the small ones."""
    if kind == "float32":
        return rng.normal(0, 1, shape).astype(np.float32)
    low, high = RANGES[kind]
    made = rng.integers(low, high + 1, shape).astype("int8" if kind == "int4" else kind)
    odd = rng.random(shape) < 0.05
    made[odd] = rng.choice([low, low + 1, high - 1, high], int(odd.sum()))
    return made


def every_code(rng, kind, rest=0):
    """All codes of a type in any order, then some again."""
    low, high = RANGES[kind]
    every = rng.permutation(np.arange(low, high + 1))
    return np.concatenate([every, every[:rest]]).astype(kind)


def quantized(rng, shape, kind, step, zero=None):
    """A tensor of a stated scale and any zero point."""
    shape = tuple(int(s) for s in shape)
    return T(shape, kind, float(np.float32(step)), zero_point(rng, kind) if zero is None else zero)


def pair_shapes(rng, kind):
    """Shapes of two operands: alike, one value against rows, rows, one column against rows."""
    n = PAIRS if kind != "int16" else WIDE
    tail = int(rng.integers(0, 17))
    layouts = [
        ((n * n + tail,), (n * n + tail,)),
        ((n, 1), (1, n + tail)),
        ((n + tail,), (n, 1)),
        ((n, 8 + tail), (8 + tail,)),
        ((1, 3, 40 + tail), (n, 1, 40 + tail)),
        ((1,), (n * 4 + tail,)),
        ((2, 1, 9 + tail, 1), (2, 5, 9 + tail, 3)),
        ((3, 1, 5, 1, 8 + tail), (1, 4, 1, 6, 8 + tail)),
    ]
    made = layouts[0 if rng.random() < 0.35 else int(rng.integers(len(layouts)))]
    return made if rng.random() < 0.5 else made[::-1]


def pair_codes(rng, a, b):
    """Data of two operands: every pair where the shapes hold 256² elements or are a column and a row."""
    if a.type == "int16":
        return [codes(rng, t.shape, t.type) for t in (a, b)]
    made = []
    for position, t in enumerate((a, b)):
        count = int(np.prod(t.shape))
        one = every_code(rng, t.type)
        if count >= PAIRS**2:
            one = np.repeat(one, PAIRS) if position else np.tile(one, PAIRS)
        made.append(np.resize(one, count).reshape(t.shape) if count >= PAIRS else codes(rng, t.shape, t.type))
    return made
