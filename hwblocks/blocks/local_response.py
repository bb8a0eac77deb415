"""LocalResponseNorm: each element divided by a power of the squares of its neighbouring channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Algorithm, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.rational import cast_fractions, real_fractions
from hwblocks.graph.site import Site, scalar_scale
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.roots import near_root

LARGEST_ROOT = 16


@dataclass(frozen=True)
class LocalResponseNorm(Algorithm):
    """y = x / (k + alpha / size · Σ x²)^beta, Σ over `size` channels around the element's own: x [N, *spatial, C].

    The sum runs from channel c − ⌊(size − 1) / 2⌋ to c + ⌈(size − 1) / 2⌉, channels outside left out.
    In integers the value of this formula, rounded once by integer comparisons; beta must then be a fraction whose
    denominator is at most 16. Source: ONNX LRN (torch.nn.LocalResponseNorm for odd sizes), channels last.

    >>> LocalResponseNorm(1, alpha=1.0, beta=0.5, k=0.0)(np.array([[[3.0, -4.0]]]))
    array([[[ 1., -1.]]])
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        if len(shapes[0]) < 2 or self.size < 1:
            raise self.fail(f"x [N, *spatial, C] and a size of at least 1, not {self.size}, are needed", *shapes)
        return (shapes[0],)

    def sums(self, squares: Array) -> Array:
        """Σ over the neighbours of each channel."""
        before, channels = (self.size - 1) // 2, squares.shape[-1]
        parts = [
            squares[..., max(c - before, 0) : c - before + self.size].sum(axis=-1, keepdims=True)
            for c in range(channels)
        ]
        return np.concatenate(parts, axis=-1) if parts else squares

    def compute(self, x: Array) -> Array:
        return np.asarray(x / (self.k + self.alpha / self.size * self.sums(x * x)) ** self.beta)

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        beta = Fraction(self.beta)
        if beta.denominator > LARGEST_ROOT or beta < 0:
            raise SimulationError(
                f"{site.where}: beta={self.beta} has no denominator of at most {LARGEST_ROOT}; choose such as 0.75"
            )
        real = real_fractions(inputs[0], site.input(0).format)
        divisors = Fraction(self.k) + Fraction(self.alpha) / self.size * self.sums(real * real)
        unit, root = Fraction(scalar_scale(site.output.format)), beta.denominator

        def near(x: Fraction, divisor: Fraction) -> Fraction:
            if not x or divisor <= 0:
                return Fraction(0)
            power = abs(x) ** root / divisor**beta.numerator
            return near_root(Fraction(0), 1 if x > 0 else -1, power, root, unit)

        return cast_fractions(np.asarray(np.frompyfunc(near, 2, 1)(real, divisors), dtype=object), site)

    def work(self, *shapes: Shape) -> Work:
        """One look-up for each power; products of squares, of alpha / size, and with the power."""
        made = size(shapes[0])
        return Work(muls=3 * made, adds=self.size * made, lookups=made, requants=made)
