"""Estimate: what a machine needs for one layer, before it is priced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields


@dataclass(frozen=True)
class Moved:
    """Bytes that cross the port of a memory: read for inputs and weights, written as outputs, and partial sums that
    are written and read back.
    """

    inputs: int = 0
    weights: int = 0
    outputs: int = 0
    partial_sums: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.inputs + self.weights + self.outputs + self.partial_sums

    def __add__(self, other: Moved) -> Moved:
        return Moved(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Estimate:
    """Cycles of each unit for all passes of a layer, and the bytes at each memory.

    array: cycles of the multipliers. vector: of the unit for all other operations. fixed: cycles that nothing hides.
    array, vector and memories work at the same time, so the longest counts; `serial` adds them instead.
    products: that the multipliers make, where they are fewer than the layer's (dead channels, Winograd).
    moved: by the memory's name. mapping: share of the multipliers that the mapping gives work to.
    figures: further columns of the kind, such as another tool's count.
    """

    array: float = 0.0
    vector: float = 0.0
    fixed: float = 0.0
    products: float | None = None
    moved: Mapping[str, Moved] = field(default_factory=dict)
    mapping: float | None = None
    figures: Mapping[str, float | int | str | None] = field(default_factory=dict)
    serial: bool = False
