"""Tables of equal steps with linear interpolation between their entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.exact_scaling import fitting, peak
from hwblocks.numerics.rounding import Rounding, round_shift

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class StepTable:
    """entries: [n + 1], one for the start of each of n steps and one for the end of the last, in units of 2**−extra
    output steps; rest: log2 of the codes in a step."""

    entries: Array
    rest: int
    extra: int

    def between(self, offset: Any, rounding: Rounding) -> Array:
        """Output steps at offset = code − lowest code: round((T[i]·2**r + (T[i+1] − T[i])·d) / 2**(r + extra)).

        i = offset >> r, d = the lowest r bits of offset; one rounding.

        >>> StepTable(np.array([0, 16, 0]), 2, 1).between(np.arange(8), Rounding.HALF_EVEN).tolist()
        [0, 2, 4, 6, 8, 6, 4, 2]
        """
        offset = np.asarray(offset, np.int64)
        index, inner = offset >> self.rest, offset & ((1 << self.rest) - 1)
        table = fitting(self.entries, (2 * peak(self.entries)) << (self.rest + 1))
        value = (table[index] << self.rest) + (table[index + 1] - table[index]) * inner
        return np.asarray(round_shift(value, self.rest + self.extra, rounding))


def step_table(values: Array, rest: int, extra: int) -> StepTable:
    """The table of float64 values at the starts of the steps: half_even(value · 2**extra)."""
    return StepTable(np.rint(np.ldexp(values, extra)).astype(np.int64), rest, extra)
