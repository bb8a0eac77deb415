"""Push: new positions enter a window at its end, the oldest leave at its front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.graph.block import Call, Move, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.gather import FILL, gather_call
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.kernels.gather import GatherCall


@dataclass(frozen=True)
class Push(Move):
    """The last D positions of x followed by `new`, along `dim`: x [..., D, ...], new [..., T, ...] → x's shape.

    What a first-in first-out memory, a ring buffer or a shift register holds after T writes, the oldest first. Work:
    T positions are written; a ring buffer moves its pointer, not its contents.

    >>> Push(0)(np.array([1, 2, 3]), np.array([8]))
    array([2, 3, 8])
    """

    dim: int = 1

    serves_floats: ClassVar[bool] = True  # truth values too
    input_names: ClassVar[tuple[str, ...]] = ("x", "new")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, new = shapes
        if len(x) != len(new) or not -len(x) <= self.dim < len(x):
            raise self.fail(f"x and new need as many axes, dim={self.dim} among them", *shapes)
        axis = self.dim % len(x)
        if (*x[:axis], *x[axis + 1 :]) != (*new[:axis], *new[axis + 1 :]):
            raise self.fail(f"x and new may differ only along dim={self.dim}", *shapes)
        return (x,)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dim % len(shapes[0]) != 0

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        x, new = arrays
        both, axis = np.concatenate([x, new], axis=self.dim), self.dim % x.ndim
        return both[(slice(None),) * axis + (slice(new.shape[axis], None),)]

    def kernel(self, site: Site) -> Call | str:
        truths = [t.format.kind == "bool" for t in (*site.present, site.output)]
        if not site.is_integer and not all(truths):
            return "float"
        if site.input(1).is_constant:
            return self._constant_pushed(site)
        return gather_call(self, site)

    def _constant_pushed(self, site: Site) -> Call | str:
        """A constant of one value is the fill of a move of x alone."""
        x, value = site.input(0), site.input(1).value
        assert value is not None
        if x.is_constant or (value != value.flat[0]).any():
            return "an input is a constant"
        numbers = np.arange(x.elements, dtype=np.int64).reshape(x.shape)
        index = self.move(numbers, np.full(value.shape, FILL), zero=FILL, lowest=FILL)
        dtype = "uint8" if x.format.kind == "bool" else x.format.dtype.name
        return GatherCall(dtype, (x.elements,), np.ascontiguousarray(index).ravel(), int(value.flat[0]))

    def work(self, *shapes: Shape) -> Work:
        return Work(writes=min(size(shapes[0]), size(shapes[1])))
