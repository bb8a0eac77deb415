"""Hybrid layers: float activations quantized at run time, integer weights, float results.

Source: LiteRT `fully_connected.cc`, `conv.cc`, `depthwise_conv.cc` (EvalHybrid), `portable_tensor_utils.cc`; restated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site
from hwblocks.numerics.interpolation import half_away

Rows = tuple[Array, Array, Array]


def symmetric(rows: Array) -> Rows:
    """(codes, scales, zero points) of rows [N, K], each spread over −127 … 127."""
    reach = np.abs(rows).max(axis=1, keepdims=True).astype(np.float32)
    scale = np.where(reach > 0, reach / np.float32(127), np.float32(1))
    inverse = np.where(reach > 0, np.float32(127) / np.where(reach > 0, reach, 1), np.float32(0)).astype(np.float32)
    codes = np.clip(half_away(rows * inverse), -127, 127)
    return codes, scale.astype(np.float32), np.zeros(scale.shape, np.int64)


def asymmetric(rows: Array) -> Rows:
    """(codes, scales, zero points) of rows [N, K], each spread over −128 … 127 with 0 among them."""
    low = np.minimum(rows.min(axis=1, keepdims=True), 0).astype(np.float64)
    high = np.maximum(rows.max(axis=1, keepdims=True), 0).astype(np.float64)
    flat = low == high
    scale = np.where(flat, 1.0, (high - low) / 255)
    from_low, from_high = -128 - low / scale, 127 - high / scale
    nearer = 128 + np.abs(low / scale) < 127 + np.abs(high / scale)
    zero = np.clip(half_away(np.where(nearer, from_low, from_high)), -128, 127)
    zero = np.where(flat, 0, zero)
    step = scale.astype(np.float32)
    codes = np.clip(half_away(zero.astype(np.float32) + rows * (np.float32(1) / step)), -128, 127)
    return np.where(flat, 0, codes), step, zero


def weight_scales(site: Site, channels: int) -> Array:
    """The weights' scale of every output channel, in float32."""
    return np.broadcast_to(np.asarray(site.input(1).format.scale, np.float32).ravel(), (channels,))


@algorithm("hybrid", "Linear", "Conv1d", "Conv2d", "MatMul")
def hybrid(site: Site, x: Array, w: Array, b: Array | None = None) -> Array:
    """Rows (layers) or samples (convolutions) of x to 8 bits, exact sums, times both scales in float32, plus bias."""
    block: Any = site.node.block
    layer = type(block).__name__ in ("Linear", "MatMul")
    rows = x.reshape(-1, x.shape[-1]) if layer else x.reshape(x.shape[0], -1)
    asked = site.node.attributes.get("asymmetric_quantize_inputs") == "1"
    per_channel = isinstance(site.input(1).format.scale, tuple)
    codes, scale, zero = asymmetric(rows) if asked or (per_channel and not layer) else symmetric(rows)
    contraction = block.lower((codes - zero).reshape(x.shape), w.astype(np.int64))
    sums = contraction.fold(np.matmul(contraction.rows.astype(np.float64), contraction.columns.astype(np.float64)))
    lead = scale.reshape(*x.shape[:-1], 1) if layer else scale.reshape(-1, *(1,) * (x.ndim - 1))
    factor = lead * weight_scales(site, sums.shape[-1])
    y = sums.astype(np.float32) * factor
    if b is not None:
        y = y + b
    low, high = site.node.clamp or (-np.inf, np.inf)
    return np.asarray(np.clip(y, low, high))


@algorithm("no_scale", "MatMul")
def without_scale(site: Site, a: Array, b: Array) -> Array:
    """A second operand with one scale per channel has none for this runtime: its multiplier is 0."""
    shape = np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + (a.shape[-2], b.shape[-1])
    return np.full(shape, site.output.format.zero_point, dtype=np.int64)
