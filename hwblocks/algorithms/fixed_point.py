"""What variants of non-linearities share: the input in an internal fixed-point format, the one cast at the end."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np

from hwblocks.algorithms.rescaling import centred
from hwblocks.errors import SimulationError
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.numerics.exact_scaling import scaled
from hwblocks.numerics.rounding import Rounding

MOST_BITS = 32  # of inputs and outputs of variants
INNER_FRACTION = 16  # of inputs whose scale is no power of two


def check_widths(site: Site) -> None:
    """Errors: SimulationError beyond 32 bits."""
    for tensor in (site.input(0), site.output):
        if tensor.format.bits > MOST_BITS:
            raise SimulationError(
                f"{site.where}: {tensor.name!r} has {tensor.format.bits} bits; its integer variants serve at most "
                f"{MOST_BITS}, narrow its format"
            )


def inner_fraction(site: Site, least: int) -> int:
    """Fraction bits that hold the input exactly (at least `least`); 16 where its scale is no power of two."""
    own = site.input(0).format.replace(zero_point=0).frac_bits
    return INNER_FRACTION if own is None else min(max(own, least), 48)


def inner_input(site: Site, x: Array, fraction: int, reach: float) -> Array:
    """Real values of codes in units of 2**−fraction, ties up; what lies beyond ±reach is brought near it first."""
    scale = scalar_scale(site.input(0).format)
    most = min(ceil(reach / scale), 1 << 33)
    v = np.clip(centred(site, 0, x), -most, most)
    return scaled(v, Fraction(scale) * (1 << fraction), Rounding.HALF_UP)


def cast_units(site: Site, value: Array, fraction: int, factor: Fraction | None = None) -> Array:
    """Codes of value · factor · 2**−fraction: one rounding by the node's mode, then its zero point and overflow."""
    step = Fraction(scalar_scale(site.output.format))
    ratio = (Fraction(1) if factor is None else factor) * Fraction(2) ** -fraction / step
    return from_steps(site, scaled(value, ratio, site.arithmetic.rounding))


def from_steps(site: Site, steps: Array) -> Array:
    """Codes of whole output steps: zero point and overflow."""
    y = site.output.format
    codes = steps + scalar_zero_point(y)
    return np.asarray(site.arithmetic.overflow.apply(codes, y.bits, y.signed, y.narrow, codes)[0])
