"""Matrix products that a layer is lowered to: sizes only, for arrays that compute them and tools that read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.errors import ShapeError
from hwblocks.graph.window import Window

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
    def image_words(self) -> int:
        """height · width · channels."""
        return self.height * self.width * self.channels

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


@dataclass(frozen=True)
class Product:
    """`count` equal products of a layer, one for each group or sample.

    plane: the convolution that the product is lowered from, None over three axes. depthwise: each works on one channel.
    """

    gemm: Gemm
    plane: PlaneConvolution | None
    count: int = 1
    depthwise: bool = False

    @property
    def macs(self) -> int:
        """Of all of them."""
        return self.count * self.gemm.macs


def dense(rows: int, depth: int, columns: int, count: int = 1) -> Product:
    """Products of [rows, depth] by [depth, columns], as a 1 × 1 convolution over `rows` pixels."""
    return Product(Gemm(rows, depth, columns), PlaneConvolution(rows, 1, 1, 1, depth, columns), count)


def convolved(made: Window, shape: Sequence[int], filters: int, groups: int) -> Product:
    """The product of each group and sample of a convolution of x, shape [N, *spatial, C].

    The image is as large as its windows reach, padding included.
    """
    channels, count = shape[-1] // groups, shape[0] * groups
    depthwise = groups > 1 and channels == 1
    if len(made.input) > 2:
        positions, taps = int(np.prod(made.output)), int(np.prod(made.kernel))
        return Product(Gemm(positions, taps * channels, filters // groups), None, count, depthwise)
    one = (1,) * (2 - len(made.input))  # a sequence is an image of one column
    kernel, stride, dilation = ((*numbers, *one) for numbers in (made.kernel, made.stride, made.dilation))
    reached = [
        (windows - 1) * s + d * (k - 1) + 1
        for windows, s, d, k in zip((*made.output, *one), stride, dilation, kernel, strict=True)
    ]
    plane = PlaneConvolution(
        *(reached[0], reached[1], kernel[0], kernel[1], channels, filters // groups),
        stride=(stride[0], stride[1]),
        dilation=(dilation[0], dilation[1]),
    )
    return Product(plane.gemm, plane, count, depthwise)
