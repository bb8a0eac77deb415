"""Storage types as the compiled core numbers them."""

from __future__ import annotations

import numpy as np

DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "int64")  # the order of enum hwb_dtype

INT32_SPAN, INT64_SPAN = 1 << 31, 1 << 63  # first values beyond the signed types


def code_of_dtype(name: str) -> int:
    """The number of a storage type in the core."""
    return DTYPES.index(name)


def dtype_range(name: str) -> tuple[int, int]:
    """(lowest, highest) value of a storage type."""
    limits = np.iinfo(name)
    return int(limits.min), int(limits.max)
