"""Deviations from a mean and their mean square on stored codes, and the integer meanings of dividing one by the other.

With K elements in a group, s and z the input's scale and zero point, every intermediate is a whole number:

    d_i = K · (x_i − z) − Σ (x − z)       deviations, units of s / K (without a mean: d_i = x_i − z, units of s)
    V = ⌊Σ d² / K⌋ + E                    mean square; E = half_up(eps in these units), V is at least 1
    exact      y = d / √(Σ d² / K + eps), no intermediate rounded
    ibert      n_i = ⌊(d_i · 2**f + ⌊r / 2⌋) / r⌋ with r = ⌊√V⌋, then y = n · 2**−f
    newton(k)  n_i = (d_i · m) · 2**(e + f) rounded half up, m · 2**e = 1 / √V by k Newton steps on 30 fraction bits

f is the block's `fraction_bits`. Scale and offset are applied to y exactly and the sum is cast once.
Source of ibert: Kim et al., "I-BERT", ICML 2021, restated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, isqrt

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.contraction import Array
from hwblocks.graph.rational import cast_fractions
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.graph.tensor import Shape, Tensor
from hwblocks.numerics.newton import inverse_root
from hwblocks.numerics.roots import near_root

VARIANT = re.compile(r"exact|ibert|newton(?:\(([1-9])\))?")
NEWTON_STEPS = 2
LARGEST_BITS = 62

_whole_root = np.frompyfunc(isqrt, 1, 1)
_fraction = np.frompyfunc(Fraction, 2, 1)


@dataclass(frozen=True, eq=False)
class Spread:
    """Whole numbers d [*split shape], Σ d² of each element's group, what divides it, and eps in units of d²."""

    d: Array
    total: Array
    count: int
    eps: Fraction

    @property
    def whole_square(self) -> Array:
        """V of each element's group."""
        return np.asarray(np.maximum(self.total // self.count + floor(self.eps + Fraction(1, 2)), 1))


def spread_of(codes: Array, site: Site, axes: Sequence[int], centred: bool, eps: float, mean: bool = True) -> Spread:
    """The deviations of stored codes along `axes`; mean: their squares are averaged, else summed."""
    x = site.input(0).format
    if not x.is_quantized or not site.output.format.is_quantized:
        raise SimulationError(f"{site.where}: input and output must be quantized")
    values = codes.astype(object) - scalar_zero_point(x)
    size = int(np.prod([codes.shape[a] for a in axes], dtype=np.int64))
    d = values * size - values.sum(axis=tuple(axes), keepdims=True) if centred else values
    total = np.broadcast_to((d * d).sum(axis=tuple(axes), keepdims=True), d.shape)
    unit = Fraction(scalar_scale(x)) / (size if centred else 1)
    return Spread(d, total, size if mean else 1, Fraction(eps) / unit**2)


def parameter(array: Array, tensor: Tensor, shape: Shape) -> Array:
    """A scale or offset as exact fractions [*shape]: floats by their value, stored codes by their format."""
    if tensor.format.is_quantized:
        steps, zeros = tensor.format.scales(array.ndim), tensor.format.zero_points(array.ndim)
        exact = np.frompyfunc(lambda c, s, z: Fraction(float(s)) * (int(c) - int(z)), 3, 1)(array, steps, zeros)
    else:
        exact = np.frompyfunc(lambda v: Fraction(float(v)), 1, 1)(array)
    return np.broadcast_to(np.asarray(exact, dtype=object), shape)


def exactly(spread: Spread, gain: Array, offset: Array, unit: Fraction) -> Array:
    """Fractions that round as gain · d / √(mean square + eps) + offset; the offset where a group has no spread."""

    def near(d: int, total: int, g: Fraction, b: Fraction) -> Fraction:
        square, v = Fraction(total, spread.count) + spread.eps, g * d
        return near_root(b, (v > 0) - (v < 0), v * v / square, 2, unit) if square else b

    return np.asarray(np.frompyfunc(near, 4, 1)(spread.d, spread.total, gain, offset), dtype=object)


def in_integers(spread: Spread, variant: str, bits: int, where: str) -> Array:
    """n of d / √V ≈ n · 2**−bits in an integer variant."""
    square = spread.whole_square
    if variant == "ibert":
        root = np.asarray(_whole_root(square), dtype=object)
        return np.asarray((spread.d * (1 << bits) + root // 2) // root, dtype=object)
    if square.size and max(square.ravel()).bit_length() > LARGEST_BITS:
        raise SimulationError(f"{where}: a mean square of more than {LARGEST_BITS} bits; use variant='ibert'")
    chosen = VARIANT.fullmatch(variant)
    steps = int((chosen and chosen[1]) or NEWTON_STEPS)
    code, exponent = inverse_root(square.astype(np.int64), steps)
    shift = np.asarray(-(exponent + bits), dtype=object)
    rounded = np.frompyfunc(lambda v, s: (v + (1 << s >> 1)) >> s if s > 0 else v << -s, 2, 1)
    return np.asarray(rounded(spread.d * code.astype(object), shift), dtype=object)


def normalized(
    spread: Spread, site: Site, variant: str, bits: int, gain: Array | None, offset: Array | None
) -> tuple[Array, Array]:
    """(codes, saturated mask) [*split shape] of gain · d / √(mean square + eps) + offset, cast once."""
    g = np.full(spread.d.shape, Fraction(1), dtype=object) if gain is None else gain
    b = np.full(spread.d.shape, Fraction(0), dtype=object) if offset is None else offset
    if variant == "exact":
        return cast_fractions(exactly(spread, g, b, Fraction(scalar_scale(site.output.format))), site)
    n = in_integers(spread, variant, bits, site.where)
    return cast_fractions(np.asarray(g * _fraction(n, 1 << bits) + b, dtype=object), site)
