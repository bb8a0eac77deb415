"""Moves steered by data: Select, Take, GatherND, DynamicSlice, DynamicUpdateSlice, TopK."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Block, Call, Move, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.masks import mask_of, source_of
from hwblocks.graph.pick_calls import pick_call, place_call, ranking_call
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.kernels.masked import SelectCall


def checked_indices(block: Block, indices: Array, limit: Any, floor: Any = 0) -> Array:
    """Indices as int64. Errors: SimulationError when one lies outside [floor, limit)."""
    wide = np.asarray(indices).astype(np.int64)
    outside = (wide < floor) | (wide >= limit)
    if outside.any():
        wrong = tuple(np.argwhere(outside)[0])
        raise SimulationError(f"{type(block).__name__}: index {wide[wrong]} reaches outside the axis of {limit}")
    return wide


def counted_indices(block: Block, indices: Array, limit: Any) -> Array:
    """Indices in [−limit, limit) counted from the start. Errors: SimulationError when one lies outside."""
    wide = checked_indices(block, indices, limit, -limit)
    return np.asarray(np.where(wide < 0, wide + limit, wide))


@dataclass(frozen=True)
class Select(Move):
    """a where the condition is true, else b; all three broadcast as in NumPy. Source: ONNX Where, TFLite SELECT_V2.

    >>> Select()(np.array([True, False]), np.array([1, 2]), np.array([8, 9]))
    array([1, 9])
    """

    input_names: ClassVar[tuple[str, ...]] = ("condition", "a", "b")
    steering: ClassVar[frozenset[int]] = frozenset({0})

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        try:
            return (tuple(int(s) for s in np.broadcast_shapes(*shapes)),)
        except ValueError:
            raise self.fail("the shapes do not broadcast", *shapes) from None

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        condition, a, b = arrays
        return np.where(condition != 0, a, b)

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=size(self.shape(*shapes)[0]))

    def kernel(self, site: Site) -> Call | str:
        shape = site.output.shape
        formats = {t.format for t in (*site.present[1:], site.output)}
        mask = mask_of(site, 0, shape)
        if isinstance(mask, str) or len(formats) > 1:
            return mask if isinstance(mask, str) else "formats that differ"
        if all(t.is_constant for t in site.present):
            return "every operand is a constant"
        a, b = source_of(site, 1, shape), source_of(site, 2, shape)
        return SelectCall(dtype=site.output.format.dtype.name, count=site.output.elements, mask=mask, a=a, b=b)


@dataclass(frozen=True)
class Take(Move):
    """Slices picked along `dim` by indices that are known at run time only. Source: TFLite GATHER, ONNX Gather.

    x [B…, P…, D, S…], indices [B…, I…] → [B…, P…, I…, S…], where B are the first `batch_dims` axes of both.
    from_end: negative indices count from the end. Errors: SimulationError for an index outside [0, D) or [−D, D).

    >>> Take(1, 1)(np.array([[5, 6], [7, 8]]), np.array([[1], [0]]))
    array([[6],
           [7]])
    """

    dim: int = 0
    batch_dims: int = 0
    from_end: bool = False

    input_names: ClassVar[tuple[str, ...]] = ("x", "indices")
    steering: ClassVar[frozenset[int]] = frozenset({1})

    def axis(self, *shapes: Shape) -> int:
        """The axis from the start. Errors: ShapeError when there is none, or the batch axes do not fit."""
        x, indices = shapes[0], shapes[1]
        batch = self.batch_dims
        if not -len(x) <= self.dim < len(x) or not 0 <= batch <= min(self.dim % len(x), len(indices)):
            raise self.fail(f"dim={self.dim}, batch_dims={batch} do not fit", *shapes)
        if x[:batch] != indices[:batch]:
            raise self.fail(f"the first {batch} axes must agree", *shapes)
        return self.dim % len(x)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, indices = shapes[0], shapes[1]
        axis = self.axis(*shapes)
        return ((*x[:axis], *indices[self.batch_dims :], *x[axis + 1 :]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        x, indices = shapes[0], shapes[1]
        table = self.dim % len(x) == 0 and x[:1] != indices[:1]  # x has no sample axis: it is the same for all
        return self.batch_dims > 0 or table

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x, given = arrays
        axis = self.axis(x.shape, given.shape)
        size, batch = x.shape[axis], self.batch_dims
        indices = counted_indices(self, given, size) if self.from_end else checked_indices(self, given, size)
        made = np.empty(self.shape(x.shape, given.shape)[0], x.dtype)
        for at in np.ndindex(x.shape[:batch]):
            made[at] = np.take(x[at], indices[at], axis=axis - batch)
        return made

    def kernel(self, site: Site) -> Call | str:
        x, indices = site.input(0), site.input(1)
        return pick_call(site, x, indices, self.axis(x.shape, indices.shape), self.batch_dims, self.from_end)


@dataclass(frozen=True)
class GatherND(Move):
    """Slices picked by index vectors: x [B…, D…, S…], indices [B…, I…, K] → [B…, I…, S…] for K axes D.

    B are the first `batch_dims` axes of both. from_end: negative indices count from the end. Source: ONNX GatherND.
    Errors: SimulationError for an index outside its axis.

    >>> GatherND()(np.array([[5, 6], [7, 8]]), np.array([[1, 0], [0, 1]]))
    array([7, 6])
    """

    batch_dims: int = 0
    from_end: bool = False

    input_names: ClassVar[tuple[str, ...]] = ("x", "indices")
    steering: ClassVar[frozenset[int]] = frozenset({1})

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, indices, batch = shapes[0], shapes[1], self.batch_dims
        if not indices or indices[-1] + batch > len(x) or not 0 <= batch < len(indices):
            raise self.fail("the last axis of indices counts at most the axes of x", *shapes)
        if x[:batch] != indices[:batch]:
            raise self.fail(f"the first {batch} axes must agree", *shapes)
        return ((*indices[:-1], *x[batch + indices[-1] :]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.batch_dims > 0

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x, given = arrays
        batch, count = self.batch_dims, given.shape[-1]
        limit = np.array(x.shape[batch : batch + count], dtype=np.int64)
        indices = counted_indices(self, given, limit) if self.from_end else checked_indices(self, given, limit)
        places = tuple(np.moveaxis(indices, -1, 0))
        lead = np.indices(given.shape[:batch], sparse=True)
        samples = tuple(a.reshape(*a.shape, *(1,) * (given.ndim - 1 - batch)) for a in lead)
        if not (samples or places):
            return np.broadcast_to(x, (*given.shape[:-1], *x.shape))
        made = np.asarray(x[samples + places])
        return np.broadcast_to(made, self.shape(x.shape, given.shape)[0])

    def kernel(self, site: Site) -> Call | str:
        x, given, batch = site.input(0).shape, site.input(1).shape, self.batch_dims
        if not batch or not given[-1]:
            return "a table without a sample axis"
        start = np.arange(size(x[:batch])) * size(x[batch:])
        base = np.repeat(start, size(given[batch:-1]))
        axes = range(batch, batch + given[-1])
        return place_call(site, base, axes, size(x[batch + given[-1] :]), self.from_end)


@dataclass(frozen=True)
class DynamicSlice(Move):
    """sizes[i] elements of each axis i, every steps[i]-th, from begin[i], which is known at run time only.

    x, begin [m ≤ rank] → [*sizes]. A negative begin counts from the end; axes after the m-th begin at 0. starts[i]
    replaces begin[i] where it is not None.
    Errors: SimulationError when the slice leaves x. Source: TFLite SLICE, STRIDED_SLICE.

    >>> DynamicSlice((2,))(np.array([5, 6, 7]), np.array([1]))
    array([6, 7])
    """

    sizes: tuple[int, ...] = (1,)
    steps: tuple[int, ...] | None = None
    starts: tuple[int | None, ...] | None = None

    input_names: ClassVar[tuple[str, ...]] = ("x", "begin")
    steering: ClassVar[frozenset[int]] = frozenset({1})

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, rank = shapes[0], len(shapes[0])
        lists = [v for v in (self.sizes, self.steps, self.starts) if v is not None]
        named = len(shapes[1]) == 1 and shapes[1][0] <= rank
        if any(len(v) != rank for v in lists) or not named or 0 in (self.steps or (1,)):
            raise self.fail(f"begin, sizes={self.sizes}, steps and starts need one entry per axis", *shapes)
        if any(not 0 <= s <= n for s, n in zip(self.sizes, x, strict=True)):
            raise self.fail(f"sizes={self.sizes} are more than there is", *shapes)
        return (tuple(self.sizes),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return False

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x, begin = arrays
        steps, fixed = self.steps or (1,) * x.ndim, self.starts or (None,) * x.ndim
        for axis in range(x.ndim):
            given = int(begin[axis]) if axis < len(begin) else 0
            own, length = fixed[axis], x.shape[axis]
            start = own if own is not None else given + (length if given < 0 else 0)
            picked = start + steps[axis] * np.arange(self.sizes[axis])
            x = np.take(x, checked_indices(self, picked, length), axis=axis)
        return x


@dataclass(frozen=True)
class DynamicUpdateSlice(Move):
    """x with `update` in the place that begins at `start`, which is moved inside x where it would reach outside.

    x, update of the same rank, start [rank] → x's shape. Source: TFLite DYNAMIC_UPDATE_SLICE, StableHLO.

    >>> DynamicUpdateSlice()(np.array([5, 6, 7]), np.array([0, 1]), np.array([9]))
    array([5, 0, 1])
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "update", "start")
    steering: ClassVar[frozenset[int]] = frozenset({2})

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, update, start = shapes
        if len(update) != len(x) or start != (len(x),) or any(u > n for u, n in zip(update, x, strict=True)):
            raise self.fail("update must fit into x, start needs one entry per axis", *shapes)
        return (x,)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return False

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x, update, start = arrays
        made = x.copy()
        first = [min(max(int(s), 0), n - u) for s, n, u in zip(start, x.shape, update.shape, strict=True)]
        made[tuple(slice(f, f + u) for f, u in zip(first, update.shape, strict=True))] = update
        return made


