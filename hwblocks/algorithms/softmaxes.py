"""Softmax and its logarithm in integers as LiteRT and TFLite-Micro compute them: fixed point, float and 16-bit tables.

Sources: LiteRT `internal/reference/{softmax,log_softmax}.h`, `internal/optimized/optimized_ops.h`; restated.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from hwblocks.algorithms.curves import exp32
from hwblocks.algorithms.rescaling import scale_of
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, limits, scalar_scale, scalar_zero_point
from hwblocks.graph.step_calls import unserved
from hwblocks.graph.variant import Offer
from hwblocks.graph.work import Work
from hwblocks.numerics import gemmlowp, interpolation
from hwblocks.numerics.kernels.softmax import RuntimeSoftmaxCall
from hwblocks.numerics.multiplier import quantize_multiplier
from hwblocks.numerics.requantize import Requantize

DOUBLE_ROUND = Requantize.preset("double_round")
INPUT_BITS, SUM_BITS = 5, 12  # integer bits of the scaled difference, and of the sum of powers
STEP_16 = 10.0 / 65535.0  # input scale of the 16-bit exponential table


def rows_below(site: Site, x: Array) -> Array:
    """x − max along the block's axis, in int64."""
    axis = site.node.block.dim  # type: ignore[attr-defined]
    codes = x.astype(np.int64)
    return np.asarray(codes - codes.max(axis=axis, keepdims=True))


def beta_of(site: Site) -> float:
    """The factor on the input, 1 unless the node states one."""
    return float(getattr(site.node.block, "beta", 1.0))


def differences(site: Site) -> Array:
    """0, −1, −2 … down to the difference of the lowest and the highest value of the input's storage type."""
    stored = np.iinfo(site.input(0).format.dtype)
    return -np.arange(int(stored.max) - int(stored.min) + 1)


def softmax_call(site: Site, method: str, table: Array, **more: Any) -> RuntimeSoftmaxCall | str:
    """The call of a softmax over the last axis; table: powers by max − x."""
    x = site.input(0)
    axis = site.node.block.dim % len(x.shape)  # type: ignore[attr-defined]
    if axis != len(x.shape) - 1:
        return "softmax along an inner axis"
    size: dict[str, Any] = {
        "x_dtype": x.format.dtype.name,
        "rows": x.elements // x.shape[-1],
        "length": x.shape[-1],
        "zero_point": 0,
    }
    return RuntimeSoftmaxCall(method=method, table=table, **{**size, **limits(site), **more})


def fixed_powers(site: Site, difference: Array) -> tuple[Array, Array]:
    """(e**difference in Q0.31, mask of the differences that count); it is 1 where they do not."""
    m, left = quantize_multiplier(min(beta_of(site) * scale_of(site, 0) * 2.0**26, 2.0**31 - 1))
    lowest = -math.floor(((1 << INPUT_BITS) - 1) * 2.0**26 / 2.0**left)
    used = difference >= lowest
    scaled = gemmlowp.high_product(np.where(used, difference, 0) << left, m)
    return gemmlowp.exp_negative(scaled, INPUT_BITS), used


def fixed_softmax_call(site: Site) -> Any:
    """Powers and the terms of their sum by tables."""
    if reason := unserved(site):
        return reason
    powers, used = fixed_powers(site, differences(site))
    terms = np.where(used, gemmlowp.shift_away(powers, SUM_BITS), 0)
    y = site.output.format
    return softmax_call(site, "fixed", np.where(used, powers, 0), second=terms, bits=y.bits, zero_point=y.lo)


def foreign_output(site: Site, scale: float, zero_point: int) -> str:
    """Why TFLite's fixed-point softmaxes do not serve the formats, or ""."""
    x, y = site.input(0).format, site.output.format
    if x.bits > 8:
        return f"inputs of at most 8 bits, not {x.name}"
    near = isinstance(y.scale, float) and abs(y.scale / scale - 1) < 1e-3  # files say 1 / 65535 for 1 / 65536
    if not near or y.zero_point != zero_point:
        return f"the output needs scale {scale!r} and zero point {zero_point}, it has {y.scale!r} and {y.zero_point}"
    return ""


