"""Reduction: what every block has in common that makes one element from all along some axes."""

from __future__ import annotations

from dataclasses import dataclass

from hwblocks.graph.block import Block, size
from hwblocks.graph.tensor import Shape


@dataclass(frozen=True)
class Reduction(Block, abstract=True):
    """One element from all elements along `dims`; keepdim leaves axes of size 1 in their place."""

    dims: tuple[int, ...] = (-1,)
    keepdim: bool = True

    def axes(self, x: Shape) -> tuple[int, ...]:
        """The reduced axes, counted from the start."""
        if any(not -len(x) <= d < len(x) for d in self.dims):
            raise self.fail(f"dims={self.dims} are not axes of x", x)
        return tuple(sorted({d % len(x) for d in self.dims}))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, axes = shapes[0], self.axes(shapes[0])
        if self.keepdim:
            return (tuple(1 if a in axes else s for a, s in enumerate(x)),)
        return (tuple(s for a, s in enumerate(x) if a not in axes),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return 0 not in self.axes(shapes[0])

    def count(self, x: Shape) -> int:
        """Elements that make one output."""
        return size(tuple(x[a] for a in self.axes(x)))
