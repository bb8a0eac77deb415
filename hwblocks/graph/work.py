"""Work: how many operations a block performs on one sample, counted from shapes."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Work:
    """Operation counts of one sample (docs/numbers.md states the convention).

    macs: products summed in a contraction, products with padding zeros included; bias not counted.
    macs_valid: the same without products with padding.
    muls: element-wise products. adds: element-wise and bias additions. compares, lookups, divisions: as named.
    requants: casts of an accumulator to an output format. shifts: by a number of places that is not fixed.
    reads, writes: words of memories that a block addresses: those of tables and buffers beside its own inputs and
    outputs, and those that a move copies. Operands that stream through a computing block are none of them.
    """

    macs: int = 0
    macs_valid: int = 0
    muls: int = 0
    adds: int = 0
    compares: int = 0
    lookups: int = 0
    divisions: int = 0
    requants: int = 0
    shifts: int = 0
    reads: int = 0
    writes: int = 0

    def __mul__(self, count: int) -> Work:
        """The work of `count` elements, each of which takes this."""
        return Work(**{name: value * count for name, value in self.to_dict().items()})

    def __add__(self, other: Work) -> Work:
        return Work(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def to_dict(self) -> dict[str, int]:
        """The counts by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}
