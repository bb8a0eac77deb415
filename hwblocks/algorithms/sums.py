"""Sums, products and quotients of two tensors with scales of their own, by integer multipliers.

Sources: LiteRT `internal/reference/{add,sub,mul,div,squared_difference}.h`; XNNPACK `src/microparams-init.c` and
`src/qs8-vadd`; restated.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hwblocks.algorithms.rescaling import centred, requantization, scale_of
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.graph.step_calls import elements_call, operand, step_epilogue, unserved
from hwblocks.numerics import gemmlowp
from hwblocks.numerics.requantize import Requantize

LEFT_SHIFT, LEFT_SHIFT_16, LEFT_SHIFT_SQUARE = 20, 15, 7
XNNPACK_BITS = 20
SHIFT, LARGEST_SHIFT = Requantize.preset("shift"), 31


def top_scale(site: Site, record: Requantize) -> float:
    """Twice the larger scale of the operands, in the record's precision."""
    largest = max(scale_of(site, 0), scale_of(site, 1))
    return float(np.float32(2) * np.float32(largest)) if record.scale_precision == "float32" else 2 * largest


def aligned(site: Site, record: Requantize, left: int, position: int, codes: Array) -> Array:
    """An operand in units of 2·max(scale) / 2**left."""
    ratio = record.ratio(scale_of(site, position), 1.0, top_scale(site, record))
    return record.multiply(centred(site, position, codes) << left, ratio)


def sign_of(site: Site) -> int:
    """1 of a sum, −1 of a difference."""
    return int(getattr(site.node.block, "sign", 1))


def spare_bits(site: Site) -> int:
    """Bits to spare in an aligned sum."""
    return LEFT_SHIFT_16 if site.input(0).format.bits > 8 else LEFT_SHIFT


def aligned_sum_call(site: Site) -> Any:
    """Both operands aligned by tables, added, and cast."""
    record, left = requantization(site), spare_bits(site)
    if reason := unserved(site):
        return reason
    first = operand(site, 0, lambda codes: aligned(site, record, left, 0, codes))
    second = operand(site, 1, lambda codes: sign_of(site) * aligned(site, record, left, 1, codes))
    return elements_call(
        site, "sum", [first, second], step_epilogue(site, record, top_scale(site, record), unit=1 << left)
    )


@algorithm("aligned_sum", "Add", "Sub", kernel=aligned_sum_call)
def aligned_sum(site: Site, a: Array, b: Array) -> Array:
    """Both operands brought to one scale with 20 (16-bit: 15) bits to spare, added, and requantized."""
    record, y = requantization(site), site.output.format
    left = spare_bits(site)
    total = aligned(site, record, left, 0, a) + sign_of(site) * aligned(site, record, left, 1, b)
    ratio = record.ratio(top_scale(site, record), 1.0, (1 << left) * scalar_scale(y))
    return record.multiply(total, ratio) + scalar_zero_point(y)


@algorithm("shifted_sum", "Add", "Sub")
def shifted_sum(site: Site, a: Array, b: Array) -> Array:
    """Power-of-two scales: the operand with the smaller scale is shifted right (ties away), then both are added."""
    target = scalar_scale(site.output.format)
    parts = []
    for position, codes in enumerate((a, b)):
        shift = round(math.log2(target / scale_of(site, position)))
        parts.append(gemmlowp.shift_away(codes.astype(np.int64), max(shift, 0)))
    return np.asarray(parts[0] + sign_of(site) * parts[1])


def xnnpack_factors(site: Site) -> tuple[int, int, int]:
    """(ma, mb, n): the operands' multipliers, the second one signed, and the right shift of their sum."""
    target = np.float32(scalar_scale(site.output.format))
    ratios = [np.float32(scale_of(site, i)) / target for i in (0, 1)]
    shift = XNNPACK_BITS - (math.frexp(float(max(ratios)))[1] - 1)
    first, second = (int(np.rint(float(r) * 2.0**shift)) for r in ratios)
    return first, second * sign_of(site), shift


def xnnpack_sum_call(site: Site) -> Any:
    """Both operands times their multipliers by tables, added, and shifted with ties up."""
    factors = xnnpack_factors(site)
    if reason := unserved(site):
        return reason
    if not 1 <= factors[2] <= LARGEST_SHIFT:
        return f"a right shift of {factors[2]} bits"
    first = operand(site, 0, lambda codes: centred(site, 0, codes) * factors[0])
    second = operand(site, 1, lambda codes: centred(site, 1, codes) * factors[1])
    epilogue = step_epilogue(site, SHIFT, scalar_scale(site.output.format) * 0.5 ** factors[2])
    return elements_call(site, "sum", [first, second], epilogue)


@algorithm("xnnpack_sum", "Add", "Sub", kernel=xnnpack_sum_call)
def xnnpack_sum(site: Site, a: Array, b: Array) -> Array:
    """y = ((a·ma + b·mb + bias) >> n) + zy with 20-bit multipliers of scale ratios in float32."""
    y = site.output.format
    first, second, shift = xnnpack_factors(site)
    zeros = [scalar_zero_point(site.input(i).format) for i in (0, 1)]
    bias = (1 << (shift - 1)) - first * zeros[0] - second * zeros[1]
    return ((bias + a.astype(np.int64) * first + b.astype(np.int64) * second) >> shift) + scalar_zero_point(y)


def scaled_product_call(site: Site) -> Any:
    """The product of the centred operands, cast."""
    if reason := unserved(site):
        return reason
    epilogue = step_epilogue(site, requantization(site), scale_of(site, 0), scale_of(site, 1))
    return elements_call(site, "product", [operand(site, 0), operand(site, 1)], epilogue)


@algorithm("scaled_product", "Mul", kernel=scaled_product_call)
def scaled_product(site: Site, a: Array, b: Array) -> Array:
    """y = requantize((a − za) · (b − zb); sa · sb / sy) + zy."""
    record, y = requantization(site), site.output.format
    ratio = record.ratio(scale_of(site, 0), scale_of(site, 1), scalar_scale(y))
    return record.multiply(centred(site, 0, a) * centred(site, 1, b), ratio) + scalar_zero_point(y)


def square_bits(site: Site) -> int:
    """Bits to spare in an aligned difference that will be squared."""
    return 0 if site.input(0).format.bits > 8 else LEFT_SHIFT_SQUARE


def aligned_square_call(site: Site) -> Any:
    """Both operands aligned by tables, their difference squared, and cast."""
    record, left = requantization(site), square_bits(site)
    if reason := unserved(site):
        return reason
    first = operand(site, 0, lambda codes: aligned(site, record, left, 0, codes))
    second = operand(site, 1, lambda codes: -aligned(site, record, left, 1, codes))
    top = top_scale(site, record)
    return elements_call(site, "square", [first, second], step_epilogue(site, record, top, top, unit=1 << (2 * left)))


@algorithm("aligned_square", "SquaredDifference", kernel=aligned_square_call)
def squared_difference(site: Site, a: Array, b: Array) -> Array:
    """Both operands brought to one scale with 7 bits (16-bit: none) to spare, subtracted, squared, and requantized."""
    record, y = requantization(site), site.output.format
    left, top = square_bits(site), top_scale(site, record)
    difference = aligned(site, record, left, 0, a) - aligned(site, record, left, 1, b)
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
