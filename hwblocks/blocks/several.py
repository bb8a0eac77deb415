"""Sums and means of any number of tensors: AddN, MeanN."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from hwblocks.graph.block import Algorithm, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


class Several(Algorithm, abstract=True):
    """Any number of operands that broadcast as in NumPy; added in order, rounded once."""

    input_names: ClassVar[tuple[str, ...]] = ("x", "xs*")

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation",))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        try:
            return (tuple(np.broadcast_shapes(*shapes)),)
        except ValueError:
            raise self.fail("the shapes do not broadcast", *shapes) from None


@dataclass(frozen=True)
class AddN(Several):
    """y = x₁ + x₂ + … + xₙ. Source: ONNX Sum, TFLite ADD_N.

    >>> AddN()(np.array([1.0]), np.array([2.0]), np.array([4.0]))
    array([7.])
    """

    def compute(self, *arrays: Array) -> Array:
        return np.asarray(reduce(lambda a, b: a + b, arrays))

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(adds=made * (len(shapes) - 1), requants=made)


@dataclass(frozen=True)
class MeanN(Several):
    """y = (x₁ + x₂ + … + xₙ) / n. Source: ONNX Mean.

    >>> MeanN()(np.array([1.0]), np.array([2.0]))
    array([1.5])
    """

    def compute(self, *arrays: Array) -> Array:
        return np.asarray(reduce(lambda a, b: a + b, arrays) / len(arrays))

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        return Work(adds=made * (len(shapes) - 1), divisions=made)
