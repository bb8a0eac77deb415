"""Sums and products of two 8- or 16-bit tensors as LiteRT's optimised kernels compute them in vectors.

Elements of whole vectors (`lanes` at a time in each row) take steps of their own, the rest of a row the reference's:
operands are shifted before or after their high multiplication, without rounding, and 8-bit results pass 16 bits.

Source: LiteRT `internal/optimized/integer_ops/{add,mul}.h` and `internal/optimized/optimized_ops.h` (NEON intrinsics,
on x86 by way of SSE), restated.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from hwblocks.algorithms.rescaling import centred, requantization, scale_of
from hwblocks.algorithms.sums import aligned, aligned_sum, scaled_product, spare_bits, top_scale
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.rows import Rows, rows_of
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.graph.step_calls import elements_call, every_code, split_operand, step_epilogue, unserved
from hwblocks.numerics.gemmlowp import high_product, saturate, wrap

MOST_16 = (1 << 15) - 1


def rows_at(site: Site) -> Rows:
    """The rows of a site whose shapes the optimised kernels walk."""
    rows = rows_of(site.input(0).shape, site.input(1).shape)
    assert rows is not None, f"{site.where}: shapes that are left to the reference"
    return rows


def in_vectors(site: Site) -> Array:
    """Mask of the output's elements that whole vectors hold."""
    return ~rows_at(site).in_tail(site.arithmetic.lanes or 1, site.output.shape)


def shifts_last(site: Site) -> bool:
    """True where operands are shifted right after their multiplication: unsigned codes, and one value against a row."""
    return not site.input(0).format.signed or rows_at(site).repeated


def vector_operand(site: Site, position: int, codes: Array) -> Array:
    """An operand in units of 2·max(scale) / 2**left, by vector steps: shifts to the right are floors."""
    record, left = requantization(site), spare_bits(site)
    m, right = record.multiplier(record.ratio(scale_of(site, position), 1.0, top_scale(site, record)))
    v = centred(site, position, codes)
    if shifts_last(site):
        return high_product(v << left, m) >> right
    return high_product((v << max(left - right, 0)) >> max(right - left, 0), m)


def sixteen_bits(site: Site, codes: Array) -> Array:
    """The zero point added to a requantized result in 16 bits, which wrap; of 16-bit codes it is 0."""
    zero = scalar_zero_point(site.output.format)
    return wrap(codes + zero, 16) if site.output.format.bits == 8 else codes + zero


def vector_sum_call(site: Site) -> Any:
    """Both operands by tables, one for vectors and one for the rest of each row, added, and cast."""
    record, left, lanes = requantization(site), spare_bits(site), site.arithmetic.lanes or 1
    top = top_scale(site, record)
    ratio = record.ratio(top, 1.0, (1 << left) * scalar_scale(site.output.format))
    if reason := unserved(site):
        return reason
    reach = sum(int(np.abs(vector_operand(site, i, every_code(site, i))).max()) for i in (0, 1))
    if site.output.format.bits == 8 and reach * ratio + abs(scalar_zero_point(site.output.format)) + 1 > MOST_16:
        return "sums that leave 16 bits, in which the runtime's vectors wrap"
    rows = rows_at(site)
    outside = rows.in_tail(lanes, site.output.shape)
    first, second = (
        split_operand(site, i, partial(vector_operand, site, i), partial(aligned, site, record, left, i), outside)
        for i in (0, 1)
    )
    end = step_epilogue(site, record, top, unit=1 << left)
    call = elements_call(site, "sum", [first, second], end, end)
    return replace(call, row=rows.length, tail_start=rows.tail_start(lanes))


@algorithm("vector_sum", "Add", kernel=vector_sum_call)
def vector_sum(site: Site, a: Array, b: Array) -> Array:
    """Operands by one high multiplication each, without a rounding shift; the rest of each row as `aligned_sum`."""
    record, y = requantization(site), site.output.format
    total = vector_operand(site, 0, a) + vector_operand(site, 1, b)
    ratio = record.ratio(top_scale(site, record), 1.0, (1 << spare_bits(site)) * scalar_scale(y))
    codes = record.multiply(total, ratio)
    narrow = wrap(codes, 16) if y.bits == 8 else codes
    return np.where(in_vectors(site), sixteen_bits(site, narrow), aligned_sum(site, a, b))


@algorithm("vector_product", "Mul")
def vector_product(site: Site, a: Array, b: Array) -> Array:
    """As `scaled_product`, but products of 8-bit codes are saturated to 16 bits before the zero point is added, in
    16 bits too; one unsigned value against a row wraps in place of saturating."""
    zero = scalar_zero_point(site.output.format)
    exact = scaled_product(site, a, b)
    wraps = rows_at(site).repeated and not site.input(0).format.signed
    narrow = wrap(exact - zero, 16) if wraps else saturate(exact - zero, 16)
    return np.where(in_vectors(site), sixteen_bits(site, narrow), exact)
