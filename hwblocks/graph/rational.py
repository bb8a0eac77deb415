"""Exact rational meaning of a block: its formula on fractions of real values, cast once."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.numerics.cast import Cast
from hwblocks.numerics.formats import Format

if TYPE_CHECKING:
    from hwblocks.graph.block import Block

_numerator = np.frompyfunc(lambda f: f.numerator, 1, 1)
_denominator = np.frompyfunc(lambda f: f.denominator, 1, 1)


def real_fractions(codes: Array, format: Format) -> Array:
    """scale · (code − zero point) as an object array of exact fractions."""
    scale, zero = Fraction(scalar_scale(format)), scalar_zero_point(format)
    return np.asarray(np.frompyfunc(lambda code: scale * (int(code) - zero), 1, 1)(codes), dtype=object)


def exact_rational(block: Block, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
    """(codes, saturated mask): block.compute on exact real values, rounded and limited once.

    Errors: SimulationError when an input or the output is not quantized.
    """
    if not site.output.format.is_quantized:
        raise SimulationError(f"{site.where}: output {site.output.name!r} is {site.output.format.name}, not quantized")
    for tensor in site.present:
        if not tensor.format.is_quantized:
            raise SimulationError(f"{site.where}: input {tensor.name!r} is {tensor.format.name}, not quantized")
    reals = [real_fractions(codes, t.format) for codes, t in zip(inputs, site.present, strict=True)]
    return cast_fractions(np.asarray(block.compute(*reals), dtype=object), site)


def cast_fractions(values: Array, site: Site) -> tuple[Array, Array]:
    """(codes, saturated mask) of exact real values in the site's output format, fused clamp applied."""
    return cast_ratio(_numerator(values), _denominator(values), site)


def cast_ratio(num: Array, den: Array, site: Site) -> tuple[Array, Array]:
    """(codes, saturated mask) of the exact real values num / den in the site's output format."""
    cast = Cast(site.output.format, site.arithmetic.rounding, site.arithmetic.overflow)
    codes, outside = cast.ratio(num, den)
    counted = np.where(np.asarray(num > 0, dtype=bool), site.counts[1], site.counts[0])  # real 0 is inside any format
    return np.clip(codes, *site.clamp_codes), outside & counted
