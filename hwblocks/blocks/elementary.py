"""Elementary functions: Floor, Ceil, Round, Sign, Sin, Cos, Pow, FloorDiv, FloorMod, TruncMod."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.binary import Binary
from hwblocks.graph.block import Pointwise, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


@dataclass(frozen=True)
class Floor(Pointwise):
    """y = ⌊x⌋. Source: ONNX Floor.

    >>> Floor()(np.array([-0.5, 1.5]))
    array([-1.,  1.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(np.floor(x))


@dataclass(frozen=True)
class Ceil(Pointwise):
    """y = ⌈x⌉. Source: ONNX Ceil.

    >>> Ceil()(np.array([-1.5, 1.5]))
    array([-1.,  2.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(np.ceil(x))


@dataclass(frozen=True)
class Round(Pointwise):
    """The nearest integer; ties to the even one. Source: ONNX Round.

    >>> Round()(np.array([0.5, 1.5]))
    array([0., 2.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(np.rint(x))


@dataclass(frozen=True)
class Sign(Pointwise):
    """−1, 0 or 1 as x is below, equal to or above 0. Source: ONNX Sign.

    >>> Sign()(np.array([-2.0, 0.0, 3.0]))
    array([-1.,  0.,  1.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(np.sign(x))

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=2 * size(shapes[0]))


@dataclass(frozen=True)
class Sin(Pointwise):
    """y = sin x. Source: ONNX Sin.

    >>> Sin()(np.array([0.0]))
    array([0.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(np.sin(x))


@dataclass(frozen=True)
class Cos(Pointwise):
    """y = cos x. Source: ONNX Cos.

    >>> Cos()(np.array([0.0]))
    array([1.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(np.cos(x))


class Pair(Binary, abstract=True):
    """A function of two operands by division."""

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(divisions=made, requants=made)

    def no_zero(self, b: Array) -> None:
        """Errors: SimulationError when a divisor is 0."""
        if (b == 0).any():
            raise SimulationError(f"{type(self).__name__}: a divisor is 0")


@dataclass(frozen=True)
class Pow(Pair):
    """y = a ** b. Source: ONNX Pow. Integers: products that wrap; SimulationError for a negative exponent.

    >>> Pow()(np.array([2.0, 3.0]), np.array(2.0))
    array([4., 9.])
    """

    def compute(self, a: Array, b: Array) -> Array:
        if a.dtype.kind in "iu" and (b < 0).any():
            raise SimulationError("Pow: an integer has a negative exponent")
        return np.asarray(a**b)

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(lookups=made, requants=made)


@dataclass(frozen=True)
class FloorDiv(Pair):
    """y = ⌊a / b⌋, the quotient of floats rounded to float64 first. Source: TFLite FLOOR_DIV.

    >>> FloorDiv()(np.array([7.0, -7.0]), np.array(2.0))
    array([ 3., -4.])
    """

    def compute(self, a: Array, b: Array) -> Array:
        self.no_zero(b)
        return np.asarray(np.floor(a / b) if a.dtype.kind == "f" else a // b)


@dataclass(frozen=True)
class FloorMod(Pair):
    """y = a − ⌊a / b⌋ · b, which has the sign of b; NaN for floats where b is 0. Source: TFLite FLOOR_MOD.

    >>> FloorMod()(np.array([7.0, -7.0]), np.array(4.0))
    array([3., 1.])
    """

    def compute(self, a: Array, b: Array) -> Array:
        if b.dtype.kind != "f":
            self.no_zero(b)
        with np.errstate(invalid="ignore"):
            return np.asarray(a % b)


@dataclass(frozen=True)
class TruncMod(Pair):
    """y = a − trunc(a / b) · b, which has the sign of a; NaN for floats where b is 0. Source: ONNX Mod with fmod=1.

    Errors: SimulationError when a divisor that is no float is 0.

    >>> TruncMod()(np.array([7.0, -7.0]), np.array(4.0))
    array([ 3., -3.])
    """

    def compute(self, a: Array, b: Array) -> Array:
        if b.dtype.kind != "f":
            self.no_zero(b)
        if a.dtype == object or b.dtype == object:
            return np.asarray(a - b * np.frompyfunc(math.trunc, 1, 1)(a / b))
        with np.errstate(invalid="ignore"):
            return np.asarray(np.fmod(a, b))
