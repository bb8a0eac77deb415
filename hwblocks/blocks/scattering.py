"""Updates written into, or combined with, a tensor at given places: Scatter blocks and TensorScatter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.errors import GraphError, ShapeError, SimulationError
from hwblocks.graph.block import Algorithm, Block, Move, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work

REDUCTIONS = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


@dataclass(frozen=True)
class Scatter(Block, abstract=True):
    """What all blocks of x, indices and updates have in common. Negative indices count from the end."""

    input_names: ClassVar[tuple[str, ...]] = ("x", "indices", "updates")
    steering: ClassVar[frozenset[int]] = frozenset({1})

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "parameter", "activation"), output="same")

    def keeps_samples(self, *shapes: Shape) -> bool:
        return False

    def places(self, x: Shape, indices: Array) -> tuple[Array, ...]:
        """One array of positions for each indexed axis."""
        raise GraphError(f"{type(self).__name__} states no places")

    def counted(self, indices: Array, sizes: Array) -> Array:
        """Indices from the start. Errors: SimulationError when one lies outside its axis."""
        wide = indices.astype(np.int64)
        if ((wide < -sizes) | (wide >= sizes)).any():
            raise SimulationError(f"{type(self).__name__}: an index reaches outside x")
        return np.asarray(np.where(wide < 0, wide + sizes, wide))


@dataclass(frozen=True)
class ByElement(Scatter, abstract=True):
    """One index along `dim` for each update: x [..., D, ...], indices and updates of one shape and x's rank."""

    dim: int = 0

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, indices, updates = shapes
        rank = len(x)
        if not -rank <= self.dim < rank or len(indices) != rank or indices != updates:
            raise self.fail(f"dim={self.dim} needs an axis of x, indices and updates one shape of its rank", *shapes)
        others = [(n, s) for axis, (n, s) in enumerate(zip(indices, x, strict=True)) if axis != self.dim % rank]
        if any(n > s for n, s in others):
            raise self.fail("indices are longer than x along another axis", *shapes)
        return (x,)

    def places(self, x: Shape, indices: Array) -> tuple[Array, ...]:
        found: list[Array] = list(np.indices(indices.shape, sparse=True))
        axis = self.dim % len(x)
        found[axis] = self.counted(indices, np.asarray(x[axis]))
        return tuple(found)


@dataclass(frozen=True)
class BySlice(Scatter, abstract=True):
    """An index vector for each slice: x [D…, S…], indices [I…, K], updates [I…, S…] for K axes D."""

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, indices, updates = shapes
        k = indices[-1] if indices else 0
        if not indices or k > len(x) or updates != (*indices[:-1], *x[k:]):
            raise self.fail("indices [I…, K] and updates [I…, S…] do not fit x", *shapes)
        return (x,)

    def places(self, x: Shape, indices: Array) -> tuple[Array, ...]:
        sizes = np.array(x[: indices.shape[-1]], dtype=np.int64)
        return tuple(np.moveaxis(self.counted(indices, sizes), -1, 0))


class Written(Scatter, Move, abstract=True):
    """Updates take the place of what was there; of several for one place the last one."""

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x, indices, updates = arrays
        made = x.copy()
        made[self.places(x.shape, indices)] = updates
        return made


class Combined(Scatter, Algorithm, abstract=True):
    """Updates are combined with what is there, one after the other: reduction "add", "mul", "max" or "min"."""

    reduction: str

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "parameter", "activation"), output="float")

    def __post_init__(self) -> None:
        if self.reduction not in REDUCTIONS:
            names = ", ".join(REDUCTIONS)
            raise ShapeError(f"{type(self).__name__}: reduction {self.reduction!r} is not one of {names}")

    def compute(self, x: Array, indices: Array, updates: Array) -> Array:
        made = x.copy()
        REDUCTIONS[self.reduction].at(made, self.places(x.shape, indices), updates)
        return made

    def work(self, *shapes: Shape) -> Work:
        count = size(shapes[2])
        return Work(**{{"add": "adds", "mul": "muls"}.get(self.reduction, "compares"): count})


