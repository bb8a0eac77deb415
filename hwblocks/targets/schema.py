"""What a target file and an energy table state; unknown keys are errors."""

from __future__ import annotations

from typing import Annotated

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who the target is: name, kind of formula, clock in MHz, and the source of the figures."""

    name: str
    kind: str
    clock_mhz: Positive
    source: str


class Compute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Operations a cycle. macs: products of 8 × 8 bits; narrower or wider pairs of widths in `scale` ("8x4" = 2.0)."""

    macs_per_cycle: Positive
    other_per_cycle: Positive
    source: str
    scale: dict[str, Positive] = {}


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bytes a cycle between memory and the unit, and how many times each tensor crosses."""

    bytes_per_cycle: Positive
    source: str
    traffic: str = "once"


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A target of kind roofline: a layer takes the longer of its compute and its memory cycles."""

    target: Identity
    compute: Compute
    memory: Memory
    energy: str = "horowitz-45nm"


class EnergyTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Energy of single operations in pJ, and of a bit moved."""

    name: str
    technology_nm: Positive
    source: str
    mul_8x8_pj: Positive
    add_8_pj: Positive
    sram_pj_per_bit: Positive
    dram_pj_per_bit: Positive
    note: str = ""
