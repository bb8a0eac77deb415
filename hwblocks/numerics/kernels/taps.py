"""Sums, norms and extremes of stated taps as calls: reductions over any axes, pooling of any shape, interpolation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.limited import Limited
from hwblocks.numerics.rounding import Rounding

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Reads:
    """Which elements every output position reads: channel c those at `at[k] + c` for first[p] ≤ k < first[p + 1].

    weight: a whole number for every tap, None: 1. elements: of one sample of the input; inner: channels.
    """

    first: Array
    at: Array
    weight: Array | None
    elements: int
    inner: int

    @property
    def positions(self) -> int:
        """Output positions of one sample."""
        return len(self.first) - 1


@dataclass(frozen=True, eq=False, kw_only=True)
class TapSumCall(Limited):
    """y = round(v) + zero_point, limited, for an output [positions, inner] of one sample, x without x_zero.

    power 0: v = Σ weight · x · ratio_num / (ratio_den · divisor of the position). power p ≥ 1, without weights and
    divisors: v = (Σ |x|^p)^(1/degree) · ratio_num / ratio_den. divisors None: 1.
    """

    x_dtype: str
    x_zero: int
    reads: Reads
    power: int
    degree: int
    divisors: Array | None
    ratio_num: int
    ratio_den: int
    rounding: Rounding
    zero_point: int


@dataclass(frozen=True, eq=False, kw_only=True)
class TapExtremeCall:
    """y = the largest (or smallest) tap of every position and channel, `lowest` where there is none."""

    dtype: str
    reads: Reads
    lowest: int
    largest: bool
