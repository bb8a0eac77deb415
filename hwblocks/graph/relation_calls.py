"""Kernel calls of two operands of unequal formats, from the scales at a site."""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from hwblocks.graph.ratios import broadcast_index
from hwblocks.graph.site import Site, limits, scalar_scale, scalar_zero_point
from hwblocks.graph.tensor import Tensor
from hwblocks.numerics.kernels.relations import RelationCall, RelationOperand
from hwblocks.numerics.rounding import Rounding

TRUTH: dict[str, Any] = {"out_dtype": "uint8", "lo": 0, "hi": 1, "clamp_lo": 0, "clamp_hi": 1}


def relation_call(site: Site, relation: str) -> RelationCall | str:
    """The call that rounds the larger, the smaller or the quotient of two operands in steps of the output."""
    reason = unsupported(site)
    if site.arithmetic.rounding is Rounding.STOCHASTIC or site.arithmetic.overflow.mode != "saturate":
        reason = f"rounding {site.arithmetic.rounding.value}, overflow {site.arithmetic.overflow} of an algorithm"
    if reason:
        return reason
    y = site.output.format
    a, b = scales(site)
    step = Fraction(scalar_scale(y))
    if relation == "quotient":
        share = a / (b * step)
        a, b, below = Fraction(share.numerator), Fraction(share.denominator), 1
    else:
        a, b = a / step, b / step
        below = lcm(a.denominator, b.denominator)
        a, b = a * below, b * below
    more = {"rounding": site.arithmetic.rounding, "zero_point": scalar_zero_point(y), **limits(site)}
    return made(site, relation, int(a), int(b), below, more)


def comparison_call(site: Site, relation: str) -> RelationCall | str:
    """The call that compares the real values of two operands; 1 where it holds."""
    if not all(t.format.is_quantized for t in site.present) or site.output.format.kind != "bool":
        return "float"
    reason = unsupported(site)
    if reason:
        return reason
    a, b = scales(site)
    below = lcm(a.denominator, b.denominator)
    return made(
        site, relation, int(a * below), int(b * below), 1, {"rounding": Rounding.FLOOR, "zero_point": 0, **TRUTH}
    )


def truth_call(site: Site, relation: str) -> RelationCall | str:
    """The call that relates truth values, or codes that are true where they are not real 0; 1 where it holds.

    A site of one operand compares it with 0.
    """
    quantized = {t.format.is_quantized for t in site.present}
    known = all(t.format.kind == "bool" or t.format.is_quantized for t in site.present)
    if not known or len(quantized) > 1 or site.output.format.kind != "bool":
        return "float"
    reason = unsupported(site)
    return reason or made(site, relation, 1, 1, 1, {"rounding": Rounding.FLOOR, "zero_point": 0, **TRUTH})


def made(site: Site, relation: str, a: int, b: int, below: int, more: dict[str, Any]) -> RelationCall:
    """The call with these factors."""
    return RelationCall(
        relation=relation,
        count=site.output.elements,
        a=operand_of(site, site.input(0)),
        b=operand_of(site, site.input(1)) if site.has(1) else zeros(site),
        a_factor=a,
        b_factor=b,
        denominator=below,
        **more,
    )


def unsupported(site: Site) -> str:
    """Why no kernel relates the operands of a site, or ""."""
    if all(t.is_constant for t in site.present):
        return "every operand is a constant"
    if any(isinstance(t.format.scale, tuple) for t in site.present):
        return "one scale per channel"
    return ""


def scales(site: Site) -> tuple[Fraction, Fraction]:
    """The scales of both operands."""
    return Fraction(scalar_scale(site.input(0).format)), Fraction(scalar_scale(site.input(1).format))


def zeros(site: Site) -> RelationOperand:
    """The operand of a site that has one only."""
    return RelationOperand(constant=np.zeros(site.output.elements, np.int64))


def operand_of(site: Site, tensor: Tensor) -> RelationOperand:
    """An input as an operand that broadcasts to the output."""
    truth, shape = tensor.format.kind == "bool", site.output.shape
    zero = 0 if truth else scalar_zero_point(tensor.format)
    if tensor.value is not None:
        spread = np.broadcast_to(tensor.value.astype(np.int64) - zero, shape)
        return RelationOperand(constant=np.ascontiguousarray(spread).ravel())
    index = broadcast_index(tensor, shape)
    dtype = "uint8" if truth else tensor.format.dtype.name
    return RelationOperand(dtype=dtype, zero=zero, count=tensor.elements, index=index)
