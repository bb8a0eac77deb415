"""Lp pooling: the p-norm of each window, and over all spatial axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from hwblocks.graph.block import Algorithm, Call, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.settled import settled
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.graph.tap_calls import AxisTaps, tap_sum_call, whole_axis, window_axes
from hwblocks.graph.tensor import Shape
from hwblocks.graph.window import Window, pool_window
from hwblocks.graph.work import Work
from hwblocks.numerics.roots import near_root


class PowerNorm(Algorithm, abstract=True):
    """(Σ |x|^p)^(1/p); in integers the root of the exact sum, rounded once."""

    p: int

    def powers(self, x: Array) -> Array:
        """Σ of the elements of each window of |x|^p."""
        raise NotImplementedError

    def compute(self, x: Array) -> Array:
        return np.asarray(self.powers(abs(x) ** self.p) ** (1 / self.p))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        x, unit = site.input(0).format, Fraction(scalar_scale(site.output.format))
        scale = Fraction(scalar_scale(x)) ** self.p
        total = self.powers(abs(inputs[0].astype(object) - scalar_zero_point(x)) ** self.p)
        near = np.frompyfunc(lambda n: near_root(Fraction(0), 1, n * scale, self.p, unit), 1, 1)
        value = (total.astype(np.float64) * float(scale)) ** (1 / self.p)
        return settled(site, value, np.zeros(()), lambda m: np.asarray(near(total[m]), dtype=object))

    def kernel(self, site: Site) -> Call | str:
        return tap_sum_call(site, self.reads(site.input(0).shape), power=self.p, root=True)

    def reads(self, x: Shape) -> dict[int, AxisTaps]:
        """The taps of every output along each axis."""
        raise NotImplementedError

    def check_power(self, *shapes: Shape) -> None:
        """Raise ShapeError where p is no whole number from 1 on."""
        if not isinstance(self.p, int) or self.p < 1:
            raise self.fail(f"p={self.p} must be a whole number of at least 1", *shapes)


@dataclass(frozen=True)
class LpPool(PowerNorm, abstract=True):
    """y = (Σ |x|^p)^(1/p) over each window, padding as 0: x [N, *spatial, C] → [N, *output, C].

    kernel_size, stride (None: the kernel size), padding, dilation: one number or one per axis; p a whole number.
    In integers the root of the exact sum, rounded once.
    """

    kernel_size: Any = 2
    stride: Any = None
    padding: Any = 0
    dilation: Any = 1
    ceil_mode: bool = False
    p: int = 2

    axes: ClassVar[int] = 2

    def window(self, x: Shape) -> Window:
        """The sliding window over x's spatial axes."""
        return pool_window(self, x, self.axes)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        self.check_power(*shapes)
        return ((shapes[0][0], *self.window(shapes[0]).output, shapes[0][-1]),)

    def reads(self, x: Shape) -> dict[int, AxisTaps]:
        return window_axes(self.window(x))

    def powers(self, x: Array) -> Array:
        windows = self.window(x.shape).gather(x, 0)
        return np.asarray(windows.sum(axis=tuple(range(1 + self.axes, 1 + 2 * self.axes))))

    def work(self, *shapes: Shape) -> Work:
        """p − 1 products for each element, one look-up for each root."""
        made, lanes = self.window(shapes[0]), shapes[0][0] * shapes[0][-1]
        outputs = lanes * size(made.output)
        return Work(muls=(self.p - 1) * size(shapes[0]), adds=lanes * made.taps - outputs, lookups=outputs)


@dataclass(frozen=True)
class LpPool1d(LpPool):
    """p-norm over windows of one axis: x [N, T, C] → [N, T', C]. Source: ONNX LpPool.

    >>> LpPool1d(2)(np.array([[[3.0], [-4.0]]])).ravel()
    array([5.])
    """

    axes: ClassVar[int] = 1


@dataclass(frozen=True)
class LpPool2d(LpPool):
    """p-norm over windows of two axes: x [N, H, W, C] → [N, H', W', C]. Source: ONNX LpPool.

    >>> LpPool2d(2, p=1)(np.ones((1, 2, 2, 1))).ravel()
    array([4.])
    """

    axes: ClassVar[int] = 2


@dataclass(frozen=True)
class LpPool3d(LpPool):
    """p-norm over windows of three axes: x [N, D, H, W, C] → [N, D', H', W', C]. Source: ONNX LpPool.

    >>> LpPool3d(2, p=3)(np.ones((1, 2, 2, 2, 1))).ravel()
    array([2.])
    """

    axes: ClassVar[int] = 3


@dataclass(frozen=True)
class GlobalLpPool(PowerNorm):
    """y = (Σ |x|^p)^(1/p) over all spatial axes: x [N, *spatial, C] → [N, 1, ..., C]. Source: ONNX GlobalLpPool.

    >>> GlobalLpPool()(np.array([[[3.0], [-4.0]]])).ravel()
    array([5.])
    """

    p: int = 2

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        self.check_power(*shapes)
        if len(x) < 3:
            raise self.fail("x needs spatial axes between the first and the last", *shapes)
        return ((x[0], *(1 for _ in x[1:-1]), x[-1]),)

    def reads(self, x: Shape) -> dict[int, AxisTaps]:
        return {axis: whole_axis(x[axis]) for axis in range(1, len(x) - 1)}

    def powers(self, x: Array) -> Array:
        return np.asarray(x.sum(axis=tuple(range(1, x.ndim - 1)), keepdims=True))

    def work(self, *shapes: Shape) -> Work:
        elements, outputs = size(shapes[0]), shapes[0][0] * shapes[0][-1]
        return Work(muls=(self.p - 1) * elements, adds=elements - outputs, lookups=outputs)
