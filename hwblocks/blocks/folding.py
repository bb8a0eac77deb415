"""Windows laid out as rows, and rows added back into place: Unfold and Fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.errors import ShapeError
from hwblocks.graph.block import Algorithm, Block, Move, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.tensor import Shape
from hwblocks.graph.window import Window, window
from hwblocks.graph.work import Work


def window_of(block: Any, spatial: Shape, *shapes: Shape) -> Window:
    """The window of a block over these sizes. Errors: ShapeError when none fits."""
    try:
        return window(spatial, block.kernel_size, block.stride, block.padding, block.dilation)
    except ShapeError as error:
        raise block.fail(error.message, *shapes) from None


@dataclass(frozen=True)
class Windowed(Block, abstract=True):
    """kernel_size: one number for each spatial axis; stride, padding, dilation: one number or one per axis."""

    kernel_size: tuple[int, ...] = (2, 2)
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1


@dataclass(frozen=True)
class Unfold(Windowed, Move):
    """Every window as a row: x [N, *spatial, C] → [N, L, K], L windows in C order, K over (kernel axes, c), c fastest.

    Padding is 0. Source: torch.nn.Unfold, channels last.

    >>> Unfold((2,))(np.array([[[1.0], [2.0], [3.0]]]))
    array([[[1., 2.],
            [2., 3.]]])
    """

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if len(x) != len(self.kernel_size) + 2:
            raise self.fail(f"x needs {len(self.kernel_size)} spatial axes between the first and the last", *shapes)
        made = window_of(self, x[1:-1], *shapes)
        return ((x[0], size(made.output), size(made.kernel) * x[-1]),)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x = arrays[0]
        return window_of(self, x.shape[1:-1]).gather(x, zero).reshape(self.shape(x.shape)[0])


@dataclass(frozen=True)
class Fold(Windowed, Algorithm):
    """Rows added back at their windows' places: x [N, L, K] → [N, *output_size, C], the transpose of Unfold.

    In integers the exact sum, cast once. Source: torch.nn.Fold, ONNX Col2Im, channels last.

    >>> Fold((2,), output_size=(3,))(np.array([[[1.0, 2.0], [2.0, 3.0]]])).ravel()
    array([1., 4., 3.])
    """

    output_size: tuple[int, ...] = (1, 1)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, taps = shapes[0], size(self.kernel_size)
        if len(x) != 3 or len(self.output_size) != len(self.kernel_size) or x[2] % taps:
            raise self.fail(f"x [N, L, K] needs K a multiple of {taps}, output_size one number per axis", *shapes)
        rows = size(window_of(self, self.output_size, *shapes).output)
        if x[1] != rows:
            raise self.fail(f"output_size={self.output_size} has {rows} windows, x holds {x[1]}", *shapes)
        return ((x[0], *self.output_size, x[2] // taps),)

    def places(self) -> Array:
        """The element of the output that each (window, tap) adds to; one behind the last for padding [L, taps]."""
        numbers = np.arange(size(self.output_size), dtype=np.int64).reshape(1, *self.output_size, 1)
        made = window_of(self, self.output_size)
        return made.gather(numbers, numbers.size).reshape(size(made.output), size(made.kernel))

    def compute(self, x: Array) -> Array:
        places = self.places()
        n, channels = x.shape[0], x.shape[2] // places.shape[1]
        parts = x.reshape(n, *places.shape, channels)
        total = np.zeros((size(self.output_size) + 1, n, channels), dtype=x.dtype)
        np.add.at(total, places, np.moveaxis(parts, 0, 2))
        return np.moveaxis(total[:-1], 0, 1).reshape(n, *self.output_size, channels)

    def work(self, *shapes: Shape) -> Work:
        return Work(adds=size(shapes[0]), requants=size(self.shape(*shapes)[0]))