@dataclass(frozen=True)
class TopK(Move):
    """The k largest elements along `dim` in falling order, and their positions; of equal ones the first.

    x [..., D, ...] → values [..., k, ...], indices [..., k, ...]. largest=False: the smallest ones in rising order.
    Source: ONNX TopK, TFLite TOPK_V2.

    >>> [part.tolist() for part in TopK(2)(np.array([3, 7, 7, 1]))]
    [[7, 7], [1, 2]]
    """

    k: int = 1
    dim: int = -1
    largest: bool = True

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, rank = shapes[0], len(shapes[0])
        if not -rank <= self.dim < rank:
            raise self.fail(f"dim={self.dim} is not an axis of x", *shapes)
        axis = self.dim % rank
        if not 0 <= self.k <= x[axis]:
            where = "the last axis" if axis == rank - 1 else f"axis {axis}"
            raise self.fail(f"k={self.k} is more than {where} has", *shapes)
        return ((*x[:axis], self.k, *x[axis + 1 :]),) * 2

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dim % len(shapes[0]) != 0

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=size(shapes[0]) * self.k)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Any:
        x = np.moveaxis(arrays[0], self.dim, -1)
        if self.largest:  # of equal elements the last one first, then all turned around
            indices = x.shape[-1] - 1 - np.flip(np.argsort(np.flip(x, -1), axis=-1, kind="stable"), -1)
        else:
            indices = np.argsort(x, axis=-1, kind="stable")
        indices = indices[..., : self.k]
        values = np.take_along_axis(x, indices, -1)
        return np.moveaxis(values, -1, self.dim), np.moveaxis(indices, -1, self.dim)

    def kernel(self, site: Site) -> Call | str:
        return ranking_call(site, self.dim, self.k, self.largest)
