"""Running sums and products, scattered sums: CumSum, CumProd, ScatterND."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.along_axis import AlongAxis
from hwblocks.graph.block import Algorithm, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


@dataclass(frozen=True)
class Running(AlongAxis, abstract=True):
    """An element from all up to it along `dim`. exclusive: without itself. reverse: from the end."""

    exclusive: bool = False
    reverse: bool = False


@dataclass(frozen=True)
class CumSum(Running):
    """y[i] = Σ_{j ≤ i} x[j] along `dim`. Source: ONNX CumSum.

    exclusive: without x[i] itself. reverse: summed from the end.

    >>> CumSum(0)(np.array([1.0, 2.0, 3.0]))
    array([1., 3., 6.])
    """

    def compute(self, x: Array) -> Array:
        given = np.flip(x, self.dim) if self.reverse else x
        sums = np.cumsum(given, axis=self.dim)
        if self.exclusive:
            sums = sums - given
        return np.flip(sums, self.dim) if self.reverse else np.asarray(sums)

    def work(self, *shapes: Shape) -> Work:
        return Work(adds=size(shapes[0]), requants=size(shapes[0]))


@dataclass(frozen=True)
class CumProd(Running):
    """y[i] = Π_{j ≤ i} x[j] along `dim`. Source: ONNX CumProd.

    exclusive: without x[i] itself. reverse: multiplied from the end.

    >>> CumProd(0)(np.array([2.0, 3.0, 4.0]))
    array([ 2.,  6., 24.])
    """

    def compute(self, x: Array) -> Array:
        given = np.moveaxis(np.flip(x, self.dim) if self.reverse else x, self.dim, 0)
        if self.exclusive and len(given):
            given = np.concatenate([np.ones_like(given[:1]), given[:-1]])
        products = np.moveaxis(np.cumprod(given, axis=0), 0, self.dim)
        return np.flip(products, self.dim) if self.reverse else np.asarray(products)

    def work(self, *shapes: Shape) -> Work:
        return Work(muls=size(shapes[0]), requants=size(shapes[0]))


@dataclass(frozen=True)
class ScatterND(Algorithm):
    """Zeros of a shape with updates added at index vectors: indices [I…, K], updates [I…, S…] → [*new_shape].

    Updates of the same place add up. Source: TFLite SCATTER_ND. Errors: SimulationError for an index outside.

    >>> ScatterND((3,))(np.array([[2], [0], [2]]), np.array([1.0, 5.0, 2.0]))
    array([5., 0., 3.])
    """

    new_shape: tuple[int, ...] = (1,)

    input_names: ClassVar[tuple[str, ...]] = ("indices", "updates")

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("parameter", "activation"), output="float")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        indices, updates = shapes
        k = indices[-1] if indices else 0
        if not indices or k > len(self.new_shape) or updates != (*indices[:-1], *self.new_shape[k:]):
            raise self.fail(f"indices and updates do not fit new_shape={self.new_shape}", *shapes)
        return (tuple(self.new_shape),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return False

    def compute(self, indices: Array, updates: Array) -> Array:
        places = np.moveaxis(indices.astype(np.int64), -1, 0)
        limits = np.array(self.new_shape[: len(places)], dtype=np.int64).reshape(-1, *(1,) * (places.ndim - 1))
        if ((places < 0) | (places >= limits)).any():
            raise SimulationError(f"ScatterND: an index reaches outside new_shape={self.new_shape}")
        made = np.zeros(self.new_shape, updates.dtype)
        np.add.at(made, tuple(places), updates)
        return made

    def work(self, *shapes: Shape) -> Work:
        return Work(adds=size(shapes[1]))
