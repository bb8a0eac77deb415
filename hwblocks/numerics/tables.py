"""Tables: a float function from every input code to an output code, made in float64 and cast once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hwblocks.errors import FormatError
from hwblocks.numerics.cast import Cast
from hwblocks.numerics.formats import Format
from hwblocks.numerics.overflow import Overflow
from hwblocks.numerics.rounding import Rounding

Array = np.ndarray[Any, Any]
LARGEST_BITS = 16


def build_table(
    function: Callable[[Array], Array],
    x_format: Format,
    y_format: Format,
    rounding: Rounding = Rounding.HALF_EVEN,
    overflow: Overflow | None = None,
) -> Array:
    """Output codes of all input codes, indexed by code − x_format.lo.

    table[i] = cast(function(scale · (lo + i − zero point))). Infinite values count as the format's ends.
    Errors: FormatError above 16 input bits or where the function is not a number.

    >>> build_table(np.negative, Format("int2"), Format("int3")).tolist()
    [2, 1, 0, -1]
    """
    if x_format.bits > LARGEST_BITS:
        raise FormatError(f"a table of {x_format.name} would have 2**{x_format.bits} entries; at most 16 bits")
    codes = np.arange(x_format.lo, x_format.hi + 1, dtype=np.int64)
    with np.errstate(all="ignore"):
        values = np.asarray(function(x_format.dequantize(codes)), dtype=np.float64)
    if np.isnan(values).any():
        bad = int(codes[np.isnan(values)][0])
        raise FormatError(f"the function of a table is not a number at code {bad} of {x_format!r}")
    ends = y_format.dequantize(np.array([y_format.lo, y_format.hi]))
    values = np.where(np.isinf(values), np.where(values < 0, ends[0], ends[1]), values)
    return Cast(y_format, rounding, overflow or Overflow("saturate")).real(values)[0]
