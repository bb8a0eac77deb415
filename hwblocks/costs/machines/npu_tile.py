"""NPU tiles (Ethos-U55, U65): multipliers, output stage and memories side by side, layer after layer.

layer = max(multipliers, output stage, bytes / bandwidth of each memory) + filling + latencies. A model of our own, held
against the estimates of Vela in docs/estimates.md; not modelled: cascades of layers through small buffers, weights that
are fetched ahead while an earlier layer runs, kernels over 8 × 8, fused look-ups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hwblocks.costs.estimate import Estimate, Moved
from hwblocks.costs.machine import Machine
from hwblocks.costs.machines.npu_blocks import blocks, positions, steps
from hwblocks.costs.machines.weight_coding import coded_bytes
from hwblocks.costs.operands import made_at_run_time, operands
from hwblocks.costs.ops import Layer
from hwblocks.errors import TargetError
from hwblocks.graph.nest import Nest
from hwblocks.targets.processors import NpuTile

WIDEST_ACTIVATION_BITS, WIDEST_WEIGHT_BITS = 16, 8


class NpuTileMachine(Machine[NpuTile]):
    """Sums of products on micro-blocks, all else in the output stage."""

    def __init__(self, target: NpuTile) -> None:
        super().__init__(target)
        self._first = ""
        if {"flash", "dram"} <= set(target.memory):
            raise TargetError(f"{target.name}: weights lie in memory.flash or in memory.dram, not in both")
        self.outside = next((name for name in ("flash", "dram") if name in target.memory), "sram")

    def peak(self, activation_bits: int, weight_bits: int) -> float:
        tile = self.target.tile
        block = tile.block_height * tile.block_width * tile.block_channels * tile.channels_per_cycle
        return tile.cores * block * self.target.precision.rate(activation_bits, weight_bits)

    def homes(self) -> tuple[str | None, str | None]:
        return ("dram" if self.outside == "dram" else "sram"), self.outside

    def prepare(self, layers: Sequence[Layer]) -> None:
        self._first = layers[0].node.name if layers else ""
        for layer in layers:
            self._check_widths(layer)

    def _check_widths(self, layer: Layer) -> None:
        where = layer.node.where
        if layer.is_edge:
            return
        if layer.is_float:
            raise TargetError(
                f"{where} computes in floating point; {self.target.name} runs integers: `hwblocks quantize` it"
            )
        weights = layer.weight_bits if layer.products else 0
        if layer.products and (layer.activation_bits > WIDEST_ACTIVATION_BITS or weights > WIDEST_WEIGHT_BITS):
            raise TargetError(
                f"{where} multiplies {layer.activation_bits} × {weights} bits; {self.target.name} has products of up "
                f"to {WIDEST_ACTIVATION_BITS} × {WIDEST_WEIGHT_BITS} bits"
            )

    def estimate(self, layer: Layer) -> Estimate:
        if layer.is_edge:  # the processor beside the NPU converts
            return Estimate()
        moved = self._moved(layer)
        fetch, weights = self.target.fetch, any(m.weights for m in moved.values())
        latency = (fetch.layer_cycles + (fetch.weight_cycles if weights else 0)) * layer.times
        if layer.products:
            return self._products(layer, latency, moved)
        return self._elements(layer, latency, moved)

    def _products(self, layer: Layer, latency: float, moved: dict[str, Moved]) -> Estimate:
        rate = self.target.precision.rate(layer.activation_bits, layer.weight_bits)
        element, times = self.target.output.element, layer.times
        if made_at_run_time(layer):
            array, vector = self._run_time_products(layer, rate)
            mapped = self._mapping(layer, array * times)
            return Estimate(array * times, vector * times, latency, moved=moved, mapping=mapped)
        made = [(nest, blocks(nest, self.target.tile, rate, element)) for nest in layer.products]
        groups = [(1 if nest.is_depthwise else nest.groups, cut) for nest, cut in made]
        array = times * sum(n * cut.count * cut.multiply for n, cut in groups)
        vector = times * sum(n * cut.count * cut.empty for n, cut in groups)
        fill = times * sum(n * cut.fill for n, cut in groups)
        return Estimate(array, vector, latency + fill, moved=moved, mapping=self._mapping(layer, array))

    def _run_time_products(self, layer: Layer, rate: float) -> tuple[float, float]:
        """Without weights to decode: for each column the element-wise products, then their sum over the channels."""
        tile, output = self.target.tile, self.target.output
        array = vector = 0.0
        for nest in layer.products:
            one = Nest(nest.rows, nest.depth, 1)
            repeats = nest.groups * nest.columns
            array += repeats * tile.cycles_per_step * positions(one, tile) * steps(one, tile, rate) / tile.cores
            vector += repeats * (nest.rows * nest.depth * output.product + nest.rows * output.element)
        return array, vector

    def _mapping(self, layer: Layer, array: float) -> float | None:
        peak = self.peak(layer.activation_bits, layer.weight_bits)
        products = sum(nest.macs for nest in layer.products) * layer.times
        return min(products / peak / array, 1.0) if array else None

    def _elements(self, layer: Layer, latency: float, moved: dict[str, Moved]) -> Estimate:
        work, output = layer.work, self.target.output
        elements = sum(t.elements for t in layer.site.outputs) * layer.times
        if taps := _taps(layer, elements):
            return Estimate(self._pooled(layer, taps), elements * output.element, latency, moved=moved)
        counted = (
            (work.adds, output.addition),
            (work.muls + work.divisions, output.product),
            (work.lookups, output.lookup),
            (work.compares, output.comparison),
            (work.shifts, output.element),
        )
        passes = sum(count * cycles for count, cycles in counted)
        chain = output.reciprocal_cycles * layer.times if work.divisions else 0.0
        return Estimate(0.0, max(passes, elements * output.element), latency + chain, moved=moved)

    def _pooled(self, layer: Layer, taps: float) -> float:
        """max(least taps, taps) · cycles a tap for each micro-block of the output."""
        tile, output = self.target.tile, self.target.output
        shape = layer.site.output.shape
        height, width = math.prod(shape[:-2]), shape[-2] if len(shape) > 1 else 1
        area = math.ceil(height / tile.block_height) * math.ceil(width / tile.block_width)
        micro = area * math.ceil(shape[-1] / tile.block_channels) * layer.times
        return max(taps, output.least_taps) * output.cycles_per_tap * micro / tile.cores

    def _moved(self, layer: Layer) -> dict[str, Moved]:
        read = operands(layer)
        maps = Moved(inputs=read.inputs, outputs=read.outputs)
        size = self.target.memory["sram"].bytes
        spills = size is not None and (read.inputs + read.outputs) // layer.times > size
        home = "dram" if spills and self.outside == "dram" else "sram"
        made = {"sram": Moved()} | {home: maps}
        if layer.node.name == self._first:  # the model's input: where the host put it, a burst for each few channels
            source = self.homes()[0] or "sram"
            made[home] = Moved(outputs=read.outputs)
            made[source] = made.get(source, Moved()) + Moved(inputs=round(read.inputs * self._burst(layer)))
        weights = self._weights(layer) * layer.times
        made[self.outside] = made.get(self.outside, Moved()) + Moved(weights=weights)
        return made

    def _burst(self, layer: Layer) -> float:
        """Bytes fetched for each byte of a channels-last input; the multipliers read few channels at a time."""
        fetch, x = self.target.fetch, layer.site.present[0]
        if not layer.products and not _taps(layer, layer.site.output.elements * layer.times):
            return 1.0
        channels = math.ceil(x.shape[-1] / fetch.input_channels) * fetch.input_channels
        taken = min(fetch.input_burst_bytes, max(channels * x.format.bits // 8, 1))
        return fetch.input_burst_bytes / taken

    def _weights(self, layer: Layer) -> int:
        """Bytes of a layer's constants: weights behind the coder and a record for each output channel; else packed."""
        constants = [t for t in layer.site.present if t.is_constant]
        if not layer.products or not constants:
            return operands(layer).weights
        channels = sum(nest.columns * nest.groups for nest in layer.products)
        coded = sum(coded_bytes(t) for t in constants if len(t.shape) > 1)
        return coded + channels * self.target.fetch.record_bytes


def _taps(layer: Layer, elements: int) -> float:
    """Elements that one output sums or compares; 0 where outputs are no fewer than inputs."""
    work = layer.work
    inputs = layer.site.present[0].elements * layer.times
    if inputs <= elements or work.muls or work.lookups or work.adds + work.compares < elements:
        return 0.0
    return 1 + (work.adds + work.compares) / elements
