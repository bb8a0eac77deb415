"""Normalization: BatchNorm with fixed statistics, L2Norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.along_axis import AlongAxis
from hwblocks.graph.block import Algorithm, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


@dataclass(frozen=True)
class BatchNorm(Algorithm):
    """y = (x − mean) / √(var + eps) · weight + bias along the last axis: x [..., C], the rest [C].

    Source: ONNX BatchNormalization at inference. Quantization folds it into the layer before it, or makes it a Weight.

    >>> BatchNorm(eps=0.0)(np.array([[3.0]]), np.array([2.0]), np.array([1.0]), np.array([1.0]), np.array([4.0]))
    array([[3.]])
    """

    eps: float = 1e-5

    input_names: ClassVar[tuple[str, ...]] = ("x", "weight", "bias", "mean", "var")
    overwrites: ClassVar[tuple[int, ...]] = (0,)

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "parameter"))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if len(x) < 2 or any(s != (x[-1],) for s in shapes[1:]):
            raise self.fail("weight, bias, mean and var need one entry per channel of x [..., C]", *shapes)
        return (x,)

    def compute(self, x: Array, weight: Array, bias: Array, mean: Array, var: Array) -> Array:
        return np.asarray((x - mean) * (weight / np.sqrt(var + self.eps)) + bias)

    def work(self, *shapes: Shape) -> Work:
        made = size(shapes[0])
        return Work(muls=made, adds=made)


@dataclass(frozen=True)
class L2Norm(AlongAxis):
    """y = x / √max(Σ x², eps) along `dim`. Source: TFLite L2_NORMALIZATION.

    >>> L2Norm()(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """

    eps: float = 1e-6

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="fixed", fixed_range=(-1.0, 1.0))

    def compute(self, x: Array) -> Array:
        squares = (x * x).sum(axis=self.dim, keepdims=True)
        return np.asarray(x / np.sqrt(np.maximum(squares, self.eps)))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        raise SimulationError(f"{site.where}: has no integer meaning of its own; choose a dialect that has one")

    def work(self, *shapes: Shape) -> Work:
        made = size(shapes[0])
        return Work(muls=made, adds=made, divisions=made)
