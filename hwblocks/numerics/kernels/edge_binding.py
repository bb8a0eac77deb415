"""Binding of the edges between float32 and codes."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.formats import Format
from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.cast import ROUNDINGS
from hwblocks.numerics.kernels.edges import DequantizeCall, QuantizeCall
from hwblocks.numerics.kernels.storage import code_of_dtype, dtype_range
from hwblocks.numerics.rounding import Rounding

SCALINGS = ("divide", "reciprocal", "divide64")  # the order of enum hwb_scaling
QUICK_BITS = 16  # of codes whose rounding float32 decides


def bind_quantize(call: QuantizeCall, isa: str) -> Any:
    """Floats to codes."""
    f = call.format
    if isinstance(f.scale, tuple) or isinstance(f.zero_point, tuple):
        return "one scale per channel"
    if f.bits > 32:
        return "codes of more than 32 bits"
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        single = np.float32(f.scale)
        scales = np.array([single, np.float32(1) / single], np.float32)
    if not np.isfinite(scales).all() or not scales.all():
        return "a scale or its reciprocal beyond float32"
    numbers = [
        code_of_dtype(f.dtype.name),
        call.count,
        call.head,
        f.zero_point,
        f.lo,
        f.hi,
        call.clamp_lo,
        call.clamp_hi,
    ]
    numbers += [*_rule_numbers(call.rule, f), *_rule_numbers(call.tail, f)]
    constants = (scales, np.array([f.scale], np.float64))
    return op(isa, "quantize", numbers, [], constants, [(call.count, "float32")], (call.count, f.dtype.name))


def _rule_numbers(rule: EdgeRule, format: Format) -> list[int]:
    """The fields of hwb_edge_rule, in order."""
    quick = (
        format.bits <= QUICK_BITS
        and rule.scaling != "divide64"
        and rule.rounding in (Rounding.HALF_EVEN, Rounding.HALF_AWAY)
        and rule.zero_point == "after"
    )
    return [
        SCALINGS.index(rule.scaling),
        ROUNDINGS.index(rule.rounding),
        int(rule.zero_point == "inside"),
        int(rule.nan == "lowest_nan"),
        int(rule.far == "wrap_far"),
        int(quick),
    ]


def bind_dequantize(call: DequantizeCall, isa: str) -> Any:
    """Codes to floats by a table of every stored code."""
    f = call.format
    if isinstance(f.scale, tuple) or isinstance(f.zero_point, tuple):
        return "one scale per channel"
    if f.dtype.itemsize > 2:
        return "codes of more than 16 bits"
    low, high = dtype_range(f.dtype.name)
    codes = np.arange(low, high + 1)
    tables = tuple(np.asarray(rule.reals(codes, f), np.float32) for rule in (call.rule, call.tail))
    numbers = [code_of_dtype(f.dtype.name), low, call.count, call.head]
    return op(isa, "dequantize", numbers, [], tables, [(call.count, f.dtype.name)], (call.count, "float32"))
