"""Softmax: the float formula and an integer algorithm by one table and one exact division."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Algorithm, Call, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.rational import cast_ratio
from hwblocks.graph.site import Site, limits, scalar_scale
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.exponential import natural_log, power_of_e, sum_in_order
from hwblocks.numerics.kernels.softmax import FloatSoftmaxCall, SoftmaxCall

FRACTION_BITS = 30
TABLE_BITS = 16


def below_largest(x: Array, dim: int) -> Array:
    """x − max along `dim` in float64; NaN all along where the largest is not finite."""
    wide = np.asarray(x, np.float64)
    with np.errstate(invalid="ignore"):
        top = wide.max(axis=dim, keepdims=True)
        return np.asarray(np.where(np.isfinite(top), wide - top, np.nan))


def as_floats_of(x: Array, y: Array) -> Array:
    """y in the float type of x, float64 where that is none."""
    return np.asarray(y, x.dtype if x.dtype.kind == "f" else np.float64)


def float_call(site: Site, dim: int, beta: float, logarithm: bool) -> Call | str:
    """The call of a softmax of float32 over the last axis."""
    x, y = site.input(0), site.output
    if x.is_constant or x.format.name != "float32" or y.format.name != "float32":
        return f"a softmax from {x.format.name} to {y.format.name}"
    if dim % len(x.shape) != len(x.shape) - 1:
        return "softmax along an inner axis"
    if site.node.clamp is not None:
        return "a clamp of floats"
    return FloatSoftmaxCall(rows=x.elements // x.shape[-1], length=x.shape[-1], beta=beta, logarithm=logarithm)


@dataclass(frozen=True)
class Softmax(Algorithm):
    """y = e^(beta · (x − max)) / Σ e^(beta · (x − max)) along `dim`.

    In float64 by numerics/exponential.py, Σ in index order; a row is NaN where its largest is not finite.

    In integers (algorithm "table"): T[d] = half_even(e^(−beta · scale · d) · 2**30) for d = max − code, S = Σ T
    exactly, y = T / S cast once, exactly, to the output format. Source: ONNX Softmax from opset 13, TFLite SOFTMAX.

    >>> Softmax()(np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """

    serves_floats: ClassVar[bool] = True
    dim: int = -1
    beta: float = 1.0

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        if not -len(shapes[0]) <= self.dim < len(shapes[0]):
            raise self.fail(f"dim={self.dim} is not an axis of x", *shapes)
        return (shapes[0],)

    def compute(self, x: Array) -> Array:
        powers = power_of_e(self.beta * below_largest(x, self.dim))
        return as_floats_of(x, powers / sum_in_order(powers, self.dim))

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dim % len(shapes[0]) != 0

    def work(self, *shapes: Shape) -> Work:
        made = size(shapes[0])
        rows = made // shapes[0][self.dim] if made else 0
        return Work(adds=made - rows, compares=made - rows, lookups=made, divisions=made)

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="fixed", fixed_range=(0.0, 1.0))

    def table(self, site: Site) -> Array:
        """T, one entry for each difference of two codes of the input format."""
        x = site.input(0).format
        if x.bits > TABLE_BITS:
            raise SimulationError(f"{site.where}: softmax needs at most {TABLE_BITS} input bits, {x.name} has {x.bits}")
        powers = np.exp(-self.beta * scalar_scale(x) * np.arange(x.hi - x.lo + 1, dtype=np.float64))
        return np.asarray(np.rint(powers * (1 << FRACTION_BITS)), dtype=np.int64)

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        codes = inputs[0].astype(np.int64)
        powers = self.table(site)[codes.max(axis=self.dim, keepdims=True) - codes]
        total = powers.sum(axis=self.dim, keepdims=True)
        return cast_ratio(powers.astype(object), np.broadcast_to(total, powers.shape).astype(object), site)

    def kernel(self, site: Site) -> Call | str:
        x, y = site.input(0), site.output.format
        if x.format.is_float:
            return float_call(site, self.dim, self.beta, logarithm=False)
        if not site.is_integer:
            return "float"
        if x.is_constant or x.format.bits > TABLE_BITS:
            return "softmax kernels serve quantized run-time inputs of at most 16 bits"
        if self.dim % len(x.shape) != len(x.shape) - 1:
            return "softmax along an inner axis"
        if site.arithmetic.overflow.mode != "saturate":
            return f"overflow {site.arithmetic.overflow} of an algorithm"
        scale = Fraction(scalar_scale(y))
        return SoftmaxCall(
            x_dtype=x.format.dtype.name,
            rows=x.elements // x.shape[-1],
            length=x.shape[-1],
            table=self.table(site),
            ratio_num=scale.denominator,
            ratio_den=scale.numerator,
            rounding=site.arithmetic.rounding,
            zero_point=int(y.zero_point),
            **limits(site),
        )


@dataclass(frozen=True)
class LogSoftmax(Algorithm):
    """y = x − max − ln Σ e^(x − max) along `dim`. Source: ONNX LogSoftmax from opset 13.

    In float64 by numerics/exponential.py, Σ in index order; a row is NaN where its largest is not finite.

    >>> LogSoftmax()(np.array([[0.0, 0.0]])).round(4)
    array([[-0.6931, -0.6931]])
    """

    serves_floats: ClassVar[bool] = True
    dim: int = -1

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        if not -len(shapes[0]) <= self.dim < len(shapes[0]):
            raise self.fail(f"dim={self.dim} is not an axis of x", *shapes)
        return (shapes[0],)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dim % len(shapes[0]) != 0

    def compute(self, x: Array) -> Array:
        below = below_largest(x, self.dim)
        return as_floats_of(x, below - natural_log(sum_in_order(power_of_e(below), self.dim)))

    def kernel(self, site: Site) -> Call | str:
        if site.is_integer:
            return super().kernel(site)
        return float_call(site, self.dim, 1.0, logarithm=True)

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        raise SimulationError(f"{site.where}: has no integer meaning of its own; choose a dialect that has one")

    def work(self, *shapes: Shape) -> Work:
        made = size(shapes[0])
        return Work(adds=2 * made, compares=made, lookups=made)
