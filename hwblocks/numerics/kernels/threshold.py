"""Counting of thresholds as one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class ThresholdCall:
    """y[..., c] = codes[#{i : x[..., c] ≥ thresholds[c, i]}] for `count` elements of a sample; x are stored codes.

    thresholds: sorted, int32 [C or 1, levels]. flipped: channels [C] that count from the other end, or None.
    codes: [levels + 1] in out_dtype.
    """

    x_dtype: str
    out_dtype: str
    count: int
    channels: int
    thresholds: Array
    flipped: Array | None
    codes: Array
