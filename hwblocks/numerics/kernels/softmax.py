"""Softmax over the last axis as one call: by one exact table, or as runtimes compute it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.limited import Limited
from hwblocks.numerics.rounding import Rounding


@dataclass(frozen=True, eq=False, kw_only=True)
class SoftmaxCall(Limited):
    """For each of `rows` rows of `length`: y = round(T · ratio_num / (S · ratio_den)) + zero_point, limited.

    T = table[max − x], S = Σ T; table has one entry for each difference of two codes.
    """

    x_dtype: str
    rows: int
    length: int
    table: np.ndarray[Any, Any]
    ratio_num: int
    ratio_den: int
    rounding: Rounding
    zero_point: int


@dataclass(frozen=True, eq=False, kw_only=True)
class FloatSoftmaxCall:
    """Rows of float32: y = e^(beta · (x − max)) / Σ, or its logarithm (beta 1); see numerics/exponential.py."""

    rows: int
    length: int
    beta: float
    logarithm: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class RuntimeSoftmaxCall(Limited):
    """For each of `rows` rows of `length`: y = t + zero_point, limited, with d = max − x and t by `method`.

    fixed: T = table[d] in Q0.31, Σ of second[d] in Q12.19, t = T times gemmlowp's reciprocal of Σ, to `bits` bits.
    midpoint: T = table[d] in 16 bits, t = T times the interpolated 1 / Σ of the 513 entries of `second`.
    float32: p = table[d], t = half_away(p · (1 / (Σ p · constant))), all in float32, Σ in index order.
    float64: p = table[d], t = half_even(p · constant / Σ p), Σ in float32 in index order.
    """

    method: str
    x_dtype: str
    rows: int
    length: int
    table: np.ndarray[Any, Any]
    second: np.ndarray[Any, Any] | None = None
    constant: float = 0.0
    bits: int = 0
    zero_point: int
