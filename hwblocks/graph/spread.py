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
from typing import Any

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.contraction import Array
from hwblocks.graph.settled import settled
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.graph.tensor import Shape, Tensor
from hwblocks.numerics.newton import inverse_root
from hwblocks.numerics.roots import near_root

VARIANT = re.compile(r"exact|ibert|newton(?:\(([1-9])\))?")
NEWTON_STEPS = 2
LARGEST_BITS = 62

_whole_root = np.frompyfunc(isqrt, 1, 1)
_fraction = np.frompyfunc(Fraction, 2, 1)


def newton_steps(variant: str) -> int:
    """Steps of "newton" or "newton(k)"; 0 for other variants.

    >>> newton_steps("newton(3)"), newton_steps("newton"), newton_steps("ibert")
    (3, 2, 0)
    """
    chosen = VARIANT.fullmatch(variant)
    if chosen is None or not variant.startswith("newton"):
        return 0
    return int(chosen[1] or NEWTON_STEPS)


@dataclass(frozen=True, eq=False)
class Spread:
    """Whole numbers d [*split shape], Σ d² of each group (axes of size 1), what divides it, and eps in units of d².

    int64 where no intermediate leaves 62 bits, else Python integers.
    """

    d: Array
    total: Array
    count: int
    eps: Fraction

    @property
    def whole_square(self) -> Array:
        """V of each group."""
        more = floor(self.eps + Fraction(1, 2))
        total = self.total if more.bit_length() < LARGEST_BITS else self.total.astype(object)
        return np.asarray(np.maximum(total // self.count + more, 1))


@dataclass(frozen=True, eq=False)
class Parameter:
    """A scale or offset for every element [*split shape]: exact fractions, and the same in float64."""

    exact: Array
    real: Array


def spread_of(codes: Array, site: Site, axes: Sequence[int], centred: bool, eps: float, mean: bool = True) -> Spread:
    """The deviations of stored codes along `axes`; mean: their squares are averaged, else summed."""
    x = site.input(0).format
    if not x.is_quantized or not site.output.format.is_quantized:
        raise SimulationError(f"{site.where}: input and output must be quantized")
    size = int(np.prod([codes.shape[a] for a in axes], dtype=np.int64))
    largest = size << (x.bits + 1)
    small = largest < 1 << 31 and size * largest * largest < 1 << LARGEST_BITS
    values = codes.astype(np.int64 if small else object) - scalar_zero_point(x)
    d = values * size - values.sum(axis=tuple(axes), keepdims=True) if centred else values
    total = (d * d).sum(axis=tuple(axes), keepdims=True)
    unit = Fraction(scalar_scale(x)) / (size if centred else 1)
    return Spread(d, total, size if mean else 1, Fraction(eps) / unit**2)


def parameter(array: Array, tensor: Tensor) -> Array:
    """A constant as exact fractions: floats by their value, stored codes by their format."""
    if tensor.format.is_quantized:
        steps, zeros = tensor.format.scales(array.ndim), tensor.format.zero_points(array.ndim)
        exact = np.frompyfunc(lambda c, s, z: Fraction(float(s)) * (int(c) - int(z)), 3, 1)(array, steps, zeros)
    else:
        exact = np.frompyfunc(lambda v: Fraction(float(v)), 1, 1)(array)
    return np.asarray(exact, dtype=object)


def spread_over(exact: Array, shape: Shape, split: Shape) -> Parameter:
    """A parameter that broadcasts to `shape`, in the split shape."""
    both = (exact, exact.astype(np.float64))
    return Parameter(*(np.broadcast_to(array, shape).reshape(split) for array in both))


def near(spread: Spread, unit: Fraction) -> Any:
    """Of (d, total, g, b): a fraction that rounds as g · d / √(mean square + eps) + b; b where there is no spread."""

    def of_element(d: int, total: int, g: Fraction, b: Fraction) -> Fraction:
        square, v = Fraction(int(total), spread.count) + spread.eps, g * int(d)
        return near_root(b, (v > 0) - (v < 0), v * v / square, 2, unit) if square else b

    return np.frompyfunc(of_element, 4, 1)


def in_integers(spread: Spread, variant: str, bits: int, where: str) -> Array:
    """n of d / √V ≈ n · 2**−bits in an integer variant."""
    square = spread.whole_square
    if variant == "ibert":
        root = np.asarray(_whole_root(square), dtype=square.dtype)
        return np.asarray((spread.d * (1 << bits) + root // 2) // root)
    if square.size and int(square.max()).bit_length() > LARGEST_BITS:
        raise SimulationError(f"{where}: a mean square of more than {LARGEST_BITS} bits; use variant='ibert'")
    code, exponent = inverse_root(square.astype(np.int64), newton_steps(variant))
    shift = np.asarray(-(exponent + bits), dtype=spread.d.dtype)
    right, left = np.maximum(shift, 0), np.maximum(-shift, 0)
    half = (spread.d.dtype.type(1) if spread.d.dtype != object else 1) << right >> 1
    return np.asarray((spread.d * code.astype(spread.d.dtype) + half) >> right << left)


def normalized(
    spread: Spread, site: Site, variant: str, bits: int, gain: Parameter | None, offset: Parameter | None
) -> tuple[Array, Array]:
    """(codes, saturated mask) [*split shape] of gain · d / √(mean square + eps) + offset, cast once.

    Float64 decides where it does so beyond doubt; the definition in exact numbers decides the rest.
    """
    shape = spread.d.shape
    g = gain or spread_over(np.array(Fraction(1), dtype=object), shape, shape)
    b = offset or spread_over(np.array(Fraction(0), dtype=object), shape, shape)
    if variant == "exact":
        square = spread.total.astype(np.float64) / spread.count + float(spread.eps)
        quotient = spread.d.astype(np.float64) / np.sqrt(np.where(square > 0, square, 1.0))
        unit = Fraction(scalar_scale(site.output.format))
        total = np.broadcast_to(spread.total, shape)

        def exact(m: Array) -> Array:
            return np.asarray(near(spread, unit)(spread.d[m], total[m], g.exact[m], b.exact[m]), dtype=object)
    else:
        n = in_integers(spread, variant, bits, site.where)
        quotient = n.astype(np.float64) / (1 << bits)

        def exact(m: Array) -> Array:
            return np.asarray(g.exact[m] * _fraction(n[m].astype(object), 1 << bits) + b.exact[m], dtype=object)

    return settled(site, quotient * g.real, b.real, exact)
