"""Casts as lines: y = nearest(fma(float(v + shift), slope, offset)) in float32, found and proven by the core.

See csrc/ops/lines.c: the line equals the cast for every sum within the bound, or is not taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks import _core
from hwblocks.numerics.kernels.bound_op import constant
from hwblocks.numerics.kernels.storage import INT32_SPAN
from hwblocks.numerics.requantize import Epilogue

Array = np.ndarray[Any, Any]

BIAS, NO_LINES = (None,) * 2, (None,) * 4  # of the arrays of hwb_cast, before and after those of the epilogue


@dataclass(frozen=True, eq=False)
class Lines:
    """Constants per channel; slope 0 where no line equals the cast. `below`: the offset of sums below zero.

    count: lines of a channel, 1 or 2.
    """

    count: int
    shift: Array
    slope: Array
    offset: Array
    below: Array


def lines_of(e: Epilogue, numbers: list[int], arrays: tuple[Array | None, ...], bits: int, bound: int) -> Lines | None:
    """The lines of an epilogue for sums within ±bound in a register of `bits`, or None where no channel has one."""
    slopes = e.slopes
    register_holds = bits >= 64 or bound < 1 << (bits - 1)
    if not register_holds or bound >= INT32_SPAN >> 1 or e.overflow.mode != "saturate" or not _rises(e, slopes, bound):
        return None
    channels = len(slopes)
    shift, *floats = (np.zeros(channels, kind) for kind in (np.int32, np.float32, np.float32, np.float32))
    constants = (*BIAS, *(constant(a) for a in arrays), *NO_LINES)
    count = _core.find_lines(np.array([*numbers, 0], dtype=np.int64), constants, bound, slopes, shift, *floats)
    return Lines(count, shift, *floats) if count else None


def _rises(e: Epilogue, slopes: Array, bound: int) -> bool:
    """True where a higher sum never gives a lower output: nothing wraps on the way, every slope is positive."""
    if not (np.isfinite(slopes).all() and (slopes > 0).all()):
        return False
    if e.scheme.startswith("double_round"):
        return bool(((bound << np.maximum(-e.shift, 0).astype(object)) < INT32_SPAN >> 1).all())
    return e.scheme != "q16" or float(slopes.max()) * (bound + 1) < (INT32_SPAN >> 1) - 1
