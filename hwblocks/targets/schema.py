"""What target files have in common, and energy tables; unknown keys are errors, every number has a source."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

MOST = 1e15  # of any number: what is larger, infinity too, is a mistake of units
Positive = Annotated[float, msgspec.Meta(gt=0, le=MOST)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=MOST)]
Count = Annotated[int, msgspec.Meta(gt=0)]
ClockMHz = Annotated[float, msgspec.Meta(gt=0, le=20_000)]
GBPerSecond = Annotated[float, msgspec.Meta(gt=0, le=100_000)]
Technology = Literal["sram", "dram", "flash", "registers"]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a target file; `source` holds for all its numbers that state none of their own."""

    source: str = ""


class Identity(Part, frozen=True):
    """Who the target is: name, kind of formula, clock, and what the model leaves out (`note`)."""

    name: str
    kind: str
    clock_mhz: ClockMHz
    note: str = ""


class Precision(Part, frozen=True):
    """Products a multiplier makes in a cycle, by "activation x weight" bits; 8x8 is 1 unless stated.

    Pairs that are not listed take the next wider pair listed; where there is none, ⌈a / 8⌉ · ⌈w / 8⌉ passes of 8 × 8.
    """

    table: dict[str, Positive] = {}

    def rate(self, activation_bits: int, weight_bits: int) -> float:
        """Products a cycle of one multiplier at these widths."""
        pairs = {"8x8": 1.0, **self.table}
        wide = [
            (a * w, a, rate)
            for (a, w), rate in ((pair_of(k), v) for k, v in pairs.items())
            if a >= activation_bits and w >= weight_bits
        ]
        if wide:
            return min(wide)[2]
        return 1.0 / (-(-activation_bits // 8) * -(-weight_bits // 8))


def pair_of(text: str) -> tuple[int, int]:
    """ "8x4" as (8, 4). Errors: ValueError for another text."""
    first, _, second = text.partition("x")
    pair = int(first), int(second)
    if min(pair) < 1:
        raise ValueError(text)
    return pair


class Vector(Part, frozen=True):
    """The unit beside the multipliers: element-wise operations a cycle, of operands up to `lane_bits`."""

    ops_per_cycle: Positive
    lane_bits: Count = 32


class Memory(Part, frozen=True):
    """A memory level. bytes: its size (absent: as large as needed). bytes_per_cycle or gb_per_s (1e9 bytes) of its
    port: absent where it keeps up with the multipliers. technology: how the energy table prices its bits; absent, that
    of its name ("dram", "flash"), else SRAM.
    """

    bytes: Count | None = None
    bytes_per_cycle: Positive | None = None
    gb_per_s: GBPerSecond | None = None
    technology: Technology | None = None

    def technology_of(self, name: str) -> str:
        """The technology of a memory of this name."""
        return self.technology or (name if name in ("dram", "flash") else "sram")

    def per_cycle(self, clock_mhz: float) -> float | None:
        """Bytes a cycle of the target's clock; None where it keeps up."""
        if self.gb_per_s is not None:
            return self.gb_per_s * 1e3 / clock_mhz
        return self.bytes_per_cycle


class EnergyChoice(Part, frozen=True):
    """The energy table by name or path."""

    table: str = "horowitz-45nm"


class Quantity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value with its range and its source."""

    v: Positive
    low: Positive
    high: Positive
    source: str


class SizedQuantity(Quantity, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The same for a memory of a size."""

    bytes: Count


class Operations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Energy of an 8 × 8-bit product and of an 8-bit addition."""

    mul_8x8: Quantity
    add_8: Quantity


class MemoryBits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Energy of one bit read or written: SRAM by size, DRAM, flash, registers."""

    sram: Annotated[tuple[SizedQuantity, ...], msgspec.Meta(min_length=1)]
    dram: Quantity | None = None
    flash: Quantity | None = None
    registers: Quantity | None = None


class EnergyTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Energy of single operations and of bits moved, or of a whole board for each product.

    unit: of all figures, "pJ" or a relative one. Either `operations`, with `memory` or of arithmetic alone, or `board`;
    neither where `priced` is false, for what nobody measured.
    """

    name: str
    source: str
    technology_nm: Positive | None = None
    unit: str = "pJ"
    operations: Operations | None = None
    memory: MemoryBits | None = None
    board: Quantity | None = None
    priced: bool = True
    note: str = ""
