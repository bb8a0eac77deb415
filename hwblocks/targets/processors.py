"""Kinds of targets that run a compiled network layer by layer: NPU tiles and microcontrollers."""

from __future__ import annotations

from typing import Annotated

import msgspec

from hwblocks.targets.kinds import Target
from hwblocks.targets.schema import Count, NotNegative, Part, Positive


class MicroBlock(Part, frozen=True):
    """The multipliers of a core: block_height × block_width output positions × block_channels output channels, each
    the sum of channels_per_cycle products a cycle.

    cores: share the output channels. cycles_per_step: in which a core takes one block of weights for a micro-block.
    weights_per_cycle: that are decoded. shared_ram_bytes: for input, accumulators and weights of a core.
    accumulator_share: of that RAM, for two sets of accumulators.
    """

    cores: Count
    block_height: Count
    block_width: Count
    block_channels: Count
    channels_per_cycle: Count
    cycles_per_step: Count
    weights_per_cycle: Count
    shared_ram_bytes: Count
    accumulator_share: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    accumulator_bytes: Count


class OutputStage(Part, frozen=True):
    """Cycles for each element: of additions, products, look-ups, comparisons, and of all else (sums, copies).

    cycles_per_tap: of a pooling, for each micro-block. least_taps: that a pooling takes at least.
    reciprocal_cycles: of a layer that divides: the chain of small passes that makes a reciprocal.
    """

    addition: Positive
    product: Positive
    lookup: Positive
    comparison: Positive
    element: Positive
    cycles_per_tap: Positive
    least_taps: Count
    reciprocal_cycles: Positive


class Fetching(Part, frozen=True):
    """Latencies that nothing hides, and how the model's input is read.

    layer_cycles: of every layer (feature maps); weight_cycles: of a layer with weights.
    input_burst_bytes: fetched for each pixel of the model's input with fewer channels, `input_channels` at a time.
    record_bytes: of bias and scale of an output channel, beside its coded weights.
    """

    layer_cycles: NotNegative
    weight_cycles: NotNegative
    input_burst_bytes: Count
    input_channels: Count
    record_bytes: Count


class NpuTile(Target, frozen=True):
    """An NPU of the Ethos-U55 and U65 family over memory.sram and one of memory.flash and memory.dram.

    Weights lie in flash or DRAM; feature maps in SRAM, and in DRAM where a layer's do not fit.
    """

    levels = ("sram", "flash", "dram")
    needed = ("sram",)
    unused = ("vector",)

    tile: MicroBlock
    output: OutputStage
    fetch: Fetching


class MacCycles(Part, frozen=True):
    """Cycles of one product of 8 × 8 bits, overheads of its loop included, by the kind of layer."""

    convolution: Positive
    pointwise: Positive
    depthwise: Positive
    dense: Positive


class Overheads(Part, frozen=True):
    """Cycles beside the products: for each output element, element-wise operation, and layer."""

    per_output: NotNegative
    per_operation: NotNegative
    per_layer: NotNegative = 0.0


class Stack(Part, frozen=True):
    """The software that was measured, and the board. removes_dead_channels: whether the compiler drops channels whose
    weights are all zero, and what only they feed.
    """

    name: str
    board: str
    removes_dead_channels: bool


class Microcontroller(Target, frozen=True):
    """A core with a named software stack on a named board: memory.flash for constants, memory.sram for activations."""

    levels = ("sram", "flash")
    needed = ("sram", "flash")
    unused = ("vector",)

    stack: Stack
    cycles_per_mac: MacCycles
    overhead: Overheads
