"""Activations and powers of one element: the ReLU family, Sigmoid, Tanh, HardSwish, Abs, Neg, roots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwblocks.errors import ShapeError
from hwblocks.graph.block import Algorithm, Pointwise, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


class Clamp(Pointwise, abstract=True):
    """Activations that only limit their input; in integers with equal formats they limit codes."""

    @property
    def clamp(self) -> tuple[float, float]:
        """(lo, hi)."""
        return (0.0, np.inf)

    def function(self, x: Array) -> Array:
        low, high = self.clamp
        if x.dtype.kind in "iu":  # bounds as integers, so that 64 bits stay exact
            low, high = (round(v) if np.isfinite(v) else v for v in (low, high))
        x = x if low == -np.inf else np.where(x < low, low, x)
        return np.asarray(x if high == np.inf else np.where(x > high, high, x))

    def work(self, *shapes: Shape) -> Work:
        bounds = sum(bool(np.isfinite(bound)) for bound in self.clamp)
        return Work(compares=bounds * size(shapes[0]))

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="same")


@dataclass(frozen=True)
class ReLU(Clamp):
    """y = max(x, 0). Any shape. Source: ONNX Relu.

    >>> ReLU()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """


@dataclass(frozen=True)
class ReLU6(Clamp):
    """y = min(max(x, 0), 6). Any shape. Source: torch.nn.ReLU6.

    >>> ReLU6()(np.array([-1.0, 7.0]))
    array([0., 6.])
    """

    @property
    def clamp(self) -> tuple[float, float]:
        return (0.0, 6.0)


@dataclass(frozen=True)
class Clip(Clamp):
    """y = min(max(x, min), max). Any shape. Source: ONNX Clip with constant bounds.

    >>> Clip(min=-1.0, max=1.0)(np.array([-3.0, 0.5, 3.0]))
    array([-1. ,  0.5,  1. ])
    """

    min: float = -np.inf
    max: float = np.inf

    def __post_init__(self) -> None:
        if not self.min <= self.max:
            raise ShapeError(f"Clip: min {self.min} must not be above max {self.max}")

    @property
    def clamp(self) -> tuple[float, float]:
        return (float(self.min), float(self.max))


@dataclass(frozen=True)
class LeakyReLU(Pointwise):
    """y = x where x ≥ 0, else negative_slope · x. Any shape. Source: ONNX LeakyRelu.

    >>> LeakyReLU(0.5)(np.array([-2.0, 2.0]))
    array([-1.,  2.])
    """

    negative_slope: float = 0.01

    def function(self, x: Array) -> Array:
        return np.asarray(np.where(x >= 0, x, x * self.negative_slope))

    def work(self, *shapes: Shape) -> Work:
        return self.variant_work(*shapes) or Work(muls=size(shapes[0]), compares=size(shapes[0]))


@dataclass(frozen=True)
class Sigmoid(Pointwise):
    """y = 1 / (1 + e^−x). Any shape; the output lies in (0, 1). Source: ONNX Sigmoid.

    >>> Sigmoid()(np.array([0.0]))
    array([0.5])
    """

    def function(self, x: Array) -> Array:
        small = np.exp(-np.abs(x))
        return np.asarray(np.where(x >= 0, 1.0, small) / (1.0 + small))

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="fixed", fixed_range=(0.0, 1.0))


@dataclass(frozen=True)
class Tanh(Pointwise):
    """y = tanh x. Any shape; the output lies in (−1, 1). Source: ONNX Tanh.

    >>> Tanh()(np.array([0.0]))
    array([0.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(np.tanh(x))

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="fixed", fixed_range=(-1.0, 1.0))


@dataclass(frozen=True)
class PReLU(Algorithm):
    """y = x where x ≥ 0, else slope · x: slope [..., C] broadcasts to x. Source: ONNX PRelu.

    >>> PReLU()(np.array([-2.0, 2.0]), np.array([0.5, 0.5]))
    array([-1.,  2.])
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "slope")
    overwrites: ClassVar[tuple[int, ...]] = (0,)

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "activation"))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, slope = shapes
        try:
            fits = np.broadcast_shapes(x, slope) == tuple(x)
        except ValueError:
            fits = False
        if not fits:
            raise self.fail("the slope does not broadcast to x", *shapes)
        return (x,)

    def compute(self, x: Array, slope: Array) -> Array:
        return np.asarray(np.where(x >= 0, x, x * slope))

    def work(self, *shapes: Shape) -> Work:
        return Work(muls=size(shapes[0]), compares=size(shapes[0]))


@dataclass(frozen=True)
class HardSwish(Pointwise):
    """y = x · min(max(x + 3, 0), 6) / 6. Any shape. Source: ONNX HardSwish.

    >>> HardSwish()(np.array([3.0]))
    array([3.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(x * np.clip(x + 3, 0, 6) / 6)


@dataclass(frozen=True)
class Abs(Pointwise):
    """y = |x|. Any shape. Source: ONNX Abs.

    >>> Abs()(np.array([-3.0]))
    array([3.])
    """

    def function(self, x: Array) -> Array:
        return np.abs(x)


@dataclass(frozen=True)
class Neg(Pointwise):
    """y = −x. Any shape. Source: ONNX Neg.

    >>> Neg()(np.array([-3.0]))
    array([3.])
    """

    def function(self, x: Array) -> Array:
        return -x


@dataclass(frozen=True)
class Square(Pointwise):
    """y = x². Any shape. Source: torch.square.

    >>> Square()(np.array([-3.0]))
    array([9.])
    """

    def function(self, x: Array) -> Array:
        return x * x


@dataclass(frozen=True)
class Sqrt(Pointwise):
    """y = √x. Any shape. Source: ONNX Sqrt.

    >>> Sqrt()(np.array([9.0]))
    array([3.])
    """

    def function(self, x: Array) -> Array:
        return np.sqrt(x)


@dataclass(frozen=True)
class Rsqrt(Pointwise):
    """y = 1 / √x. Any shape. Source: torch.rsqrt.

    >>> Rsqrt()(np.array([4.0]))
    array([0.5])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(1 / np.sqrt(x))


@dataclass(frozen=True)
class Reciprocal(Pointwise):
    """y = 1 / x. Any shape. Source: ONNX Reciprocal.

    >>> Reciprocal()(np.array([4.0]))
    array([0.25])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(1 / x)
