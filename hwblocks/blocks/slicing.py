"""Moves that cut, join and repeat: Slice, Split, Stack, Unstack, Gather, Tile, Flip, Expand, block moves, MirrorPad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.graph.block import Block, Move
from hwblocks.graph.contraction import Array
from hwblocks.graph.tensor import Shape


def checked_dim(block: Block, dim: int, rank: int, *shapes: Shape) -> int:
    """An axis counted from the start. Errors: ShapeError when it is none of the `rank` axes."""
    if not -rank <= dim < rank:
        raise block.fail(f"dim={dim} is not an axis of {rank}", *shapes)
    return dim % rank


@dataclass(frozen=True)
class Slice(Move):
    """Every step-th element from start up to, not including, stop, along each of `axes`. Source: ONNX Slice.

    starts are counted from the front; a stop of None runs to the end in the direction of the step.

    >>> Slice((1,), (None,), (2,), (0,))(np.arange(6))
    array([1, 3, 5])
    """

    starts: tuple[int, ...] = (0,)
    stops: tuple[int | None, ...] = (None,)
    steps: tuple[int, ...] = (1,)
    axes: tuple[int, ...] = (0,)

    def slices(self, x: Shape) -> tuple[slice, ...]:
        """The index of each axis of x."""
        if not len(self.starts) == len(self.stops) == len(self.steps) == len(self.axes) or 0 in self.steps:
            raise self.fail("starts, stops, steps and axes need one entry each, steps other than 0", x)
        made = [slice(None)] * len(x)
        for start, stop, step, axis in zip(self.starts, self.stops, self.steps, self.axes, strict=True):
            made[checked_dim(self, axis, len(x), x)] = slice(start, stop, step)
        return tuple(made)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        return (tuple(len(range(*s.indices(n))) for s, n in zip(self.slices(x), x, strict=True)),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.slices(shapes[0])[0] in (slice(None), slice(0, None, 1))

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        return arrays[0][self.slices(arrays[0].shape)]


@dataclass(frozen=True)
class Split(Move):
    """Consecutive parts of these sizes along `dim`, one output each. Source: ONNX Split.

    >>> [part.tolist() for part in Split((1, 2), 0)(np.arange(3))]
    [[0], [1, 2]]
    """

    sizes: tuple[int, ...] = (1, 1)
    dim: int = -1

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        axis = checked_dim(self, self.dim, len(x), *shapes)
        if sum(self.sizes) != x[axis] or min(self.sizes, default=0) < 0:
            raise self.fail(f"sizes={self.sizes} do not add up to {x[axis]}", *shapes)
        return tuple((*x[:axis], s, *x[axis + 1 :]) for s in self.sizes)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dim % len(shapes[0]) != 0

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Any:
        return tuple(np.split(arrays[0], np.cumsum(self.sizes)[:-1], axis=self.dim))


@dataclass(frozen=True)
class Stack(Move):
    """Inputs of one shape joined along a new axis `dim`. Source: torch.stack, TFLite PACK.

    >>> Stack(0)(np.zeros(2), np.ones(2))
    array([[0., 0.],
           [1., 1.]])
    """

    dim: int = 0

    input_names: ClassVar[tuple[str, ...]] = ("x", "xs*")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        first = shapes[0]
        axis = checked_dim(self, self.dim, len(first) + 1, *shapes)
        if any(s != first for s in shapes):
            raise self.fail("all inputs need one shape", *shapes)
        return ((*first[:axis], len(shapes), *first[axis:]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dim % (len(shapes[0]) + 1) != 0

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        return np.stack(arrays, axis=self.dim)


@dataclass(frozen=True)
class Unstack(Move):
    """The slices along `dim`, one output each, without that axis. Source: torch.unbind, TFLite UNPACK.

    >>> [part.tolist() for part in Unstack(0)(np.array([[1, 2], [3, 4]]))]
    [[1, 2], [3, 4]]
    """

    dim: int = 0

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        axis = checked_dim(self, self.dim, len(x), *shapes)
        return ((*x[:axis], *x[axis + 1 :]),) * x[axis]

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dim % len(shapes[0]) != 0

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Any:
        return tuple(np.moveaxis(arrays[0], self.dim, 0))


@dataclass(frozen=True)
class Gather(Move):
    """Slices picked by constant indices along `dim`: x [..., D, ...] → [..., *indices, ...]. Source: ONNX Gather.

    indices: one number or nested tuples; negative ones count from the end.

    >>> Gather((2, 0), 0)(np.array([5, 6, 7]))
    array([7, 5])
    """

    indices: Any = 0
    dim: int = 0

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, index = shapes[0], np.asarray(self.indices, dtype=np.int64)
        axis = checked_dim(self, self.dim, len(x), *shapes)
        if index.size and not (-x[axis] <= int(index.min()) and int(index.max()) < x[axis]):
            raise self.fail(f"indices reach from {index.min()} to {index.max()}, the axis has {x[axis]}", *shapes)
        return ((*x[:axis], *index.shape, *x[axis + 1 :]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dim % len(shapes[0]) != 0

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        return np.take(arrays[0], np.asarray(self.indices, dtype=np.int64), axis=self.dim)


@dataclass(frozen=True)
class Tile(Move):
    """The whole input repeated along each axis. Source: ONNX Tile.

    >>> Tile((2,))(np.array([1, 2]))
    array([1, 2, 1, 2])
    """

    repeats: tuple[int, ...] = (1,)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if len(self.repeats) != len(x) or min(self.repeats, default=1) < 0:
            raise self.fail(f"repeats={self.repeats} need one number for each of {len(x)} axes", *shapes)
        return (tuple(s * r for s, r in zip(x, self.repeats, strict=True)),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.repeats[0] == 1

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        return np.tile(arrays[0], self.repeats)


@dataclass(frozen=True)
class Flip(Move):
    """The elements in reverse order along `dims`. Source: torch.flip.

    >>> Flip((0,))(np.array([1, 2, 3]))
    array([3, 2, 1])
    """

    dims: tuple[int, ...] = (-1,)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        for dim in self.dims:
            checked_dim(self, dim, len(shapes[0]), *shapes)
        return (shapes[0],)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return all(d % len(shapes[0]) for d in self.dims)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        return np.flip(arrays[0], self.dims)


@dataclass(frozen=True)
class Expand(Move):
    """The input broadcast to a shape. Source: ONNX Expand.

    >>> Expand((2, 2))(np.array([1, 2]))
    array([[1, 2],
           [1, 2]])
    """

    new_shape: tuple[int, ...] = (1,)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        try:
            return (tuple(int(s) for s in np.broadcast_shapes(shapes[0], self.new_shape)),)
        except ValueError:
            raise self.fail(f"x does not broadcast to {self.new_shape}", *shapes) from None

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        return np.broadcast_to(arrays[0], self.shape(arrays[0].shape)[0])


@dataclass(frozen=True)
class DepthToSpace(Move):
    """Channels moved into space: x [N, H, W, b²·C] → [N, b·H, b·W, C]. Source: ONNX DepthToSpace, channels last.

    mode: "DCR" (channel = (row, column, c), as TFLite) or "CRD" (channel = (c, row, column)).

    >>> DepthToSpace(2)(np.arange(4).reshape(1, 1, 1, 4))[0, :, :, 0]
    array([[0, 1],
           [2, 3]])
    """

    block_size: int = 2
    mode: str = "DCR"

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, b = shapes[0], self.block_size
        if len(x) != 4 or b < 1 or x[3] % (b * b) or self.mode not in ("DCR", "CRD"):
            raise self.fail(f"x [N, H, W, C] needs C a multiple of {b}², mode DCR or CRD", *shapes)
        return ((x[0], x[1] * b, x[2] * b, x[3] // (b * b)),)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x, b = arrays[0], self.block_size
        n, h, w, c = x.shape
        if self.mode == "DCR":
            parts = x.reshape(n, h, w, b, b, c // (b * b)).transpose(0, 1, 3, 2, 4, 5)
        else:
            parts = x.reshape(n, h, w, c // (b * b), b, b).transpose(0, 1, 4, 2, 5, 3)
        return parts.reshape(self.shape(x.shape)[0])


@dataclass(frozen=True)
class SpaceToDepth(Move):
    """Space moved into channels: x [N, b·H, b·W, C] → [N, H, W, b²·C]. Source: ONNX SpaceToDepth, channels last.

    mode: "DCR" (channel = (row, column, c), as TFLite) or "CRD" (channel = (c, row, column)).

    >>> SpaceToDepth(2)(np.arange(4).reshape(1, 2, 2, 1)).ravel()
    array([0, 1, 2, 3])
    """

    block_size: int = 2
    mode: str = "DCR"

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, b = shapes[0], self.block_size
        if len(x) != 4 or b < 1 or x[1] % b or x[2] % b or self.mode not in ("DCR", "CRD"):
            raise self.fail(f"x [N, H, W, C] needs H and W multiples of {b}, mode DCR or CRD", *shapes)
        return ((x[0], x[1] // b, x[2] // b, x[3] * b * b),)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x, b = arrays[0], self.block_size
        n, h, w, c = x.shape
        order = (0, 1, 3, 2, 4, 5) if self.mode == "DCR" else (0, 1, 3, 5, 2, 4)
        return x.reshape(n, h // b, b, w // b, b, c).transpose(order).reshape(self.shape(x.shape)[0])


@dataclass(frozen=True)
class MirrorPad(Move):
    """Elements mirrored around each axis: pads ((before, after), ...). Source: ONNX Pad, TFLite MIRROR_PAD.

    mode: "reflect" (the edge itself is not repeated), "symmetric" (it is), "edge" (the edge element again), "wrap" (the
    other end).

    >>> MirrorPad(((2, 0),))(np.array([1, 2, 3]))
    array([3, 2, 1, 2, 3])
    """

    pads: tuple[tuple[int, int], ...] = ()
    mode: str = "reflect"

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if len(self.pads) != len(x) or self.mode not in ("reflect", "symmetric", "edge", "wrap"):
            raise self.fail(f"pads={self.pads} need one pair for each of {len(x)} axes, mode {self.mode!r}", *shapes)
        return (tuple(s + before + after for s, (before, after) in zip(x, self.pads, strict=True)),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return tuple(self.pads[0]) == (0, 0)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        return np.pad(arrays[0], self.pads, mode=self.mode)  # type: ignore[call-overload, no-any-return]
