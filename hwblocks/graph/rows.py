"""Rows: how LiteRT's optimised kernels of two operands walk tensors, the unit in which their vectors are counted.

Source: LiteRT `internal/reference/process_broadcast_shapes.h` and `BinaryBroadcastFiveFold` of
`internal/optimized/optimized_ops.h`, restated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from hwblocks.graph.contraction import Array
from hwblocks.graph.tensor import Shape


@dataclass(frozen=True)
class Rows:
    """`length` neighbouring elements of the output are one row; repeated: one operand has a single value in each."""

    length: int
    repeated: bool = False

    def tail_start(self, lanes: int) -> int:
        """The first element of a row that no whole vector of `lanes` holds."""
        return self.length // lanes * lanes

    def in_tail(self, lanes: int, shape: Shape) -> Array:
        """Mask of the elements of an output of this shape that no whole vector holds."""
        return (np.arange(prod(shape)) % self.length >= self.tail_start(lanes)).reshape(shape)


def rows_of(first: Shape, second: Shape) -> Rows | None:
    """The rows of two operands; None where broadcasting alternates too often, which the kernels leave to the reference.

    >>> rows_of((2, 3, 8), (3, 8)), rows_of((4, 1), (1, 7)), rows_of((4, 5, 6), (4, 1, 6))
    (Rows(length=24, repeated=False), Rows(length=7, repeated=True), Rows(length=6, repeated=False))
    """
    rank = max(len(first), len(second))
    a, b = ((1,) * (rank - len(s)) + tuple(s) for s in (first, second))
    unequal = [axis for axis in range(rank) if a[axis] != b[axis]]
    if not unequal:
        return Rows(prod(a))
    if a[unequal[-1]] != 1:
        a, b = b, a
    pattern: tuple[Callable[[int, int], bool], ...] = (
        lambda x, y: x == y,
        lambda x, y: x == 1,
        lambda x, y: x == y,
        lambda x, y: y == 1,
        lambda x, y: x == y,
    )
    axis, sizes = rank, []
    for holds in pattern:
        end = axis
        while axis and holds(a[axis - 1], b[axis - 1]):
            axis -= 1
        sizes.append(prod(max(pair) for pair in zip(a[axis:end], b[axis:end], strict=True)))
    if axis:
        return None
    return Rows(sizes[0]) if sizes[0] > 1 else Rows(sizes[1], repeated=True)
