"""Maximum pooling: over windows, with the places of the maxima, its inverse, and over all spatial axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Call, Move, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site
from hwblocks.graph.tap_calls import tap_extreme_call, window_axes
from hwblocks.graph.tensor import Shape
from hwblocks.graph.window import least, pads_of, per_axis, pool_window
from hwblocks.graph.work import Work
from hwblocks.numerics.kernels.extremes import ExtremeCall
from hwblocks.numerics.kernels.pool import MaxPoolCall


@dataclass(frozen=True)
class MaxPool(Move, abstract=True):
    """The largest element of each window: x [N, *spatial, C] → [N, *output, C]. Padding never wins.

    kernel_size, stride (None: the kernel size), padding, dilation: one number or one per axis; ceil_mode as in PyTorch.
    """

    kernel_size: Any = 2
    stride: Any = None
    padding: Any = 0
    dilation: Any = 1
    ceil_mode: bool = False

    axes: ClassVar[int] = 2

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        made = pool_window(self, shapes[0], self.axes)
        return ((shapes[0][0], *made.output, shapes[0][-1]),)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x = arrays[0]
        windows = pool_window(self, x.shape, self.axes).gather(x, least(x.dtype, lowest))
        return np.asarray(windows.max(axis=tuple(range(1 + self.axes, 1 + 2 * self.axes))))

    def work(self, *shapes: Shape) -> Work:
        made = pool_window(self, shapes[0], self.axes)
        return Work(compares=shapes[0][0] * shapes[0][-1] * (made.taps - size(made.output)))

    def kernel(self, site: Site) -> Call | str:
        x, y = site.input(0), site.output.format
        if x.is_constant or not site.equal_formats or x.shape[0] != 1:
            return "maximum pooling kernels serve quantized run-time inputs of equal format"
        if self.axes > 2:
            return tap_extreme_call(site, window_axes(pool_window(self, x.shape, self.axes)))
        made = pool_window(self, x.shape, self.axes)
        return MaxPoolCall(dtype=y.dtype.name, lowest=y.lo, **made.geometry(x.shape[-1]))


@dataclass(frozen=True)
class MaxPool1d(MaxPool):
    """Maximum over windows of one axis: x [N, T, C] → [N, T', C]. Source: torch.nn.MaxPool1d.

    >>> MaxPool1d(2)(np.array([[[1.0], [3.0], [2.0], [0.0]]])).ravel()
    array([3., 2.])
    """

    axes: ClassVar[int] = 1


@dataclass(frozen=True)
class MaxPool2d(MaxPool):
    """Maximum over windows of two axes: x [N, H, W, C] → [N, H', W', C]. Source: torch.nn.MaxPool2d.

    >>> MaxPool2d(2)(np.arange(4.0).reshape(1, 2, 2, 1)).ravel()
    array([3.])
    """

    axes: ClassVar[int] = 2


@dataclass(frozen=True)
class MaxPool3d(MaxPool):
    """Maximum over windows of three axes: x [N, D, H, W, C] → [N, D', H', W', C]. Source: torch.nn.MaxPool3d.

    >>> MaxPool3d(2)(np.arange(8.0).reshape(1, 2, 2, 2, 1)).ravel()
    array([7.])
    """

    axes: ClassVar[int] = 3


@dataclass(frozen=True)
class GlobalMaxPool(Move):
    """The largest element over all spatial axes: x [N, *spatial, C] → [N, 1, ..., C]. Source: ONNX GlobalMaxPool.

    >>> GlobalMaxPool()(np.arange(4.0).reshape(1, 2, 2, 1)).ravel()
    array([3.])
    """

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if len(x) < 3 or not size(x[1:-1]):
            raise self.fail("x needs spatial axes between the first and the last", *shapes)
        return ((x[0], *(1 for _ in x[1:-1]), x[-1]),)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        return np.asarray(arrays[0].max(axis=tuple(range(1, arrays[0].ndim - 1)), keepdims=True))

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=size(shapes[0]) - shapes[0][0] * shapes[0][-1])

    def kernel(self, site: Site) -> Call | str:
        x = site.input(0)
        if x.is_constant or not site.equal_formats:
            return "the input is a constant" if x.is_constant else "formats that differ"
        return ExtremeCall(
            dtype=x.format.dtype.name,
            outer=x.shape[0],
            reduced=size(x.shape[1:-1]),
            inner=x.shape[-1],
            largest=True,
        )


@dataclass(frozen=True)
class MaxPoolWithIndices(Move):
    """The largest element of each window, and where it lies: x [N, *spatial, C] → y and indices [N, *output, C].

    indices count elements of the input, the last spatial axis fastest (order="row") or the first (order="column"):
    within the sample's channel (space="plane", as torch.nn.MaxPool2d with return_indices), or in the whole tensor
    with channels first [N, C, *spatial] (space="tensor", as ONNX MaxPool). The first of equal elements counts.
    kernel_size is one number per axis; for the rest see MaxPool. NaN is not supported.

    >>> y, indices = MaxPoolWithIndices((2,))(np.array([[[1.0], [3.0], [2.0], [0.0]]]))
    >>> y.ravel(), indices.ravel()
    (array([3., 2.]), array([1, 2]))
    """

    kernel_size: tuple[int, ...] = (2, 2)
    stride: Any = None
    padding: Any = 0
    dilation: Any = 1
    ceil_mode: bool = False
    space: str = "plane"
    order: str = "row"

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if self.space not in ("plane", "tensor") or self.order not in ("row", "column"):
            raise self.fail(f"space={self.space!r} is plane or tensor, order={self.order!r} row or column", *shapes)
        made = pool_window(self, x, len(self.kernel_size))
        return ((x[0], *made.output, x[-1]),) * 2

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.space == "plane"

    def places(self, x: Shape) -> Array:
        """The index of every element [N, *spatial, C]."""
        spatial = x[1:-1]
        numbers = np.arange(size(spatial), dtype=np.int64).reshape(spatial, order="C" if self.order == "row" else "F")
        made = np.broadcast_to(numbers[None, ..., None], x)
        if self.space == "plane":
            return made
        first = np.arange(x[0] * x[-1], dtype=np.int64).reshape(x[0], *(1,) * len(spatial), x[-1]) * size(spatial)
        return np.asarray(made + first)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Any:
        x, axes = arrays[0], len(self.kernel_size)
        made = pool_window(self, x.shape, axes)
        windows = made.gather(x, least(x.dtype, lowest))
        flat = windows.reshape(*windows.shape[: 1 + axes], -1, x.shape[-1])
        inside = made.gather(np.ones(x.shape, bool), False).reshape(flat.shape)
        top = flat.max(axis=-2, keepdims=True)
        found = np.argmax((flat == top) & inside, axis=-2)[..., None, :]  # padding never wins
        index = made.gather(self.places(x.shape), 0).reshape(flat.shape)
        return top[..., 0, :], np.take_along_axis(index, found, axis=-2)[..., 0, :]

    def work(self, *shapes: Shape) -> Work:
        made = pool_window(self, shapes[0], len(self.kernel_size))
        return Work(compares=shapes[0][0] * shapes[0][-1] * (made.taps - size(made.output)))

    def kernel(self, site: Site) -> Call | str:
        return "maxima with their places"


@dataclass(frozen=True)
class MaxUnpool(Move):
    """Elements back at the places they were taken from, 0 elsewhere: x, indices [N, *spatial, C] → [N, *output, C].

    output = (spatial − 1) · stride − before − after + kernel_size, or output_size, at whose start that output lies.
    indices are those of MaxPoolWithIndices in row order, of either space. Source: ONNX MaxUnpool, torch.nn.MaxUnpool2d.
    Errors: SimulationError for an index below 0.

    >>> MaxUnpool((2,))(np.array([[[3.0], [2.0]]]), np.array([[[1], [2]]])).ravel()
    array([0., 3., 2., 0.])
    """

    kernel_size: tuple[int, ...] = (2, 2)
    stride: Any = None
    padding: Any = 0
    output_size: tuple[int, ...] | None = None

    input_names: ClassVar[tuple[str, ...]] = ("x", "indices")
    steering: ClassVar[frozenset[int]] = frozenset({1})

    def pooled(self, x: Shape) -> Shape:
        """The spatial sizes that the indices count in."""
        axes = len(self.kernel_size)
        stride = per_axis(self.kernel_size if self.stride is None else self.stride, axes, "stride")
        return tuple(
            (n - 1) * s - sum(pad) + k
            for n, s, pad, k in zip(x[1:-1], stride, pads_of(self.padding, axes), self.kernel_size, strict=True)
        )

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, axes = shapes[0], len(self.kernel_size)
        if len(x) != axes + 2 or shapes[1] != x:
            raise self.fail(f"x and indices need one shape with {axes} spatial axes", *shapes)
        pooled = self.pooled(x)
        made = pooled if self.output_size is None else self.output_size
        if len(made) != axes or any(m < p or p < 1 for m, p in zip(made, pooled, strict=True)):
            raise self.fail(f"output_size={made} must be {axes} numbers of at least {pooled}", *shapes)
        return ((x[0], *made, x[-1]),)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x, indices = arrays[0], arrays[1].astype(np.int64)
        pooled = self.pooled(x.shape)
        if (indices < 0).any():
            raise SimulationError(f"MaxUnpool: index {int(indices.min())} lies below 0")
        flat = np.full((x.shape[0], size(pooled), x.shape[-1]), zero, x.dtype)
        places = (indices % size(pooled)).reshape(x.shape[0], -1, x.shape[-1])
        np.put_along_axis(flat, places, x.reshape(places.shape), axis=1)
        y = np.full(self.shape(x.shape, x.shape)[0], zero, x.dtype)
        y[(slice(None), *(slice(0, p) for p in pooled))] = flat.reshape(x.shape[0], *pooled, x.shape[-1])
        return y
