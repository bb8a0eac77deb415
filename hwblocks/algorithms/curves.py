"""Non-linear functions of one element: float tables, gemmlowp polynomials, interpolated 16-bit tables.

Sources: LiteRT `activations.cc`, `elementwise.cc`, `internal/reference/{logistic,tanh,hard_swish}.h`; TFLite-Micro
`kernels/{logistic,tanh}*.cc`; XNNPACK `src/reference/unary-elementwise.cc`; restated. As an algorithm of a Pointwise
block each one is run on every input code.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hwblocks.algorithms.rescaling import centred, requantization, scale_of
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.numerics import gemmlowp, interpolation
from hwblocks.numerics.multiplier import quantize_multiplier
from hwblocks.numerics.requantize import Requantize

ERFC = np.frompyfunc(math.erfc, 1, 1)
CURVES = ("Sigmoid", "Tanh", "ELU", "GELU", "Exp", "Log", "Rsqrt", "SiLU")


def exp32(x: Array) -> Array:
    """e**x of float32 correctly rounded, as C libraries' expf all but always is."""
    return np.asarray(np.exp(x.astype(np.float64)).astype(np.float32))


def float_function(block: Any) -> Any:
    """The block's function evaluated in float32."""
    name = type(block).__name__
    one = np.float32(1)
    known: dict[str, Any] = {
        "Sigmoid": lambda x: one / (one + np.exp(-x)),
        "Tanh": np.tanh,
        "ELU": lambda x: np.where(x < 0, np.expm1(x), x),
        "Exp": exp32,
        "GELU": tanh_gelu if getattr(block, "approximate", "") == "tanh" else erfc_gelu,
    }
    return known.get(name, lambda x: block.function(x.astype(np.float64)).astype(np.float32))


def tanh_gelu(x: Array) -> Array:
    """(x / 2) · (1 + tanh(√(2 / π) · (x + 0.044715 · x³))), every step in float32."""
    half, cube = np.float32(0.5), np.float32(0.044715)
    inner = np.float32(math.sqrt(2 / math.pi)) * (x + cube * x * x * x)
    return np.asarray(half * x * (np.float32(1) + np.tanh(inner.astype(np.float64)).astype(np.float32)))


def erfc_gelu(x: Array) -> Array:
    """(x / 2) · erfc(−x · √½), every step in float32."""
    powers = np.asarray(ERFC((x * np.float32(-math.sqrt(0.5))).astype(np.float64)), np.float64).astype(np.float32)
    return np.asarray(np.float32(0.5) * x * powers)


def bounded_function(site: Site) -> Any:
    """The block's function in float32; without a value, logarithms give the output's least real, roots its most."""
    function, y = float_function(site.node.block), site.output.format
    ends = {"Log": y.lo, "Rsqrt": y.hi}
    end = ends.get(site.node.type_name)
    if end is None:
        return function
    bound = np.float32(end - scalar_zero_point(y)) * np.float32(scalar_scale(y))
    return lambda x: np.where(x <= 0, bound, function(np.where(x <= 0, np.float32(1), x)))


@algorithm("float_table", *CURVES)
def float_table(site: Site, x: Array) -> Array:
    """y = half_away(f(sx · (x − zx)) · (1 / sy)) + zy, all in float32."""
    y = site.output.format
    with np.errstate(all="ignore"):
        reals = np.float32(scale_of(site, 0)) * centred(site, 0, x).astype(np.float32)
        values = bounded_function(site)(reals) * (np.float32(1) / np.float32(scalar_scale(y)))
    finite = np.nan_to_num(values.astype(np.float64), nan=float(y.lo), posinf=2.0**40, neginf=-(2.0**40))
    return interpolation.half_away(finite) + scalar_zero_point(y)


@algorithm("xnnpack_table", "Sigmoid", "Tanh", "ELU")
def xnnpack_table(site: Site, x: Array) -> Array:
    """y = half_even(f(sx · (x − zx)) · (1 / sy) + zy) in float32, the logistic function itself in float64."""
    y, block = site.output.format, site.node.block
    reals = np.float32(scale_of(site, 0)) * centred(site, 0, x).astype(np.float32)
    with np.errstate(over="ignore"):
        values = logistic64(reals) if type(block).__name__ == "Sigmoid" else float_function(block)(reals)
        steps = values * (np.float32(1) / np.float32(scalar_scale(y))) + np.float32(scalar_zero_point(y))
    return np.asarray(np.rint(np.clip(steps, y.lo, y.hi)), np.int64)


def logistic64(x: Array) -> Array:
    """float32(e**x / (1 + e**x)), the steps in float64; 0 and 1 beyond ±100."""
    powers = np.exp(np.clip(x.astype(np.float64), -100, 100))
    made = (powers / (1 + powers)).astype(np.float32)
    return np.asarray(np.where(x > 100, np.float32(1), np.where(x < -100, np.float32(0), made)))


@algorithm("midpoint_table", *CURVES)
def midpoint_table(site: Site, x: Array) -> Array:
    """The 513-entry table of the function over 16-bit codes, interpolated; built in float32."""
    a, y = site.input(0).format, site.output.format
    function = bounded_function(site)
    table = interpolation.midpoint_table(
        lambda v: function(v.astype(np.float32)),
        scalar_scale(a),
        scalar_zero_point(a),
        scalar_scale(y),
        scalar_zero_point(y),
    )
    return interpolation.interpolate(table, x)


def q4_input(site: Site, x: Array) -> tuple[Array, Array, int]:
    """(x − zx, the same in Q4.27, the radius from which the function is constant)."""
    m, shift = quantize_multiplier(scale_of(site, 0) * (1 << 27))
    v = centred(site, 0, x)
    radius = math.floor(15 * 2.0**27 / 2.0**shift)
    return v, Requantize.preset("double_round").multiply_fixed(v, m, -shift), radius


