"""Cycles on a roofline target: the longer of computing and of moving bytes, layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwblocks.costs.footprint import activation_bytes, weight_bytes
from hwblocks.costs.ops import Layer
from hwblocks.targets.schema import Target


@dataclass(frozen=True)
class Cycles:
    """Compute and memory cycles of a layer; they overlap, so the longer one counts."""

    compute: int
    memory: int
    moved_bytes: int

    @property
    def cycles(self) -> int:
        """max(compute, memory)."""
        return max(self.compute, self.memory)

    @property
    def bound(self) -> str:
        """Which of the two decides."""
        if not self.cycles:
            return ""
        return "compute" if self.compute >= self.memory else "memory"


def mac_scale(target: Target, activation_bits: int, weight_bits: int) -> float:
    """Products a cycle relative to 8 × 8 bits: the file's entry, else 64 / (a · w)."""
    return target.compute.scale.get(f"{activation_bits}x{weight_bits}", 64 / (activation_bits * weight_bits))


def layer_cycles(layer: Layer, target: Target) -> Cycles:
    """Cycles of one layer: ⌈macs / (macs a cycle · scale)⌉ + ⌈other / other a cycle⌉, and ⌈bytes / bytes a cycle⌉."""
    if layer.free:
        return Cycles(0, 0, 0)
    rate = target.compute.macs_per_cycle * mac_scale(target, layer.activation_bits, layer.weight_bits)
    compute = math.ceil(layer.work.macs / rate) + math.ceil(layer.other_ops / target.compute.other_per_cycle)
    moved = sum(activation_bytes(layer)) + weight_bytes(layer)[0]
    return Cycles(compute, math.ceil(moved / target.memory.bytes_per_cycle), moved)
