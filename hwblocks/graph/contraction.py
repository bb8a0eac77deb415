"""Contraction: the one form that every sum of products is lowered to, rows times columns over K."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Contraction:
    """rows [..., G, M, K] · columns [..., G, K, N] → fold → output.

    G counts independent groups, M output positions, K the summed axis in the order the hardware sums it
    (k_shape names its parts, (kh, kw, c) for a convolution: the last runs fastest), N output channels of a group.
    `fold` takes [..., G, M, N] to the block's output shape, whose last axis is the output channel.
    """

    rows: Array
    columns: Array
    fold: Callable[[Array], Array]
    k_shape: tuple[int, ...]

    @property
    def groups(self) -> int:
        """G."""
        return int(self.rows.shape[-3])

    @property
    def macs(self) -> int:
        """Products summed: leading axes · G · M · K · N."""
        lead = np.broadcast_shapes(self.rows.shape[:-3], self.columns.shape[:-3])
        return int(np.prod(lead, dtype=np.int64)) * int(np.prod(self.rows.shape[-3:])) * int(self.columns.shape[-1])

    def grouped(self, per_channel: Array) -> Array:
        """A vector over output channels [G · N] as [G, 1, N], to meet the accumulators."""
        return per_channel.reshape(self.groups, 1, -1)
