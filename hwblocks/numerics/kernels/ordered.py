"""Sums in a register's order: what a kernel needs to know of an accumulator beside the products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.accumulator import Accumulator

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class OrderedSum:
    """The accumulator of a ConvCall as its node states it.

    x_zero: the zero point of x; x_lo, x_hi: range of its stored codes; bias [O] int64 or None; pad: the stored code of
    padding, x_zero where None. The rest is the call's.
    """

    accumulator: Accumulator
    x_zero: int
    x_lo: int
    x_hi: int
    bias: Array | None
    pad: int | None = None

    @property
    def pad_code(self) -> int:
        """What padding stores."""
        return self.x_zero if self.pad is None else self.pad
