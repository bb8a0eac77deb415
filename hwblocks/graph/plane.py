"""Planes: nests as convolutions over one image and as matrix products, for arrays and the tools that read such rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.errors import ShapeError
from hwblocks.graph.nest import Nest

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Gemm:
    """A product of inputs [rows, depth] by weights [depth, columns]: M, K and N of a lowered layer."""

    rows: int
    depth: int
    columns: int

    def __post_init__(self) -> None:
        if min(self.rows, self.depth, self.columns) < 1:
            raise ShapeError(f"{self}: every side of a product needs at least 1 element")

    @property
    def macs(self) -> int:
        """M · K · N."""
        return self.rows * self.depth * self.columns


@dataclass(frozen=True)
class PlaneConvolution:
    """A convolution over an image [height, width, channels] without padding: the caller enlarges the image by it.

    filter_height, filter_width, channels, filters: of the weights. stride, dilation: (down, across).
    Outputs: ⌈(height − span + stride) / stride⌉ down, and so across, span being dilation · (filter_height − 1) + 1.
    Where the stride does not fit, the last windows reach outside the image, and those words are never fetched; an
    image of (outputs − 1) · stride + span rows avoids it. A dense layer over M rows is an image of M × 1 with a 1 × 1
    filter.
    Errors: ShapeError for sizes below 1 or a filter larger than the image.
    """

    height: int
    width: int
    filter_height: int
    filter_width: int
    channels: int
    filters: int
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        sizes = (self.filter_height, self.filter_width, self.channels, self.filters, *self.stride, *self.dilation)
        if min(sizes) < 1 or self.span[0] > self.height or self.span[1] > self.width:
            raise ShapeError(f"{self}: sizes are at least 1, and the filter is not larger than the image")

    @property
    def span(self) -> tuple[int, int]:
        """Rows and columns from the first to the last tap of a window."""
        return self.dilation[0] * (self.filter_height - 1) + 1, self.dilation[1] * (self.filter_width - 1) + 1

    @property
    def outputs(self) -> tuple[int, int]:
        """Windows (down, across)."""
        (down, across), (rows, columns) = self.stride, self.span
        return -(-(self.height - rows + down) // down), -(-(self.width - columns + across) // across)

    @property
    def gemm(self) -> Gemm:
        """The lowered product; K runs over filter height, filter width and channels, the last fastest.

        >>> PlaneConvolution(7, 7, 3, 3, 192, 384).gemm
        Gemm(rows=25, depth=1728, columns=384)
        """
        down, across = self.outputs
        return Gemm(down * across, self.filter_height * self.filter_width * self.channels, self.filters)

    @property
    def touched_words(self) -> int:
        """Words of the image that lie in at least one window."""
        rows, columns = (np.unique(self._taps(axis)).size for axis in (0, 1))
        return rows * columns * self.channels

    @property
    def windows_overlap(self) -> bool:
        """True where some word of the image lies in two windows."""
        return any(np.unique(taps).size < taps.size for taps in map(self._taps, (0, 1)))

    def _taps(self, axis: int) -> Array:
        """Positions of every tap of every window along an axis, those outside the image left out."""
        starts = np.arange(self.outputs[axis]) * self.stride[axis]
        places = starts[:, None] + np.arange((self.filter_height, self.filter_width)[axis]) * self.dilation[axis]
        return places[places < (self.height, self.width)[axis]]


def gemm_of(nest: Nest) -> Gemm:
    """The product of one group of a nest."""
    return Gemm(nest.rows, nest.depth, nest.columns)


def plane_of(nest: Nest) -> PlaneConvolution | None:
    """One group of a nest as a convolution over an image as large as its windows reach, padding included.

    A product of matrices is a 1 × 1 convolution over an image of one column, as a sequence is one. None for windows
    over three axes, and where windows of several images follow each other.
    """
    window = nest.window
    if window is None:
        return PlaneConvolution(nest.rows, 1, 1, 1, nest.depth, nest.columns)
    if len(window.input) > 2 or nest.images > 1:
        return None
    one = (1,) * (2 - len(window.input))
    kernel, stride, dilation = ((*sizes, *one) for sizes in (window.kernel, window.stride, window.dilation))
    height, width = (
        (windows - 1) * s + d * (k - 1) + 1
        for windows, s, d, k in zip((*window.output, *one), stride, dilation, kernel, strict=True)
    )
    taps, steps, gaps = ((sizes[0], sizes[1]) for sizes in (kernel, stride, dilation))
    return PlaneConvolution(height, width, *taps, nest.channels, nest.columns, steps, gaps)
