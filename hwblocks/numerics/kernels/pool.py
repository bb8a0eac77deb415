"""Pooling as one call: maximum, exact average and average in float32 over windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.limited import Limited
from hwblocks.numerics.rounding import Rounding


@dataclass(frozen=True, eq=False, kw_only=True)
class Windows:
    """A call over the windows of one sample [height, width, channels]."""

    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pad: tuple[int, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxPoolCall(Windows):
    """Maximum over windows of one sample [height, width, channels]; taps in the padding are passed over.

    lowest: what a window wholly in the padding gives.
    """

    dtype: str
    lowest: int


@dataclass(frozen=True, eq=False, kw_only=True)
class AvgPoolCall(Windows, Limited):
    """Average over windows: y = round(Σ (x − x_zero) · ratio_num / (ratio_den · count)) + zero_point, limited.

    divisors [out_height, out_width]: what the sum of each window is divided by.
    """

    x_dtype: str
    x_zero: int
    divisors: np.ndarray[Any, Any]
    ratio_num: int
    ratio_den: int
    rounding: Rounding
    zero_point: int


@dataclass(frozen=True, eq=False, kw_only=True)
class FloatPoolCall(Windows, Limited):
    """Average over windows in float32: y = half_even(Σ / divisor / y_scale + zero_point), limited.

    reals: what each code of x_dtype is worth, from its lowest value on. Σ rounds at every tap, in window order.
    divisors [out_height, out_width]: what the sum of each window is divided by.
    """

    x_dtype: str
    divisors: np.ndarray[Any, Any]
    reals: np.ndarray[Any, Any]
    y_scale: float
    zero_point: int
