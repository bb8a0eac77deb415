"""Table softmax over the last axis as one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.rounding import Rounding


@dataclass(frozen=True, eq=False, kw_only=True)
class SoftmaxCall:
    """For each of `rows` rows of `length`: y = round(T · ratio_num / (S · ratio_den)) + zero_point, limited.

    T = table[max − x], S = Σ T; table has one entry for each difference of two codes.
    """

    x_dtype: str
    out_dtype: str
    rows: int
    length: int
    table: np.ndarray[Any, Any]
    ratio_num: int
    ratio_den: int
    rounding: Rounding
    zero_point: int
    lo: int
    hi: int
    clamp_lo: int
    clamp_hi: int
    counts: tuple[bool, bool] = (True, True)
