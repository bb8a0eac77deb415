"""Energy by component, from one named table: scaling rules over widths, and the range of every figure.

Rules: a product of a × w bits costs mul · a · w / 64, an addition of b bits add · b / 8; comparisons, shifts and
selections as additions; a division as a product of its widths; a look-up reads its entry from a small SRAM; a
requantization is a product accumulator × multiplier and an addition, a power-of-two one an addition alone.
SRAM is priced between the sizes of the table by the logarithm of the size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

from hwblocks.costs.estimate import Moved
from hwblocks.costs.ops import Layer
from hwblocks.errors import TargetError
from hwblocks.targets.schema import EnergyTable, Memory, Operations, Quantity, SizedQuantity

TABLE_SRAM_BYTES = 8192  # a look-up table's memory


class Range(NamedTuple):
    """A figure with the least and the greatest that its source allows."""

    v: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: Range) -> Range:  # type: ignore[override]
        return Range(self.v + other.v, self.low + other.low, self.high + other.high)

    def __mul__(self, factor: float) -> Range:  # type: ignore[override]
        return Range(self.v * factor, self.low * factor, self.high * factor)


def total(parts: Iterable[Range]) -> Range:
    """The sum of some figures: all at their least and all at their greatest bound the range."""
    made = Range()
    for part in parts:
        made = made + part
    return made


def ranged(quantity: Quantity) -> Range:
    """A figure of a table."""
    return Range(quantity.v, quantity.low, quantity.high)


def mac_energy(table: Operations, activation_bits: int, weight_bits: int, accumulator_bits: int) -> Range:
    """One product and its addition: mul · a · w / 64 + add · accumulator bits / 8."""
    product = ranged(table.mul_8x8) * (activation_bits * weight_bits / 64)
    return product + ranged(table.add_8) * (accumulator_bits / 8)


def bit_energy(table: EnergyTable, name: str, memory: Memory) -> Range:
    """One bit read from or written to a memory. Errors: TargetError where the table does not price it."""
    assert table.memory is not None
    technology = memory.technology_of(name)
    if technology == "sram":
        return sram_bit(table.memory.sram, memory.bytes or max(size.bytes for size in table.memory.sram))
    quantity: Quantity | None = getattr(table.memory, technology)
    if quantity is None:
        raise TargetError(
            f"energy table {table.name!r} has no {technology}, for memory {name!r}; add it, or choose another table"
        )
    return ranged(quantity)


def sram_bit(sizes: tuple[SizedQuantity, ...], size: int) -> Range:
    """One bit of an SRAM of a size: between two sizes of the table by log(size), beyond them the nearest."""
    ordered = sorted(sizes, key=lambda q: q.bytes)
    if size <= ordered[0].bytes:
        return ranged(ordered[0])
    for smaller, larger in pairwise(ordered):
        if size <= larger.bytes:
            part = math.log(size / smaller.bytes) / math.log(larger.bytes / smaller.bytes)
            return ranged(smaller) * (1 - part) + ranged(larger) * part
    return ranged(ordered[-1])


def other_energy(table: EnergyTable, layer: Layer) -> Range:
    """All operations of a layer that are no products of a contraction."""
    assert table.operations is not None
    ops, work, a = table.operations, layer.work, layer.activation_bits
    add, mul = ranged(ops.add_8) * (1 / 8), ranged(ops.mul_8x8) * (1 / 64)
    acc, out = layer.accumulator_bits, layer.site.output.format.bits
    requant = mul * (acc * layer.multiplier_bits) + add * acc
    lookup = sram_bit(table.memory.sram, TABLE_SRAM_BYTES) * out if table.memory else Range()
    return (
        mul * (a * a) * (work.muls + work.divisions)
        + add * (acc if work.macs else a) * work.adds
        + add * a * (work.compares + work.shifts)
        + lookup * work.lookups
        + requant * work.requants
    )


def layer_energy(
    layer: Layer, moved: Mapping[str, Moved], memories: Mapping[str, Memory], table: EnergyTable
) -> dict[str, Range] | None:
    """Energy of a layer by component: "mac", "other" and each memory, or "board" for a table of whole boards.

    None for floating point, which the tables do not price, and for a table that prices nothing.
    """
    if layer.is_float or not table.priced:
        return None
    if table.board is not None:
        return {"board": ranged(table.board) * layer.work.macs}
    assert table.operations is not None
    one = mac_energy(table.operations, layer.activation_bits, layer.weight_bits, layer.accumulator_bits)
    made = {"mac": one * layer.work.macs, "other": other_energy(table, layer)}
    if table.memory is None:  # of arithmetic alone, as its note says
        return made
    return made | {name: bit_energy(table, name, memories[name]) * (8 * m.total) for name, m in moved.items()}
