"""Moves between the batch axis and the spatial axes: SpaceToBatch and BatchToSpace."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from hwblocks.graph.block import Move
from hwblocks.graph.contraction import Array
from hwblocks.graph.tensor import Shape

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class SpaceToBatch(Move):
    """Space moved into the batch: x [N, S…, C…] → [B·N, (S + pads) / block…, C…], B the product of the block sizes.

    Output sample b·N + n holds of sample n the elements whose offset in each block is b. Padding is real 0.
    Source: TFLite SPACE_TO_BATCH_ND.

    >>> SpaceToBatch((2,), ((0, 0),))(np.array([[1, 2, 3, 4]]))
    array([[1, 3],
           [2, 4]])
    """

    block_shape: tuple[int, ...] = (2, 2)
    pads: Pairs = ((0, 0), (0, 0))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, m = shapes[0], len(self.block_shape)
        if len(self.pads) != m or len(x) < m + 1 or min(self.block_shape, default=1) < 1 or _negative(self.pads):
            raise self.fail(f"block_shape={self.block_shape}, pads={self.pads} do not fit", *shapes)
        padded = [s + a + b for s, (a, b) in zip(x[1:], self.pads, strict=False)]
        if any(s % b for s, b in zip(padded, self.block_shape, strict=True)):
            raise self.fail(f"padded sizes {padded} are not multiples of {self.block_shape}", *shapes)
        inner = [s // b for s, b in zip(padded, self.block_shape, strict=True)]
        return ((x[0] * prod(self.block_shape), *inner, *x[m + 1 :]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return False

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x, m = arrays[0], len(self.block_shape)
        grown = np.pad(x, ((0, 0), *self.pads, *(((0, 0),) * (x.ndim - m - 1))), constant_values=zero)
        split = [part for s, b in zip(grown.shape[1 : m + 1], self.block_shape, strict=True) for part in (s // b, b)]
        parts = grown.reshape(x.shape[0], *split, *x.shape[m + 1 :])
        offsets, places = range(2, 2 * m + 1, 2), range(1, 2 * m + 1, 2)
        order = (*offsets, 0, *places, *range(2 * m + 1, parts.ndim))
        return parts.transpose(order).reshape(self.shape(x.shape)[0])


@dataclass(frozen=True)
class BatchToSpace(Move):
    """The batch moved into space, the inverse of SpaceToBatch: [B·N, S…, C…] → [N, S · block − crops…, C…].

    Source: TFLite BATCH_TO_SPACE_ND.

    >>> BatchToSpace((2,), ((0, 0),))(np.array([[1, 3], [2, 4]]))
    array([[1, 2, 3, 4]])
    """

    block_shape: tuple[int, ...] = (2, 2)
    crops: Pairs = ((0, 0), (0, 0))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, m = shapes[0], len(self.block_shape)
        if len(self.crops) != m or len(x) < m + 1 or min(self.block_shape, default=1) < 1 or _negative(self.crops):
            raise self.fail(f"block_shape={self.block_shape}, crops={self.crops} do not fit", *shapes)
        inner = [s * k - a - b for s, k, (a, b) in zip(x[1:], self.block_shape, self.crops, strict=False)]
        if x[0] % prod(self.block_shape) or min(inner, default=0) < 0:
            raise self.fail(f"block_shape={self.block_shape}, crops={self.crops} take more than there is", *shapes)
        return ((x[0] // prod(self.block_shape), *inner, *x[m + 1 :]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return False

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x, m = arrays[0], len(self.block_shape)
        n = x.shape[0] // prod(self.block_shape)
        parts = x.reshape(*self.block_shape, n, *x.shape[1:])
        pairs = [axis for i in range(m) for axis in (m + 1 + i, i)]
        parts = parts.transpose(m, *pairs, *range(2 * m + 1, parts.ndim))
        grown = [s * k for s, k in zip(x.shape[1:], self.block_shape, strict=False)]
        whole = parts.reshape(n, *grown, *x.shape[m + 1 :])
        cut = (slice(a, s - b) for s, (a, b) in zip(grown, self.crops, strict=True))
        return np.asarray(whole[(slice(None), *cut)])


def _negative(pairs: Pairs) -> bool:
    return any(number < 0 for pair in pairs for number in pair)