@dataclass(frozen=True)
class ScatterElements(ByElement, Written):
    """x with x[indices[i, j, …], j, …] = updates[i, j, …] for dim=0. Source: ONNX ScatterElements.

    Errors: SimulationError for an index outside [−D, D).

    >>> ScatterElements(0)(np.array([1, 2, 3]), np.array([2, 0]), np.array([7, 8]))
    array([8, 2, 7])
    """


@dataclass(frozen=True)
class ScatterElementsReduce(ByElement, Combined):
    """As ScatterElements, but updates are combined with x. Source: ONNX ScatterElements with a reduction.

    Errors: SimulationError for an index outside [−D, D).

    >>> ScatterElementsReduce(0, "mul")(np.array([1, 2, 3]), np.array([2, 2]), np.array([7, 8]))
    array([  1,   2, 168])
    """

    reduction: str = "add"


@dataclass(frozen=True)
class ScatterNDUpdate(BySlice, Written):
    """x with the slices at index vectors replaced by updates. Source: ONNX ScatterND.

    Errors: SimulationError for an index outside its axis.

    >>> ScatterNDUpdate()(np.array([[1, 2], [3, 4]]), np.array([[1]]), np.array([[7, 8]]))
    array([[1, 2],
           [7, 8]])
    """


@dataclass(frozen=True)
class ScatterNDReduce(BySlice, Combined):
    """As ScatterNDUpdate, but updates are combined with x. Source: ONNX ScatterND with a reduction.

    Errors: SimulationError for an index outside its axis.

    >>> ScatterNDReduce("max")(np.array([1, 9]), np.array([[0], [1]]), np.array([7, 8]))
    array([7, 9])
    """

    reduction: str = "add"


@dataclass(frozen=True)
class TensorScatter(Move):
    """A cache with an update written along `dim` from write_indices[b] on, for each b of the first axis.

    x [B, ..., D, ...], update [B, ..., U, ...], write_indices [B] (absent: 0) → x's shape. mode: "linear", or
    "circular", where what reaches beyond the end goes on at the start. Source: ONNX TensorScatter.
    Errors: SimulationError for an update that leaves x in linear mode, or a negative index.

    >>> TensorScatter(1, "circular")(np.array([[1, 2, 3]]), np.array([[7, 8]]), np.array([2]))
    array([[8, 2, 7]])
    """

    dim: int = -2
    mode: str = "linear"

    input_names: ClassVar[tuple[str, ...]] = ("x", "update", "write_indices?")
    steering: ClassVar[frozenset[int]] = frozenset({2})

    def __post_init__(self) -> None:
        if self.mode not in ("linear", "circular"):
            raise ShapeError(f'TensorScatter: mode {self.mode!r} must be "linear" or "circular"')

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, update, *more = shapes
        rank = len(x)
        if len(update) != rank or not -rank <= self.dim < rank or self.dim % max(rank, 1) == 0:
            raise self.fail(f"dim={self.dim} must be an axis of x after the first, the update of its rank", *shapes)
        axis = self.dim % rank
        if (*update[:axis], *update[axis + 1 :]) != (*x[:axis], *x[axis + 1 :]) or update[axis] > x[axis]:
            raise self.fail(f"the update may differ from x only along dim={self.dim}, where it is shorter", *shapes)
        if more and more[0] != x[:1]:
            raise self.fail(f"write_indices need one number for each of {x[0]}", *shapes)
        return (x,)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x, update, *more = arrays
        axis, made = self.dim % x.ndim, x.copy()
        length, count = x.shape[axis], update.shape[axis]
        starts = more[0].astype(np.int64).tolist() if more else [0] * len(x)
        for row, new, start in zip(made, update, starts, strict=True):
            if start < 0 or (self.mode == "linear" and start + count > length):
                raise SimulationError(f"TensorScatter: {count} elements from {start} on leave the axis of {length}")
            places = (start + np.arange(count)) % length
            row[(slice(None),) * (axis - 1) + (places,)] = new
        return made
