"""CORDIC variants: Exp, Log, Sigmoid, Tanh, SiLU, ELU, Sin and Cos by shifts and additions. Source: numerics/cordic.py.

`cordic(n, f)`: n rotations in registers of f fraction bits. The input is brought to f fraction bits (ties up; exact
where its scale is a power of two with no more); the result is cast to the output once, by the node's rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

from hwblocks.algorithms.fixed_point import cast_units, check_widths, inner_input
from hwblocks.algorithms.rescaling import centred
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.graph.variant import Offer, Parameter
from hwblocks.graph.work import Work
from hwblocks.numerics import cordic
from hwblocks.numerics.exact_scaling import fitting, peak
from hwblocks.numerics.newton import bit_length

REACH = 64.0  # e**±64 leaves every format of at most 32 bits whose scale is sensible; checked
PARAMETERS = (Parameter("n", 1, 48), Parameter("f", 8, 40, default=24))
ROTATION = Work(adds=3, shifts=2, lookups=1)  # the angle is looked up; the sign of a register decides
DIVISION = Work(adds=2, shifts=1)  # one step of linear vectoring
REDUCTION = Work(muls=2, adds=2)  # k = ⌊x · 1/c + ½⌋, r = x − k · c


def angle_bytes(site: Site, n: int, f: int) -> int:
    """n angles of f + 1 bits."""
    return n * ceil((f + 1) / 8)


def exponential_work(n: int, f: int) -> Work:
    """Range reduction, n rotations, the sum and the last shift."""
    return REDUCTION + ROTATION * n + Work(adds=1, shifts=1)


def divided_work(n: int, f: int) -> Work:
    """An exponential, its sums with 1, and n steps of division."""
    return exponential_work(n, f) + DIVISION * n + Work(adds=2)


def hyperbolic_constants(site: Site, n: int, f: int) -> dict[str, Any]:
    """The shifts and angles of hyperbolic rotations in order, and what the first register starts from."""
    shifts = cordic.hyperbolic_shifts(n)
    angles = [cordic.units(math.atanh(2.0**-i), f) for i in shifts]
    return {"shifts": shifts, "angles": angles, "start": cordic.units(1.0 / cordic.hyperbolic_gain(n), f)}


def circular_constants(site: Site, n: int, f: int) -> dict[str, Any]:
    """The angles of circular rotations in order, and what the first register starts from."""
    angles = [cordic.units(math.atan(2.0**-i), f) for i in range(n)]
    return {"angles": angles, "start": cordic.units(1.0 / cordic.circular_gain(n), f)}


def offer(
    work: Callable[[int, int], Work],
    check: Callable[..., str] = lambda site, n, f: "",
    constants: Callable[..., dict[str, Any]] = hyperbolic_constants,
) -> Offer:
    """A CORDIC variant of this work."""
    return Offer(PARAMETERS, work, angle_bytes, constants, check=check)


CIRCULAR = offer(lambda n, f: REDUCTION + ROTATION * n, constants=circular_constants)


def too_large(site: Site, n: int, f: int) -> str:
    """Why the exponential's register does not hold what the output does, or ""."""
    y = site.output.format
    most = (y.hi - scalar_zero_point(y)) * scalar_scale(y)
    return f"outputs of up to {most:g} do not fit registers of {f} fraction bits" if most >= 2.0 ** (59 - f) else ""


def at_fraction(site: Site, x: Array, f: int) -> Array:
    """The input in f fraction bits."""
    check_widths(site)
    return inner_input(site, x, f, REACH)


@algorithm("cordic", "Exp", offer=offer(exponential_work, too_large))
def exponential(site: Site, x: Array, n: int, f: int) -> Array:
    """e**x by n hyperbolic rotations after x = k · ln 2 + r; the result has f fraction bits (a right shift drops)."""
    return cast_units(site, cordic.exponential(at_fraction(site, x, f), n, f), f)


