"""Adaptive pooling: as many windows as the output has elements, each covering its share of the input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from hwblocks.graph.block import Algorithm, Block, Call, Move, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.rational import cast_ratio
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.graph.tap_calls import share_axes, tap_extreme_call, tap_sum_call
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


@dataclass(frozen=True)
class AdaptivePool(Block, abstract=True):
    """Window i of m over n elements holds those from ⌊i · n / m⌋ up to, not including, ⌈(i + 1) · n / m⌉.

    x [N, *spatial, C] → [N, *output_size, C]; output_size: one number or one per axis, None keeps an axis.
    Source: torch.nn.AdaptiveAvgPool2d and its siblings, channels last.
    """

    output_size: Any = 1

    axes: ClassVar[int] = 2

    def sizes(self, x: Shape) -> Shape:
        """The output's spatial sizes."""
        given = self.output_size
        wanted = tuple(given) if isinstance(given, (tuple, list)) else (given,) * self.axes
        if len(x) != self.axes + 2 or len(wanted) != self.axes:
            raise self.fail(f"x needs {self.axes + 2} axes and output_size={given} one number or {self.axes}", x)
        made = tuple(n if m is None else int(m) for n, m in zip(x[1:-1], wanted, strict=True))
        if min(made) < 1 or min(x[1:-1]) < 1:
            raise self.fail(f"output_size={given} and the input's sizes must be at least 1", x)
        return made

    def bounds(self, x: Shape) -> list[list[tuple[int, int]]]:
        """(first, behind last) of every window along each axis."""
        return [
            [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)] for n, m in zip(x[1:-1], self.sizes(x), strict=True)
        ]

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return ((shapes[0][0], *self.sizes(shapes[0]), shapes[0][-1]),)

    def reduced(self, x: Array, reduce: Callable[..., Array]) -> Array:
        """A reduction of every window, one axis after the other."""
        for axis, windows in enumerate(self.bounds(x.shape), start=1):
            parts = [
                reduce(np.take(x, range(first, end), axis=axis), axis=axis, keepdims=True) for first, end in windows
            ]
            x = np.concatenate(parts, axis=axis)
        return x

    def taps(self, x: Shape) -> int:
        """Elements of all windows."""
        return x[0] * x[-1] * int(np.prod([sum(e - f for f, e in axis) for axis in self.bounds(x)], dtype=np.int64))


@dataclass(frozen=True)
class AdaptiveMaxPool(AdaptivePool, Move, abstract=True):
    """The largest element of each window."""

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        return self.reduced(arrays[0], np.max)

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=self.taps(shapes[0]) - size(self.shape(*shapes)[0]))

    def kernel(self, site: Site) -> Call | str:
        return tap_extreme_call(site, share_axes(self.bounds(site.input(0).shape)))


@dataclass(frozen=True)
class AdaptiveAvgPool(AdaptivePool, Algorithm, abstract=True):
    """The mean of each window; in integers the exact mean, cast once."""

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="same")

    def divisors(self, x: Shape) -> Array:
        """Elements of each window [*output, 1]."""
        result = np.ones((), dtype=np.int64)
        for axis in self.bounds(x):
            result = np.multiply.outer(result, np.array([end - first for first, end in axis]))
        return result[..., None]

    def compute(self, x: Array) -> Array:
        return np.asarray(self.reduced(x, np.sum) / self.divisors(x.shape))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        codes, scale = inputs[0], Fraction(scalar_scale(site.input(0).format))
        total = self.reduced(codes.astype(np.int64) - scalar_zero_point(site.input(0).format), np.sum).astype(object)
        divisor = np.broadcast_to(self.divisors(codes.shape), total.shape).astype(object)
        return cast_ratio(total * scale.numerator, divisor * scale.denominator, site)

    def kernel(self, site: Site) -> Call | str:
        x = site.input(0).shape
        return tap_sum_call(site, share_axes(self.bounds(x)), divisors=np.tile(self.divisors(x).ravel(), x[0]))

    def work(self, *shapes: Shape) -> Work:
        outputs = size(self.shape(*shapes)[0])
        return Work(adds=self.taps(shapes[0]) - outputs, divisions=outputs)


@dataclass(frozen=True)
class AdaptiveAvgPool1d(AdaptiveAvgPool):
    """Means of shares of one axis: x [N, T, C] → [N, T', C]; see AdaptivePool.

    >>> AdaptiveAvgPool1d(2)(np.array([[[1.0], [2.0], [6.0]]])).ravel()
    array([1.5, 4. ])
    """

    axes: ClassVar[int] = 1


@dataclass(frozen=True)
class AdaptiveAvgPool2d(AdaptiveAvgPool):
    """Means of shares of two axes: x [N, H, W, C] → [N, H', W', C]; see AdaptivePool.

    >>> AdaptiveAvgPool2d((1, None))(np.arange(4.0).reshape(1, 2, 2, 1)).ravel()
    array([1., 2.])
    """

    axes: ClassVar[int] = 2


@dataclass(frozen=True)
class AdaptiveAvgPool3d(AdaptiveAvgPool):
    """Means of shares of three axes: x [N, D, H, W, C] → [N, D', H', W', C]; see AdaptivePool.

    >>> AdaptiveAvgPool3d(1)(np.arange(8.0).reshape(1, 2, 2, 2, 1)).ravel()
    array([3.5])
    """

    axes: ClassVar[int] = 3


@dataclass(frozen=True)
class AdaptiveMaxPool1d(AdaptiveMaxPool):
    """Maxima of shares of one axis: x [N, T, C] → [N, T', C]; see AdaptivePool.

    >>> AdaptiveMaxPool1d(2)(np.array([[[1.0], [2.0], [6.0]]])).ravel()
    array([2., 6.])
    """

    axes: ClassVar[int] = 1


@dataclass(frozen=True)
class AdaptiveMaxPool2d(AdaptiveMaxPool):
    """Maxima of shares of two axes: x [N, H, W, C] → [N, H', W', C]; see AdaptivePool.

    >>> AdaptiveMaxPool2d(1)(np.arange(4.0).reshape(1, 2, 2, 1)).ravel()
    array([3.])
    """

    axes: ClassVar[int] = 2


@dataclass(frozen=True)
class AdaptiveMaxPool3d(AdaptiveMaxPool):
    """Maxima of shares of three axes: x [N, D, H, W, C] → [N, D', H', W', C]; see AdaptivePool.

    >>> AdaptiveMaxPool3d(1)(np.arange(8.0).reshape(1, 2, 2, 2, 1)).ravel()
    array([7.])
    """

    axes: ClassVar[int] = 3
