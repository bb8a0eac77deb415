"""Largest and smallest codes as calls: over one run of axes, and of two operands of one format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class ExtremeCall:
    """y[o, i] = the largest (or smallest) x[o, r, i] over r, for one sample x [outer, reduced, inner]."""

    dtype: str
    outer: int
    reduced: int
    inner: int
    largest: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class ChoiceCall:
    """y[i] = the larger (or smaller) of a and b, limited to a fused clamp, for `count` elements of one sample.

    a_index, b_index: which input element each output reads, or None when they are the same. constant: b of every
    output element, in place of a run-time operand.
    """

    dtype: str
    count: int
    a_count: int
    b_count: int
    a_index: Array | None
    b_index: Array | None
    constant: Array | None
    clamp_lo: int
    clamp_hi: int
    largest: bool
