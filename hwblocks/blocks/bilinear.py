"""Bilinear: a form of two inputs and a matrix for each output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Algorithm, Weighted, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.nest import Nest
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.rational import cast_fractions
from hwblocks.graph.site import Site, scalar_scale
from hwblocks.graph.spread import parameter
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


@dataclass(frozen=True)
class Bilinear(Weighted, Algorithm):
    """y[..., o] = Σ_i Σ_j x1[..., i] · w[o, i, j] · x2[..., j] + b[o].

    x1 [..., I], x2 [..., J], w [O, I, J], b [O] → [..., O]. Counted as the products x1 · x2 of all pairs (muls), then
    I · J products for each output (macs). In integers the exact sum of centred codes, cast once; the bias counts by its
    value. Source: torch.nn.Bilinear.

    >>> Bilinear()(np.array([[1.0, 2.0]]), np.array([[3.0]]), w=np.array([[[1.0], [10.0]]]))
    array([[63.]])
    """

    input_names: ClassVar[tuple[str, ...]] = ("x1", "x2", "w", "b?")
    parameters: ClassVar[dict[str, str]] = {"weight": "w", "bias": "b"}

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "activation", "activation", "parameter"))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        a, b, w = shapes[:3]
        if len(w) != 3 or not a or a[:-1] != b[:-1] or (a[-1], b[-1]) != w[1:]:
            raise self.fail("x1 [..., I], x2 [..., J] and w [O, I, J] do not fit", *shapes)
        if len(shapes) > 3 and shapes[3] != (w[0],):
            raise self.fail(f"the bias needs shape ({w[0]},)", *shapes)
        return ((*a[:-1], w[0]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return len(shapes[0]) > 1

    def sums(self, a: Array, b: Array, w: Array) -> Array:
        """Σ over all pairs [..., O]."""
        pairs = (a[..., :, None] * b[..., None, :]).reshape(*a.shape[:-1], -1)
        return np.asarray(pairs @ w.reshape(w.shape[0], -1).T)

    def compute(self, x1: Array, x2: Array, w: Array, b: Any = 0.0) -> Array:
        return np.asarray(self.sums(x1, x2, w) + b)

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        formats = [t.format for t in site.present[:3]]
        if formats[2].axis not in (None, 0):
            raise SimulationError(f"{site.where}: scales of w along axis {formats[2].axis}; use one, or one per output")
        centred = [c.astype(object) - f.zero_points(c.ndim) for c, f in zip(inputs, formats, strict=False)]
        total = np.asarray(self.sums(*centred), dtype=object)
        step = Fraction(scalar_scale(formats[0])) * Fraction(scalar_scale(formats[1]))
        scales = [step * Fraction(float(s)) for s in formats[2].scales(3).ravel()]
        value = total * np.array(scales, dtype=object)
        if site.has(3):
            value = value + parameter(inputs[3], site.input(3))
        return cast_fractions(np.asarray(value, dtype=object), site)

    def nests(self, *shapes: Shape) -> tuple[Nest, ...]:
        w = shapes[2]
        return (Nest(size(shapes[0][:-1]), w[1] * w[2], w[0]),)

    def work(self, *shapes: Shape) -> Work:
        rows, w = size(shapes[0][:-1]), shapes[2]
        macs = rows * size(w)
        adds = rows * w[0] if len(shapes) > 3 else 0
        return Work(macs=macs, macs_valid=macs, muls=rows * w[1] * w[2], adds=adds, requants=rows * w[0])