def check_softmax(site: Site) -> str:
    """Why the fixed-point softmax does not serve the formats, or ""."""
    y = site.output.format
    if y.bits not in (8, 16):
        return f"outputs of 8 or 16 bits, not {y.name}"
    return foreign_output(site, 2.0**-y.bits, y.lo)


FIXED_SOFTMAX = Offer(
    work=lambda: Work(muls=9, adds=10, shifts=3, compares=8), check=check_softmax, wide=False
)  # the power: a product for scaling, four of its series and two for its bits; one more with the reciprocal


@algorithm("gemmlowp", "Softmax", kernel=fixed_softmax_call, offer=FIXED_SOFTMAX)
def fixed_softmax(site: Site, x: Array) -> Array:
    """e**(x − max) in Q5.26, summed in Q12.19, times the reciprocal of the sum; 8-bit input, 8- or 16-bit output."""
    y, axis = site.output.format, site.node.block.dim  # type: ignore[attr-defined]
    powers, used = fixed_powers(site, rows_below(site, x))
    total = np.where(used, gemmlowp.shift_away(powers, SUM_BITS), 0).sum(axis=axis, keepdims=True)
    inverse, over = gemmlowp.reciprocal(total, SUM_BITS)
    codes = gemmlowp.shift_away(gemmlowp.high_product(powers, inverse), over + 31 - y.bits) + y.lo
    return np.where(used, codes, y.lo)


def float_powers(site: Site) -> Array:
    """e**−d in float32 for d = 0 … 255."""
    scale = -(np.float32(scale_of(site, 0)) * np.float32(beta_of(site)))
    return np.asarray(exp32(scale * np.arange(256, dtype=np.float32)))


def float_softmax_call(site: Site) -> Any:
    """Float powers by a table."""
    if reason := unserved(site):
        return reason
    if site.input(0).format.bits > 8:
        return "a table of 256 powers for a wider input"
    y = site.output.format
    return softmax_call(site, "float32", float_powers(site), constant=scalar_scale(y), zero_point=scalar_zero_point(y))


@algorithm("float_table", "Softmax", kernel=float_softmax_call)
def float_softmax(site: Site, x: Array) -> Array:
    """Powers from a float32 table of 256 entries, summed in index order, y = half_away(t / (Σ · sy)) + zy."""
    y, axis = site.output.format, site.node.block.dim  # type: ignore[attr-defined]
    powers = np.moveaxis(float_powers(site)[-rows_below(site, x)], axis, -1)
    total = np.cumsum(powers, axis=-1, dtype=np.float32)[..., -1:]
    inverse = np.float32(1) / (total * np.float32(scalar_scale(y)))
    codes = interpolation.half_away(powers * inverse) + scalar_zero_point(y)
    return np.moveaxis(codes, -1, axis)


@cache
def tables16(precision: str) -> tuple[Array, Array]:
    """The 16-bit tables of e**x and 1 / (1 + x), in float32 or float64."""
    kind: Any = np.float32 if precision == "float32" else np.float64
    powers = interpolation.midpoint_table(np.exp, 10.0 / 65535.0, 32767, 2.0 / 65535.0, 0, kind)
    inverse = interpolation.midpoint_table(
        lambda v: kind(1) / (kind(1) + v), 1.0 / 65535.0, -32768, 2.0 / 65535.0, 0, kind
    )
    return powers, inverse


def terms16(site: Site, difference: Array) -> tuple[Array, Array]:
    """(16-bit e**difference, table of 1 / (1 + x)) in the precision that the arithmetic states."""
    precision = site.arithmetic.table or "float64"
    powers, inverse = tables16(precision)
    if precision == "float64":
        ratio = float(np.float32(scale_of(site, 0)) * np.float32(beta_of(site))) / STEP_16
    else:
        ratio = scale_of(site, 0) * beta_of(site) / STEP_16
    scaled = DOUBLE_ROUND.multiply(difference, ratio)
    return interpolation.interpolate(powers, gemmlowp.saturate(scaled + 32767, 16)), inverse


