"""Moves by index or position: GatherElements, OneHot, ReverseSequence, Trilu."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Block, Call, Move, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.pick_calls import place_call
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape


def from_start(block: Block, indices: Array, size: int) -> Array:
    """Indices in [−size, size) counted from the start. Errors: SimulationError when one lies outside."""
    wide = np.asarray(indices).astype(np.int64)
    outside = (wide < -size) | (wide >= size)
    if outside.any():
        wrong = wide[tuple(np.argwhere(outside)[0])]
        raise SimulationError(f"{type(block).__name__}: index {wrong} reaches outside the axis of {size}")
    return np.asarray(np.where(wide < 0, wide + size, wide))


@dataclass(frozen=True)
class GatherElements(Move):
    """y[i, j, …] = x[indices[i, j, …], j, …] for dim=0: one index for each output element. Source: ONNX GatherElements.

    x [..., D, ...], indices of the same rank, along other axes at most as long → indices' shape. Negative indices count
    from the end. Errors: SimulationError for an index outside [−D, D).

    >>> GatherElements(1)(np.array([[5, 6], [7, 8]]), np.array([[1], [0]]))
    array([[6],
           [7]])
    """

    dim: int = 0

    input_names: ClassVar[tuple[str, ...]] = ("x", "indices")
    steering: ClassVar[frozenset[int]] = frozenset({1})

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, indices = shapes
        rank = len(x)
        if not -rank <= self.dim < rank or len(indices) != rank:
            raise self.fail(f"dim={self.dim} needs an axis of x, indices need its rank", *shapes)
        others = [(n, s) for axis, (n, s) in enumerate(zip(indices, x, strict=True)) if axis != self.dim % rank]
        if any(n > s for n, s in others):
            raise self.fail("indices are longer than x along another axis", *shapes)
        return (indices,)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dim % len(shapes[0]) != 0

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x, given = arrays
        axis = self.dim % x.ndim
        indices = from_start(self, given, x.shape[axis])
        cut = tuple(slice(None) if a == axis else slice(0, n) for a, n in enumerate(given.shape))
        return np.take_along_axis(x[cut], indices, axis)

    def kernel(self, site: Site) -> Call | str:
        x, given = site.input(0).shape, site.input(1).shape
        axis = self.dim % len(x)
        if not axis:
            return "an index along the sample axis"
        places = np.ogrid[tuple(slice(0, 1 if a == axis else n) for a, n in enumerate(given))]
        base = sum(p * size(x[a + 1 :]) for a, p in enumerate(places))
        return place_call(site, np.broadcast_to(np.asarray(base), given), (axis,), 1, from_end=True)


@dataclass(frozen=True)
class OneHot(Move):
    """values[1] where the class is the index, else values[0], along a new axis `dim` of `depth` classes.

    indices [...], values [2] → [..., depth, ...]. Negative indices count from the end; indices outside [−depth, depth)
    leave all classes off. Source: ONNX OneHot.

    >>> OneHot(3)(np.array([2, 0]), np.array([0, 1]))
    array([[0, 0, 1],
           [1, 0, 0]])
    """

    depth: int = 1
    dim: int = -1

    input_names: ClassVar[tuple[str, ...]] = ("indices", "values")
    steering: ClassVar[frozenset[int]] = frozenset({0})

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        indices, rank = shapes[0], len(shapes[0]) + 1
        if not -rank <= self.dim < rank or self.depth < 0 or shapes[1] != (2,):
            raise self.fail(f"dim={self.dim}, depth={self.depth} do not fit, or values are not two", *shapes)
        axis = self.dim % rank
        return ((*indices[:axis], self.depth, *indices[axis:]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dim % (len(shapes[0]) + 1) != 0

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        indices, values = arrays
        axis = self.dim % (indices.ndim + 1)
        wide = indices.astype(np.int64)
        chosen = np.expand_dims(np.where(wide < 0, wide + self.depth, wide), axis)
        classes = np.arange(self.depth).reshape(-1, *(1,) * (indices.ndim - axis))
        return np.asarray(np.where(chosen == classes, values[1], values[0]))


@dataclass(frozen=True)
class ReverseSequence(Move):
    """The first lengths[b] elements along `time_dim` in reverse order, for each b along `batch_dim`; the rest stays.

    x [..., B, ..., T, ...], lengths [B] → x's shape. Source: ONNX ReverseSequence, TFLite REVERSE_SEQUENCE.
    Errors: SimulationError for a length outside [0, T].

    >>> ReverseSequence(0, 1)(np.array([[1, 2, 3], [4, 5, 6]]), np.array([2, 3]))
    array([[2, 1, 3],
           [6, 5, 4]])
    """

    batch_dim: int = 0
    time_dim: int = 1

    input_names: ClassVar[tuple[str, ...]] = ("x", "lengths")
    steering: ClassVar[frozenset[int]] = frozenset({1})

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, lengths = shapes
        rank = len(x)
        axes = (self.batch_dim, self.time_dim)
        if any(not -rank <= a < rank for a in axes) or len({a % rank for a in axes}) < 2:
            raise self.fail(f"batch_dim={self.batch_dim}, time_dim={self.time_dim} must be two axes of x", *shapes)
        if lengths != (x[self.batch_dim],):
            raise self.fail(f"lengths need one number for each of {x[self.batch_dim]}", *shapes)
        return (x,)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.batch_dim % len(shapes[0]) == 0

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x, lengths = arrays[0], arrays[1].astype(np.int64)
        made, steps = np.moveaxis(x, (self.batch_dim, self.time_dim), (0, 1)).copy(), x.shape[self.time_dim]
        if ((lengths < 0) | (lengths > steps)).any():
            raise SimulationError(f"ReverseSequence: a length lies outside [0, {steps}]")
        for row, length in zip(made, lengths.tolist(), strict=True):
            row[:length] = row[:length][::-1].copy()
        return np.moveaxis(made, (0, 1), (self.batch_dim, self.time_dim))


@dataclass(frozen=True)
class Trilu(Move):
    """The upper (or lower) triangle of matrices, 0 elsewhere; k moves the diagonal to the right. Source: ONNX Trilu.

    x [..., H, W] → x's shape; element (i, j) is kept where j − i ≥ k (upper) or j − i ≤ k (lower).

    >>> Trilu(upper=False)(np.ones((2, 2)))
    array([[1., 0.],
           [1., 1.]])
    """

    upper: bool = True
    k: int = 0

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        if len(shapes[0]) < 2:
            raise self.fail("x needs two axes or more", *shapes)
        return (shapes[0],)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return len(shapes[0]) > 2

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x = arrays[0]
        offset = np.arange(x.shape[-1]) - np.arange(x.shape[-2])[:, None]
        kept = offset >= self.k if self.upper else offset <= self.k
        return np.where(kept, x, np.asarray(zero).astype(x.dtype))
