"""Trigonometric and hyperbolic functions of one element, and their inverses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwblocks.graph.block import Pointwise
from hwblocks.graph.contraction import Array


@dataclass(frozen=True)
class Tan(Pointwise):
    """y = tan x. Any shape. Source: ONNX Tan.

    >>> Tan()(np.array([0.0]))
    array([0.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(np.tan(x))


@dataclass(frozen=True)
class Asin(Pointwise):
    """y = arcsin x for x in [−1, 1]; NaN elsewhere. Any shape. Source: ONNX Asin.

    >>> Asin()(np.array([0.0]))
    array([0.])
    """

    def function(self, x: Array) -> Array:
        with np.errstate(invalid="ignore"):
            return np.asarray(np.arcsin(x))


@dataclass(frozen=True)
class Acos(Pointwise):
    """y = arccos x for x in [−1, 1]; NaN elsewhere. Any shape. Source: ONNX Acos.

    >>> Acos()(np.array([1.0]))
    array([0.])
    """

    def function(self, x: Array) -> Array:
        with np.errstate(invalid="ignore"):
            return np.asarray(np.arccos(x))


@dataclass(frozen=True)
class Atan(Pointwise):
    """y = arctan x. Any shape. Source: ONNX Atan.

    >>> Atan()(np.array([0.0]))
    array([0.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(np.arctan(x))


@dataclass(frozen=True)
class Sinh(Pointwise):
    """y = sinh x = (e^x − e^−x) / 2. Any shape. Source: ONNX Sinh.

    >>> Sinh()(np.array([0.0]))
    array([0.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(np.sinh(x))


@dataclass(frozen=True)
class Cosh(Pointwise):
    """y = cosh x = (e^x + e^−x) / 2. Any shape. Source: ONNX Cosh.

    >>> Cosh()(np.array([0.0]))
    array([1.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(np.cosh(x))


@dataclass(frozen=True)
class Asinh(Pointwise):
    """y = arsinh x = ln(x + √(x² + 1)). Any shape. Source: ONNX Asinh.

    >>> Asinh()(np.array([0.0]))
    array([0.])
    """

    def function(self, x: Array) -> Array:
        return np.asarray(np.arcsinh(x))


@dataclass(frozen=True)
class Acosh(Pointwise):
    """y = arcosh x = ln(x + √(x² − 1)) for x ≥ 1; NaN elsewhere. Any shape. Source: ONNX Acosh.

    >>> Acosh()(np.array([1.0]))
    array([0.])
    """

    def function(self, x: Array) -> Array:
        with np.errstate(invalid="ignore"):
            return np.asarray(np.arccosh(x))


@dataclass(frozen=True)
class Atanh(Pointwise):
    """y = artanh x = ½ · ln((1 + x) / (1 − x)) for x in (−1, 1); NaN elsewhere. Any shape. Source: ONNX Atanh.

    >>> Atanh()(np.array([0.0]))
    array([0.])
    """

    def function(self, x: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.arctanh(x))
