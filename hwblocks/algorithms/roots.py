"""Newton–Raphson variants: Reciprocal, Rsqrt and Sqrt. Source: numerics/newton.py.

`newton(n)`: n steps from a seed of 8 fraction bits (a table by the 5 leading bits of the mantissa); mantissas of 30
fraction bits, truncated after each product. They work on the integer x − zx; the scales enter as one exact constant of
the cast at the end, rounded once by the node's mode.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from hwblocks.algorithms.fixed_point import cast_units, check_widths
from hwblocks.algorithms.rescaling import centred, scale_of
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_zero_point
from hwblocks.graph.variant import Offer, Parameter
from hwblocks.graph.work import Work
from hwblocks.numerics import newton

PARAMETERS = (Parameter("n", 0, 4),)
NOTHING = Work()
NORMALISED = Work(lookups=1, shifts=2)  # the mantissa, the seed, and the shift of the result


def below_zero(site: Site, *arguments: Any) -> str:
    """Why a function of x ≥ 0 does not serve the input's format, or ""."""
    x = site.input(0).format
    return f"{x!r} reaches below 0; give the input an unsigned format" if x.lo < scalar_zero_point(x) else ""


def offer(
    step: Work, seeds: tuple[int, ...], more: Work = NOTHING, check: Callable[..., str] = lambda site, n: ""
) -> Offer:
    """A Newton variant: work of a step and beside the steps; 2 bytes a seed."""
    return Offer(
        parameters=PARAMETERS,
        work=lambda n: step * n + NORMALISED + more,
        table_bytes=lambda site, n: 2 * len(seeds),
        constants=lambda site, n: {"seeds": seeds},
        check=check,
    )


def cast_power(site: Site, m: Array, e: Array, factor: Fraction) -> Array:
    """Codes of m · 2**e · factor, exact until they are cast; the elements of each exponent at once."""
    codes = np.zeros(m.shape, np.int64)
    for exponent in np.unique(e).tolist():
        here = e == exponent
        codes[here] = cast_units(site, m[here], -exponent, factor)
    return codes


@algorithm("newton", "Reciprocal", offer=offer(Work(muls=2, adds=1), newton.reciprocal_seeds()))
def reciprocal(site: Site, x: Array, n: int) -> Array:
    """1 / x = (1 / v) / sx with v = |x − zx|: x ← x · (2 − d · x), n times. 0 gives the output's highest code."""
    check_widths(site)
    v = centred(site, 0, x)
    m, e = newton.reciprocal(np.maximum(np.abs(v), 1), n)
    codes = cast_power(site, np.where(v < 0, -m, m), e, 1 / Fraction(scale_of(site, 0)))
    return np.where(v == 0, site.output.format.hi, codes)


@algorithm("newton", "Rsqrt", offer=offer(Work(muls=3, adds=1), newton.root_seeds(), check=below_zero))
def inverse_root(site: Site, x: Array, n: int) -> Array:
    """1 / √x = (1 / √v) / √sx, √sx in float64: x ← x · (3 − d · x²) / 2, n times. 0 gives the highest code."""
    check_widths(site)
    v = centred(site, 0, x)
    m, e = newton.inverse_root(np.maximum(v, 1), n)
    codes = cast_power(site, m, e, 1 / Fraction(math.sqrt(scale_of(site, 0))))
    return np.where(v == 0, site.output.format.hi, codes)


ROOT = offer(Work(muls=3, adds=1), newton.root_seeds(), Work(muls=1), below_zero)


@algorithm("newton", "Sqrt", offer=ROOT)
def square_root(site: Site, x: Array, n: int) -> Array:
    """√x = √v · √sx, √v = d · (1 / √d), √sx in float64: n steps as of Rsqrt, one more product."""
    check_widths(site)
    m, e = newton.square_root(centred(site, 0, x), n)
    return cast_power(site, m, e, Fraction(math.sqrt(scale_of(site, 0))))
