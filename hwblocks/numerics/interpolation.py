"""Interpolated tables of 16-bit functions: LiteRT's 513-entry tables and its sigmoid table of 256 steps of 1/24.

Sources: LiteRT `internal/common.h` (LUTPopulate, LUTLookup) and `internal/reference/integer_ops/logistic.h`, restated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from hwblocks.numerics.gemmlowp import saturate, wrap
from hwblocks.numerics.rounding import Rounding, round_real

Array = np.ndarray[Any, Any]
Function = Callable[[Array], Array]

STEPS, BITS, REST = 512, 16, 7
# The stored sigmoid table is one above the correctly rounded value at these steps.
SIGMOID_ABOVE = frozenset(
    {4, 8, 12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 37, 39, 40, 41, 43, 44, 45, 46}
    | {49, 50, 54, 62, 63, 64, 66, 82, 86, 93, 100, 103, 112, 116, 135, 255}
)


def half_away(v: Array) -> Array:
    """Nearest integers, ties away from zero, as int64."""
    return np.asarray(round_real(np.asarray(v, np.float64), Rounding.HALF_AWAY)).astype(np.int64)


def midpoint_table(
    function: Function, x_scale: float, x_zero: int, y_scale: float, y_zero: int, kind: Any = np.float32
) -> Array:
    """513 entries over all 16-bit codes, each lowered by half the error at the middle of its step.

    All arithmetic in `kind` (float32 or float64); codes of the output are 16-bit.
    """
    low, high = (kind(x_scale) * kind(code - x_zero) for code in (-32768, 32767))
    out_low, out_high = (kind(y_scale) * kind(code - y_zero) for code in (-32768, 32767))
    step = (high - low) / kind(STEPS)
    inverse = kind(65536) / (out_high - out_low)
    start = low + np.arange(STEPS, dtype=kind) * step
    value = half_away(function(start) * inverse).astype(kind)
    middle = half_away(function(start + step / kind(2)) * inverse).astype(kind)
    following = function(low + np.arange(1, STEPS + 1, dtype=kind) * step) * inverse
    between = half_away((following + value) / kind(2)).astype(kind)
    bias = half_away((between - middle) / kind(2)).astype(kind)
    last = half_away(function(np.asarray([high])) * inverse)
    return saturate(np.concatenate([half_away(value - bias), last]), BITS)


def interpolate(table: Array, x: Array) -> Array:
    """The table at 16-bit codes: linear between entries, ties up; slope and result wrap at 16 bits, as C casts them."""
    x = np.asarray(x, np.int64)
    index, rest = (STEPS // 2) + (x >> REST), x & ((1 << REST) - 1)
    base = table[index]
    slope = wrap(table[index + 1] - base, BITS)
    return wrap(base + ((slope * rest + (1 << (REST - 1))) >> REST), BITS)


@cache
def sigmoid_table() -> Array:
    """Sigmoid of i / 24, i = 0 … 255, in units of 2**−16, as LiteRT stores it."""
    entries = [math.floor(65536 / (1 + math.exp(-i / 24)) + 0.5) + (1 if i in SIGMOID_ABOVE else 0) for i in range(256)]
    table = np.array([*entries, 0], dtype=np.int64)
    table.setflags(write=False)
    return table


def sigmoid_multiplier(scale: float, exact_powers: tuple[int, ...]) -> tuple[int, int]:
    """(m, shift) that bring a code of this scale to steps of 1 / (3 · 4096): powers of two in `exact_powers` exactly.

    exact_powers: accepted values of 12 + log2(scale).
    """
    power = power_of_two(scale)
    if power is not None and 12 + power in exact_powers:
        return 3 << (12 + power), 0
    multiplier, shift = scale * 4096 * 3, 0
    while multiplier <= 32767 / 2 and shift <= 30:
        multiplier, shift = multiplier * 2, shift + 1
    return int(multiplier), shift


def power_of_two(scale: float) -> int | None:
    """log2 of a scale that is a power of two within 0.001, else None; in float32 as LiteRT decides it."""
    log = np.log2(np.float32(scale))
    whole = round(float(log))
    return whole if abs(float(np.float32(log - np.float32(whole)))) < 1e-3 else None


def _scaled(x: Array, m: int, shift: int) -> Array:
    return np.asarray((np.asarray(x, np.int64) * m + (1 << (shift - 1) if shift else 0)) >> shift)


def table_logistic(x: Array, m: int, shift: int) -> Array:
    """Sigmoid in Q0.15 of 16-bit codes, interpolated."""
    d = _scaled(x, m, shift)
    size, table = np.abs(d), sigmoid_table()
    step = np.minimum(size >> 9, 254)
    rising = (table[step] << 9) + (size & 511) * (table[step + 1] - table[step])
    result = np.where(size >> 9 >= 255, 32767 << 10, rising)
    return np.asarray(np.where(d >= 0, result + 512, (1 << 25) - result + 511) >> 10)


def table_tanh(x: Array, m: int, shift: int) -> Array:
    """Tanh in Q0.15 of 16-bit codes: 2 · sigmoid(2x) − 1, interpolated."""
    d = _scaled(x, m, shift)
    size, table = np.abs(d), sigmoid_table()
    step = np.minimum(size >> 8, 254)
    rising = (table[step] << 8) + (size & 255) * (table[step + 1] - table[step])
    result = np.where(size >> 8 >= 255, 65535 << 8, rising)
    one = 1 << 23
    return np.asarray(np.where(d >= 0, result - one + 128, -result + one + 127) >> 8)
