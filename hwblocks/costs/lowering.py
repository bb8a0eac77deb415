"""Lowering of a convolution to a matrix product, and the addresses that a systolic array asks for, word by word.

The rows of the product are the windows, in the order of the outputs; its depth runs over filter height, filter width
and channels. Addresses are those of a channels-last image [height, width, channels] and of filters [filters, K].
Source of the order: SCALE-Sim 3.0.0 (operand matrices and demand matrices), whose DRAM reads it reproduces exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.costs.systolic import Array as SystolicArray
from hwblocks.costs.systolic import Gemm, folds
from hwblocks.errors import ShapeError
from hwblocks.numerics.kernels.replay import Walk

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Demand:
    """A product, and how many words of its first operand it touches: all that traffic in closed form depends on."""

    gemm: Gemm
    touched_words: int


@dataclass(frozen=True)
class Convolution:
    """A convolution without padding: the caller enlarges the image by it.

    height, width: of the image. filter_height, filter_width, channels, filters: of the weights. stride: (down, across).
    Outputs: ⌈(height − filter_height + stride) / stride⌉ down, and so across. Where the stride does not fit, the last
    windows reach outside the image, and those words are never fetched; an image of (outputs − 1)·stride + filter_height
    rows avoids it. A dense layer over M rows is an image of M × 1 with a 1 × 1 filter.
    Errors: ShapeError for sizes below 1 or a filter larger than the image.
    """

    height: int
    width: int
    filter_height: int
    filter_width: int
    channels: int
    filters: int
    stride: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        sizes = (self.filter_height, self.filter_width, self.channels, self.filters, *self.stride)
        if min(sizes) < 1 or self.filter_height > self.height or self.filter_width > self.width:
            raise ShapeError(f"{self}: sizes are at least 1, and the filter is not larger than the image")

    @property
    def outputs(self) -> tuple[int, int]:
        """Windows (down, across)."""
        down, across = self.stride
        return (
            -(-(self.height - self.filter_height + down) // down),
            -(-(self.width - self.filter_width + across) // across),
        )

    @property
    def gemm(self) -> Gemm:
        """The lowered product.

        >>> Convolution(7, 7, 3, 3, 192, 384).gemm
        Gemm(rows=25, depth=1728, columns=384)
        """
        down, across = self.outputs
        return Gemm(down * across, self.filter_height * self.filter_width * self.channels, self.filters)

    @property
    def image_words(self) -> int:
        """height · width · channels."""
        return self.height * self.width * self.channels

    @property
    def touched_words(self) -> int:
        """Words of the image that lie in at least one window."""
        down, across = self.outputs
        rows = _touched(self.height, self.filter_height, self.stride[0], down)
        return rows * _touched(self.width, self.filter_width, self.stride[1], across) * self.channels

    @property
    def windows_overlap(self) -> bool:
        """True where a word may lie in two windows."""
        return self.stride[0] < self.filter_height or self.stride[1] < self.filter_width


def _touched(size: int, taps: int, stride: int, count: int) -> int:
    """Positions of one axis that lie in a window."""
    start = (count - 1) * stride  # of the last window, which may lie beyond the end
    return (count - 1) * min(stride, taps) + max(min(taps, size - start), 0)


def ifmap_walk(layer: Convolution, array: SystolicArray) -> Walk:
    """The order in which an array asks for the words of the image.

    os: windows along the rows, each fold streaming all K terms, skewed by one cycle a row; all folds again for each
    fold of columns. ws: the same with terms and windows exchanged. is: every fold loads R terms of C windows, the last
    term first, a row a cycle; the folds over K are the inner loop.
    """
    window, term, words, absent = _image(layer)
    along = folds(layer.gemm, array)
    if array.dataflow == "os":
        return Walk(window, term, array.rows, len(term), True, words, passes=along.columns, absent=absent)
    if array.dataflow == "ws":
        return Walk(term, window, array.rows, len(window), True, words, passes=along.columns, absent=absent)
    return Walk(window, _last_first(term, array.rows), array.columns, array.rows, False, words, absent=absent)


def filter_walk(layer: Convolution, array: SystolicArray) -> Walk:
    """The order in which an array asks for the words of the filters.

    os: filters along the columns, each fold streaming all K terms, once for each fold of rows. ws: every fold loads R
    terms of C filters, the last term first. is: terms along the rows, each fold streaming all filters; all folds again
    for each fold of columns.
    """
    gemm, along = layer.gemm, folds(layer.gemm, array)
    filters = np.arange(gemm.columns, dtype=np.int32) * np.int32(gemm.depth)
    term, words = np.arange(gemm.depth, dtype=np.int32), gemm.depth * gemm.columns
    if array.dataflow == "os":
        return Walk(filters, term, array.columns, gemm.depth, True, words, repeats=along.rows)
    if array.dataflow == "ws":
        return Walk(filters, _last_first(term, array.rows), array.columns, array.rows, False, words)
    return Walk(term, filters, array.rows, gemm.columns, True, words, passes=along.columns)


def _image(layer: Convolution) -> tuple[Array, Array, int, Array | None]:
    """First words of windows, distances of terms from them, words, those outside; the image enlarged to all windows."""
    down, across = layer.outputs
    height = (down - 1) * layer.stride[0] + layer.filter_height
    width = (across - 1) * layer.stride[1] + layer.filter_width
    if height * width * layer.channels >= 1 << 31 or layer.filters * layer.gemm.depth >= 1 << 31:
        raise ShapeError(f"{layer}: addresses beyond 2^31 words")
    rows, columns = np.arange(height) * width, np.arange(width)
    window = (rows[:: layer.stride[0]][:down, None] + columns[:: layer.stride[1]][:across]) * layer.channels
    pixel = (rows[: layer.filter_height, None] + columns[: layer.filter_width]) * layer.channels
    term = pixel[..., None] + np.arange(layer.channels)
    absent = None
    if height > layer.height or width > layer.width:
        outside = (np.arange(height) >= layer.height)[:, None] | (np.arange(width) >= layer.width)
        absent = np.repeat(outside.reshape(-1), layer.channels)
    flat = (window.reshape(-1).astype(np.int32), term.reshape(-1).astype(np.int32))
    return *flat, height * width * layer.channels, absent


def _last_first(term: Array, rows: int) -> Array:
    """Every chunk of `rows` terms backwards: the top of the array is filled last."""
    chunks = [term[start : start + rows][::-1] for start in range(0, len(term), rows)]
    return np.concatenate(chunks)
