"""Exact rational element-wise arithmetic as one call: addition, subtraction, multiplication, change of format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.limited import Limited
from hwblocks.numerics.rounding import Rounding


@dataclass(frozen=True, eq=False, kw_only=True)
class RationalCall(Limited):
    """y = round((a·A + b·B + a·b·P + C) / D) + zero_point, limited, with a = x0 − a_zero and b = x1 − b_zero.

    count: elements of one sample's output. a_index, b_index: which input element each output reads, or None when
    they are the same. b_dtype None: there is no second input; b is then `constant`, one for each output element, zero
    point taken off, or absent. All factors are Python integers, D > 0.
    """

    a_dtype: str
    a_zero: int
    b_dtype: str | None
    b_zero: int
    count: int
    a_count: int
    b_count: int
    a_factor: int
    b_factor: int
    product_factor: int
    offset: int
    denominator: int
    a_index: np.ndarray[Any, Any] | None
    b_index: np.ndarray[Any, Any] | None
    rounding: Rounding
    zero_point: int
    constant: np.ndarray[Any, Any] | None = None
