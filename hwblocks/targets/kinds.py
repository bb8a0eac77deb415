"""The kinds of targets: which tables and numbers a file of each kind states. costs/ holds the formulas."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from hwblocks.targets.schema import Count, EnergyChoice, Identity, Memory, Part, Positive, Precision, Vector


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a target of every kind states. `schema` is the version of this layout.

    levels: the memories that files of this kind may name, needed: those that they must.
    unused: tables that the formulas of this kind do not read.
    """

    levels: ClassVar[tuple[str, ...]] = ()
    needed: ClassVar[tuple[str, ...]] = ()
    unused: ClassVar[tuple[str, ...]] = ()

    target: Identity
    schema: int = 1
    vector: Vector | None = None
    precision: Precision = Precision()
    memory: dict[str, Memory] = {}
    energy: EnergyChoice = EnergyChoice()

    @property
    def name(self) -> str:
        """The target's name."""
        return self.target.name


class Multipliers(Part, frozen=True):
    """macs_per_cycle: products of 8 × 8 bits a cycle, all of them busy."""

    macs_per_cycle: Positive


class Roofline(Target, frozen=True):
    """Every unit busy in every cycle, each tensor crossing each memory once: a lower bound.

    memory.activations and memory.weights, or memory.main for both.
    """

    levels = ("main", "activations", "weights")

    compute: Multipliers
    vector: Vector


class SystolicArray(Part, frozen=True):
    """rows × cols multipliers. dataflow: what stays in place: outputs (os), weights (ws) or inputs (is).

    overlap: "none" (each fold fills and drains the array by itself) or "fold" (they overlap).
    load: "exposed" (the stationary operand is loaded before a fold) or "hidden" (behind the fold before it).
    psum: where partial sums of ws and is go between folds: "dram" (as SCALE-Sim counts) or "accumulator".
    """

    rows: Count
    cols: Count
    dataflow: Literal["os", "ws", "is"]
    overlap: Literal["none", "fold"] = "none"
    load: Literal["exposed", "hidden"] = "exposed"
    psum: Literal["dram", "accumulator"] = "accumulator"


class Traffic(Part, frozen=True):
    """Words between DRAM and the buffers of a systolic array (costs/machines/dram_words.py has the rules).

    model: "once" (each tensor once), "tiled" (an operand again for each fold of the other that it does not fit beside)
    or "scalesim-replay" (SCALE-Sim's buffers, access by access).
    activations: "dram", or "buffer": they stay in memory.ifmap, which must hold the peak of the whole model.
    """

    model: Literal["once", "tiled", "scalesim-replay"] = "tiled"
    activations: Literal["dram", "buffer"] = "dram"


class Counting(Part, frozen=True):
    """groups: "serial" (one product of matrices a group, as SCALE-Sim does) or "packed" (groups side by side)."""

    groups: Literal["serial", "packed"] = "serial"


class Systolic(Target, frozen=True):
    """A systolic array with one buffer for each operand (memory.ifmap, .filter, .ofmap) over memory.dram."""

    levels = ("ifmap", "filter", "ofmap", "dram")
    needed = ("ifmap", "filter", "ofmap", "dram")

    array: SystolicArray
    vector: Vector
    traffic: Traffic = Traffic()
    count: Counting = Counting()


class AtomArray(Part, frozen=True):
    """macs: products of 8 × 8 bits a cycle. channel_atom, kernel_atom: what channels and filters are filled up to.

    winograd: 3 × 3 filters of stride 1 run as Winograd products.
    """

    macs: Count
    channel_atom: Count = 16
    kernel_atom: Count = 16
    winograd: bool = False


class AtomTraffic(Part, frozen=True):
    """model: "buffer" (the smaller operand is read again for each part of the larger one that the buffer holds) or
    "once" (each tensor once).
    """

    model: Literal["buffer", "once"] = "buffer"


class AtomTarget(Target, frozen=True):
    """An array of channel and filter atoms with one convolution buffer (memory.cbuf) over memory.dram, and maybe an
    SRAM beside it that keeps the features of layers that fit.
    """

    levels = ("cbuf", "sram", "dram")
    needed = ("cbuf", "dram")

    array: AtomArray
    vector: Vector
    traffic: AtomTraffic = AtomTraffic()
