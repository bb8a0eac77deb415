"""Element-wise arithmetic as runtimes step through it: values of one or two operands, combined, then cast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.limited import Limited
from hwblocks.numerics.requantize import Epilogue

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Operand:
    """One operand: what each of its codes is worth, or what each output element takes from a constant.

    Run-time: `count` codes of a sample in storage type `dtype`; a code is worth table[code − lowest value of dtype], or
    code − zero where there is no table. index: which code each output element reads, None when they are the same.
    rest: the table of the elements from tail_start on, where it is another.
    Constant: one worth for each output element; the other fields are not looked at.
    """

    dtype: str = "int8"
    count: int = 0
    zero: int = 0
    table: Array | None = None
    rest: Array | None = None
    index: Array | None = None
    constant: Array | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class ElementsCall:
    """y = cast(a), cast(a + b), cast(a · b) or cast((a + b)²) for `count` elements of a sample.

    combination: "alone", "sum", "product", "square" or "slopes" (cast(a) for a ≥ 0, else tail(a · b)); a is a run-time
    operand.
    epilogue: constants of COLUMNS equal channels. tail: the epilogue of the elements from tail_start on, which is
    counted in each row of `row` elements (0: a sample is one row).
    """

    combination: str
    operands: tuple[Operand, ...]
    count: int
    out_dtype: str
    epilogue: Epilogue
    tail: Epilogue | None = None
    tail_start: int = 0
    row: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class FloatSumCall(Limited):
    """y = half_even(float32(a + b)), limited; operands are worth doubles that carry scales and zero points."""

    operands: tuple[Operand, Operand]
    count: int
