"""Moves of elements as one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class GatherCall:
    """y[i] = concatenated inputs[index[i]], or `fill` where index is −1.

    counts: elements of each input in one sample. All tensors have the storage type `dtype`.
    out_counts: elements of each output where there are several; `index` holds them one after the other.
    """

    dtype: str
    counts: tuple[int, ...]
    index: np.ndarray[Any, Any]
    fill: int
    out_counts: tuple[int, ...] = ()
