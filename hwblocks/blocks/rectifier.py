"""Activations of one element with stated slopes and thresholds: SELU, CELU, HardSigmoid, HardTanh, Mish, Shrink, ..."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwblocks.errors import ShapeError
from hwblocks.graph.block import Pointwise, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^−x) without overflow."""
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, small) / (1.0 + small))


@dataclass(frozen=True)
class SELU(Pointwise):
    """y = gamma · x where x > 0, else gamma · alpha · (e^x − 1). Any shape. Source: ONNX Selu.

    >>> SELU(alpha=2.0, gamma=3.0)(np.array([2.0, 0.0]))
    array([6., 0.])
    """

    alpha: float = 1.67326319217681884765625
    gamma: float = 1.05070102214813232421875

    def function(self, x: Array) -> Array:
        below = self.alpha * np.expm1(np.minimum(x, 0))
        return np.asarray(self.gamma * np.where(x > 0, x, below))


@dataclass(frozen=True)
class CELU(Pointwise):
    """y = max(x, 0) + min(alpha · (e^(x / alpha) − 1), 0). Any shape. Source: ONNX Celu.

    >>> CELU(2.0)(np.array([2.0, 0.0]))
    array([2., 0.])
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if self.alpha == 0:
            raise ShapeError("CELU: alpha must not be 0")

    def function(self, x: Array) -> Array:
        below = self.alpha * np.expm1(np.minimum(x / self.alpha, 700.0))
        return np.asarray(np.maximum(x, 0) + np.minimum(below, 0))


@dataclass(frozen=True)
class HardSigmoid(Pointwise):
    """y = max(0, min(1, alpha · x + beta)). Any shape; the output lies in [0, 1]. Source: ONNX HardSigmoid.

    >>> HardSigmoid(0.5, 0.5)(np.array([-9.0, 0.0, 9.0]))
    array([0. , 0.5, 1. ])
    """

    alpha: float = 0.2
    beta: float = 0.5

    def function(self, x: Array) -> Array:
        return np.asarray(np.clip(self.alpha * x + self.beta, 0.0, 1.0))

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="fixed", fixed_range=(0.0, 1.0))

    def work(self, *shapes: Shape) -> Work:
        made = size(shapes[0])
        return Work(muls=made, adds=made, compares=2 * made)


@dataclass(frozen=True)
class HardTanh(Pointwise):
    """y = min(max(x, min_val), max_val). Any shape. Source: torch.nn.Hardtanh.

    >>> HardTanh()(np.array([-3.0, 0.5, 3.0]))
    array([-1. ,  0.5,  1. ])
    """

    min_val: float = -1.0
    max_val: float = 1.0

    def __post_init__(self) -> None:
        if not self.min_val <= self.max_val:
            raise ShapeError(f"HardTanh: min_val {self.min_val} must not be above max_val {self.max_val}")

    @property
    def clamp(self) -> tuple[float, float]:
        return (float(self.min_val), float(self.max_val))

    def function(self, x: Array) -> Array:
        return np.asarray(np.clip(x, *self.clamp))

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="same")

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=2 * size(shapes[0]))


@dataclass(frozen=True)
class Mish(Pointwise):
    """y = x · tanh(ln(1 + e^x)). Any shape. Source: ONNX Mish.

    >>> Mish()(np.array([0.0]))
    array([0.])
    """

    def function(self, x: Array) -> Array:
        softplus = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
        return np.asarray(x * np.tanh(softplus))


@dataclass(frozen=True)
class Softsign(Pointwise):
    """y = x / (1 + |x|). Any shape; the output lies in (−1, 1). Source: ONNX Softsign.

    >>> Softsign()(np.array([-1.0, 3.0]))
    array([-0.5 ,  0.75])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(x / (1 + np.abs(x)))

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="fixed", fixed_range=(-1.0, 1.0))


@dataclass(frozen=True)
class Swish(Pointwise):
    """y = x / (1 + e^(−alpha · x)). Any shape. Source: ONNX Swish.

    >>> Swish(2.0)(np.array([0.0]))
    array([0.])
    """

    alpha: float = 1.0

    def function(self, x: Array) -> Array:
        return np.asarray(x * sigmoid(self.alpha * x))


@dataclass(frozen=True)
class ThresholdedReLU(Pointwise):
    """y = x where x > alpha, else 0. Any shape. Source: ONNX ThresholdedRelu.

    >>> ThresholdedReLU(1.0)(np.array([1.0, 2.0]))
    array([0., 2.])
    """

    alpha: float = 1.0

    def function(self, x: Array) -> Array:
        return np.asarray(np.where(x > self.alpha, x, 0))

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=size(shapes[0]))


@dataclass(frozen=True)
class Shrink(Pointwise):
    """y = x + bias where x < −lambd, x − bias where x > lambd, else 0. Any shape. Source: ONNX Shrink.

    >>> Shrink(1.0, 0.5)(np.array([-2.0, 1.0, 2.0]))
    array([-1.5,  0. ,  1.5])
    """

    lambd: float = 0.5
    bias: float = 0.0

    def function(self, x: Array) -> Array:
        inner = np.where(x > self.lambd, x - self.bias, 0)
        return np.asarray(np.where(x < -self.lambd, x + self.bias, inner))

    def work(self, *shapes: Shape) -> Work:
        return Work(adds=size(shapes[0]), compares=2 * size(shapes[0]))
