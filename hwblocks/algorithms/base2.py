"""Softmax to base 2 as a variant. Source: `numerics/softermax.py`."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from hwblocks.algorithms.fixed_point import cast_units, check_widths
from hwblocks.algorithms.rescaling import scale_of
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site
from hwblocks.graph.variant import Offer, Parameter
from hwblocks.graph.work import Work
from hwblocks.numerics import softermax
from hwblocks.numerics.exact_scaling import scaled
from hwblocks.numerics.rounding import Rounding

BASE2 = Offer(
    parameters=(Parameter("f", 2, 12, default=2), Parameter("r", 2, 15, default=7)),
    # scaling, the power's two products with its renormalised share of the sum, the product with the reciprocal
    work=lambda f, r: Work(muls=3 if f > 2 else 2, adds=4, shifts=4, compares=1, lookups=1),
    constants=lambda site, f, r: {
        "powers": softermax.power_entries(),
        "reciprocals": softermax.reciprocal_entries(r),
    },
    table_bytes=lambda site, f, r: 2 * 2 * (softermax.QUARTERS + 1),
)


@algorithm("base2", "Softmax", offer=BASE2)
def softmax(site: Site, x: Array, f: int, r: int) -> Array:
    """Softermax of log2(e) · beta · x: running sum in order along the axis, formats in numerics/softermax.py.

    The input is the code times the constant scale · beta · log2(e) (float64, exact from there on), brought to Q6.f,
    ties up; the result has 15 + r fraction bits and is cast once. (The paper trains with base 2, without log2(e).)
    """
    check_widths(site)
    block: Any = site.node.block
    codes = np.moveaxis(x.astype(np.int64), block.dim, -1)
    ratio = Fraction(scale_of(site, 0) * float(block.beta) * math.log2(math.e)) * (1 << f)
    made = softermax.softermax(scaled(codes, ratio, Rounding.HALF_UP), f, r)
    return np.moveaxis(cast_units(site, made, softermax.POWER_FRACTION + r), -1, block.dim)