@algorithm("cordic", "Sigmoid", offer=offer(divided_work))
def sigmoid(site: Site, x: Array, n: int, f: int) -> Array:
    """1 / (1 + e**−|x|): n hyperbolic rotations, then n steps of linear vectoring; 1 − y for x < 0; f fraction bits."""
    return cast_units(site, cordic.sigmoid(at_fraction(site, x, f), n, f), f)


@algorithm("cordic", "Tanh", offer=offer(divided_work))
def tanh(site: Site, x: Array, n: int, f: int) -> Array:
    """(1 − e) / (1 + e), e = e**−2|x|: n hyperbolic rotations, then n steps of linear vectoring; f fraction bits."""
    return cast_units(site, cordic.tanh(at_fraction(site, x, f), n, f), f)


@algorithm("cordic", "SiLU", offer=offer(lambda n, f: divided_work(n, f) + Work(muls=1)))
def silu(site: Site, x: Array, n: int, f: int) -> Array:
    """v · sx · σ(x), v = x − zx as it is stored and σ as of Sigmoid: an exact product, cast once."""
    power = cordic.sigmoid(at_fraction(site, x, f), n, f)
    v = centred(site, 0, x)
    return cast_units(site, fitting(v, peak(v) << (f + 1)) * power, f, Fraction(scalar_scale(site.input(0).format)))


@algorithm("cordic", "ELU", offer=offer(lambda n, f: exponential_work(n, f) + Work(muls=1, adds=1, compares=1)))
def elu(site: Site, x: Array, n: int, f: int) -> Array:
    """alpha · (e**x − 1) below 0, alpha rounded to f fraction bits, an exact product; x as it is stored from 0 on."""
    block: Any = site.node.block
    v, scale = centred(site, 0, x), Fraction(scalar_scale(site.input(0).format))
    power = cordic.exponential(np.minimum(at_fraction(site, x, f), 0), n, f) - (1 << f)
    alpha = cordic.units(block.alpha, f)
    below = cast_units(site, fitting(power, abs(alpha) << (f + 1)) * alpha, 2 * f)
    return np.where(v < 0, below, cast_units(site, v, 0, scale))


@algorithm("cordic", "Log", offer=offer(lambda n, f: ROTATION * n + Work(adds=3, shifts=1, muls=1)))
def natural_log(site: Site, x: Array, n: int, f: int) -> Array:
    """ln x = L · ln 2 + ln sx + 2 artanh((m − 1) / (m + 1)), x − zx = m · 2**L with m in [½, 1) of f fraction bits.

    n hyperbolic vectoring steps; constants of f fraction bits. 0 gives the lowest code; codes below 0 are refused.
    """
    check_widths(site)
    v = centred(site, 0, x)
    length = bit_length(np.maximum(v, 1))
    shift = f - length
    m = np.where(shift >= 0, np.maximum(v, 1) << np.maximum(shift, 0), v >> np.maximum(-shift, 0))
    log = cordic.natural_log(m, n, f) + length * cordic.units(math.log(2.0), f)
    log = log + cordic.units(math.log(scalar_scale(site.input(0).format)), f)
    return np.where(v > 0, cast_units(site, log, f), site.output.format.lo)


@algorithm("cordic", "Sin", offer=CIRCULAR)
def sine(site: Site, x: Array, n: int, f: int) -> Array:
    """sin x by n circular rotations after x = k · π/2 + r, π/2 of f fraction bits."""
    check_widths(site)
    return cast_units(site, cordic.sine_and_cosine(inner_input(site, x, f, 2.0**22), n, f)[0], f)


@algorithm("cordic", "Cos", offer=CIRCULAR)
def cosine(site: Site, x: Array, n: int, f: int) -> Array:
    """cos x by n circular rotations after x = k · π/2 + r, π/2 of f fraction bits."""
    check_widths(site)
    return cast_units(site, cordic.sine_and_cosine(inner_input(site, x, f, 2.0**22), n, f)[1], f)
