"""Hybrid layers: float activations quantized at run time, integer weights, float results.

Sources: LiteRT `fully_connected.cc`, `conv.cc`, `depthwise_conv.cc`, `transpose_conv.cc` (EvalHybrid),
`portable_tensor_utils.cc`, XNNPACK `src/xnnpack/quantization.h`; restated.
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


def nearest_even(rows: Array) -> Rows:
    """(codes, scales, zero points) of rows [N, K] by XNNPACK's formula: float32 throughout, halves to even."""
    low = np.minimum(rows.min(axis=1, keepdims=True), 0).astype(np.float32)
    high = np.maximum(rows.max(axis=1, keepdims=True), 0).astype(np.float32)
    flat = low == high
    inverse = np.where(flat, np.float32(1), np.float32(255) / np.where(flat, np.float32(1), high - low))
    below, above = low * inverse, high * inverse
    zero = np.where((below - 128) + (above + 127) > 0, -128 - below, 127 - above)
    zero = np.rint(np.clip(zero, -128, 127)).astype(np.int64)
    codes = np.clip(np.rint(rows * inverse).astype(np.int64) + zero, -128, 127)
    return codes, np.float32(1) / inverse, zero


def weight_scales(site: Site, channels: int) -> Array:
    """The weights' scale of every output channel, in float32."""
    return np.broadcast_to(np.asarray(site.input(1).format.scale, np.float32).ravel(), (channels,))


def is_layer(site: Site) -> bool:
    """True where each row has a scale of its own, not each sample."""
    return site.node.type_name in ("Linear", "MatMul")


def is_asymmetric(site: Site) -> bool:
    """Whether LiteRT gives the activations a zero point: where a layer asks for it; in depthwise, grouped and
    transposed convolutions; and in others whose weights have several scales.
    """
    node: Any = site.node
    if is_layer(site):
        return bool(node.attributes.get("asymmetric_quantize_inputs") == "1")
    if node.type_name.startswith("ConvTranspose") or node.attributes.get("operator") == "DEPTHWISE_CONV_2D":
        return True
    return bool(node.block.groups > 1 or len(np.unique(np.asarray(site.input(1).format.scale, np.float32))) > 1)


def is_pointwise(site: Site) -> bool:
    """True for a convolution that is a layer on every pixel, which XNNPACK makes of it."""
    block: Any = site.node.block
    if not site.node.type_name.startswith("Conv") or site.node.type_name.startswith("ConvTranspose"):
        return False
    kernel, pads = site.input(1).shape[1:-1], np.asarray(block.padding)
    apart = bool(np.any(np.asarray(block.stride) != 1) or pads.any())
    return bool(block.groups == 1 and set(kernel) == {1} and not apart)


def dynamic(site: Site, quantizer: Any, by_row: bool, x: Array, w: Array, b: Array | None) -> Array:
    """Rows (of the last axis) or samples of x to 8 bits, exact sums, times both scales in float32, plus bias."""
    block: Any = site.node.block
    rows = x.reshape(-1, x.shape[-1]) if by_row else x.reshape(x.shape[0], -1)
    codes, scale, zero = quantizer(rows)
    contraction = block.lower((codes - zero).reshape(x.shape), w.astype(np.int64))
    sums = contraction.fold(np.matmul(contraction.rows.astype(np.float64), contraction.columns.astype(np.float64)))
    lead = scale.reshape(*x.shape[:-1], 1) if by_row else scale.reshape(-1, *(1,) * (x.ndim - 1))
    y = sums.astype(np.float32) * (lead * weight_scales(site, sums.shape[-1]))
    if b is not None:
        y = y + b
    low, high = site.node.clamp or (-np.inf, np.inf)
    return np.asarray(np.clip(y, low, high))


@algorithm("hybrid", "Linear", "Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d", "MatMul")
def hybrid(site: Site, x: Array, w: Array, b: Array | None = None) -> Array:
    """Activations quantized as LiteRT's kernels do: with a zero point where `is_asymmetric` says so."""
    return dynamic(site, asymmetric if is_asymmetric(site) else symmetric, is_layer(site), x, w, b)


@algorithm("xnnpack_hybrid", "Linear", "Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d")
def xnnpack_hybrid(site: Site, x: Array, w: Array, b: Array | None = None) -> Array:
    """Activations quantized as XNNPACK does: always with a zero point; pointwise convolutions by pixels."""
    return dynamic(site, nearest_even, is_layer(site) or is_pointwise(site), x, w, b)


@algorithm("no_scale", "MatMul")
def without_scale(site: Site, a: Array, b: Array) -> Array:
    """A second operand with one scale per channel has none for this runtime: its multiplier is 0."""
    shape = np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + (a.shape[-2], b.shape[-1])
    return np.full(shape, site.output.format.zero_point, dtype=np.int64)
