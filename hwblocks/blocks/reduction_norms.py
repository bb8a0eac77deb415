"""Reductions to norms and logarithms: ReduceL1, ReduceL2, ReduceSumSquare, ReduceLogSum, ReduceLogSumExp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Algorithm, Call, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.rational import cast_fractions, real_fractions
from hwblocks.graph.reduction import Reduction
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.graph.tap_calls import reduced_axes, tap_sum_call
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.cast import Cast
from hwblocks.numerics.roots import near_root


@dataclass(frozen=True)
class NormReduction(Reduction, Algorithm, abstract=True):
    """A norm or logarithm of all elements along `dims`."""

    def total(self, x: Array) -> Array:
        """Σ x along the axes."""
        return np.asarray(x.sum(axis=self.axes(x.shape), keepdims=self.keepdim))

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(muls=size(shapes[0]), adds=size(shapes[0]) - made, requants=made)


@dataclass(frozen=True)
class ReduceL1(NormReduction):
    """y = Σ |x| over `dims`. Source: ONNX ReduceL1.

    >>> ReduceL1()(np.array([[1.0, -3.0]]))
    array([[4.]])
    """

    def compute(self, x: Array) -> Array:
        return self.total(abs(x))

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(adds=2 * size(shapes[0]) - made, requants=made)

    def kernel(self, site: Site) -> Call | str:
        return tap_sum_call(site, reduced_axes(self, site.input(0).shape), power=1)


@dataclass(frozen=True)
class ReduceSumSquare(NormReduction):
    """y = Σ x² over `dims`. Source: ONNX ReduceSumSquare.

    >>> ReduceSumSquare()(np.array([[1.0, -3.0]]))
    array([[10.]])
    """

    def compute(self, x: Array) -> Array:
        return self.total(x * x)

    def kernel(self, site: Site) -> Call | str:
        return tap_sum_call(site, reduced_axes(self, site.input(0).shape), power=2)


@dataclass(frozen=True)
class ReduceL2(NormReduction):
    """y = √Σ x² over `dims`; in integers the root of the exact sum, rounded once. Source: ONNX ReduceL2.

    >>> ReduceL2()(np.array([[4.0, -3.0]]))
    array([[5.]])
    """

    def compute(self, x: Array) -> Array:
        return np.asarray(np.sqrt(self.total(x * x)))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        real = real_fractions(inputs[0], site.input(0).format)
        squares = np.asarray(self.total(real * real), dtype=object)
        unit = Fraction(scalar_scale(site.output.format))
        near = np.frompyfunc(lambda v: near_root(Fraction(0), 1, Fraction(v), 2, unit), 1, 1)
        return cast_fractions(np.asarray(near(squares), dtype=object), site)

    def kernel(self, site: Site) -> Call | str:
        return tap_sum_call(site, reduced_axes(self, site.input(0).shape), power=2, root=True)


@dataclass(frozen=True)
class LogReduction(NormReduction, abstract=True):
    """A logarithm of a sum; in integers the float64 formula on real values, cast once as tables are."""

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        x, y = site.input(0).format, site.output.format
        centred = inputs[0].astype(np.int64) - scalar_zero_point(x)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = self.compute(centred * scalar_scale(x))
        if not np.isfinite(value).all():
            raise SimulationError(f"{site.where}: the logarithm of a sum that is not above 0 has no code")
        codes, outside = Cast(y, site.arithmetic.rounding, site.arithmetic.overflow).real(value)
        return np.clip(codes, *site.clamp_codes), outside

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(adds=size(shapes[0]) - made, lookups=made)


@dataclass(frozen=True)
class ReduceLogSum(LogReduction):
    """y = ln Σ x over `dims`. Source: ONNX ReduceLogSum.

    >>> ReduceLogSum()(np.array([[0.25, 0.75]]))
    array([[0.]])
    """

    def compute(self, x: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log(self.total(x)))


@dataclass(frozen=True)
class ReduceLogSumExp(LogReduction):
    """y = max + ln Σ e^(x − max) over `dims`. Source: ONNX ReduceLogSumExp, torch.logsumexp.

    >>> ReduceLogSumExp()(np.array([[1000.0, 1000.0]])).round(4)
    array([[1000.6931]])
    """

    def compute(self, x: Array) -> Array:
        axes: Any = self.axes(x.shape)
        top = np.max(x, axis=axes, keepdims=True, initial=-np.inf)
        steady = np.where(np.isfinite(top), top, 0.0)
        with np.errstate(divide="ignore"):
            logarithm = np.log(self.total(np.exp(x - steady)))
        return np.asarray(logarithm + (steady if self.keepdim else steady.reshape(logarithm.shape)))

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(adds=2 * size(shapes[0]), compares=size(shapes[0]) - made, lookups=size(shapes[0]) + made)
