"""Window arithmetic of convolutions and poolings: output sizes, padding, valid taps, and the windows themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.errors import ShapeError

Array = np.ndarray[Any, Any]
Pads = tuple[tuple[int, int], ...]


def per_axis(value: Any, axes: int, what: str) -> tuple[int, ...]:
    """An attribute given as one number or one per spatial axis, as a tuple of `axes` numbers."""
    values = (value,) * axes if isinstance(value, (int, np.integer)) else tuple(value)
    if len(values) != axes:
        raise ShapeError(f"{what} {value!r} needs one number or {axes}")
    return tuple(int(v) for v in values)


def least(dtype: np.dtype[Any], lowest: Any) -> Any:
    """What is less than every element: `lowest`, or the smallest number of an integer type that cannot hold it."""
    if dtype.kind in "iu" and not np.isfinite(lowest):
        return np.iinfo(dtype).min
    return False if dtype.kind == "b" else lowest


def greatest(dtype: np.dtype[Any]) -> Any:
    """The greatest value of a type: +∞ for floats."""
    if dtype.kind in "iu":
        return np.iinfo(dtype).max
    return True if dtype.kind == "b" else np.inf


def pads_of(padding: Any, axes: int) -> Pads:
    """Padding as ((before, after), ...): from one number, one per axis, or pairs."""
    if isinstance(padding, (int, np.integer)):
        return ((int(padding), int(padding)),) * axes
    values = tuple(padding)
    if len(values) != axes:
        raise ShapeError(f"padding {padding!r} needs one number, {axes} numbers or {axes} pairs (before, after)")
    return tuple((int(v), int(v)) if isinstance(v, (int, np.integer)) else (int(v[0]), int(v[1])) for v in values)


@dataclass(frozen=True)
class Window:
    """A sliding window over the spatial axes of a channels-last array.

    input, kernel, stride, dilation, pads: one entry per spatial axis.
    output size = floor((input + before + after − dilation·(kernel − 1) − 1) / stride) + 1, or with ceil_mode
    the ceiling, but never a window that starts beyond the input and its left padding.
    """

    input: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: Pads
    ceil_mode: bool = False

    def geometry(self, channels: int) -> dict[str, Any]:
        """The window's numbers as a kernel call names them, one axis written as height 1."""
        lead: tuple[int, ...] = (1,) if len(self.input) == 1 else ()
        pads = tuple(before for before, _ in self.pads)
        return {
            "height": (*lead, *self.input)[0],
            "width": (*lead, *self.input)[1],
            "channels": channels,
            "out_height": (*lead, *self.output)[0],
            "out_width": (*lead, *self.output)[1],
            "kernel": (*lead, *self.kernel),
            "stride": (*lead, *self.stride),
            "dilation": (*lead, *self.dilation),
            "pad": (0, *pads) if lead else pads,
        }

    @property
    def output(self) -> tuple[int, ...]:
        """Number of windows along each axis."""
        return tuple(self._count(axis) for axis in range(len(self.input)))

    def _count(self, axis: int) -> int:
        before, after = self.pads[axis]
        span = self.dilation[axis] * (self.kernel[axis] - 1) + 1
        room = self.input[axis] + before + after - span
        if room < 0:
            return 0
        step = self.stride[axis]
        if not self.ceil_mode:
            return room // step + 1
        count = -(-room // step) + 1
        return count - 1 if (count - 1) * step >= self.input[axis] + before else count

    def positions(self, axis: int) -> Array:
        """Input index of every (window, tap) along an axis [output, kernel]; negative or ≥ input in the padding."""
        start = np.arange(self.output[axis]) * self.stride[axis] - self.pads[axis][0]
        return np.asarray(start[:, None] + np.arange(self.kernel[axis]) * self.dilation[axis])

    def inside(self, axis: int) -> Array:
        """Mask of the taps that fall on the input, not on padding [output, kernel]."""
        index = self.positions(axis)
        return np.asarray((index >= 0) & (index < self.input[axis]))

    def padded_inside(self, axis: int) -> Array:
        """Mask of the taps that fall on the input or its declared padding (not on what ceil_mode adds)."""
        index = self.positions(axis)
        return np.asarray((index >= -self.pads[axis][0]) & (index < self.input[axis] + self.pads[axis][1]))

    @property
    def valid_taps(self) -> int:
        """Number of (window, tap) pairs that fall on the input, over all spatial axes."""
        return int(np.prod([int(self.inside(axis).sum()) for axis in range(len(self.input))], dtype=np.int64))

    @property
    def taps(self) -> int:
        """Number of (window, tap) pairs, padding included."""
        return int(np.prod(self.output, dtype=np.int64) * np.prod(self.kernel, dtype=np.int64))

    def counts(self, padded: bool) -> Array:
        """Taps of each window that count for an average [*output]: on the input, or on its padding too."""
        masks = [self.padded_inside(a) if padded else self.inside(a) for a in range(len(self.input))]
        result = masks[0].sum(axis=1)
        for mask in masks[1:]:
            result = np.multiply.outer(result, mask.sum(axis=1))
        return np.asarray(result)

    def gather(self, x: Array, fill: Any) -> Array:
        """Windows of x [n, *spatial, C] → [n, *output, *kernel, C], with `fill` outside the input."""
        axes = len(self.input)
        out = x
        for axis in range(axes):
            out = self._gather_axis(out, axis, 1 + 2 * axis, fill)
        order = [0, *(1 + 2 * a for a in range(axes)), *(2 + 2 * a for a in range(axes)), 1 + 2 * axes]
        return np.transpose(out, order)

    def _gather_axis(self, x: Array, axis: int, at: int, fill: Any) -> Array:
        index, inside = self.positions(axis), self.inside(axis)
        taken = np.take(x, np.where(inside, index, 0), axis=at)
        if inside.all():
            return taken
        mask = inside.reshape((1,) * at + inside.shape + (1,) * (x.ndim - at - 1))
        return np.where(mask, taken, np.asarray(fill, dtype=x.dtype))


def window(spatial: Sequence[int], kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool = False) -> Window:
    """A Window from attributes in any of their accepted forms; raises ShapeError when no window fits."""
    axes = len(spatial)
    size = per_axis(kernel, axes, "kernel_size")
    steps = per_axis(stride, axes, "stride")
    gaps = per_axis(dilation, axes, "dilation")
    if min(size) < 1 or min(steps) < 1 or min(gaps) < 1:
        raise ShapeError(f"kernel {size}, stride {steps} and dilation {gaps} must be at least 1")
    made = Window(tuple(int(s) for s in spatial), size, steps, gaps, pads_of(padding, axes), ceil)
    if min(made.output) < 1:
        raise ShapeError(
            f"no window fits: input {made.input}, kernel {size}, dilation {gaps}, padding {made.pads}; enlarge it"
        )
    return made


def same_pads(
    spatial: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], upper: bool
) -> Pads:
    """Padding so that output = ceil(input / stride): the odd element goes after (upper) or before (lower)."""
    pads = []
    for size, k, s, d in zip(spatial, kernel, stride, dilation, strict=True):
        total = max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
        small, large = total // 2, total - total // 2
        pads.append((small, large) if upper else (large, small))
    return tuple(pads)
