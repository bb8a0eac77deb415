"""Moves: Reshape, Flatten, Squeeze, Unsqueeze, Transpose, Pad, Concat, Identity, Dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.graph.block import Move, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.tensor import Shape


class View(Move, abstract=True):
    """Moves that keep the order of elements: only the shape changes."""

    is_view: ClassVar[bool] = True
    overwrites: ClassVar[tuple[int, ...]] = (0,)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        return arrays[0].reshape(self.shape(arrays[0].shape)[0])


@dataclass(frozen=True)
class Reshape(View):
    """The same elements in another shape; 0 copies the input's size at that axis, one −1 is inferred.

    Source: ONNX Reshape. A leading 0 keeps the sample axis. allow_zero: 0 is a size of 0, as with allowzero=1.

    >>> Reshape((0, -1))(np.zeros((2, 3, 4))).shape
    (2, 12)
    """

    new_shape: tuple[int, ...] = (0, -1)
    allow_zero: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "new_shape", tuple(int(s) for s in self.new_shape))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        copied = [i for i, s in enumerate(self.new_shape) if s == 0 and not self.allow_zero]
        if any(i >= len(x) for i in copied) or self.new_shape.count(-1) > 1:
            raise self.fail(f"{self.new_shape} copies an axis that is not there or infers two", *shapes)
        made = [x[i] if i in copied else s for i, s in enumerate(self.new_shape)]
        known = size(tuple(s for s in made if s != -1))
        if -1 in made:
            if known == 0 or size(x) % known:
                raise self.fail(f"{size(x)} elements do not fill {self.new_shape}", *shapes)
            made[made.index(-1)] = size(x) // known
        if size(tuple(made)) != size(x):
            raise self.fail(f"{size(x)} elements do not fill {self.new_shape}", *shapes)
        return (tuple(made),)


@dataclass(frozen=True)
class Flatten(View):
    """All axes from start_dim on as one. Source: torch.nn.Flatten.

    >>> Flatten()(np.zeros((2, 3, 4))).shape
    (2, 12)
    """

    start_dim: int = 1

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if not 0 <= self.start_dim <= len(x):
            raise self.fail(f"start_dim={self.start_dim} is not an axis of x", *shapes)
        return ((*x[: self.start_dim], size(x[self.start_dim :])),)


def axes_of(block: Any, dims: Any, rank: int, *shapes: Shape) -> tuple[int, ...]:
    """Axes given as one number or several, negative ones from the end, as sorted positions."""
    given = (dims,) if isinstance(dims, (int, np.integer)) else tuple(dims)
    if any(not -rank <= d < rank for d in given):
        raise block.fail(f"dim={dims} is not an axis of {rank}", *shapes)
    return tuple(sorted(d % rank for d in given))


@dataclass(frozen=True)
class Squeeze(View):
    """Axes of size 1 taken out: those of `dim`, or all but the first when dim is None. Source: ONNX Squeeze.

    >>> Squeeze(1)(np.zeros((2, 1, 4))).shape
    (2, 4)
    """

    dim: Any = None

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if self.dim is None:
            return ((*x[:1], *(s for s in x[1:] if s != 1)),)
        axes = axes_of(self, self.dim, len(x), *shapes)
        if any(x[a] != 1 for a in axes):
            raise self.fail(f"dim={self.dim} names an axis whose size is not 1", *shapes)
        return (tuple(s for i, s in enumerate(x) if i not in axes),)


@dataclass(frozen=True)
class Unsqueeze(View):
    """Axes of size 1 put in at the positions `dim` of the result. Source: ONNX Unsqueeze.

    >>> Unsqueeze(1)(np.zeros((2, 4))).shape
    (2, 1, 4)
    """

    dim: Any = 1

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        count = 1 if isinstance(self.dim, (int, np.integer)) else len(tuple(self.dim))
        axes = axes_of(self, self.dim, len(x) + count, *shapes)
        rest = iter(x)
        return (tuple(1 if i in axes else next(rest) for i in range(len(x) + count)),)


@dataclass(frozen=True)
class Identity(View):
    """y = x.

    >>> Identity()(np.array([1.0]))
    array([1.])
    """

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (shapes[0],)


@dataclass(frozen=True)
class Dropout(View):
    """y = x at inference. Source: torch.nn.Dropout in evaluation mode.

    >>> Dropout(0.5)(np.array([1.0]))
    array([1.])
    """

    p: float = 0.5

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (shapes[0],)


@dataclass(frozen=True)
class Transpose(Move):
    """Axes in another order: output axis i is input axis perm[i]. Source: ONNX Transpose.

    >>> Transpose((0, 2, 1))(np.zeros((2, 3, 4))).shape
    (2, 4, 3)
    """

    perm: tuple[int, ...] = (0, 2, 1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "perm", tuple(int(p) for p in self.perm))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if sorted(self.perm) != list(range(len(x))):
            raise self.fail(f"perm={self.perm} does not order {len(x)} axes", *shapes)
        return (tuple(x[p] for p in self.perm),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.perm[:1] == (0,)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        return arrays[0].transpose(self.perm)


@dataclass(frozen=True)
class Pad(Move):
    """Elements added around each axis: pads ((before, after), ...) per axis. Source: ONNX Pad, mode constant.

    value is a real number; in integers its nearest code is stored (0 is the zero point).

    >>> Pad(((0, 0), (1, 2)))(np.ones((1, 2)))
    array([[0., 1., 1., 0., 0.]])
    """

    pads: tuple[tuple[int, int], ...] = ()
    value: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "pads", tuple((int(a), int(b)) for a, b in self.pads))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if len(self.pads) != len(x):
            raise self.fail(f"pads={self.pads} need one pair for each of {len(x)} axes", *shapes)
        made = tuple(s + before + after for s, (before, after) in zip(x, self.pads, strict=True))
        if min(made, default=1) < 0:
            raise self.fail(f"pads={self.pads} cut more than there is", *shapes)
        return (made,)

    @property
    def fill(self) -> float:
        return self.value

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.pads[0] == (0, 0)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x = arrays[0]
        cut = tuple(slice(max(-b, 0), s - max(-a, 0)) for s, (b, a) in zip(x.shape, self.pads, strict=True))
        grown = tuple((max(b, 0), max(a, 0)) for b, a in self.pads)
        return np.pad(x[cut], grown, constant_values=zero)


@dataclass(frozen=True)
class Concat(Move):
    """Inputs joined along `dim`. Source: ONNX Concat.

    >>> Concat(1)(np.zeros((1, 2)), np.ones((1, 1)))
    array([[0., 0., 1.]])
    """

    dim: int = -1

    joins: ClassVar[bool] = True
    input_names: ClassVar[tuple[str, ...]] = ("x", "xs*")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        first = shapes[0]
        if not -len(first) <= self.dim < len(first):
            raise self.fail(f"dim={self.dim} is not an axis of x", *shapes)
        axis = self.dim % len(first)
        others = [(*s[:axis], *s[axis + 1 :]) for s in shapes]
        if any(len(s) != len(first) for s in shapes) or any(o != others[0] for o in others):
            raise self.fail(f"inputs may differ only along dim={self.dim}", *shapes)
        return ((*first[:axis], sum(s[axis] for s in shapes), *first[axis + 1 :]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dim % len(shapes[0]) != 0 and len({s[0] for s in shapes}) == 1

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        return np.concatenate(arrays, axis=self.dim)
