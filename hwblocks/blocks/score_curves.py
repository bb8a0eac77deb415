"""Functions of one element that attention needs: SoftCap, EluPlusOne, Inverse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwblocks.errors import ShapeError
from hwblocks.graph.block import Pointwise
from hwblocks.graph.contraction import Array


@dataclass(frozen=True)
class SoftCap(Pointwise):
    """y = cap · tanh(scale · x / cap): scores limited smoothly to ±cap. Source: ONNX Attention, softcap.

    >>> SoftCap(2.0)(np.array([0.0]))
    array([0.])
    """

    cap: float = 1.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not self.cap > 0:
            raise ShapeError(f"SoftCap: cap={self.cap} must be positive")

    def function(self, x: Array) -> Array:
        return np.asarray(self.cap * np.tanh(self.scale * x / self.cap))


@dataclass(frozen=True)
class EluPlusOne(Pointwise):
    """y = x + 1 where x ≥ 0, else e^x: the positive features of linear attention. Source: Katharopoulos et al. 2020.

    >>> EluPlusOne()(np.array([0.0, 2.0]))
    array([1., 3.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(np.where(x >= 0, x + 1, np.exp(np.minimum(x, 0))))


@dataclass(frozen=True)
class Inverse(Pointwise):
    """y = 1 / x where x ≥ eps, else 0: the inverse of a sum of weights, 0 for a sum of none.

    Not 1 / eps there, which would take the whole range of an integer format.

    >>> Inverse(0.5)(np.array([0.0, 4.0]))
    array([0.  , 0.25])
    """

    eps: float = 1e-6

    def __post_init__(self) -> None:
        if not self.eps > 0:
            raise ShapeError(f"Inverse: eps={self.eps} must be positive")

    def function(self, x: Array) -> Array:
        return np.asarray(np.where(x >= self.eps, 1 / np.maximum(x, self.eps), 0.0))
