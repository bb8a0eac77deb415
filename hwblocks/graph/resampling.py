"""Resampling along one axis: where output positions lie on the input, and the weights of the elements around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, lcm

import numpy as np

from hwblocks.graph.contraction import Array

HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Axis:
    """One resized axis: sizes, scale = output / input as the model states it, and the part of the input it covers."""

    given: int
    made: int
    scale: Fraction
    start: Fraction = Fraction(0)
    end: Fraction = Fraction(1)

    @property
    def span(self) -> Fraction:
        """scale · input size: the output size before it was made whole."""
        return self.scale * self.given


def half_pixel(y: int, axis: Axis) -> Fraction:
    """Elements are intervals of length 1 around their middle."""
    return (y + HALF) / axis.scale - HALF


def half_pixel_symmetric(y: int, axis: Axis) -> Fraction:
    """half_pixel, with the middle of the output on the middle of the input where the size was rounded."""
    return Fraction(axis.given, 2) * (1 - axis.made / axis.span) + half_pixel(y, axis)


def pytorch_half_pixel(y: int, axis: Axis) -> Fraction:
    """half_pixel, but the first element where the output has one."""
    return half_pixel(y, axis) if axis.made > 1 else Fraction(0)


def align_corners(y: int, axis: Axis) -> Fraction:
    """The first and last elements keep their places."""
    return Fraction(y * (axis.given - 1)) / (axis.span - 1) if axis.span != 1 else Fraction(0)


def asymmetric(y: int, axis: Axis) -> Fraction:
    """Elements are points, the first one at 0."""
    return y / axis.scale


def tf_crop_and_resize(y: int, axis: Axis) -> Fraction:
    """The corners of the part between start and end (of 1) are the corners of the output."""
    room, length = axis.given - 1, axis.end - axis.start
    inside = y * length * room / (axis.span - 1) if axis.span != 1 else length * room / 2
    return inside + axis.start * room


COORDINATES: dict[str, Callable[[int, Axis], Fraction]] = {
    f.__name__: f
    for f in (half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric, tf_crop_and_resize)
}

NEAREST: dict[str, Callable[[Fraction], int]] = {
    "round_prefer_floor": lambda x: ceil(x - HALF),
    "round_prefer_ceil": lambda x: floor(x + HALF),
    "floor": floor,
    "ceil": ceil,
}


def triangle(distance: Fraction, a: Fraction) -> Fraction:
    """Linear interpolation: 1 − |distance| up to 1."""
    return max(1 - abs(distance), Fraction(0))


def cubic(distance: Fraction, a: Fraction) -> Fraction:
    """Keys' cubic convolution with the free parameter a, up to 2. Source: Keys, IEEE TASSP 29(6), 1981."""
    d = abs(distance)
    if d <= 1:
        return ((a + 2) * d - (a + 3)) * d * d + 1
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a if d < 2 else Fraction(0)


Kernel = Callable[[Fraction, Fraction], Fraction]
KERNELS: dict[str, tuple[int, Kernel]] = {"linear": (1, triangle), "cubic": (2, cubic)}  # reach, weight


@dataclass(frozen=True, eq=False)
class Taps:
    """index [made, k], whole numerators [made, k] over one denominator, and which outputs lie outside [made]."""

    index: Array
    numerators: Array
    denominator: int
    outside: Array


def positions(axis: Axis, coordinates: str) -> list[Fraction]:
    """Where each output element lies on the input."""
    place = COORDINATES[coordinates]
    return [Fraction(place(y, axis)) for y in range(axis.made)]


def outside(axis: Axis, coordinates: str, places: list[Fraction]) -> Array:
    """Mask of the outputs that take the extrapolation value: only tf_crop_and_resize has such."""
    crops = coordinates == "tf_crop_and_resize"
    return np.array([crops and not 0 <= x <= axis.given - 1 for x in places], dtype=bool)


def nearest_index(axis: Axis, coordinates: str, rounding: str) -> Array:
    """The input element of each output element; −1 outside."""
    places, choose = positions(axis, coordinates), NEAREST[rounding]
    index = np.array([min(max(choose(x), 0), axis.given - 1) for x in places], dtype=np.int64)
    return np.where(outside(axis, coordinates, places), -1, index)


@lru_cache(256)
def taps_of(axis: Axis, coordinates: str, mode: str, a: Fraction, antialias: bool, exclude_outside: bool) -> Taps:
    """The weights of an axis.

    antialias: where the output is smaller the kernel is stretched to cover the elements that one output stands for.
    exclude_outside: elements beyond the ends count 0 and the others are scaled up, else the end element stands in.
    """
    reach, kernel = KERNELS[mode]
    squeeze = min(axis.scale, Fraction(1)) if antialias else Fraction(1)
    places = positions(axis, coordinates)
    steps = ceil(reach / squeeze)
    rows, index = [], np.zeros((axis.made, 2 * steps), dtype=np.int64)
    for y, x in enumerate(places):
        around = range(floor(x) - steps + 1, floor(x) + steps + 1)
        weights = [kernel((i - x) * squeeze, a) for i in around]
        if exclude_outside:
            weights = [w if 0 <= i < axis.given else Fraction(0) for i, w in zip(around, weights, strict=True)]
        total = sum(weights, Fraction(0)) if antialias or exclude_outside else Fraction(1)
        rows.append([w / total if total else w for w in weights])
        index[y] = np.clip(around, 0, axis.given - 1)
    denominator = lcm(*(w.denominator for row in rows for w in row))
    numerators = np.array([[int(w * denominator) for w in row] for row in rows], dtype=object)
    return Taps(index, numerators.reshape(index.shape), denominator, outside(axis, coordinates, places))


def resampled(x: Array, taps: Taps, axis: int, weights: Array) -> Array:
    """Σ over the taps of x at their places times weights [made, k] along an axis."""
    shape = (-1,) + (1,) * (x.ndim - axis - 1)
    total = np.take(x, taps.index[:, 0], axis=axis) * weights[:, 0].reshape(shape)
    for k in range(1, taps.index.shape[1]):
        total = total + np.take(x, taps.index[:, k], axis=axis) * weights[:, k].reshape(shape)
    return np.asarray(total)
