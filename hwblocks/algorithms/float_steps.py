"""Element-wise integer operators by float32 steps, as ONNX Runtime's kernels compute them on x86-64 with FMA.

Source: microsoft/onnxruntime `core/mlas/lib/{qladd,qlmul,qlgavgpool}.cpp`, `contrib_ops/cpu/quantization`; restated.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from hwblocks.algorithms.curves import float_function
from hwblocks.algorithms.reductions import float_mean_call
from hwblocks.algorithms.rescaling import centred, scale_of
from hwblocks.algorithms.softmaxes import softmax_call
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, limits, scalar_scale, scalar_zero_point
from hwblocks.graph.step_calls import (
    elements_call,
    every_code,
    operand,
    run_time_first,
    step_epilogue,
    unserved,
)
from hwblocks.numerics.kernels.elements import FloatSumCall
from hwblocks.numerics.kernels.pool import FloatPoolCall
from hwblocks.numerics.requantize import Requantize

F32 = np.float32
FAR = 2.0**60
# Coefficients of the rational approximation of the logistic function, the highest power of x² first
LOGISTIC_ABOVE = (
    *(4.37031012579801e-11, 1.15627324459942e-07, 6.08574864600143e-05, 8.51377133304701e-03),
    2.48287947061529e-01,
)
LOGISTIC_BELOW = (
    *(6.10247389755681e-13, 5.76102136993427e-09, 6.29106785017040e-06, 1.70198817374094e-03),
    *(1.16817656904453e-01, 9.93151921023180e-01),
)
UNSCALED = Requantize.preset("shift")  # the sum itself, where the ratio is 1
INSIDE = Requantize.parse("float32 zero_point=inside")


def fma(a: Any, b: Any, c: Any) -> Array:
    """float32(a · b + c) with one rounding of the exact product's sum (in float64 before)."""
    return np.asarray(a, np.float64).__mul__(np.float64(b)).__add__(np.asarray(c, np.float64)).astype(F32)


def nearest(v: Array) -> Array:
    """Half to even, as int64; infinities stay far outside every format."""
    return np.clip(np.rint(v.astype(np.float64)), -FAR, FAR).astype(np.int64)


def sum_order(site: Site) -> tuple[int, int]:
    """The operands in the kernel's order: one of a single element stands second."""
    sizes = [site.input(i).elements for i in (0, 1)]
    return (1, 0) if sizes[0] == 1 and sizes[1] > 1 else (0, 1)


def sum_constants(site: Site) -> tuple[np.float32, np.float32, np.float32]:
    """(ra, rb, F) in the kernel's order: the operands' factors, and zy − fma(ra, za, rb · zb)."""
    y = site.output.format
    target = F32(scalar_scale(y))
    signs = (1, getattr(site.node.block, "sign", 1))
    first, second = (F32(signs[i]) * (F32(scale_of(site, i)) / target) for i in sum_order(site))
    zeros = [F32(scalar_zero_point(site.input(i).format)) for i in sum_order(site)]
    return first, second, F32(F32(scalar_zero_point(y)) - fma(zeros[0], first, second * zeros[1]))


def fused_sum_call(site: Site) -> Any:
    """a · ra exactly, fma(b, rb, F) rounded, both by tables, added and rounded."""
    if reason := unserved(site):
        return reason
    if max(t.format.bits for t in site.present) > 8:
        return "more than 8 bits"
    first, second, offset = sum_constants(site)
    worths = [
        lambda codes: codes.astype(np.float64) * np.float64(first),
        lambda codes: fma(codes, second, offset).astype(np.float64),
    ]
    order = sum_order(site)
    parts = [operand(site, i, worths[order.index(i)]) for i in (0, 1)]
    a, b = run_time_first(parts)
    return FloatSumCall(operands=(a, b), count=site.output.elements, **limits(site))


