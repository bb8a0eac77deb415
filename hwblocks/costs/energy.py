"""Energy of operations and of moved bits, from a named table."""

from __future__ import annotations

from dataclasses import dataclass

from hwblocks.costs.ops import Layer
from hwblocks.targets.schema import EnergyTable


@dataclass(frozen=True)
class Energy:
    """Energy of one layer in pJ: products with their additions, other operations, bits through on-chip memory."""

    mac_pj: float
    other_pj: float
    sram_pj: float

    @property
    def total_pj(self) -> float:
        """All three."""
        return self.mac_pj + self.other_pj + self.sram_pj


def mac_pj(table: EnergyTable, activation_bits: int, weight_bits: int, accumulator_bits: int) -> float:
    """One product and its addition: mul · a · w / 64 + add · accumulator bits / 8."""
    return table.mul_8x8_pj * activation_bits * weight_bits / 64 + table.add_8_pj * accumulator_bits / 8


def layer_energy(layer: Layer, moved_bytes: int, table: EnergyTable) -> Energy:
    """Energy of one layer; an element-wise product is a multiply, every other element-wise operation an addition."""
    if layer.free:
        return Energy(0.0, 0.0, 0.0)
    bits = layer.activation_bits
    macs = layer.work.macs * mac_pj(table, bits, layer.weight_bits, layer.accumulator_bits)
    muls = (layer.work.muls + layer.work.divisions) * table.mul_8x8_pj * bits * bits / 64
    adds = (layer.other_ops - layer.work.muls - layer.work.divisions) * table.add_8_pj * bits / 8
    return Energy(macs, muls + adds, moved_bytes * 8 * table.sram_pj_per_bit)
