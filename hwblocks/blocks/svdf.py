"""SVDF: a filter over features, then one over time, with a memory of past features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.nest import Nest
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


@dataclass(frozen=True)
class SVDF(Algorithm):
    """Singular value decomposition filter: one step of a stream.

    The memory [N, F · M] moves on by one step and its newest entry of every filter becomes x · W_featureᵀ; then
    y[u] = Σ over the `rank` filters r of unit u of Σ_m W_time[r, m] · memory[r, m], + b[u].

    x [N, I], w_feature [F, I], w_time [F, M], b [F / rank], memory [N, F · M] → y [N, F / rank], memory.
    Source: Nakkiran et al. 2015, TFLite SVDF.
    """

    rank: int = 1

    input_names: ClassVar[tuple[str, ...]] = ("x", "w_feature", "w_time", "b?", "memory")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, feature, time, memory = shapes[0], shapes[1], shapes[2], shapes[-1]
        filters = feature[0]
        if len(x) != 2 or feature[1:] != x[1:] or time[0] != filters or filters % self.rank:
            raise self.fail(f"x [N, I], w_feature [F, I], w_time [F, M] with F a multiple of rank={self.rank}", *shapes)
        if memory != (x[0], filters * time[1]) or (len(shapes) > 4 and shapes[3] != (filters // self.rank,)):
            raise self.fail("memory is [N, F · M] and b [F / rank]", *shapes)
        return ((x[0], filters // self.rank), memory)

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "weight", "weight", "bias", "activation"))

    def remembered(self, memory: Array, newest: Array, time: Shape) -> Array:
        """The memory one step on [N, F, M], `newest` [N, F] in its last place."""
        kept = memory.reshape(memory.shape[0], *time).copy()
        kept[:, :, :-1] = kept[:, :, 1:]
        kept[:, :, -1] = newest
        return kept

    def units(self, filters: Array) -> Array:
        """Sums over the filters of each unit: [N, F] → [N, F / rank]."""
        return np.asarray(filters.reshape(filters.shape[0], -1, self.rank).sum(axis=-1))

    def compute(self, x: Array, feature: Array, time: Array, *rest: Array) -> Any:
        memory = self.remembered(rest[-1], x @ feature.T, time.shape)
        y = self.units((memory * time).sum(axis=-1))
        if len(rest) > 1:
            y = y + rest[0]
        return y, memory.reshape(rest[-1].shape)

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        raise SimulationError(f"{site.where}: has no integer meaning of its own; choose a dialect that has one")

    def nests(self, *shapes: Shape) -> tuple[Nest, ...]:
        x, feature, time = shapes[0], shapes[1], shapes[2]
        return (Nest(x[0], feature[1], feature[0]), Nest(x[0], time[1], 1, time[0]))

    def work(self, *shapes: Shape) -> Work:
        x, feature, time = shapes[0], shapes[1], shapes[2]
        macs = x[0] * feature[0] * (feature[1] + time[1])
        units = x[0] * feature[0] // self.rank
        return Work(macs=macs, macs_valid=macs, adds=units * self.rank, requants=x[0] * feature[0] + units)
