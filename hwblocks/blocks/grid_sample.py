"""Sampling at places that data state: GridSample, and AffineGrid, which makes the places."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Algorithm, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work

CUBIC = -0.75  # the parameter of the cubic kernel


def hat(d: Array) -> Array:
    """Linear weights of distances."""
    return np.asarray(np.maximum(1 - abs(d), 0))


def cubic(d: Array) -> Array:
    """Cubic weights of distances (Keys 1981, a = −¾)."""
    d, a = abs(d), CUBIC
    near, far = ((a + 2) * d - (a + 3)) * d * d + 1, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def nearest(d: Array) -> Array:
    """All weight on the element itself."""
    return np.ones_like(d)


KERNELS: dict[str, tuple[tuple[int, ...], Callable[[Array], Array]]] = {
    "nearest": ((0,), nearest),
    "linear": ((0, 1), hat),
    "cubic": ((-1, 0, 1, 2), cubic),
}


def reflected(place: Array, low: float, high: float) -> Array:
    """Places mirrored at both ends until they lie between them."""
    span = high - low
    if not span:
        return np.full_like(place, low)
    turn = np.mod(place - low, 2 * span)
    return low + np.where(turn > span, 2 * span - turn, turn)


@dataclass(frozen=True)
class GridSample(Algorithm):
    """x read at the places of a grid: x [N, *spatial, C], grid [N, *output, axes] → [N, *output, C].

    The grid's last axis counts the axes of x from the last to the first; −1 and 1 are the middles of the end elements
    (align_corners) or their outer edges. mode: nearest (ties to even), linear, cubic (two axes). padding_mode: zeros,
    border (the end element) or reflection. It has no integer meaning. Source: ONNX GridSample, channels last.

    >>> GridSample(align_corners=True)(np.array([[[1.0], [3.0]]]), np.array([[[0.0], [1.0]]])).ravel()
    array([2., 3.])
    """

    mode: str = "linear"
    padding_mode: str = "zeros"
    align_corners: bool = False

    input_names: ClassVar[tuple[str, ...]] = ("x", "grid")

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "activation"), output="float")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, grid = shapes
        axes = len(x) - 2
        if axes < 1 or len(grid) != len(x) or grid[0] != x[0] or grid[-1] != axes or not size(x[1:-1]):
            raise self.fail("x [N, *spatial, C] and grid [N, *output, axes] do not fit", *shapes)
        if self.mode not in KERNELS or self.padding_mode not in ("zeros", "border", "reflection"):
            raise self.fail(f"mode={self.mode!r} or padding_mode={self.padding_mode!r} is unknown", *shapes)
        if self.mode == "cubic" and axes != 2:
            raise self.fail("mode='cubic' serves two axes", *shapes)
        return ((*grid[:-1], x[-1]),)

    def located(self, g: Array, length: int) -> tuple[Array, float, float]:
        """(places on an axis, the lowest and the highest that need no padding)."""
        if self.align_corners:
            at, low, high = (g + 1) / 2 * (length - 1), 0.0, length - 1.0
        else:
            at, low, high = ((g + 1) * length - 1) / 2, -0.5, length - 0.5
        if self.mode == "nearest":
            at = np.rint(at)
        outside = (at < low) | (at > high)
        if self.padding_mode == "border":
            at = np.where(outside, np.clip(at, 0, length - 1), at)
        elif self.padding_mode == "reflection":
            at = np.where(outside, reflected(at, low, high), at)
        return at, low, high

    def taps(self, g: Array, length: int) -> list[tuple[Array, Array]]:
        """(index, weight) of each element that a place reads along an axis; padding by zeros has no weight."""
        at, low, high = self.located(g, length)
        offsets, kernel = KERNELS[self.mode]
        first = np.floor(at)
        found = []
        for offset in offsets:
            index = first + offset
            weight, inside = kernel(index - at), (index >= 0) & (index < length)
            if self.padding_mode == "zeros":
                weight = np.where(inside, weight, 0)
            elif self.padding_mode == "reflection":
                index = np.where(inside, index, np.trunc(reflected(index, low, high)))
            found.append((np.clip(index, 0, length - 1).astype(np.int64), weight))
        return found

    def compute(self, x: Array, grid: Array) -> Array:
        spatial = x.shape[1:-1]
        taps = [self.taps(grid[..., -1 - axis], length) for axis, length in enumerate(spatial)]
        sample = np.arange(x.shape[0]).reshape(-1, *(1,) * len(spatial))
        total = np.zeros((*grid.shape[:-1], x.shape[-1]))
        for chosen in itertools.product(*taps):
            weight = np.prod([w for _, w in chosen], axis=0)
            total = total + x[(sample, *(index for index, _ in chosen))] * weight[..., None]
        return np.asarray(total)

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        raise SimulationError(f"{site.where}: has no integer meaning of its own; keep it in float")

    def work(self, *shapes: Shape) -> Work:
        made, axes = size(self.shape(*shapes)[0]), len(shapes[0]) - 2
        taps = len(KERNELS[self.mode][0]) ** axes
        return Work(muls=made * taps, adds=made * (taps - 1))


@dataclass(frozen=True)
class AffineGrid(Algorithm):
    """Places for GridSample: theta [N, axes, axes + 1] → [N, *size, axes], each theta · (x, y, ..., 1).

    The axes of `size` run from the first to the last, those of theta and of the result from the last to the first;
    −1 and 1 as in GridSample. It has no integer meaning. Source: ONNX AffineGrid, torch.nn.functional.affine_grid.

    >>> AffineGrid((1, 2), align_corners=True)(np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])).ravel()
    array([-1.,  0.,  1.,  0.])
    """

    size: tuple[int, ...] = (1, 1)
    align_corners: bool = False

    input_names: ClassVar[tuple[str, ...]] = ("theta",)

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="float")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        theta, axes = shapes[0], len(self.size)
        if min(self.size, default=0) < 1 or theta[1:] != (axes, axes + 1):
            raise self.fail(f"theta [N, {axes}, {axes + 1}] and sizes of at least 1, not {self.size}, fit", *shapes)
        return ((theta[0], *self.size, axes),)

    def along(self, length: int) -> Array:
        """The places of an axis: from −1 to 1, or the middles of equal parts."""
        if self.align_corners:
            return np.linspace(-1, 1, length) if length > 1 else np.zeros(1)
        return (2 * np.arange(length) + 1) / length - 1

    def compute(self, theta: Array) -> Array:
        mesh = np.meshgrid(*(self.along(n) for n in self.size), indexing="ij")
        places = np.stack([*mesh[::-1], np.ones(self.size)], axis=-1)
        return np.asarray(np.einsum("...j,nij->n...i", places, theta))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        raise SimulationError(f"{site.where}: has no integer meaning of its own; keep it in float")

    def work(self, *shapes: Shape) -> Work:
        made, axes = size(self.shape(*shapes)[0]), len(self.size)
        return Work(muls=made * axes, adds=made * axes)
