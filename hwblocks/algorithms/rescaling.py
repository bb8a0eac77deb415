"""Element-wise change of scale by a multiplier: Rescale, Abs, Neg, ReLU family, LeakyReLU, PReLU.

Source: LiteRT `elementwise.cc`, `internal/reference/{quantize,activations,concatenation,leaky_relu,prelu}.h`, restated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, clamp_codes, in_tail, scalar_scale, scalar_zero_point
from hwblocks.graph.step_calls import elements_call, operand, step_epilogue, unserved
from hwblocks.numerics.gemmlowp import wrap
from hwblocks.numerics.interpolation import half_away
from hwblocks.numerics.requantize import Requantize


def requantization(site: Site) -> Requantize:
    """The site's requantize record; double_round where none is stated."""
    return site.arithmetic.requantize or Requantize.preset("double_round")


def centred(site: Site, position: int, codes: Array) -> Array:
    """Codes minus the zero point of an input, in int64."""
    return codes.astype(np.int64) - scalar_zero_point(site.input(position).format)


def scale_of(site: Site, position: int) -> float:
    """The scale of an input."""
    return scalar_scale(site.input(position).format)


def rescale_call(site: Site) -> Any:
    """The centred codes, cast; a remainder loop's elements by the tail."""
    if reason := unserved(site):
        return reason
    if getattr(site.node.block, "clamp", None) is not None:
        return "bounds inside the rescaling"
    tail, scale = site.arithmetic.tail, scale_of(site, 0)
    main = step_epilogue(site, requantization(site), scale)
    return elements_call(site, "alone", [operand(site, 0)], main, step_epilogue(site, tail, scale) if tail else None)


@algorithm("rescale", "Rescale", "ReLU", "ReLU6", "Clip", kernel=rescale_call)
def rescale(site: Site, x: Array) -> Array:
    """y = requantize(x − zx; sx / sy) + zy, limited to the codes of the block's bounds."""
    y, v = site.output.format, centred(site, 0, x)
    record, tail = requantization(site), site.arithmetic.tail
    ratio = record.ratio(scale_of(site, 0), 1.0, scalar_scale(y))
    codes = record.multiply(v, ratio) + scalar_zero_point(y)
    if tail is not None:
        codes = np.where(in_tail(site, x.shape), tail.multiply(v, ratio) + scalar_zero_point(y), codes)
    bounds = getattr(site.node.block, "clamp", None)
    return codes if bounds is None else np.clip(codes, *clamp_codes(y, bounds, site.arithmetic.edge))


@algorithm("float_affine", "Rescale")
def affine(site: Site, x: Array) -> Array:
    """y = half_away(x · c − zx · c) + zy with c = sx · (1 / sy), in float32."""
    y = site.output.format
    c = np.float32(scale_of(site, 0)) * (np.float32(1) / np.float32(scalar_scale(y)))
    offset = np.float32(-scalar_zero_point(site.input(0).format)) * c
    return half_away(x.astype(np.float32) * c + offset) + scalar_zero_point(y)


@algorithm("rescaled_magnitude", "Abs")
def magnitude(site: Site, x: Array) -> Array:
    """y = requantize(|x − zx|; sx / sy) + zy."""
    y, v, scale = site.output.format, np.abs(centred(site, 0, x)), scale_of(site, 0)
    if scale != scalar_scale(y):
        record = requantization(site)
        v = record.multiply(v, record.ratio(scale, 1.0, scalar_scale(y)))
    return v + scalar_zero_point(y)


@algorithm("negated_codes", "Neg")
def negated(site: Site, x: Array) -> Array:
    """y = −x on stored codes, modulo their width; scales and zero points are not looked at."""
    return wrap(-x.astype(np.int64), site.output.format.bits)


@algorithm("clamp_codes", "ReLU", "ReLU6", "Clip")
def clamp_input_codes(site: Site, x: Array) -> Array:
    """y = x limited to the input codes of the block's bounds; scales and zero points are not looked at."""
    block: Any = site.node.block
    return np.clip(x.astype(np.int64), *clamp_codes(site.input(0).format, block.clamp, site.arithmetic.edge))


@algorithm("two_slopes", "LeakyReLU")
def leaky_relu(site: Site, x: Array) -> Array:
    """y = requantize(v; sx / sy) + zy for v = x − zx ≥ 0, else requantize(v; sx · slope / sy) + zy."""
    y, record, block = site.output.format, requantization(site), site.node.block
    scale, target = scale_of(site, 0), scalar_scale(y)
    v = centred(site, 0, x)
    positive = record.multiply(v, record.ratio(scale, 1.0, target))
    negative = record.multiply(v, record.ratio(scale, block.negative_slope, target))  # type: ignore[attr-defined]
    return np.where(v >= 0, positive, negative) + scalar_zero_point(y)


def prelu_call(site: Site) -> Any:
    """The centred codes, or their product with the slope, each with a cast of its own."""
    record, scale = requantization(site), scale_of(site, 0)
    if reason := unserved(site):
        return reason
    if site.input(0).is_constant:
        return "the input is a constant"
    call = elements_call(site, "slopes", [operand(site, 0), operand(site, 1)], step_epilogue(site, record, scale))
    return replace(call, tail=step_epilogue(site, record, scale, scale_of(site, 1)), tail_start=site.output.elements)


@algorithm("two_slopes", "PReLU", kernel=prelu_call)
def prelu(site: Site, x: Array, slope: Array) -> Array:
    """y = requantize(v; sx / sy) + zy for v = x − zx ≥ 0, else requantize(v · a; sx · sa / sy) + zy, a = slope − za."""
    y, record = site.output.format, requantization(site)
    scale, target = scale_of(site, 0), scalar_scale(y)
    v = centred(site, 0, x)
    product = v * centred(site, 1, slope)
    v = np.broadcast_to(v, product.shape)
    positive = record.multiply(v, record.ratio(scale, 1.0, target))
    negative = record.multiply(product, record.ratio(scale, scale_of(site, 1), target))
    return np.where(v >= 0, positive, negative) + scalar_zero_point(y)