@algorithm("fused_sum", "Add", "Sub", kernel=fused_sum_call)
def fused_sum(site: Site, a: Array, b: Array) -> Array:
    """half_even(fma(a, ra, fma(b, rb, F))) on stored codes: the zero points are inside the rounding, in F."""
    first, second, offset = sum_constants(site)
    x, z = (a, b) if sum_order(site) == (0, 1) else (b, a)
    return nearest(fma(x, first, fma(z, second, offset)))


def float_product_call(site: Site) -> Any:
    """The product of the centred operands and one float32 multiplication, the zero point inside."""
    if reason := unserved(site):
        return reason
    epilogue = step_epilogue(site, INSIDE, scale_of(site, 0), scale_of(site, 1))
    return elements_call(site, "product", [operand(site, 0), operand(site, 1)], epilogue)


@algorithm("float_product", "Mul", kernel=float_product_call)
def float_product(site: Site, a: Array, b: Array) -> Array:
    """half_even(f32(f32(product) · m) + zy), m = f32(f32(sa · sb) / sy): the zero point is inside the rounding."""
    y = site.output.format
    factor = F32(scale_of(site, 0)) * F32(scale_of(site, 1)) / F32(scalar_scale(y))
    product = (centred(site, 0, a) * centred(site, 1, b)).astype(F32)
    return nearest(product * factor + F32(scalar_zero_point(y)))


def polynomial(x: Array, coefficients: tuple[float, ...]) -> Array:
    """Horner's scheme in float32, each step rounded once; the highest power first."""
    total = np.full(x.shape, F32(coefficients[0]))
    for c in coefficients[1:]:
        total = fma(total, x, F32(c))
    return total


def mlas_logistic(x: Array) -> Array:
    """x · p(x²) / q(x²) + ½ in float32 for |x| ≤ 18, x limited to that. Source: MLAS `logistic.cpp`."""
    x = np.clip(x, F32(-18), F32(18))
    square = x * x
    p = polynomial(square, LOGISTIC_ABOVE) * x
    return np.asarray(np.clip(p / polynomial(square, LOGISTIC_BELOW) + F32(0.5), F32(0), F32(1)))


def decoded_table_call(site: Site) -> Any:
    """A change of format by a table of its codes (Pointwise blocks have a table of their own)."""
    if reason := unserved(site):
        return reason
    zero = scalar_zero_point(site.output.format)
    codes = operand(site, 0, lambda stored: decoded_table(site, stored) - zero)
    return elements_call(site, "alone", [codes], step_epilogue(site, UNSCALED, scalar_scale(site.output.format)))


@algorithm("decoded_table", "Sigmoid", "Tanh", "LeakyReLU", "Rescale", kernel=decoded_table_call)
def decoded_table(site: Site, x: Array) -> Array:
    """half_even(f(f32(sx · (x − zx))) / sy) + zy in float32, once for every code."""
    y = site.output.format
    reals, block = decoded(site, x), site.node.block
    name = type(block).__name__
    if name == "LeakyReLU":
        values = np.where(reals >= 0, reals, F32(block.negative_slope) * reals)  # type: ignore[attr-defined]
    else:
        with np.errstate(over="ignore"):  # e^−x of large −x is infinite, and 1 / (1 + e^−x) then 0
            curve = mlas_logistic if name == "Sigmoid" else float_function(block)
            values = reals if name == "Rescale" else curve(reals)
    return nearest(values / F32(scalar_scale(y))) + scalar_zero_point(y)


def global_factor(site: Site, count: int) -> np.float32:
    """f32(sx / f32(sy · n))."""
    return np.float32(F32(scale_of(site, 0)) / (F32(scalar_scale(site.output.format)) * F32(count)))


