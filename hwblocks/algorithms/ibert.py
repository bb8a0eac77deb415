"""I-BERT's integer functions as algorithms of blocks: Exp, Erf, GELU, Sqrt, Softmax. Source: `numerics/ibert.py`.

They work on the integer x − zx with constants made from its scale; the result's scale enters the cast at the end as
one exact ratio, rounded once by the node's mode (the paper requantizes there too).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from hwblocks.algorithms.fixed_point import cast_units, check_widths
from hwblocks.algorithms.rescaling import centred, scale_of
from hwblocks.algorithms.roots import below_zero
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_zero_point
from hwblocks.graph.variant import Offer
from hwblocks.graph.work import Work
from hwblocks.numerics import ibert
from hwblocks.numerics.exact_scaling import fitting, peak

MOST = 64.0  # real inputs of the exponential above it count as it
ROOT_BITS = 32  # that the operand of the integer root is shifted up to
ROOT_STEPS = 6  # at most, of a root of 32 bits


def coarse(site: Site) -> str:
    """Why the scale gives no integer constants, or ""."""
    scale = scale_of(site, 0) * float(getattr(site.node.block, "beta", 1.0))
    return f"its scale {scale:g} is not between 0 and ln 2" if not 0 < scale < ibert.LN2 else ""


def largest_power(scale: float) -> int:
    """A bound on the codes of the integer exponential."""
    return math.ceil(2 / ibert.A / scale**2) << ibert.SHIFT


EXPONENTIAL = Offer(work=lambda: Work(muls=2, adds=3, shifts=1, divisions=1), check=coarse)


@algorithm("ibert", "Exp", offer=EXPONENTIAL)
def exponential(site: Site, x: Array) -> Array:
    """I-BERT's integer exponential, e**x = 2**−z · e**r, r = x + z · ln 2 in (−ln 2, 0]; above 0 z is negative.

    The paper needs x ≤ 0 only; x beyond 64 counts as 64.
    """
    check_widths(site)
    scale = scale_of(site, 0)
    v = np.minimum(centred(site, 0, x), math.floor(MOST / scale))
    step = math.floor(-ibert.LN2 / scale)
    doublings = np.maximum(-(v // step), 0)
    codes, unit = ibert.exponential(fitting(v + step * doublings, largest_power(scale)), scale)
    wide = fitting(codes, peak(codes) << int(doublings.max(initial=0)))
    return cast_units(site, wide << doublings, 0, Fraction(unit))


def coarse_for_erf(site: Site) -> str:
    """Why the scale gives no integer constants, or ""."""
    scale = scale_of(site, 0)
    return f"its scale {scale:g} is not below 1" if scale >= 1.0 else ""


def wide_input(site: Site, x: Array) -> Array:
    """x − zx, as Python's integers where products with the polynomial of erf leave 62 bits."""
    check_widths(site)
    v, scale = centred(site, 0, x), scale_of(site, 0)
    return fitting(v, 8 * (peak(v) + 1) * math.ceil(-ibert.ERF_B / scale) ** 2)


POLYNOMIAL = Work(muls=1, adds=3, compares=2)


@algorithm("ibert", "Erf", offer=Offer(work=lambda: POLYNOMIAL, check=coarse_for_erf))
def error_function(site: Site, x: Array) -> Array:
    """I-BERT's erf: sign(x) · (a · (min(|x|, −b) + b)² + 1) with a = −0.2888, b = −1.769, in integers."""
    codes, scale = ibert.error_function(wide_input(site, x), scale_of(site, 0))
    return cast_units(site, -codes, 0, Fraction(-scale))


def check_gelu(site: Site) -> str:
    """Why GELU does not serve the input's scale, or the block's formula."""
    if site.node.block.approximate != "none":  # type: ignore[attr-defined]
        return 'it states the GELU of approximate="none"'
    return coarse_for_erf(site)


@algorithm("ibert", "GELU", offer=Offer(work=lambda: POLYNOMIAL + Work(muls=1, adds=1), check=check_gelu))
def gelu(site: Site, x: Array) -> Array:
    """I-BERT's GELU: x · (erf(x / √2) + 1) / 2 with its polynomial of erf, in integers."""
    codes, scale = ibert.gelu(wide_input(site, x), scale_of(site, 0))
    return cast_units(site, -codes, 0, Fraction(-scale))


ROOT = Offer(
    work=lambda: Work(divisions=ROOT_STEPS, adds=ROOT_STEPS, compares=ROOT_STEPS, shifts=1),
    check=below_zero,
)


@algorithm("ibert", "Sqrt", offer=ROOT)
def square_root(site: Site, x: Array) -> Array:
    """⌊√(v · 4**g)⌋ · √sx · 2**−g by I-BERT's integer root, v = x − zx; g fills 32 bits; √sx in float64."""
    check_widths(site)
    x_format = site.input(0).format
    widest = x_format.hi - scalar_zero_point(x_format)
    g = max((ROOT_BITS - widest.bit_length()) // 2, 0)
    root = ibert.square_root(centred(site, 0, x) << (2 * g))
    return cast_units(site, root, g, Fraction(math.sqrt(scale_of(site, 0))))


POWER_BITS, QUOTIENT_BITS = 16, 32  # of a power of softmax, and of what their sum divides
# of one element: the exponential, its share of the sum, the product with the reciprocal
SOFTMAX = Offer(work=lambda: Work(muls=3, adds=5, shifts=2, divisions=1, compares=1), check=coarse, wide=False)


@algorithm("ibert", "Softmax", offer=SOFTMAX)
def softmax(site: Site, x: Array) -> Array:
    """Powers by the integer exponential of x − max, their 16 highest bits; y = e · ⌊2**32 / Σ e⌋ · 2**−32, cast once.

    The scale of x times beta is the exponential's. e of the maximum has 16 bits; the others the same unit, rounded
    down.
    """
    block: Any = site.node.block
    codes = x.astype(np.int64)
    below = codes - codes.max(axis=block.dim, keepdims=True)
    scale = scale_of(site, 0) * float(block.beta)
    powers, _ = ibert.exponential(fitting(below, largest_power(scale)), scale)
    top = int(ibert.exponential(np.zeros(1, object), scale)[0][0])
    powers = (powers >> max(top.bit_length() - POWER_BITS, 0)).astype(np.int64)
    factor = (1 << QUOTIENT_BITS) // powers.sum(axis=block.dim, keepdims=True)
    return cast_units(site, powers * factor, QUOTIENT_BITS)
