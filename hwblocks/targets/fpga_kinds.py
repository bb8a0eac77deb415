"""The kinds of FPGA targets: an array of DSP blocks over memories, and one engine a layer (folded dataflow)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hwblocks.targets.kinds import Counting, Target
from hwblocks.targets.schema import Count, Part, Positive, Vector

PortBits = Annotated[int, msgspec.Meta(ge=2)]  # two's complement


class DspMode(Part, frozen=True):
    """A way in which a DSP block multiplies: `multipliers` of wide_bits × narrow_bits (two's complement).

    summed: their products reach the accumulator as one sum of result_bits; else each has a result of its own.
    """

    wide_bits: PortBits
    narrow_bits: PortBits
    result_bits: Count
    multipliers: Count = 1
    summed: bool = False


class DspBlock(Part, frozen=True):
    """A DSP block by its modes. accumulations: products that are summed before packed fields are taken apart."""

    modes: Annotated[dict[str, DspMode], msgspec.Meta(min_length=1)]
    accumulations: Count = 1


class Device(Part, frozen=True):
    """What a device has; block RAM in units of 18 Kib (20 Kib where block_ram_bits says so), URAM of 288 Kib."""

    dsps: Count
    luts: Count | None = None
    bram18: Count | None = None
    uram: Annotated[int, msgspec.Meta(ge=0)] = 0
    block_ram_bits: Count = 18432


class UnrolledArray(Part, frozen=True):
    """Multipliers of 8 × 8 bits: pixels × inputs × outputs of a convolution at once.

    dsp_clock_ratio: cycles of the DSP blocks in one cycle of the target's clock (2 for double data rate).
    """

    pixels: Count
    inputs: Count
    outputs: Count
    dsp_clock_ratio: Positive = 1.0


class Fpga(Target, frozen=True):
    """An array of DSP blocks that runs layer after layer, buffers of block RAM and URAM, and a DRAM behind them.

    Without memory.dram everything must fit in the buffers.
    """

    levels = ("activations", "weights", "dram")
    needed = ("activations", "weights")
    unused = ("precision",)

    array: UnrolledArray
    vector: Vector
    dsp: DspBlock
    device: Device
    count: Counting = Counting()


class LayerFolding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The folding of one layer: pe and simd, or reuse."""

    pe: Count | None = None
    simd: Count | None = None
    reuse: Count | None = None


class Folding(Part, frozen=True):
    """How layers are folded onto engines.

    style: "pe-simd", engines of PE × SIMD multipliers that divide rows and columns of the weights (FINN); "reuse", each
    multiplier used `reuse` times for a vector (hls4ml).
    goal and its limit: "interval_cycles" at most or "frames_per_second" at least, met with the least resources of each
    layer; "max_dsps" or "max_luts", the shortest interval that they allow. "pace": layers keep pace with the slowest of
    those in `layers`; with none there, all are folded as far as possible.
    multiply: in DSP blocks or LUTs. weights: the memory's style. requantize: by thresholds in LUTs, by a multiplier of
    each lane, or not counted.
    """

    style: Literal["pe-simd", "reuse"] = "pe-simd"
    goal: Literal["pace", "interval_cycles", "frames_per_second", "max_dsps", "max_luts"] = "pace"
    limit: Positive | None = None
    layers: dict[str, LayerFolding] = {}
    multiply: Literal["dsp", "lut"] = "dsp"
    pack: bool = True
    weights: Literal["auto", "block", "distributed", "ultra"] = "auto"
    requantize: Literal["thresholds", "multiplier", "none"] = "multiplier"


class Dataflow(Target, frozen=True):
    """One engine for each layer, all running at once; weights stay in the device.

    memory.weights prices a weight's fetch, memory.streams what passes between engines.
    """

    levels = ("weights", "streams")
    unused = ("precision", "vector")

    folding: Folding
    dsp: DspBlock
    device: Device
