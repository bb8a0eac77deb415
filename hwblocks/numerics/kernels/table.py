"""Table look-up as one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class TableCall:
    """y = table[x − lowest value of x_dtype] for `count` elements of a sample; the table covers every x_dtype value."""

    x_dtype: str
    out_dtype: str
    table: np.ndarray[Any, Any]
    count: int
