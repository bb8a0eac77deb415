"""Reductions over axes: mean, sum, product, extremes and their positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from hwblocks.graph.block import Algorithm, Call, Move, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.pick_calls import position_call
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.reduction import Reduction
from hwblocks.graph.site import Site
from hwblocks.graph.tap_calls import reduced_axes, tap_extreme_call, tap_sum_call
from hwblocks.graph.tensor import Shape
from hwblocks.graph.window import greatest, least
from hwblocks.graph.work import Work
from hwblocks.numerics.kernels.extremes import ExtremeCall


@dataclass(frozen=True)
class ReduceMean(Reduction, Algorithm):
    """y = Σ x / n over `dims`. Source: ONNX ReduceMean.

    >>> ReduceMean((1,))(np.array([[1.0, 3.0]]))
    array([[2.]])
    """

    def compute(self, x: Array) -> Array:
        return np.asarray(x.sum(axis=self.axes(x.shape), keepdims=self.keepdim) / self.count(x.shape))

    def kernel(self, site: Site) -> Call | str:
        x = site.input(0).shape
        return tap_sum_call(site, reduced_axes(self, x), factor=Fraction(1, self.count(x)) if size(x) else Fraction(1))

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(adds=size(shapes[0]) - made, divisions=made)


@dataclass(frozen=True)
class ReduceSum(Reduction, Algorithm):
    """y = Σ x over `dims`. Source: ONNX ReduceSum.

    >>> ReduceSum((1,))(np.array([[1.0, 3.0]]))
    array([[4.]])
    """

    def compute(self, x: Array) -> Array:
        return np.asarray(x.sum(axis=self.axes(x.shape), keepdims=self.keepdim))

    def kernel(self, site: Site) -> Call | str:
        return tap_sum_call(site, reduced_axes(self, site.input(0).shape))

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(adds=size(shapes[0]) - made, requants=made)


@dataclass(frozen=True)
class ReduceProd(Reduction, Algorithm):
    """y = Π x over `dims`. Source: ONNX ReduceProd.

    >>> ReduceProd((1,))(np.array([[2.0, 3.0]]))
    array([[6.]])
    """

    def compute(self, x: Array) -> Array:
        return np.asarray(x.prod(axis=self.axes(x.shape), keepdims=self.keepdim))

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(muls=size(shapes[0]) - made, requants=made)


@dataclass(frozen=True)
class Extreme(Reduction, Move, abstract=True):
    """The largest or smallest element."""

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="same")

    largest: ClassVar[bool] = True

    def kernel(self, site: Site) -> Call | str:
        x = site.input(0)
        axes = self.axes(x.shape)
        if x.is_constant or not site.equal_formats:
            return "the input is a constant" if x.is_constant else "formats that differ"
        if not axes or axes != tuple(range(axes[0], axes[-1] + 1)):
            return tap_extreme_call(site, reduced_axes(self, x.shape), self.largest)
        return ExtremeCall(
            dtype=x.format.dtype.name,
            outer=size(x.shape[: axes[0]]),
            reduced=self.count(x.shape),
            inner=size(x.shape[axes[-1] + 1 :]),
            largest=self.largest,
        )

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=size(shapes[0]) - size(self.shape(*shapes)[0]))


@dataclass(frozen=True)
class ReduceMax(Extreme):
    """y = max x over `dims`; of no elements the lowest value (−∞ for floats). Source: ONNX ReduceMax.

    >>> ReduceMax((1,))(np.array([[1.0, 3.0]]))
    array([[3.]])
    """

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x = arrays[0]
        start = least(x.dtype, lowest)
        return np.asarray(np.max(x, axis=self.axes(x.shape), keepdims=self.keepdim, initial=start))


@dataclass(frozen=True)
class ReduceMin(Extreme):
    """y = min x over `dims`; of no elements the highest value (+∞ for floats). Source: ONNX ReduceMin.

    >>> ReduceMin((1,))(np.array([[1.0, 3.0]]))
    array([[1.]])
    """

    largest: ClassVar[bool] = False

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x = arrays[0]
        return np.asarray(np.min(x, axis=self.axes(x.shape), keepdims=self.keepdim, initial=greatest(x.dtype)))


@dataclass(frozen=True)
class Position(Algorithm, abstract=True):
    """The index of an extreme along `dim`; of equal ones the first, or the last. The output holds raw integers."""

    dim: int = -1
    keepdim: bool = True
    last: bool = False

    serves_floats: ClassVar[bool] = True  # the result is a position

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if not -len(x) <= self.dim < len(x):
            raise self.fail(f"dim={self.dim} is not an axis of x", *shapes)
        axis = self.dim % len(x)
        return ((*x[:axis], *((1,) if self.keepdim else ()), *x[axis + 1 :]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dim % len(shapes[0]) != 0

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="float")

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        found = np.asarray(self.compute(inputs[0]))
        return found, np.zeros(found.shape, bool)

    def found(self, x: Array, function: Any) -> Array:
        """np.argmax or np.argmin, counted from the end where the last one wins."""
        if not self.last:
            return np.asarray(function(x, axis=self.dim, keepdims=self.keepdim))
        turned = function(np.flip(x, self.dim), axis=self.dim, keepdims=self.keepdim)
        return np.asarray(x.shape[self.dim] - 1 - turned)

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=size(shapes[0]) - size(self.shape(*shapes)[0]))


@dataclass(frozen=True)
class ArgMax(Position):
    """The index of the largest element along `dim`. Source: ONNX ArgMax.

    >>> ArgMax()(np.array([[1.0, 3.0, 3.0]]))
    array([[1]])
    """

    def compute(self, x: Array) -> Array:
        return self.found(x, np.argmax)

    def kernel(self, site: Site) -> Call | str:
        return position_call(site, self.dim, np.argmax, self.last)


@dataclass(frozen=True)
class ArgMin(Position):
    """The index of the smallest element along `dim`. Source: ONNX ArgMin.

    >>> ArgMin()(np.array([[3.0, 1.0, 1.0]]))
    array([[1]])
    """

    def compute(self, x: Array) -> Array:
        return self.found(x, np.argmin)

    def kernel(self, site: Site) -> Call | str:
        return position_call(site, self.dim, np.argmin, self.last)
