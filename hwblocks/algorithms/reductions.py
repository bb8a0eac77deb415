"""Means, sums and norms over axes, and averages over windows, as TFLite's runtimes compute them.

Sources: LiteRT `internal/reference/{reduce,pooling,l2normalization}.h`, `optimized/integer_ops/mean.h`, XNNPACK
mean operators; restated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hwblocks.algorithms.rescaling import centred, requantization, scale_of
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, limits, scalar_scale, scalar_zero_point
from hwblocks.graph.step_calls import reduce_call, step_epilogue, with_multiplier
from hwblocks.graph.window import Window
from hwblocks.numerics import gemmlowp
from hwblocks.numerics.interpolation import half_away
from hwblocks.numerics.kernels.pool import AvgPoolCall
from hwblocks.numerics.multiplier import quantize_multiplier
from hwblocks.numerics.requantize import Epilogue, Requantize
from hwblocks.numerics.rounding import Rounding

MEAN_LANES = 16  # channels that the optimised mean handles at a time
TIES_UP, TIES_AWAY = Requantize.preset("double_round_up"), Requantize.preset("double_round")
FLOAT32 = Requantize.preset("float32")


def reduced_axes(site: Site, x: Array) -> tuple[int, ...]:
    """The axes that the block reduces."""
    block: Any = site.node.block
    return tuple(d % x.ndim for d in block.dims)


def sums(site: Site, x: Array) -> tuple[Array, int]:
    """(Σ x over the reduced axes in the output's shape, number of elements in each sum)."""
    axes, block = reduced_axes(site, x), site.node.block
    total = x.astype(np.int64).sum(axis=axes, keepdims=block.keepdim)  # type: ignore[attr-defined]
    return np.asarray(total), int(np.prod([x.shape[a] for a in axes]))


def folded_multiplier(site: Site, count: int) -> tuple[int, int]:
    """(multiplier, right shift) of sx / (sy · count): the multiplier of sx / sy divided by the count, truncated."""
    m, exponent = quantize_multiplier(scale_of(site, 0) / scalar_scale(site.output.format))
    bits = min(count.bit_length() - 1, 32, 31 + exponent)
    return (m << bits) // count, bits - exponent


def folded_mean_call(site: Site) -> Any:
    """Sums of one run of axes and their cast."""
    record = requantization(site)

    def epilogue(count: int, channels: int) -> Epilogue:
        plain = step_epilogue(site, record, scale_of(site, 0), channels=channels)
        return with_multiplier(plain, *folded_multiplier(site, count))

    return reduce_call(site, epilogue)


@algorithm("folded_mean", "ReduceMean", "GlobalAvgPool", kernel=folded_mean_call)
def folded_mean(site: Site, x: Array) -> Array:
    """requantize(Σ x − n·zx) + zy with 1 / n folded into the multiplier, truncated."""
    total, count = site_sums(site, x)
    y, record = site.output.format, requantization(site)
    centre = total - scalar_zero_point(site.input(0).format) * count
    return record.multiply_fixed(centre, *folded_multiplier(site, count)) + scalar_zero_point(y)


def site_sums(site: Site, x: Array) -> tuple[Array, int]:
    """Sums of a reduction or of a global pooling."""
    if hasattr(site.node.block, "dims"):
        return sums(site, x)
    return np.asarray(site.node.block.sums(x.astype(np.int64))), int(np.prod(x.shape[1:-1]))  # type: ignore[attr-defined]


def spatial_constants(site: Site, count: int) -> tuple[float, int]:
    """(sx / (n · sy) in float32, what is added at the end)."""
    y = site.output.format
    scale, target = np.float32(scale_of(site, 0)), np.float32(scalar_scale(y))
    shifted = np.float32(scalar_zero_point(site.input(0).format)) * scale / target
    bias = scalar_zero_point(y) - int(shifted + np.float32(0.5 if shifted > 0 else -0.5))
    return float(scale / (np.float32(count) * target)), bias


def spatial_mean_call(site: Site) -> Any:
    """Sums of raw codes and their cast, the remainder's channels by another."""

    def epilogue(record: Requantize) -> Any:
        def made(count: int, channels: int) -> Epilogue:
            ratio, bias = spatial_constants(site, count)
            plain = step_epilogue(site, record, scale_of(site, 0), channels=channels)
            return replace(with_multiplier(plain, *record.multiplier(ratio)), zero_point=bias)

        return made

    return reduce_call(site, epilogue(TIES_UP), epilogue(TIES_AWAY), MEAN_LANES, centre=False)


@algorithm("spatial_mean", "ReduceMean", kernel=spatial_mean_call)
def spatial_mean(site: Site, x: Array) -> Array:
    """The optimised mean over height and width: 1 / (n · sy) in float32, zero points folded into one bias."""
    channels = x.shape[-1]
    total, count = sums(site, x)
    ratio, bias = spatial_constants(site, count)
    vector, rest = TIES_UP.multiply(total, ratio), TIES_AWAY.multiply(total, ratio)
    first = np.arange(channels) < channels // MEAN_LANES * MEAN_LANES
    return np.where(first, vector, rest) + bias


def mean_factor(site: Site, count: int) -> np.float32:
    """f32(f32(sx / sy) · f32(1 / n))."""
    target = np.float32(scalar_scale(site.output.format))
    return np.float32(np.float32(scale_of(site, 0)) / target * (np.float32(1) / np.float32(count)))


def float_mean_call(site: Site, factor: Any) -> Any:
    """Centred sums times one float32 factor (of the site and the elements of a sum), half to even."""

    def epilogue(count: int, channels: int) -> Epilogue:
        plain = step_epilogue(site, FLOAT32, scale_of(site, 0), channels=channels)
        return replace(plain, scale32=np.full(channels, factor(site, count), np.float32))

    return reduce_call(site, epilogue)


@algorithm("xnnpack_reduction", "ReduceMean", "ReduceSum")
def xnnpack_reduction(site: Site, x: Array) -> Array:
    """half_even(f32(Σ x) · c + (zy − n·zx · c)) in float32, c = f32(sx / sy), of means times f32(1 / n)."""
    y = site.output.format
    total, count = sums(site, x)
    target = np.float32(scalar_scale(y))
    is_mean = site.node.type_name == "ReduceMean"
    c = mean_factor(site, count) if is_mean else np.float32(scale_of(site, 0)) / target
    offset = np.float32(scalar_zero_point(y)) - np.float32(count * scalar_zero_point(site.input(0).format)) * c
    return np.asarray(np.rint(total.astype(np.float32) * c + offset).astype(np.int64))


def rescaled_sum_call(site: Site) -> Any:
    """Centred sums and their cast."""
    record = requantization(site)
    return reduce_call(site, lambda count, channels: step_epilogue(site, record, scale_of(site, 0), channels=channels))


@algorithm("rescaled_sum", "ReduceSum", kernel=rescaled_sum_call)
def rescaled_sum(site: Site, x: Array) -> Array:
    """requantize(Σ x − n·zx; sx / sy) + zy."""
    y, record = site.output.format, requantization(site)
    total, count = sums(site, x)
    centre = total - scalar_zero_point(site.input(0).format) * count
    return record.multiply(centre, record.ratio(scale_of(site, 0), 1.0, scalar_scale(y))) + scalar_zero_point(y)


@algorithm("unsigned_sum", "ReduceSum")
def unsigned_sum(site: Site, x: Array) -> Array:
    """A slip of the reference kernel: signed 8-bit codes are read and written as unsigned ones."""
    y, record = site.output.format, requantization(site)
    total, count = sums(site, x.astype(np.int64) & 0xFF if y.bits == 8 else x)
    centre = total - scalar_zero_point(site.input(0).format) * count
    ratio = record.ratio(scale_of(site, 0), 1.0, scalar_scale(y))
    codes = record.multiply(centre, ratio) + scalar_zero_point(y)
    return gemmlowp.wrap(np.clip(codes, 0, 255), 8) if y.bits == 8 and y.signed else codes


@algorithm("rescaled_product", "ReduceProd")
def rescaled_product(site: Site, x: Array) -> Array:
    """Π (x − zx), each step and the last requantized by sx / sy**(1 / n), so that the whole is scaled by sx**n / sy."""
    y, record, axes = site.output.format, requantization(site), reduced_axes(site, x)
    count = int(np.prod([x.shape[a] for a in axes]))
    ratio = scale_of(site, 0) / scalar_scale(y) ** (1.0 / count)
    kept = [a for a in range(x.ndim) if a not in axes]
    rows = centred(site, 0, x).transpose(*kept, *axes).reshape(*(x.shape[a] for a in kept), count)
    total = rows[..., 0]
    for position in range(1, count):
        total = gemmlowp.wrap(record.multiply(total * rows[..., position], ratio))
    codes = gemmlowp.wrap(record.multiply(total, ratio)) + scalar_zero_point(y)
    return np.asarray(codes.reshape(site.output.shape if x.shape == site.input(0).shape else codes.shape))


@algorithm("kept_codes", "ReduceProd")
def kept_codes(site: Site, x: Array) -> Array:
    """Stored codes of axes of one element: nothing is multiplied, and formats are not looked at."""
    return sums(site, x)[0]


@algorithm("float_sum", "ReduceSum")
def float_sum(site: Site, x: Array) -> Array:
    """half_away(f32(Σ x) · c + (−zx · c) · n) + zy with c = f32(sx / sy), in float32."""
    y = site.output.format
    total, count = sums(site, x)
    c = np.float32(scale_of(site, 0)) / np.float32(scalar_scale(y))
    offset = np.float32(-scalar_zero_point(site.input(0).format)) * c * np.float32(count)
    return half_away(total.astype(np.float32) * c + offset) + scalar_zero_point(y)


@algorithm("integer_root", "L2Norm")
def l2_norm(site: Site, x: Array) -> Array:
    """(x − zx) / √Σ(x − zx)² by gemmlowp's Newton steps, in units of 1/128."""
    axis = site.node.block.dim % x.ndim  # type: ignore[attr-defined]
    v = centred(site, 0, x)
    rows = np.moveaxis(v, axis, -1)
    m, e = gemmlowp.inverse_root((rows * rows).sum(axis=-1, keepdims=True))
    if site.input(0).format.signed:
        made = requantization(site).multiply_fixed(rows, m, -(e + 7))
    else:  # the older kernel multiplies by 128 first and shifts right only
        made = requantization(site).multiply_fixed(128 * rows, m, -e)
    return np.moveaxis(made, -1, axis) + scalar_zero_point(site.output.format)


def truncated_average_call(site: Site) -> Any:
    """The exact average of raw codes, ties away from zero, which is the same."""
    block, x = site.node.block, site.input(0)
    if x.is_constant or x.shape[0] != 1 or x.format.bits > 16:
        return "average pooling kernels serve quantized run-time inputs of at most 16 bits"
    made: Window = block.window(x.shape)  # type: ignore[attr-defined]
    numbers = made.geometry(x.shape[-1])
    divisors = np.ascontiguousarray(block.divisors(x.shape), dtype=np.int64)  # type: ignore[attr-defined]
    return AvgPoolCall(
        x_dtype=x.format.dtype.name,
        x_zero=0,
        divisors=divisors.reshape(numbers["out_height"], numbers["out_width"]),
        ratio_num=1,
        ratio_den=1,
        rounding=Rounding.HALF_AWAY,
        zero_point=0,
        **limits(site),
        **numbers,
    )


@algorithm("truncated_average", "AvgPool1d", "AvgPool2d", kernel=truncated_average_call)
def truncated_average(site: Site, x: Array) -> Array:
    """(Σ ± n / 2) / n of raw codes, C division; n counts the taps inside the input."""
    block: Any = site.node.block
    total = block.sums(x.astype(np.int64))
    count = np.broadcast_to(np.asarray(block.divisors(x.shape), np.int64), total.shape)
    return gemmlowp.truncate_divide(total + np.where(total > 0, count // 2, -(count // 2)), count)
