"""An array of DSP blocks on an FPGA: layers one after the other, buffers of block RAM, DRAM behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from hwblocks.costs.estimate import Estimate, Moved
from hwblocks.costs.footprint import constant_bytes
from hwblocks.costs.machine import Machine
from hwblocks.costs.machines.dsp_packing import Operand, products_per_dsp
from hwblocks.costs.operands import operands, weight_fetches
from hwblocks.costs.ops import Layer
from hwblocks.errors import TargetError
from hwblocks.graph.nest import Nest
from hwblocks.table import Column
from hwblocks.targets.fpga_kinds import Fpga

ULTRA_BITS = 288 * 1024  # UG573: an UltraRAM


class Passes(NamedTuple):
    """How often a nest goes over the array: groups after groups, pixels, taps and input channels, output channels."""

    nest: Nest
    groups: int
    rows: int
    depth: int
    columns: int

    @property
    def cycles(self) -> int:
        """One a pass."""
        return self.groups * self.rows * self.depth * self.columns


class FpgaMachine(Machine[Fpga]):
    """cycles of a nest = groups · ⌈rows / pixels⌉ · taps · ⌈channels / inputs⌉ · ⌈columns / outputs⌉.

    The array has pixels · inputs · outputs multipliers of 8 × 8 bits; other widths have outputs · r of them, r being
    the products of a DSP block at those widths over those at 8 × 8. Unsigned activations count as signed ones: the top
    bit flipped, the bias adjusted.
    Buffers: an input is read once for each pass over output channels, a weight once for each pass over pixels.
    DRAM: a layer's weights, unless all of them fit in memory.weights; and input and output of a layer that do not fit
    together in memory.activations.
    """

    columns: ClassVar[tuple[Column, ...]] = (
        Column("products_per_dsp", "products a DSP", "", ".3g"),
        Column("spilled_bytes", "spilled", "B", detail=True),
    )
    weights_stay = False

    def prepare(self, layers: Sequence[Layer]) -> None:
        """Errors: TargetError where the array needs more DSP blocks than the device has, the buffers more memory; and,
        without a DRAM, the layer that does not fit.
        """
        target = self.target
        needed, there = self.dsps(), target.device.dsps
        if needed > there:
            raise TargetError(f"{target.name}: the array needs {needed:,} DSP blocks, {needed - there:,} too many")
        if target.device.bram18 is not None:
            self._check_buffers(target.device.bram18, target.device.uram, target.device.block_ram_bits)
        constants, room = constant_bytes(layers)[0], target.memory["weights"].bytes
        self.weights_stay = room is None or constants <= room
        if "dram" not in target.memory:
            self._check_without_dram(layers, constants)

    def dsps(self) -> int:
        """DSP blocks of the array."""
        one = products_per_dsp(self.target.dsp, Operand(8), Operand(8))
        return math.ceil(self.lanes / (one * self.target.array.dsp_clock_ratio))

    def totals(self) -> dict[str, int]:
        """DSP blocks of the array."""
        return {"dsps": self.dsps()}

    @property
    def lanes(self) -> int:
        """Multipliers of 8 × 8 bits."""
        array = self.target.array
        return array.pixels * array.inputs * array.outputs

    def _check_buffers(self, blocks: int, ultra: int, block_bits: int) -> None:
        bits = blocks * block_bits + ultra * ULTRA_BITS
        buffers = [self.target.memory[name].bytes or 0 for name in ("activations", "weights")]
        if 8 * sum(buffers) > bits:
            raise TargetError(
                f"{self.target.name}: buffers of {sum(buffers):,} bytes, but the device's block RAM and URAM hold "
                f"{bits // 8:,}: {sum(buffers) - bits // 8:,} bytes too many - at `$.memory`"
            )

    def _check_without_dram(self, layers: Sequence[Layer], constants: int) -> None:
        room = self.target.memory["weights"].bytes
        if room is not None and constants > room:
            raise TargetError(
                f"{self.target.name}: the model has {constants:,} bytes of constants, memory 'weights' {room:,}: "
                f"{constants - room:,} bytes too many, and there is no memory.dram"
            )
        for layer in layers:
            if spilled := self.spilled(layer):
                room = self.target.memory["activations"].bytes or 0
                raise TargetError(
                    f"{layer.node.where}: input and output take {spilled:,} bytes, memory 'activations' of "
                    f"{self.target.name} has {room:,}: {spilled - room:,} bytes too many, and there is no memory.dram"
                )

    def ratio(self, activation_bits: int, weight_bits: int) -> float:
        """Products at these widths to products of 8 × 8 bits."""
        made = products_per_dsp(self.target.dsp, Operand(activation_bits), Operand(weight_bits))
        return float(made / products_per_dsp(self.target.dsp, Operand(8), Operand(8)))

    def peak(self, activation_bits: int, weight_bits: int) -> float:
        return self.lanes * self.ratio(activation_bits, weight_bits)

    def estimate(self, layer: Layer) -> Estimate:
        passes = [self._passes(nest, layer) for nest in layer.products]
        cycles = sum(p.cycles for p in passes) * layer.times
        products = sum(nest.macs for nest in layer.products) * layer.times
        peak = self.peak(layer.activation_bits, layer.weight_bits)
        made = products_per_dsp(self.target.dsp, Operand(layer.activation_bits), Operand(layer.weight_bits))
        return Estimate(
            cycles,
            self.vector_cycles(layer),
            moved=self._moved(layer, passes),
            mapping=products / (cycles * peak) if cycles else None,
            figures={"products_per_dsp": float(made) if cycles else None, "spilled_bytes": self.spilled(layer)},
        )

    def _passes(self, nest: Nest, layer: Layer) -> Passes:
        array = self.target.array
        lanes = array.outputs * self.ratio(layer.activation_bits, layer.weight_bits)
        outputs, turns = (int(lanes), 1) if lanes >= 1 else (1, math.ceil(1 / lanes))
        side = max(outputs // nest.columns, 1) if self.target.count.groups == "packed" else 1
        taps = math.prod(nest.kernel)
        return Passes(
            nest,
            -(-nest.groups // side),
            -(-nest.rows // array.pixels),
            taps * -(-nest.channels // array.inputs) * turns,
            -(-nest.columns // outputs),
        )

    def _moved(self, layer: Layer, passes: Sequence[Passes]) -> dict[str, Moved]:
        a, w = layer.activation_bits, layer.weight_bits
        once = operands(layer)
        reads = sum(p.nest.groups * p.nest.rows * p.nest.depth * p.columns for p in passes) * layer.times
        fetched = sum(p.nest.groups * p.rows * p.nest.depth * p.nest.columns for p in passes) * layer.times
        moved = {
            "activations": Moved(inputs=-(-reads * a // 8) if reads else once.inputs, outputs=once.outputs),
            "weights": Moved(weights=-(-fetched * w // 8) if fetched else once.weights),
        }
        if "dram" in self.target.memory:
            moved["dram"] = self._from_dram(layer)
        return moved

    def _from_dram(self, layer: Layer) -> Moved:
        once, room = operands(layer), self.target.memory["weights"].bytes
        weights = 0 if self.weights_stay else once.weights * weight_fetches(layer, room)
        spills = bool(self.spilled(layer))
        return Moved(once.inputs if spills else 0, weights, once.outputs if spills else 0)

    def spilled(self, layer: Layer) -> int:
        """Bytes of one pass's input and output where they do not fit in the buffer together, else 0."""
        once, room = operands(layer), self.target.memory["activations"].bytes
        both = (once.inputs + once.outputs) // layer.times
        return 0 if room is None or both <= room else both
