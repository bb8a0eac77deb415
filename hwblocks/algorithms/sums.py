"""Sums, products and quotients of two tensors with scales of their own, by integer multipliers.

Sources: LiteRT `internal/reference/{add,sub,mul,div,squared_difference}.h`; XNNPACK `src/microparams-init.c` and
`src/qs8-vadd`; restated.
"""

from __future__ import annotations

import math

import numpy as np

from hwblocks.algorithms.rescaling import centred, requantization, scale_of
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.numerics import gemmlowp
from hwblocks.numerics.requantize import Requantize

LEFT_SHIFT, LEFT_SHIFT_16, LEFT_SHIFT_SQUARE = 20, 15, 7
XNNPACK_BITS = 20


def aligned(site: Site, record: Requantize, left: int, a: Array, b: Array) -> tuple[Array, Array, float]:
    """Both operands in units of 2·max(scale) / 2**left, and that maximum doubled."""
    first, second = scale_of(site, 0), scale_of(site, 1)
    if record.scale_precision == "float32":
        top = float(np.float32(2) * np.float32(max(first, second)))
    else:
        top = 2 * max(first, second)
    parts = [
        record.multiply(centred(site, i, codes) << left, record.ratio(scale, 1.0, top))
        for i, (codes, scale) in enumerate(((a, first), (b, second)))
    ]
    return parts[0], parts[1], top


@algorithm("aligned_sum", "Add", "Sub")
def aligned_sum(site: Site, a: Array, b: Array) -> Array:
    """Both operands brought to one scale with 20 (16-bit: 15) bits to spare, added, and requantized."""
    record, y = requantization(site), site.output.format
    left = LEFT_SHIFT_16 if site.input(0).format.bits > 8 else LEFT_SHIFT
    first, second, top = aligned(site, record, left, a, b)
    total = first + getattr(site.node.block, "sign", 1) * second
    ratio = record.ratio(top, 1.0, (1 << left) * scalar_scale(y))
    return record.multiply(total, ratio) + scalar_zero_point(y)


@algorithm("shifted_sum", "Add", "Sub")
def shifted_sum(site: Site, a: Array, b: Array) -> Array:
    """Power-of-two scales: the operand with the smaller scale is shifted right (ties away), then both are added."""
    target = scalar_scale(site.output.format)
    parts = []
    for position, codes in enumerate((a, b)):
        shift = round(math.log2(target / scale_of(site, position)))
        parts.append(gemmlowp.shift_away(codes.astype(np.int64), max(shift, 0)))
    return np.asarray(parts[0] + getattr(site.node.block, "sign", 1) * parts[1])


@algorithm("xnnpack_sum", "Add", "Sub")
def xnnpack_sum(site: Site, a: Array, b: Array) -> Array:
    """y = ((a·ma + b·mb + bias) >> n) + zy with 20-bit multipliers of scale ratios in float32."""
    y = site.output.format
    target = np.float32(scalar_scale(y))
    ratios = [np.float32(scale_of(site, i)) / target for i in (0, 1)]
    shift = XNNPACK_BITS - (math.frexp(float(max(ratios)))[1] - 1)
    first, second = (int(np.rint(float(r) * 2.0**shift)) for r in ratios)
    second *= getattr(site.node.block, "sign", 1)
    zeros = [scalar_zero_point(site.input(i).format) for i in (0, 1)]
    bias = (1 << (shift - 1)) - first * zeros[0] - second * zeros[1]
    return ((bias + a.astype(np.int64) * first + b.astype(np.int64) * second) >> shift) + scalar_zero_point(y)


@algorithm("scaled_product", "Mul")
def scaled_product(site: Site, a: Array, b: Array) -> Array:
    """y = requantize((a − za) · (b − zb); sa · sb / sy) + zy."""
    record, y = requantization(site), site.output.format
    ratio = record.ratio(scale_of(site, 0), scale_of(site, 1), scalar_scale(y))
    return record.multiply(centred(site, 0, a) * centred(site, 1, b), ratio) + scalar_zero_point(y)


@algorithm("aligned_square", "SquaredDifference")
def squared_difference(site: Site, a: Array, b: Array) -> Array:
    """Both operands brought to one scale with 7 bits (16-bit: none) to spare, subtracted, squared, and requantized."""
    record, y = requantization(site), site.output.format
    left = 0 if site.input(0).format.bits > 8 else LEFT_SHIFT_SQUARE
    first, second, top = aligned(site, record, left, a, b)
    difference = first - second
    ratio = record.ratio(top, top, (1 << (2 * left)) * scalar_scale(y))
    return record.multiply(difference * difference, ratio) + scalar_zero_point(y)


@algorithm("reciprocal_quotient", "Div")
def quotient(site: Site, a: Array, b: Array) -> Array:
    """y = requantize(u · (1 / v)) + zy with gemmlowp's reciprocal; u = a − za, v = b − zb."""
    record, y = requantization(site), site.output.format
    u, v = np.broadcast_arrays(centred(site, 0, a), centred(site, 1, b))
    u, v = np.where(v < 0, -u, u), np.abs(v)
    inverse, over = gemmlowp.reciprocal(np.maximum(v, 1), 31)
    room = gemmlowp.leading_zeros(np.where(u >= 0, u, ~u)) - 1
    high = gemmlowp.high_product(u << room, inverse)
    target = np.float32(scale_of(site, 1)) * np.float32(scalar_scale(y))
    m, shift = record.multiplier(float(np.float32(scale_of(site, 0)) / target))
    codes = far_shift(gemmlowp.high_product(high, m), shift + over + room)
    return np.where(v == 0, 0, codes) + scalar_zero_point(y)


def far_shift(v: Array, right: Array) -> Array:
    """v / 2**right, ties away from zero, as the kernel does it on x86, whose shifts look at five bits of the count.

    Quotients far below one code (0 / v among them) are shifted by 32 or more: the mask of the rest is then all ones,
    and 1 is added where v ≥ 0.
    """
    near = gemmlowp.shift_away(v, np.clip(right, 0, 31))
    return np.where(right > 31, (v >> (right & 31)) + (v >= 0), near)