def table_softmax_call(site: Site) -> Any:
    """16-bit terms of every difference by a table."""
    if reason := unserved(site):
        return reason
    terms, inverse = terms16(site, differences(site))
    return softmax_call(site, "midpoint", terms, second=inverse)


@algorithm("midpoint_table", "Softmax", kernel=table_softmax_call)
def table_softmax(site: Site, x: Array) -> Array:
    """16-bit softmax by interpolated tables of e**x and 1 / (1 + x); `table` is their precision."""
    axis = site.node.block.dim  # type: ignore[attr-defined]
    terms, inverse = terms16(site, rows_below(site, x))
    total = terms.sum(axis=axis, keepdims=True)
    room = gemmlowp.leading_zeros(total)
    rest = ((total << (room - 1)) + (1 << 13)) >> 14
    factor = interpolation.interpolate(inverse, gemmlowp.saturate(rest - 98304, 16))
    half = np.int64(1) << (30 - room)
    return np.asarray(np.clip((terms * factor + half) >> (31 - room), 0, 32767))


def check_log_softmax(site: Site) -> str:
    """Why the fixed-point logarithm of softmax does not serve the formats, or ""."""
    y = site.output.format
    return f"outputs of 8 bits, not {y.name}" if y.bits != 8 else foreign_output(site, 2.0**-4, y.hi)


FIXED_LOG_SOFTMAX = Offer(work=lambda: Work(muls=8, adds=11, shifts=3, compares=8), check=check_log_softmax, wide=False)


@algorithm("gemmlowp", "LogSoftmax", offer=FIXED_LOG_SOFTMAX)
def fixed_log_softmax(site: Site, x: Array) -> Array:
    """x − max in Q5.26 minus ln Σ e**(x − max), in units of 1/16; far below the maximum the lowest code."""
    y, axis = site.output.format, site.node.block.dim  # type: ignore[attr-defined]
    m, left = quantize_multiplier(min(scale_of(site, 0) * 2.0**26, 2.0**31 - 1))
    back, back_shift = quantize_multiplier((1 << (31 - left)) / m)
    lowest = -math.floor(((1 << INPUT_BITS) - 1) * 2.0**26 / 2.0**left)
    difference = rows_below(site, x)
    scaled = DOUBLE_ROUND.multiply_fixed(difference, m, -left)
    used = difference >= lowest
    powers = gemmlowp.shift_away(gemmlowp.exp_negative(np.where(used, scaled, 0), INPUT_BITS), SUM_BITS)
    total = np.where(used, powers, 0).sum(axis=axis, keepdims=True)
    log = gemmlowp.log_of_at_least_one(total, SUM_BITS, INPUT_BITS)
    bound = np.maximum(lowest - 1, DOUBLE_ROUND.multiply_fixed(log - (1 << 31), back, -back_shift))
    codes = gemmlowp.shift_away(gemmlowp.wrap(scaled - log), 22) + y.hi
    return np.where(difference > bound, codes, y.lo)


@algorithm("float_table", "LogSoftmax")
def float_log_softmax(site: Site, x: Array) -> Array:
    """half_even(c · x − (sx · max + ln Σ e**(sx · (x − max))) / sy) + zy with c = sx / sy, all in float32."""
    y, axis = site.output.format, site.node.block.dim  # type: ignore[attr-defined]
    scale, target = np.float32(scale_of(site, 0)), np.float32(scalar_scale(y))
    codes = np.moveaxis(x.astype(np.int64), axis, -1)
    top = codes.max(axis=-1, keepdims=True)
    powers = exp32(-scale * np.arange(256, dtype=np.float32))[top - codes]
    log = np.log(np.cumsum(powers, axis=-1, dtype=np.float32)[..., -1:])
    offset = (scale * top.astype(np.float32) + log) / target
    made = np.rint(scale / target * codes.astype(np.float32) - offset).astype(np.int64) + scalar_zero_point(y)
    return np.moveaxis(made, -1, axis)
