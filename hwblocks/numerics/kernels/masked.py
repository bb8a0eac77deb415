"""Masked calls: a softmax of the kept elements of rows, and the choice between two operands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.softmax import SoftmaxCall

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Mask:
    """Which elements count: byte index[i] of a sample's `count` mask bytes, i itself without an index, is not 0.

    constant: the mask of every sample, in place of a run-time input.
    """

    count: int
    index: Array | None = None
    constant: Array | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class MaskedSoftmaxCall(SoftmaxCall):
    """A softmax of the elements that the mask keeps; the others, and rows without any, become 0."""

    mask: Mask


@dataclass(frozen=True, eq=False, kw_only=True)
class Source:
    """One operand: `count` codes of a sample, which of them each output reads, or the codes of a constant."""

    count: int = 0
    index: Array | None = None
    constant: Array | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class SelectCall:
    """y[i] = a[i] where the mask keeps i, else b[i], for `count` elements of storage type `dtype`."""

    dtype: str
    count: int
    mask: Mask
    a: Source
    b: Source
