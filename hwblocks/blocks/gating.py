"""Hard gates: binary decisions by scores, with the number of open gates counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import ClassVar

import numpy as np

from hwblocks.errors import ShapeError
from hwblocks.graph.block import Algorithm, Call, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.pick_calls import gate_call
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.rational import cast_ratio
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


@dataclass(frozen=True)
class HardGate(Algorithm):
    """Gates along the last axis: x [..., L], keep (truth values that broadcast to x, absent: all true) → [..., L].

    threshold None: the gate of the first largest kept score is open, the others are shut. Else every kept gate with
    x ≥ threshold is open. An open gate is 1, or with `average` 1 / the number of open gates of its row.
    In integers codes are compared; 1 / n is cast once. `active` of a node's events counts open gates.

    >>> HardGate()(np.array([[1.0, 3.0, 3.0]])), HardGate(2.0, True)(np.array([[1.0, 3.0, 3.0]]))
    (array([[0., 1., 0.]]), array([[0. , 0.5, 0.5]]))
    """

    threshold: float | None = None
    average: bool = False

    counts_active: ClassVar[bool] = True
    input_names: ClassVar[tuple[str, ...]] = ("x", "keep?")
    steering: ClassVar[frozenset[int]] = frozenset({1})

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "parameter"), output="fixed", fixed_range=(0.0, 1.0))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        try:
            fits = len(shapes) == 1 or np.broadcast_shapes(*shapes) == x
        except ValueError:
            fits = False
        if not x or not fits:
            raise self.fail("keep must broadcast to x [..., L]", *shapes)
        return (x,)

    def check_site(self, site: Site) -> None:
        if site.has(1) and site.input(1).format.is_quantized:
            raise ShapeError(f"{site.where}: keep {site.input(1).name!r} is quantized; give truth values")

    def keeps_samples(self, *shapes: Shape) -> bool:
        return len(shapes[0]) > 1

    def opened(self, x: Array, keep: Array | None, threshold: float | int | None) -> Array:
        """Which gates are open."""
        kept = np.broadcast_to(True if keep is None else np.asarray(keep) != 0, x.shape)
        if threshold is not None:
            return np.asarray((x >= threshold) & kept)
        wide = np.asarray(x, np.float64)
        least = np.where(kept, wide, -np.inf)
        best = np.argmax(least, axis=-1, keepdims=True)
        return np.asarray((np.arange(x.shape[-1]) == best) & kept)

    def compute(self, x: Array, keep: Array | None = None) -> Array:
        gates = self.opened(x, keep, self.threshold).astype(np.float64)
        return np.asarray(gates / np.maximum(gates.sum(axis=-1, keepdims=True), 1) if self.average else gates)

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        codes = inputs[0].astype(np.int64)
        gates = self.opened(codes, inputs[1] if len(inputs) > 1 else None, self._code(site)).astype(np.int64)
        count = np.maximum(gates.sum(axis=-1, keepdims=True), 1) if self.average else np.ones_like(gates)
        return cast_ratio(gates.astype(object), np.broadcast_to(count, gates.shape).astype(object), site)

    def _code(self, site: Site) -> int | None:
        """The lowest code whose real value reaches the threshold."""
        format = site.input(0).format
        if self.threshold is None:
            return None
        return ceil(Fraction(self.threshold) / Fraction(scalar_scale(format))) + scalar_zero_point(format)

    def active(self, inputs: Sequence[Array], outputs: Sequence[Array], site: Site) -> int:
        zero = site.output.format.zero_point if site.output.format.is_quantized else 0
        return int(np.count_nonzero(outputs[0] != zero))

    def kernel(self, site: Site) -> Call | str:
        return gate_call(site, self._code(site), self.average)

    def work(self, *shapes: Shape) -> Work:
        made = size(shapes[0])
        return Work(compares=made, adds=made if self.average else 0, divisions=made if self.average else 0)
