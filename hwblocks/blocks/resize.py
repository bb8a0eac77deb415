"""Resizing over height and width as TFLite does: nearest neighbour and bilinear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.graph.block import Algorithm, Block, Move
from hwblocks.graph.block import size as elements
from hwblocks.graph.contraction import Array
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


@dataclass(frozen=True)
class PixelResize(Block, abstract=True):
    """x [N, H, W, C] → [N, *size, C].

    align_corners: corner pixels keep their place. half_pixel_centers: pixels are squares around their centre.
    """

    size: tuple[int, int] = (1, 1)
    align_corners: bool = False
    half_pixel_centers: bool = False

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if len(x) != 4 or len(self.size) != 2 or min(self.size) < 1:
            raise self.fail(f"x [N, H, W, C] is resized to two sizes above 0, not {self.size}", *shapes)
        return ((x[0], *self.size, x[3]),)


@dataclass(frozen=True)
class ResizeNearest(PixelResize, Move):
    """The nearest input pixel, positions in float32. Source: TFLite RESIZE_NEAREST_NEIGHBOR.

    >>> ResizeNearest((1, 4))(np.array([[[[1.0], [2.0]]]])).ravel()
    array([1., 1., 2., 2.])
    """

    def index(self, axis: int, given: int) -> Array:
        """The input position of each output position of an axis."""
        made = self.size[axis]
        corners = self.align_corners and made > 1
        scale = np.float32(given - 1) / np.float32(made - 1) if corners else np.float32(given) / np.float32(made)
        position = (np.arange(made, dtype=np.float32) + np.float32(0.5 if self.half_pixel_centers else 0)) * scale
        nearest = np.floor(position + np.float32(0.5)) if self.align_corners else np.floor(position)
        return np.asarray(np.clip(nearest, 0, given - 1).astype(np.int64))

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x = arrays[0]
        return x[:, self.index(0, x.shape[1])][:, :, self.index(1, x.shape[2])]


@dataclass(frozen=True)
class ResizeBilinear(PixelResize, Algorithm):
    """Linear interpolation between the four nearest pixels. Source: TFLite RESIZE_BILINEAR.

    >>> ResizeBilinear((1, 4))(np.array([[[[1.0], [2.0]]]])).ravel()
    array([1. , 1.5, 2. , 2. ])
    """

    def positions(self, axis: int, given: int) -> tuple[Array, Array, Array]:
        """(lower position, upper position, weight of the upper) of each output position of an axis."""
        made = self.size[axis]
        corners = self.align_corners and made > 1
        scale = (given - 1) / (made - 1) if corners else given / made
        half = 0.5 if self.half_pixel_centers else 0.0
        exact = (np.arange(made) + half) * scale - half
        lower = np.maximum(np.floor(exact), 0).astype(np.int64)
        upper = np.minimum(np.ceil(exact), given - 1).astype(np.int64)
        return np.minimum(lower, given - 1), np.maximum(upper, 0), exact - lower

    def compute(self, x: Array) -> Array:
        (top, bottom, down), (left, right, across) = (self.positions(a, x.shape[1 + a]) for a in (0, 1))
        down, across = down[None, :, None, None], across[None, None, :, None]
        upper = x[:, top][:, :, left] * (1 - across) + x[:, top][:, :, right] * across
        lower = x[:, bottom][:, :, left] * (1 - across) + x[:, bottom][:, :, right] * across
        return np.asarray(upper * (1 - down) + lower * down)

    def work(self, *shapes: Shape) -> Work:
        made = elements(self.shape(*shapes)[0])
        return Work(muls=4 * made, adds=3 * made, requants=made)
