"""Kernel calls of exact rational element-wise arithmetic, from the scales at a site."""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import numpy as np

from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, limits, scalar_scale, scalar_zero_point
from hwblocks.graph.tensor import Shape, Tensor
from hwblocks.numerics.kernels.rational import RationalCall


def rational_call(site: Site, a: Fraction, b: Fraction, product: Fraction) -> RationalCall | str:
    """The call for y = a·x0 + b·x1 + product·x0·x1 on centred codes, in units of the output's scale.

    One operand may be a constant; then the run-time one is the first of the call.
    """
    reason = _unsupported(site)
    if reason:
        return reason
    denominator = lcm(a.denominator, b.denominator, product.denominator)
    first, second, constant = site.input(0), site.input(1) if site.has(1) else None, None
    if first.is_constant and second is not None:
        first, second, a, b = second, first, b, a
    if second is not None and second.value is not None:
        centred = second.value.astype(np.int64) - scalar_zero_point(second.format)
        constant, second = np.broadcast_to(centred, site.output.shape).ravel(), None
    y = site.output.format
    return RationalCall(
        a_dtype=first.format.dtype.name,
        a_zero=scalar_zero_point(first.format),
        b_dtype=second.format.dtype.name if second else None,
        b_zero=scalar_zero_point(second.format) if second else 0,
        count=site.output.elements,
        a_count=first.elements,
        b_count=second.elements if second else 0,
        a_factor=int(a * denominator),
        b_factor=int(b * denominator),
        product_factor=int(product * denominator),
        offset=0,
        denominator=denominator,
        a_index=broadcast_index(first, site.output.shape),
        b_index=broadcast_index(second, site.output.shape) if second else None,
        rounding=site.arithmetic.rounding,
        zero_point=scalar_zero_point(y),
        constant=constant,
        **limits(site),
    )


def _unsupported(site: Site) -> str:
    if all(t.is_constant for t in site.present):
        return "constants alone"
    if any(t.format.bits > 16 for t in site.present):
        return "activations of more than 16 bits"
    if site.arithmetic.overflow.mode != "saturate":
        return f"overflow {site.arithmetic.overflow} of an algorithm"
    return ""


def broadcast_index(tensor: Tensor, shape: Shape) -> Array | None:
    """Which element of the tensor each output element reads, or None when they are the same."""
    if tensor.shape == shape:
        return None
    numbers = np.arange(tensor.elements, dtype=np.int64).reshape(tensor.shape)
    return np.ascontiguousarray(np.broadcast_to(numbers, shape)).ravel()


def scale_ratio(tensor: Tensor, site: Site) -> Fraction:
    """scale(tensor) / scale(output)."""
    return Fraction(scalar_scale(tensor.format)) / Fraction(scalar_scale(site.output.format))
