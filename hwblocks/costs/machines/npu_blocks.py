"""Blocks of an NPU tile: how the output of a sum of products is cut, and the cycles of each piece.

The multipliers work on micro-blocks: a few output positions × a few output channels. In one step a micro-block takes
one block of weights, either one tap of many input channels (depth first) or some taps of few channels (part kernel);
the layer is compiled for the order with fewer steps. The accumulators hold a block of many micro-blocks, whose steps
share the decoded weights. While the multipliers work on a block, the output stage empties the one before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwblocks.graph.nest import Nest
from hwblocks.targets.processors import MicroBlock

MOST_CHANNELS = 128  # of a block


@dataclass(frozen=True)
class Blocks:
    """count blocks, each with `multiply` cycles of the multipliers and `empty` cycles of the output stage."""

    count: int
    multiply: float
    empty: float

    @property
    def fill(self) -> float:
        """Cycles before the two units overlap: the shorter of the two, once."""
        return min(self.multiply, self.empty)

    @property
    def cycles(self) -> float:
        """count · max(multiply, empty) + min(multiply, empty)."""
        return self.count * max(self.multiply, self.empty) + self.fill


def steps(nest: Nest, tile: MicroBlock, rate: float) -> int:
    """Steps of a micro-block. rate: products a multiplier makes in a cycle at the layer's widths.

    depth first: taps · ⌈channels / (cycles · channels a cycle)⌉; part kernel: ⌈taps / cycles⌉ · ⌈channels / channels a
    cycle⌉; depthwise: ⌈taps / cycles⌉. cycles: of a step, · rate.
    """
    taps = math.prod(nest.kernel)
    at_once = tile.cycles_per_step * rate
    if nest.is_depthwise:
        return math.ceil(taps / at_once)
    deep = taps * math.ceil(nest.channels / (at_once * tile.channels_per_cycle))
    part = math.ceil(taps / at_once) * math.ceil(nest.channels / tile.channels_per_cycle)
    return min(deep, part)


def positions(nest: Nest, tile: MicroBlock) -> int:
    """Micro-blocks that cover the output positions; rows of pixels lie along both sides of a micro-block, one row along
    the whole of it where the kernel has no height. Images follow each other.
    """
    window = nest.window
    height, width = (math.prod(window.output[:-1]), window.output[-1]) if window else (1, nest.rows)
    if height == 1 and (window is None or math.prod(window.kernel[:-1]) == 1):
        return nest.images * math.ceil(width / (tile.block_height * tile.block_width))
    return nest.images * math.ceil(height / tile.block_height) * math.ceil(width / tile.block_width)


def blocks(nest: Nest, tile: MicroBlock, rate: float, element_cycles: float) -> Blocks:
    """The fewest blocks that the accumulators allow, and of those the fastest, of one group (all groups: depthwise).

    A step of a block takes as long as its weights need to be decoded, if that is longer than its micro-blocks.
    """
    channels = nest.columns * (nest.groups if nest.is_depthwise else 1)
    area, work = positions(nest, tile), steps(nest, tile, rate)
    deep = math.ceil(channels / tile.block_channels)
    held = accumulators(tile)
    pixels = tile.block_height * tile.block_width
    weights = tile.cycles_per_step * tile.channels_per_cycle * tile.block_channels / tile.weights_per_cycle
    found = []
    for depth in depths(deep, tile):
        across = math.ceil(area / max(held // (depth * tile.block_channels * pixels), 1))
        along = math.ceil(deep / depth)
        step = max(tile.cycles_per_step * area / across, weights)
        elements = nest.rows * channels / (across * along)
        found.append(Blocks(across * along, step * work * deep / along / tile.cores, elements * element_cycles))
    return min(found, key=lambda made: (made.count, made.cycles))


def accumulators(tile: MicroBlock) -> int:
    """Elements of one of the two sets of accumulators."""
    return int(tile.shared_ram_bytes * tile.accumulator_share) // (2 * tile.accumulator_bytes)


def depths(deep: int, tile: MicroBlock) -> list[int]:
    """Depths of a block to choose from, in micro-blocks: 1, 2, 4, … up to all channels or the most a block has; one
    where a micro-block has more.
    """
    most = max(min(deep, MOST_CHANNELS // tile.block_channels), 1)
    return [1 << n for n in range(most.bit_length())] + [most]
