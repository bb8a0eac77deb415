"""Casts of values that float64 knows nearly: it decides where that is beyond doubt, exact fractions decide the rest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hwblocks.graph.contraction import Array
from hwblocks.graph.rational import cast_fractions
from hwblocks.graph.site import Site, scalar_scale
from hwblocks.numerics.cast import Cast
from hwblocks.numerics.rounding import Rounding

DOUBT = 1e-6  # in halves of a code; float64 errs by less than 1e-8 where terms stay below LARGEST_TERM codes
LARGEST_TERM = 1e6


def settled(site: Site, first: Array, second: Array, exact: Callable[[Array], Array]) -> tuple[Array, Array]:
    """(codes, saturated mask) of first + second, float64 values near the true ones; exact(mask) gives fractions.

    Where their sum lies within DOUBT of a point at which a rounding turns, or a term is large, the fractions decide.
    """
    step, value = scalar_scale(site.output.format), first + second
    halves = value / step * 2
    large = np.maximum(abs(first), abs(second)) >= LARGEST_TERM * step
    doubtful = large | (abs(halves - np.rint(halves)) <= DOUBT)
    if site.arithmetic.rounding is Rounding.STOCHASTIC:
        doubtful = np.ones(value.shape, dtype=bool)
    cast = Cast(site.output.format, site.arithmetic.rounding, site.arithmetic.overflow)
    codes, outside = cast.real(np.where(doubtful, 0.0, value))
    outside = outside & np.where(value > 0, site.counts[1], site.counts[0])
    codes = np.clip(codes, *site.clamp_codes)
    if doubtful.any():
        codes[doubtful], outside[doubtful] = cast_fractions(exact(doubtful), site)
    return codes, outside
