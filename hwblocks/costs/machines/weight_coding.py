"""Coded weights: the bytes to which a lossless coder brings the weights of a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.graph.tensor import Tensor


def entropy_bits(codes: np.ndarray[Any, Any]) -> float:
    """Bits of all codes at their entropy of order zero: Σ over distinct codes of count · log2(all / count).

    >>> entropy_bits(np.array([0, 0, 1, 1]))
    4.0
    """
    counts = np.unique(codes, return_counts=True)[1].astype(np.float64)
    return float(np.sum(counts * np.log2(codes.size / counts)))


def coded_bytes(tensor: Tensor) -> int:
    """Bytes of a constant behind an entropy coder; never more than its packed codes, and those where all codes are
    alike: such weights stand in for trained ones.
    """
    assert tensor.value is not None
    packed, coded = tensor.packed_bytes, entropy_bits(tensor.value)
    return min(int(coded / 8 + 0.5), packed) if coded else packed
