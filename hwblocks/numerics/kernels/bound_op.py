"""Ops: numbers and constants of a call handed to the compiled core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hwblocks import _core

Array = np.ndarray[Any, Any]


def constant(array: Array | None) -> Any:
    """A copy of an array that an op owns."""
    if array is None:
        return None
    return _core.Constant(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def op(
    isa: str,
    family: str,
    numbers: list[int],
    cast: list[int],
    constants: tuple[Any, ...],
    inputs: Sequence[tuple[int, str]],
    *outputs: tuple[int, str],
) -> Any:
    """An op of the compiled core; inputs and outputs are (elements of one sample, storage type)."""
    sizes = tuple(count * np.dtype(dtype).itemsize for count, dtype in (*inputs, *outputs))
    return _core.Op(
        isa,
        family,
        np.array(numbers, dtype=np.int64),
        np.array(cast, dtype=np.int64),
        tuple(constant(c) for c in constants),
        sizes[: len(inputs)],
        sizes[len(inputs) :],
    )
