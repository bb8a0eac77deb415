"""AlongAxis: what every block has in common whose elements meet along one axis and keep their places."""

from __future__ import annotations

from dataclasses import dataclass

from hwblocks.graph.block import Algorithm
from hwblocks.graph.tensor import Shape


@dataclass(frozen=True)
class AlongAxis(Algorithm, abstract=True):
    """An output of the input's shape; each element depends on those along `dim` only."""

    dim: int = -1

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if not -len(x) <= self.dim < len(x):
            raise self.fail(f"dim={self.dim} is not an axis of x", *shapes)
        return (x,)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dim % len(shapes[0]) != 0
