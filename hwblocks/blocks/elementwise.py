"""Element-wise arithmetic of two tensors: Add, Sub, Mul."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.binary import Binary
from hwblocks.graph.block import Call, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.ratios import broadcast_index, rational_call, scale_ratio
from hwblocks.graph.relation_calls import relation_call
from hwblocks.graph.site import Site, scalar_scale
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.kernels.extremes import ChoiceCall


class Sum(Binary, abstract=True):
    """a + sign · b."""

    sign: ClassVar[int] = 1

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(adds=made, requants=made)

    def kernel(self, site: Site) -> Call | str:
        second = self.sign * scale_ratio(site.input(1), site)
        return rational_call(site, scale_ratio(site.input(0), site), second, Fraction(0))


@dataclass(frozen=True)
class Add(Sum):
    """y = a + b. Source: ONNX Add.

    >>> Add()(np.array([1.0]), np.array([2.0]))
    array([3.])
    """

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray(a + b)


@dataclass(frozen=True)
class Sub(Sum):
    """y = a − b. Source: ONNX Sub.

    >>> Sub()(np.array([1.0]), np.array([2.0]))
    array([-1.])
    """

    sign: ClassVar[int] = -1

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray(a - b)


@dataclass(frozen=True)
class Mul(Binary):
    """y = a · b, element by element. Source: ONNX Mul.

    >>> Mul()(np.array([2.0]), np.array([3.0]))
    array([6.])
    """

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray(a * b)

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(muls=made, requants=made)

    def kernel(self, site: Site) -> Call | str:
        ratio = scale_ratio(site.input(0), site) * Fraction(scalar_scale(site.input(1).format))
        return rational_call(site, Fraction(0), Fraction(0), ratio)


@dataclass(frozen=True)
class Div(Binary):
    """y = a / b, element by element. Source: ONNX Div.

    Integers without a scale: the quotient towards zero. Errors: SimulationError when a divisor of integers is 0.

    >>> Div()(np.array([6.0]), np.array([3.0]))
    array([2.])
    """

    def compute(self, a: Array, b: Array) -> Array:
        if a.dtype.kind in "iu" and b.dtype.kind in "iu":
            return towards_zero(a, b)
        if b.dtype == object and (b == 0).any():
            raise SimulationError("Div: a divisor is 0")
        return np.asarray(a / b)

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(divisions=made, requants=made)

    def kernel(self, site: Site) -> Call | str:
        return relation_call(site, "quotient")


def towards_zero(a: Array, b: Array) -> Array:
    """The quotient of integers without its fraction. Errors: SimulationError when a divisor is 0."""
    if (b == 0).any():
        raise SimulationError("Div: a divisor is 0")
    floor = a // b
    return np.asarray(floor + ((floor * b != a) & ((a < 0) != (b < 0))))


class Choice(Binary, abstract=True):
    """One of two elements."""

    largest: ClassVar[bool] = True

    def kernel(self, site: Site) -> Call | str:
        formats = {t.format for t in (*site.present, site.output)}
        if len(formats) > 1 or isinstance(site.output.format.scale, tuple):
            return relation_call(site, "larger" if self.largest else "smaller")
        given = sorted(site.present, key=lambda t: t.is_constant)  # the run-time operand first
        if given[0].is_constant:
            return "both operands are constants"
        a, b = given
        shape = site.output.shape
        return ChoiceCall(
            dtype=a.format.dtype.name,
            count=site.output.elements,
            a_count=a.elements,
            b_count=b.elements,
            a_index=broadcast_index(a, shape),
            b_index=None if b.is_constant else broadcast_index(b, shape),
            constant=None if b.value is None else np.broadcast_to(b.value, shape).ravel(),
            clamp_lo=site.clamp_codes[0],
            clamp_hi=site.clamp_codes[1],
            largest=self.largest,
        )

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=size(self.shape(*shapes)[0]))


@dataclass(frozen=True)
class Maximum(Choice):
    """y = max(a, b), element by element. Source: ONNX Max of two inputs.

    >>> Maximum()(np.array([1.0]), np.array([2.0]))
    array([2.])
    """

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray(np.maximum(a, b))


@dataclass(frozen=True)
class Minimum(Choice):
    """y = min(a, b), element by element. Source: ONNX Min of two inputs.

    >>> Minimum()(np.array([1.0]), np.array([2.0]))
    array([1.])
    """

    largest: ClassVar[bool] = False

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray(np.minimum(a, b))


@dataclass(frozen=True)
class SquaredDifference(Binary):
    """y = (a − b)², element by element. Source: TFLite SQUARED_DIFFERENCE.

    >>> SquaredDifference()(np.array([1.0]), np.array([3.0]))
    array([4.])
    """

    def compute(self, a: Array, b: Array) -> Array:
        return np.asarray((a - b) * (a - b))

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(muls=made, adds=made, requants=made)
