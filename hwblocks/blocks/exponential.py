"""Functions of one element made of exponentials: Exp, Log, ELU, GELU, SiLU, Erf, Softplus."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hwblocks.errors import ShapeError
from hwblocks.graph.block import Pointwise
from hwblocks.graph.contraction import Array

_erf = np.frompyfunc(math.erf, 1, 1)
_erfc = np.frompyfunc(math.erfc, 1, 1)


@dataclass(frozen=True)
class Exp(Pointwise):
    """y = e^x. Any shape. Source: ONNX Exp.

    >>> Exp()(np.array([0.0]))
    array([1.])
    """

    def function(self, x: Array) -> Array:
        return np.exp(x)


@dataclass(frozen=True)
class Log(Pointwise):
    """y = ln x. Any shape. Source: ONNX Log.

    >>> Log()(np.array([1.0]))
    array([0.])
    """

    def function(self, x: Array) -> Array:
        return np.log(x)


@dataclass(frozen=True)
class ELU(Pointwise):
    """y = x where x ≥ 0, else alpha · (e^x − 1). Any shape. Source: ONNX Elu.

    >>> ELU()(np.array([2.0, 0.0]))
    array([2., 0.])
    """

    alpha: float = 1.0

    def function(self, x: Array) -> Array:
        return np.asarray(np.where(x >= 0, x, self.alpha * np.expm1(np.minimum(x, 0))))


@dataclass(frozen=True)
class GELU(Pointwise):
    """y = x · Φ(x), Φ the normal distribution function. Any shape. Source: ONNX Gelu.

    approximate: "none" (½·x·erfc(−x / √2)) or "tanh" (½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))).

    >>> GELU()(np.array([0.0]))
    array([0.])
    """

    approximate: str = "none"

    def __post_init__(self) -> None:
        if self.approximate not in ("none", "tanh"):
            raise ShapeError(f'GELU: approximate {self.approximate!r} must be "none" or "tanh"')

    def function(self, x: Array) -> Array:
        if self.approximate == "tanh":
            return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))))
        return np.asarray(0.5 * x * np.asarray(_erfc(-x / math.sqrt(2)), dtype=np.float64))


@dataclass(frozen=True)
class Erf(Pointwise):
    """y = erf x. Any shape. Source: ONNX Erf.

    >>> Erf()(np.array([0.0]))
    array([0.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(_erf(x), dtype=np.float64)


@dataclass(frozen=True)
class SiLU(Pointwise):
    """y = x / (1 + e^−x). Any shape. Source: torch.nn.SiLU.

    >>> SiLU()(np.array([0.0]))
    array([0.])
    """

    def function(self, x: Array) -> Array:
        small = np.exp(-np.abs(x))
        return np.asarray(x * np.where(x >= 0, 1.0, small) / (1.0 + small))


@dataclass(frozen=True)
class Softplus(Pointwise):
    """y = ln(1 + e^x). Any shape. Source: ONNX Softplus.

    >>> Softplus()(np.array([0.0])).round(4)
    array([0.6931])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))
