"""What NVDLA's performance sheet makes of cycles and bytes, beyond what targets need."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from hwblocks.costs.machines.atom import AtomBytes


@dataclass(frozen=True)
class AtomCycles:
    """Cycles of one layer by what they wait for; all run side by side, so that the longest counts."""

    mac: Fraction
    dram: Fraction
    sram_read: Fraction = Fraction(0)
    sram_write: Fraction = Fraction(0)

    @property
    def cycles(self) -> Fraction:
        """The longest of them."""
        return max(self.mac, self.dram, self.sram_read, self.sram_write)

    @property
    def bound(self) -> str:
        """Which one that is."""
        named = {"mac": self.mac, "sram-write": self.sram_write, "dram": self.dram, "sram-read": self.sram_read}
        return max(named, key=lambda name: named[name])


def memory_cycles(moved_bytes: Fraction, gb_per_s: float, clock_mhz: float) -> Fraction:
    """⌈bytes · clock / bandwidth⌉, GB being 10⁹ bytes."""
    return Fraction(math.ceil(moved_bytes * Fraction(clock_mhz) / (1000 * Fraction(gb_per_s))))


def sheet_memory_cycles(moved_bytes: Fraction, gb_per_s: float, clock_mhz: float) -> Fraction:
    """The sheet's figure: it takes its KB, 1024 bytes each, for 1000 bytes, and so finds 2.3 % fewer cycles."""
    return memory_cycles(moved_bytes * Fraction(1000, 1024), gb_per_s, clock_mhz)


def weights_shared(sizes: Iterable[AtomBytes], sram_bytes: int) -> int:
    """Samples that run on weights read once: the least ⌊(SRAM − weights) / (features + results)⌋ of the layers."""
    return min(math.floor((sram_bytes - s.weights) / (s.features + s.results)) for s in sizes)
