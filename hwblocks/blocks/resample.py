"""Resizing along any axes: Resize (linear and cubic) and NearestResize, with all coordinate rules of ONNX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, prod
from typing import Any

import numpy as np

from hwblocks.errors import GraphError
from hwblocks.graph.block import Algorithm, Block, Call, Move
from hwblocks.graph.block import size as elements
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.resampling import COORDINATES, KERNELS, NEAREST, Axis, Taps, nearest_index, resampled, taps_of
from hwblocks.graph.settled import settled
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.graph.tap_calls import AxisTaps, tap_sum_call
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work

LARGEST_BITS = 62


@dataclass(frozen=True)
class Resampling(Block, abstract=True):
    """The axes of x resized: x [N, *spatial, C] → [N, *size, C], or other `axes`.

    size: the new sizes, one for each axis. scale_factor: output / input; without a size it is ⌊input · factor⌋, with
    one it only places the elements. axes: None for all but the first and the last.
    coordinate_transformation_mode: half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric or
    tf_crop_and_resize (roi: ((start, end), ...) of 1 for each axis; outside the input is `extrapolation_value`).
    Positions and weights are exact fractions; scale factors count by their value as given.
    """

    size: tuple[int, ...] = ()
    scale_factor: tuple[float, ...] = ()
    axes: tuple[int, ...] | None = None
    coordinate_transformation_mode: str = "half_pixel"
    roi: tuple[tuple[float, float], ...] = ()
    extrapolation_value: float = 0.0

    def dims(self, x: Shape) -> tuple[int, ...]:
        """The resized axes, counted from the start."""
        if self.axes is None:
            return tuple(range(1, len(x) - 1))
        return tuple(a % len(x) if -len(x) <= a < len(x) else len(x) for a in self.axes)

    def resized(self, x: Shape) -> Iterator[tuple[int, Axis]]:
        """Every resized axis with its numbers."""
        for i, dim in enumerate(self.dims(x)):
            factor = Fraction(self.scale_factor[i]) if self.scale_factor else None
            made = self.size[i] if self.size else floor(x[dim] * (factor or 0))
            start, end = self.roi[i] if self.roi else (0.0, 1.0)
            scale = Fraction(made, x[dim]) if factor is None else factor
            yield dim, Axis(x[dim], made, scale, Fraction(start), Fraction(end))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        dims = self.dims(x)
        if len(set(dims)) != len(dims) or any(d >= len(x) for d in dims) or 0 in (x[d] for d in dims):
            raise self.fail(f"axes={self.axes} are not axes of x", *shapes)
        if not (self.size or self.scale_factor) and dims:
            raise self.fail("size or scale_factor is needed", *shapes)
        for name in ("size", "scale_factor", "roi"):
            given = getattr(self, name)
            if given and len(given) != len(dims):
                raise self.fail(f"{name}={given} needs one entry for each of {len(dims)} axes", *shapes)
        if min((*self.size, *self.scale_factor), default=1) <= 0:
            raise self.fail("sizes and factors must be above 0", *shapes)
        self.check_modes(*shapes)
        made = list(x)
        for dim, axis in self.resized(x):
            made[dim] = axis.made
        return (tuple(made),)

    def check_modes(self, *shapes: Shape) -> None:
        """Raise ShapeError for modes that are unknown."""
        if self.coordinate_transformation_mode not in COORDINATES:
            known = ", ".join(COORDINATES)
            raise self.fail(f"coordinate_transformation_mode must be one of {known}", *shapes)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return 0 not in self.dims(shapes[0])


@dataclass(frozen=True)
class NearestResize(Resampling, Move):
    """The nearest input element of every output element; see Resampling. Source: ONNX Resize, mode nearest.

    nearest_mode: round_prefer_floor, round_prefer_ceil (½ goes down or up), floor or ceil.

    >>> NearestResize((4,))(np.array([[[1.0], [2.0]]])).ravel()
    array([1., 1., 2., 2.])
    """

    nearest_mode: str = "round_prefer_floor"

    @property
    def fill(self) -> float:
        return self.extrapolation_value

    def check_modes(self, *shapes: Shape) -> None:
        super().check_modes(*shapes)
        if self.nearest_mode not in NEAREST:
            raise self.fail(f"nearest_mode must be one of {', '.join(NEAREST)}", *shapes)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x = arrays[0]
        for dim, axis in self.resized(arrays[0].shape):
            index = nearest_index(axis, self.coordinate_transformation_mode, self.nearest_mode)
            x = np.take(x, index, axis=dim)
            if (index < 0).any():
                x = np.where((index < 0).reshape((-1,) + (1,) * (x.ndim - dim - 1)), np.asarray(zero, x.dtype), x)
        return x


@dataclass(frozen=True)
class Resize(Resampling, Algorithm):
    """Linear or cubic interpolation, axis by axis; see Resampling. Source: ONNX Resize, modes linear and cubic.

    mode: "linear", or "cubic" with the parameter cubic_coeff_a (Keys 1981). antialias: where an axis shrinks the kernel
    is stretched. exclude_outside: elements beyond the ends have no weight, else the end element stands in for them.
    In integers: the exact sum of codes with these fractions as weights, cast once. For nearest: NearestResize.

    >>> Resize((4,))(np.array([[[1.0], [2.0]]])).ravel()
    array([1.  , 1.25, 1.75, 2.  ])
    """

    mode: str = "linear"
    cubic_coeff_a: float = -0.75
    antialias: bool = False
    exclude_outside: bool = False

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="same" if self.mode == "linear" else "range")

    def check_modes(self, *shapes: Shape) -> None:
        super().check_modes(*shapes)
        if self.mode not in KERNELS:
            raise self.fail(f"mode={self.mode!r} must be linear or cubic", *shapes, hint="NearestResize takes nearest")

    def check_site(self, site: Site) -> None:
        if site.input(0).format.kind in ("raw", "bool"):
            name = site.input(0).format.name
            raise GraphError(f"{site.where}: interpolation of {name} has no stated rounding; cast it to float before")

    def taps(self, x: Shape) -> list[tuple[int, Taps]]:
        """The weights of every resized axis."""
        a, coordinates = Fraction(self.cubic_coeff_a), self.coordinate_transformation_mode
        return [
            (dim, taps_of(axis, coordinates, self.mode, a, self.antialias, self.exclude_outside))
            for dim, axis in self.resized(x)
        ]

    def outside(self, x: Shape) -> Array:
        """Mask of the outputs that hold the extrapolation value, broadcast to the output."""
        mask = np.zeros((1,) * len(x), dtype=bool)
        for dim, taps in self.taps(x):
            mask = mask | taps.outside.reshape((-1,) + (1,) * (len(x) - dim - 1))
        return mask

    def compute(self, x: Array) -> Array:
        shape = x.shape
        for dim, taps in self.taps(shape):
            x = resampled(x, taps, dim, (taps.numerators / taps.denominator).astype(np.float64))
        return np.asarray(np.where(self.outside(shape), self.extrapolation_value, x))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        codes, x = inputs[0], site.input(0).format
        scale, largest, parts = Fraction(scalar_scale(x)), 1 << (x.bits + 1), self.taps(inputs[0].shape)
        for _, taps in parts:
            largest *= max((sum(map(abs, row)) for row in taps.numerators), default=1)
            scale /= taps.denominator
        dtype = np.int64 if largest < 1 << LARGEST_BITS else object
        total = codes.astype(dtype) - scalar_zero_point(x)
        for dim, taps in parts:
            total = resampled(total, taps, dim, taps.numerators.astype(dtype))
        value, mask = Fraction(self.extrapolation_value), np.broadcast_to(self.outside(codes.shape), total.shape)

        def exact(m: Array) -> Array:
            return np.where(mask[m], np.array(value, dtype=object), total[m].astype(object) * scale)

        near = np.where(mask, float(value), total.astype(np.float64) * float(scale))
        return settled(site, near, np.zeros(()), exact)

    def kernel(self, site: Site) -> Call | str:
        x = site.input(0).shape
        if self.outside(x).any():
            return "outputs that lie outside the input"
        axes = {dim: AxisTaps(taps.index, taps.numerators) for dim, taps in self.taps(x)}
        return tap_sum_call(site, axes, factor=Fraction(1, prod(taps.denominator for _, taps in self.taps(x))))

    def work(self, *shapes: Shape) -> Work:
        x, muls, adds = list(shapes[0]), 0, 0
        for dim, taps in self.taps(shapes[0]):
            x[dim] = taps.index.shape[0]
            muls += elements(tuple(x)) * taps.index.shape[1]
            adds += elements(tuple(x)) * (taps.index.shape[1] - 1)
        return Work(muls=muls, adds=adds, requants=elements(tuple(x)))