@algorithm("gemmlowp", "Sigmoid")
def gemmlowp_logistic(site: Site, x: Array) -> Array:
    """gemmlowp's logistic of Q4.27, brought to units of 1/256 (8-bit output)."""
    v, a, radius = q4_input(site, x)
    y = site.output.format
    codes = gemmlowp.shift_away(gemmlowp.logistic(np.where(np.abs(v) < radius, a, 0), 4), 23) + scalar_zero_point(y)
    return np.where(v <= -radius, y.lo, np.where(v >= radius, y.hi, codes))


@algorithm("gemmlowp", "Tanh")
def gemmlowp_tanh(site: Site, x: Array) -> Array:
    """gemmlowp's tanh of Q4.27, brought to units of 1/128 (8-bit output)."""
    v, a, radius = q4_input(site, x)
    y = site.output.format
    codes = gemmlowp.shift_away(gemmlowp.tanh(np.where(np.abs(v) < radius, a, 0), 4), 24) + scalar_zero_point(y)
    return np.where(v <= -radius, y.lo, np.where(v >= radius, y.hi, codes))


@algorithm("sigmoid_table", "Sigmoid")
def interpolated_logistic(site: Site, x: Array) -> Array:
    """16-bit logistic by LiteRT's table of 256 steps, interpolated."""
    m, shift = interpolation.sigmoid_multiplier(scale_of(site, 0), (0,))
    return interpolation.table_logistic(x, m, shift)


@algorithm("sigmoid_table", "Tanh")
def interpolated_tanh(site: Site, x: Array) -> Array:
    """16-bit tanh by LiteRT's table of 256 steps, interpolated."""
    m, shift = interpolation.sigmoid_multiplier(scale_of(site, 0), (0, 1))
    return interpolation.table_tanh(x, m, shift)


@algorithm("gemmlowp16", "Sigmoid")
def gemmlowp_logistic16(site: Site, x: Array) -> Array:
    """gemmlowp's 16-bit logistic of Q3.12 codes (input scale 2**−12)."""
    return gemmlowp.logistic(x.astype(np.int64), 3, 16)


@algorithm("gemmlowp16", "Tanh")
def gemmlowp_tanh16(site: Site, x: Array) -> Array:
    """gemmlowp's 16-bit tanh of Q3.12 codes; at input scale 2**−11 after a saturating shift by one."""
    power = interpolation.power_of_two(scale_of(site, 0))
    return gemmlowp.tanh(gemmlowp.shift_left(x, 12 + (power or 0), 16), 3, 16)


def sixteen_bits(m: int) -> int:
    """A 31-bit multiplier as one of 15 bits, ties up, limited to 32767."""
    return 32767 if m >= (1 << 31) - 1 - (1 << 15) else (m + (1 << 15)) >> 16


def narrow_shift(v: Array, n: int) -> Array:
    """v / 2**n in 16 bits, ties away from zero; from 16 bits on the mask of what is shifted out is all ones, and the
    result 1 for v ≥ 0, else −1."""
    return np.where(v >= 0, 1, -1) if n > 15 else gemmlowp.shift_away(v, n)


@algorithm("hard_swish16", "HardSwish")
def hard_swish(site: Site, x: Array) -> Array:
    """x · relu6(x + 3) / 6 in 16-bit fixed point with two 15-bit multipliers."""
    y = site.output.format
    high = np.float32(scale_of(site, 0)) / np.float32(128)
    out, out_shift = quantize_multiplier(float(high / np.float32(scalar_scale(y))))
    relu, relu_shift = quantize_multiplier(float(high / np.float32(3.0 / 32768.0)))
    v = centred(site, 0, x) * 128
    scaled = gemmlowp.high_product(v, sixteen_bits(out), 16)
    r = gemmlowp.shift_left(v, max(relu_shift - 1, 0), 16)
    r = gemmlowp.high_product(r, sixteen_bits(relu), 16)
    if relu_shift > 0:
        r = gemmlowp.shift_left(r, 1, 16)
    if relu_shift < 0:
        r = narrow_shift(r, -relu_shift)
    r = (r + 32768) >> 1
    product = gemmlowp.truncate_divide(r * scaled, 32768)
    return narrow_shift(product, -out_shift) + scalar_zero_point(y)


@algorithm("gemmlowp", "Rsqrt")
def rsqrt(site: Site, x: Array) -> Array:
    """1 / √x by gemmlowp's Newton steps on the integer x − zx; 0 and negative codes give the highest code."""
    y = site.output.format
    v = centred(site, 0, x)
    root, shift = gemmlowp.inverse_root(v)
    record = requantization(site)
    kind: Any = np.float32 if record.scale_precision == "float32" else np.float64
    m, e = quantize_multiplier(1.0 / float(np.sqrt(kind(scale_of(site, 0))) * kind(scalar_scale(y))))
    inner = record.multiply_fixed(1, root, -(shift + 20))
    codes = record.multiply_fixed(inner, m, -(e - 20)) + scalar_zero_point(y)
    return np.where(v > 0, codes, y.hi)


@algorithm("truncated_root", "Sqrt")
def square_root(site: Site, x: Array) -> Array:
    """y = trunc(√(sx · (x − zx)) / sy) + zy in float32; negative reals, which the runtimes refuse, count as 0."""
    y = site.output.format
    reals = np.float32(scale_of(site, 0)) * np.maximum(centred(site, 0, x), 0).astype(np.float32)
    roots = np.asarray(np.sqrt(reals) / np.float32(scalar_scale(y)))
    return np.asarray(np.trunc(roots).astype(np.int64) + scalar_zero_point(y))
