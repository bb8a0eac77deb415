"""Accesses to each level of a memory hierarchy by reuse, for one value.

A value is fetched `a` times from DRAM; each of these is used `b` times from the buffer, each of those `c` times over
the network of the array, each of those `d` times from a register file: a · b · c · d uses in all.
Source: the analysis of Eyeriss (Chen, Emer, Sze, ISCA 2016), by a published summary of it; tests count it anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from hwblocks.errors import TargetError


@dataclass(frozen=True)
class Reuse:
    """Uses of a value at each level for one at the level above; 1 is none."""

    dram: int
    buffer: int
    network: int
    registers: int

    def __post_init__(self) -> None:
        if min(self.dram, self.buffer, self.network, self.registers) < 1:
            raise TargetError(f"{self}: every reuse is at least 1")

    @property
    def uses(self) -> int:
        """a · b · c · d."""
        return self.dram * self.buffer * self.network * self.registers


@dataclass(frozen=True)
class LevelAccesses:
    """Accesses to each level; over the network, transfers."""

    dram: int
    buffer: int
    network: int
    registers: int

    def energy_pj(self, pj: Mapping[str, float]) -> float:
        """Σ accesses · pJ of an access, pj by the names of the levels."""
        return float(sum(getattr(self, level.name) * pj[level.name] for level in fields(self)))


def input_accesses(reuse: Reuse) -> LevelAccesses:
    """Reads of an input or a weight: a from DRAM, a·b from the buffer, a·b·c transfers, a·b·c·d from register files.

    >>> input_accesses(Reuse(1, 2, 3, 4))
    LevelAccesses(dram=1, buffer=2, network=6, registers=24)
    """
    buffer = reuse.dram * reuse.buffer
    return LevelAccesses(reuse.dram, buffer, buffer * reuse.network, reuse.uses)


def partial_sum_accesses(reuse: Reuse) -> LevelAccesses:
    """Accesses of a sum of a·b·c·d products: at each level the first is written only, all others are read and written.

    DRAM 2a − 1, buffer 2a(b − 1), network ab(c − 1), one transfer each, register files 2abc(d − 1).
    """
    a, b, c, d = reuse.dram, reuse.buffer, reuse.network, reuse.registers
    return LevelAccesses(2 * a - 1, 2 * a * (b - 1), a * b * (c - 1), 2 * a * b * c * (d - 1))
