"""Bilinear resizing in integers.

Sources: LiteRT `internal/reference/resize_bilinear.h`; XNNPACK `src/s8-ibilinear`; restated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site
from hwblocks.numerics.gemmlowp import truncate_divide

ONE = 1 << 10


def places(block: Any, axis: int, given: int) -> tuple[Array, Array, Array]:
    """(lower, upper, position in units of 1/1024) of each output position of an axis."""
    made = block.size[axis]
    if block.align_corners and made > 1:
        step = (ONE * (given - 1) + (made - 1) // 2) // (made - 1)
    else:
        step = (ONE * given + made // 2) // made
    at = np.arange(made, dtype=np.int64) * step
    if block.half_pixel_centers:
        at = at + step // 2 - ONE // 2
    lower = np.maximum(truncate_divide(at, ONE), 0)
    upper = np.minimum(truncate_divide(at + ONE - 1, ONE), given - 1)
    return lower, upper, at - ONE * lower


@algorithm("ten_bit_weights", "ResizeBilinear")
def ten_bits(site: Site, x: Array) -> Array:
    """Weights in units of 1/1024 per axis, four products summed, ties away from zero."""
    block, codes = site.node.block, x.astype(np.int64)
    (top, bottom, down), (left, right, across) = (places(block, a, x.shape[1 + a]) for a in (0, 1))
    down, across = down[None, :, None, None], across[None, None, :, None]
    upper = codes[:, top][:, :, left] * (ONE - across) + codes[:, top][:, :, right] * across
    lower = codes[:, bottom][:, :, left] * (ONE - across) + codes[:, bottom][:, :, right] * across
    total = upper * (ONE - down) + lower * down
    half = 1 << 19
    return truncate_divide(np.where(total > 0, total + half, total - half), 1 << 20)


def float_places(block: Any, axis: int, given: int) -> tuple[Array, Array, Array]:
    """(lower, upper, weight of the upper in units of 1/2048), positions in float32."""
    made = block.size[axis]
    corners = block.align_corners and made > 1
    scale = np.float32(given - 1) / np.float32(made - 1) if corners else np.float32(given) / np.float32(made)
    at = np.arange(made, dtype=np.float32) * scale
    if block.half_pixel_centers:
        at = at + (np.float32(0.5) * scale - np.float32(0.5))
    at = np.clip(at, np.float32(0), np.float32(given - 1))
    lower = np.floor(at).astype(np.int64)
    upper = np.minimum(lower + 1, given - 1)
    return lower, upper, np.rint((at - lower.astype(np.float32)) * np.float32(2048)).astype(np.int64)


@algorithm("eleven_bit_weights", "ResizeBilinear")
def eleven_bits(site: Site, x: Array) -> Array:
    """Weights in units of 1/2048 per axis, first along the width, ties up."""
    block, codes = site.node.block, x.astype(np.int64)
    (top, bottom, down), (left, right, across) = (float_places(block, a, x.shape[1 + a]) for a in (0, 1))
    down, across = down[None, :, None, None], across[None, None, :, None]

    def along(rows: Array) -> Array:
        near, far = rows[:, :, left], rows[:, :, right]
        return np.asarray((near << 11) + (far - near) * across)

    upper, lower = along(codes[:, top]), along(codes[:, bottom])
    return np.asarray(((upper << 11) + (lower - upper) * down + (1 << 21)) >> 22)


def open_places(block: Any, axis: int, given: int) -> tuple[Array, Array, Array]:
    """(lower, upper, position above the lower) in float32; positions are not limited to the input."""
    made = block.size[axis]
    corners = block.align_corners and made > 1
    scale = np.float32(given - 1) / np.float32(made - 1) if corners else np.float32(given) / np.float32(made)
    half = np.float32(0.5 if block.half_pixel_centers else 0)
    at = (np.arange(made, dtype=np.float32) + half) * scale - half
    lower = np.maximum(np.floor(at), 0).astype(np.int64)
    upper = np.minimum(np.ceil(at), given - 1).astype(np.int64)
    return lower, upper, at - lower.astype(np.float32)


def float_corners(site: Site, x: Array) -> tuple[list[Array], list[Array]]:
    """(the pixels at top left, bottom left, top right, bottom right; the four weights' factors) in float32."""
    block, codes = site.node.block, x.astype(np.float32)
    (top, bottom, down), (left, right, across) = (open_places(block, a, x.shape[1 + a]) for a in (0, 1))
    down, across = down[None, :, None, None], across[None, None, :, None]
    pixels = [codes[:, row][:, :, column] for column in (left, right) for row in (top, bottom)]
    one = np.float32(1)
    return pixels, [one - down, down, one - across, across]


@algorithm("pixels_first", "ResizeBilinear")
def pixels_first(site: Site, x: Array) -> Array:
    """floor(Σ (pixel · vertical weight) · horizontal weight + 0.5) in float32: left column first, unsigned codes."""
    (a, b, c, d), (up, down, near, far) = float_corners(site, x)
    total = a * up * near + b * down * near + c * up * far + d * down * far
    return np.asarray(total + np.float32(0.5)).astype(np.int64)


@algorithm("weights_first", "ResizeBilinear")
def weights_first(site: Site, x: Array) -> Array:
    """floor(Σ pixel · (vertical weight · horizontal weight) + 0.5) in float32: upper row first, unsigned codes."""
    (a, b, c, d), (up, down, near, far) = float_corners(site, x)
    total = a * (up * near) + c * (up * far) + b * (down * near) + d * (down * far)
    return np.asarray(total + np.float32(0.5)).astype(np.int64)
