"""Two operands of unequal formats as one call: larger, smaller, quotient, comparisons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.limited import Limited
from hwblocks.numerics.rounding import Rounding

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class RelationOperand:
    """Run-time codes minus `zero`, output i reading index[i] (None: its own), or a constant of each output."""

    dtype: str = "int8"
    zero: int = 0
    count: int = 0
    index: Array | None = None
    constant: Array | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class RelationCall(Limited):
    """Of a' = a · a_factor and b' = b · b_factor, for `count` elements of a sample.

    relation: "larger", "smaller" (of a' and b', over `denominator`), "quotient" (a' / b'), rounded, plus zero_point,
    limited; or 1 where it holds, else 0: "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", and
    "both", "either", "one_of" of what differs from 0.
    """

    relation: str
    count: int
    a: RelationOperand
    b: RelationOperand
    a_factor: int
    b_factor: int
    denominator: int
    rounding: Rounding
    zero_point: int