@algorithm("float_mean", "GlobalAvgPool", kernel=lambda site: float_mean_call(site, global_factor))
def float_global_mean(site: Site, x: Array) -> Array:
    """half_even(f32(Σ x − n·zx) · f32(sx / f32(sy · n))) + zy."""
    y, count = site.output.format, int(np.prod(x.shape[1:-1]))
    total = site.node.block.sums(x.astype(np.int64))  # type: ignore[attr-defined]
    factor = global_factor(site, count)
    centre = total - count * scalar_zero_point(site.input(0).format)
    return nearest(centre.astype(F32) * factor) + scalar_zero_point(y)


def decoded(site: Site, codes: Array) -> Array:
    """f32(sx · (x − zx))."""
    return np.asarray(F32(scale_of(site, 0)) * centred(site, 0, codes).astype(F32))


def sequential_mean_call(site: Site) -> Any:
    """Windows of reals by a table, averaged in float32."""
    block, x, y = site.node.block, site.input(0), site.output.format
    if (reason := unserved(site)) or x.shape[0] != 1:
        return reason or "several samples in one"
    numbers = block.window(x.shape).geometry(x.shape[-1])  # type: ignore[attr-defined]
    windows = (numbers["out_height"], numbers["out_width"])
    return FloatPoolCall(
        x_dtype=x.format.dtype.name,
        divisors=np.broadcast_to(block.divisors(x.shape).ravel(), prod(windows)).reshape(windows),  # type: ignore[attr-defined]
        reals=decoded(site, every_code(site, 0)),
        y_scale=scalar_scale(y),
        zero_point=scalar_zero_point(y),
        **numbers,
        **limits(site),
    )


@algorithm("sequential_mean", "AvgPool1d", "AvgPool2d", kernel=sequential_mean_call)
def sequential_mean(site: Site, x: Array) -> Array:
    """Reals summed in float32 in the order of the window, divided by the count; the zero point inside the rounding."""
    y, block = site.output.format, site.node.block
    reals = decoded(site, x)
    made = block.window(x.shape)  # type: ignore[attr-defined]
    windows = made.gather(reals, F32(0))
    flat = windows.reshape(x.shape[0], *made.output, -1, x.shape[-1])
    total = np.cumsum(flat, axis=-2, dtype=F32)[..., -1, :]
    mean = total / block.divisors(x.shape).astype(F32)  # type: ignore[attr-defined]
    return nearest(mean / F32(scalar_scale(y)) + F32(scalar_zero_point(y)))


def powers_and_steps(site: Site, length: int) -> tuple[Array, np.float32]:
    """(float32 powers of x − max = −255 … 0, floor of the steps of the output's unit)."""
    scale = scale_of(site, 0)
    room = max(0.0, float(np.log(np.finfo(F32).max / length)) - 5) / scale
    powers = np.exp((np.arange(256) - 255 + room) * scale).astype(F32)
    return powers, np.floor(F32(1) / F32(scalar_scale(site.output.format)))


def table_softmax_call(site: Site) -> Any:
    """Float powers by a table, their quotient in float64."""
    if reason := unserved(site):
        return reason
    block, x, y = site.node.block, site.input(0), site.output.format
    if x.format.bits > 8:
        return "a table of 256 powers for a wider input"
    powers, steps = powers_and_steps(site, x.shape[block.dim])  # type: ignore[attr-defined]
    return softmax_call(site, "float64", powers[::-1], constant=float(steps), zero_point=scalar_zero_point(y))


@algorithm("float_table_256", "Softmax", kernel=table_softmax_call)
def table_softmax(site: Site, x: Array) -> Array:
    """Powers t from a float32 table, summed in order; y = half_even(t · Y / Σ) + zy, Y = floor(f32(1 / sy)).

    The quotient is taken in float64: near the largest float32 the product would overflow.
    """
    y, axis = site.output.format, site.node.block.dim  # type: ignore[attr-defined]
    table, steps = powers_and_steps(site, x.shape[axis])
    codes = np.moveaxis(x.astype(np.int64), axis, -1)
    powers = table[codes - codes.max(axis=-1, keepdims=True) + 255]
    total = np.cumsum(powers, axis=-1, dtype=F32)[..., -1:]
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
