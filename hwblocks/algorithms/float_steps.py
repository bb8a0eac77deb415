"""Element-wise integer operators by float32 steps, as ONNX Runtime's kernels compute them on x86-64 with FMA.

Source: microsoft/onnxruntime `core/mlas/lib/{qladd,qlmul,qlgavgpool}.cpp`, `contrib_ops/cpu/quantization`; restated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.algorithms.curves import float_function
from hwblocks.algorithms.rescaling import centred, scale_of
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point

F32 = np.float32
FAR = 2.0**60


def fma(a: Array, b: Any, c: Any) -> Array:
    """float32(a · b + c) with one rounding; a holds codes of at most 16 bits."""
    return np.asarray(a, np.float64).__mul__(np.float64(b)).__add__(np.asarray(c, np.float64)).astype(F32)


def nearest(v: Array) -> Array:
    """Half to even, as int64; infinities stay far outside every format."""
    return np.clip(np.rint(v.astype(np.float64)), -FAR, FAR).astype(np.int64)


@algorithm("fused_sum", "Add", "Sub")
def fused_sum(site: Site, a: Array, b: Array) -> Array:
    """half_even(fma(a, ra, fma(b, rb, F))) on stored codes: the zero points are inside the rounding, in F."""
    y = site.output.format
    sign = getattr(site.node.block, "sign", 1)
    target = F32(scalar_scale(y))
    first, second = F32(scale_of(site, 0)) / target, F32(sign) * (F32(scale_of(site, 1)) / target)
    zeros = [F32(scalar_zero_point(site.input(i).format)) for i in (0, 1)]
    offset = F32(scalar_zero_point(y)) - (first * zeros[0] + second * zeros[1])
    if b.size == 1 and a.size > 1:
        return nearest(fma(a, first, offset + F32(b.ravel()[0]) * second))
    if a.size == 1 and b.size > 1:
        return nearest(fma(b, second, offset + F32(a.ravel()[0]) * first))
    return nearest(fma(a, first, fma(b, second, offset)))


@algorithm("float_product", "Mul")
def float_product(site: Site, a: Array, b: Array) -> Array:
    """half_even(f32(f32(product) · m) + zy), m = f32(f32(sa · sb) / sy): the zero point is inside the rounding."""
    y = site.output.format
    factor = F32(scale_of(site, 0)) * F32(scale_of(site, 1)) / F32(scalar_scale(y))
    product = (centred(site, 0, a) * centred(site, 1, b)).astype(F32)
    return nearest(product * factor + F32(scalar_zero_point(y)))


@algorithm("decoded_table", "Sigmoid", "Tanh", "LeakyReLU", "Rescale")
def decoded_table(site: Site, x: Array) -> Array:
    """half_even(f(f32(sx · (x − zx))) / sy) + zy in float32, once for every code."""
    y = site.output.format
    reals = F32(scale_of(site, 0)) * centred(site, 0, x).astype(F32)
    block = site.node.block
    name = type(block).__name__
    if name == "LeakyReLU":
        values = np.where(reals >= 0, reals, F32(block.negative_slope) * reals)  # type: ignore[attr-defined]
    else:
        values = reals if name == "Rescale" else float_function(block)(reals)
    return nearest(values / F32(scalar_scale(y))) + scalar_zero_point(y)


@algorithm("float_mean", "GlobalAvgPool")
def float_global_mean(site: Site, x: Array) -> Array:
    """half_even(f32(Σ x − n·zx) · f32(sx / f32(sy · n))) + zy."""
    y, count = site.output.format, int(np.prod(x.shape[1:-1]))
    total = site.node.block.sums(x.astype(np.int64))  # type: ignore[attr-defined]
    factor = F32(scale_of(site, 0)) / (F32(scalar_scale(y)) * F32(count))
    centre = total - count * scalar_zero_point(site.input(0).format)
    return nearest(centre.astype(F32) * factor) + scalar_zero_point(y)


@algorithm("sequential_mean", "AvgPool1d", "AvgPool2d")
def sequential_mean(site: Site, x: Array) -> Array:
    """Reals summed in float32 in the order of the window, divided by the count; the zero point inside the rounding."""
    y, block = site.output.format, site.node.block
    reals = F32(scale_of(site, 0)) * centred(site, 0, x).astype(F32)
    made = block.window(x.shape)  # type: ignore[attr-defined]
    windows = made.gather(reals, F32(0))
    flat = windows.reshape(x.shape[0], *made.output, -1, x.shape[-1])
    total = np.cumsum(flat, axis=-2, dtype=F32)[..., -1, :]
    mean = total / block.divisors(x.shape).astype(F32)  # type: ignore[attr-defined]
    return nearest(mean / F32(scalar_scale(y)) + F32(scalar_zero_point(y)))


@algorithm("float_table_256", "Softmax")
def table_softmax(site: Site, x: Array) -> Array:
    """Powers t from a float32 table, summed in order; y = half_even(t · Y / Σ) + zy, Y = floor(f32(1 / sy)).

    The quotient is taken in float64: near the largest float32 the product would overflow.
    """
    y, axis = site.output.format, site.node.block.dim  # type: ignore[attr-defined]
    scale, length = scale_of(site, 0), x.shape[axis]
    room = max(0.0, float(np.log(np.finfo(F32).max / length)) - 5) / scale
    table = np.exp((np.arange(256) - 255 + room) * scale).astype(F32)
    codes = np.moveaxis(x.astype(np.int64), axis, -1)
    powers = table[codes - codes.max(axis=-1, keepdims=True) + 255]
    total = np.cumsum(powers, axis=-1, dtype=F32)[..., -1:]
    steps = np.floor(F32(1) / F32(scalar_scale(y)))
    made = nearest(powers.astype(np.float64) * steps / total) + scalar_zero_point(y)
    return np.moveaxis(made, -1, axis)


@algorithm("stated_accumulator", "MatMulInteger", "ConvInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul")
@algorithm("stated_accumulator", "DynamicQuantizeLSTM")
def stated_accumulator(site: Site, *inputs: Array | None) -> Any:
    """The block's formula with its sums in the accumulator that the arithmetic states."""
    block: Any = site.node.block
    present = [a for a in inputs if a is not None]
    if site.node.type_name in ("MatMulInteger", "ConvInteger"):
        return block.accumulated(present[0], present[1], site.accumulator, *present[2:])
    return block.accumulated(site.accumulator, *present)
