"""Engines of a folded dataflow: what a layer asks for, every folding that divides it, and the smallest of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from hwblocks.costs.machines.dsp_packing import Operand, engine_dsps
from hwblocks.costs.machines.engine_resources import (
    Resources,
    engine_luts,
    least_accumulator_bits,
    threshold_luts,
    weight_memory,
    window_cycles,
    window_memory,
)
from hwblocks.costs.ops import Layer
from hwblocks.errors import TargetError
from hwblocks.graph.window import Window
from hwblocks.targets.fpga_kinds import DspBlock, Folding, LayerFolding

LIMITS = dict.fromkeys(("interval_cycles", "frames_per_second", "max_dsps", "max_luts"), "needs a `limit`")
LIMITS["pace"] = "has no `limit`"


@dataclass(frozen=True)
class Task:
    """A layer as its engine sees it: `vectors` times a matrix of columns × depth, or so many elements side by side.

    depthwise: each column has inputs of its own. matrices: how many the engine keeps (groups, heads).
    window: over padded inputs, with in_channels each; None without one.
    """

    name: str
    vectors: int
    depth: int
    columns: int
    widths: tuple[int, int, int, int]
    has_products: bool = True
    depthwise: bool = False
    matrices: int = 1
    window: Window | None = None
    in_channels: int = 1
    multiplier_bits: int = 0
    requantizes: bool = False
    signed: bool = True
    times: int = 1

    @property
    def sum_bits(self) -> int:
        """Bits of what is requantized: sums, in the accumulator and no wider than they can get; else elements."""
        a, w, accumulator, _ = self.widths
        if not self.has_products:
            return a + 1
        return min(accumulator, least_accumulator_bits(a, w, self.depth, self.signed))


class Engine(NamedTuple):
    """One folding of a task: rows and columns at once (or `reuse`), cycles of a sample, what it takes."""

    pe: int
    simd: int
    reuse: int
    multipliers: int
    cycles: int
    resources: Resources


def task_of(layer: Layer) -> Task:
    """The task of a layer. Errors: TargetError for several sums of products in one node, and windows of three axes."""
    if len(layer.products) > 1:
        raise TargetError(
            f"{layer.node.where}: has {len(layer.products)} sums of products in one node; a dataflow target builds one "
            "engine for a node; expand it into its parts"
        )
    plain = _elementwise(layer)
    if not layer.products:
        return plain
    nest = layer.products[0]
    window = _over_plane(layer, nest.window) if nest.window and math.prod(nest.kernel) > 1 else None
    made = replace(plain, depth=nest.depth, window=window, has_products=True, in_channels=nest.groups * nest.channels)
    if nest.is_depthwise:
        return replace(made, vectors=nest.rows, columns=nest.groups * nest.columns, depthwise=True)
    return replace(made, vectors=nest.rows * nest.groups, columns=nest.columns, matrices=nest.groups)


def _elementwise(layer: Layer) -> Task:
    """The longer of input and output, element by element, channels side by side."""
    x, y = layer.site.present[0], layer.site.output
    channels = y.shape[-1] if y.shape else 1
    return Task(
        layer.node.where,
        vectors=-(-max(x.elements, y.elements) // channels),
        depth=1,
        columns=channels,
        widths=(layer.activation_bits, layer.weight_bits, layer.accumulator_bits, y.format.bits),
        has_products=False,
        multiplier_bits=layer.multiplier_bits,
        requantizes=layer.work.requants > 0,
        signed=x.format.signed,
        times=layer.times,
    )


def _over_plane(layer: Layer, window: Window) -> Window:
    """A window over two axes of an input that holds its padding."""
    if len(window.input) > 2:
        raise TargetError(f"{layer.node.where}: windows over {len(window.input)} axes have no streaming buffer here")
    lead: tuple[int, ...] = (1,) if len(window.input) == 1 else ()
    padded = tuple(size + sum(pads) for size, pads in zip(window.input, window.pads, strict=True))
    return Window(
        (*lead, *padded),
        (*lead, *window.kernel),
        (*lead, *window.stride),
        (*lead, *window.dilation),
        ((0, 0), (0, 0)),
        window.ceil_mode,
    )


def divisors(number: int) -> list[int]:
    """All divisors, ascending.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return small + [number // d for d in reversed(small) if d * d != number]


class Foundry:
    """Makes engines by the rules of a target's folding."""

    def __init__(self, folding: Folding, dsp: DspBlock) -> None:
        self.folding, self.dsp = folding, dsp
        if (folding.goal == "pace") != (folding.limit is None):
            raise TargetError(f"a folding's goal {folding.goal!r} {LIMITS[folding.goal]} - at `$.folding.limit`")
        if folding.style == "reuse" and (folding.goal == "max_luts" or folding.multiply == "lut"):
            raise TargetError('LUTs of multipliers that are reused have no estimate; use "dsp" - at `$.folding`')

    def engine(self, task: Task, pe: int, simd: int, reuse: int = 1) -> Engine:
        """The engine of a folding: cycles = vectors · (columns / pe) · (depth / simd), or vectors · reuse."""
        if self.folding.style == "reuse" and task.has_products:
            return self._reused(task, reuse)
        cycles = task.vectors * (task.columns // pe) * (task.depth // simd)
        if not task.has_products:
            return Engine(pe, 1, 1, 0, cycles * task.times, self._requantizer(task, pe, 1))
        taken = self._multipliers(task, pe, simd) + self._requantizer(task, pe, simd)
        depth = task.matrices * task.columns * task.depth // (pe * simd)
        taken += weight_memory(self.folding.weights, pe * simd * task.widths[1], depth)
        return self._behind_window(task, Engine(pe, simd, 1, pe * simd, cycles, taken))

    def _reused(self, task: Task, reuse: int) -> Engine:
        multipliers = -(-task.depth * task.columns // reuse)
        taken = Resources(dsps=self._dsps(task, multipliers, 1, pack=False)) + self._requantizer(task, multipliers, 1)
        if reuse > 1 or task.matrices > 1:
            style = "block" if self.folding.weights == "auto" else self.folding.weights
            taken += weight_memory(style, multipliers * task.widths[1], reuse * task.matrices)
        return Engine(0, 0, reuse, multipliers, task.vectors * reuse * task.times, taken)

    def _dsps(self, task: Task, pe: int, simd: int, pack: bool) -> int:
        if self.folding.multiply == "lut":
            return 0
        a, w = Operand(task.widths[0], task.signed), Operand(task.widths[1])
        return engine_dsps(self.dsp, a, w, pe, simd, pack and self.folding.pack and not task.depthwise)

    def _multipliers(self, task: Task, pe: int, simd: int) -> Resources:
        a, w = task.widths[:2]
        luts = engine_luts(pe, simd, (a, w, task.sum_bits), self.folding.multiply == "lut")
        return Resources(self._dsps(task, pe, simd, True), math.floor(luts))

    def _requantizer(self, task: Task, pe: int, simd: int) -> Resources:
        """What takes sums to the output format: a lane for each output of a cycle, or thresholds of each row."""
        if not task.requantizes or self.folding.requantize == "none":
            return Resources()
        acc, out = task.sum_bits, task.widths[3]
        if self.folding.requantize == "thresholds":
            return Resources(luts=math.floor(threshold_luts(pe, out, acc, task.columns // max(pe, 1))))
        lanes = -(-pe * simd // task.depth)
        bits = task.multiplier_bits
        return Resources(dsps=engine_dsps(self.dsp, Operand(acc), Operand(bits), lanes, 1, False) if bits else 0)

    def _behind_window(self, task: Task, engine: Engine) -> Engine:
        """With the buffer of windows: as narrow as the engine's pace allows, else the widest; depthwise, as wide
        as the engine.
        """
        if task.window is None:
            return engine._replace(cycles=engine.cycles * task.times)
        widths = divisors(task.in_channels)
        if task.depthwise:
            widths = [max(width for width in widths if width <= engine.pe)]
        images = max(task.vectors // (task.matrices * math.prod(task.window.output)), 1)
        paces = [(w, images * window_cycles(task.window, task.in_channels // w, task.depthwise)) for w in widths]
        simd, pace = next((p for p in paces if p[1] <= engine.cycles), paces[-1])
        if pace > engine.cycles and simd == task.in_channels:  # whole windows at once, a pixel in each cycle
            pace = min(pace, images * math.prod(task.window.input) + 2)
        memory = window_memory(task.window, simd, task.in_channels, task.widths[0])
        return engine._replace(cycles=max(engine.cycles, pace) * task.times, resources=engine.resources + memory)

    def every(self, task: Task) -> Iterator[Engine]:
        """Every folding: divisors of columns and depth, or reuses that divide their product. Depthwise, taps lie
        side by side only where all channels do: so the buffers of windows work (FINN, transformation SetFolding).
        """
        if self.folding.style == "reuse" and task.has_products:
            yield from (self.engine(task, 0, 0, reuse) for reuse in divisors(task.depth * task.columns))
            return
        for pe in divisors(task.columns):
            whole = not task.depthwise or pe == task.columns
            yield from (self.engine(task, pe, simd) for simd in (divisors(task.depth) if whole else [1]))

    def given(self, task: Task, chosen: LayerFolding) -> Engine:
        """The folding that a target states. Errors: TargetError where it does not divide the layer."""
        if self.folding.style == "reuse" and task.has_products:
            if chosen.pe or chosen.simd or not chosen.reuse or chosen.reuse > task.depth * task.columns:
                raise TargetError(f"{task.name}: state `reuse` from 1 to {task.depth * task.columns}, not {chosen}")
            return self.engine(task, 0, 0, chosen.reuse)
        pe, simd = chosen.pe or 1, chosen.simd or 1
        for name, value, whole in (("pe", pe, task.columns), ("simd", simd, task.depth)):
            if chosen.reuse or whole % value:
                known = ", ".join(map(str, divisors(whole)))
                raise TargetError(f"{task.name}: {name}={value} does not divide {whole}; use one of {known}")
        if task.depthwise and simd > 1 and pe < task.columns:
            raise TargetError(
                f"{task.name}: simd={simd} needs pe={task.columns}: taps side by side, all channels at once"
            )
        return self.engine(task, pe, simd)

    def size(self, engine: Engine) -> tuple[int, ...]:
        """What is made smallest: the resource of the budget (else DSP blocks, or LUTs where those multiply), then block
        RAM, URAM, the other of DSP blocks and LUTs, and lanes.
        """
        r = engine.resources
        goal = self.folding.goal
        by_luts = goal == "max_luts" or (self.folding.multiply == "lut" and goal != "max_dsps")
        first, last = (r.luts, r.dsps) if by_luts else (r.dsps, r.luts)
        return (first, r.bram18, r.uram, last, engine.pe * engine.simd, engine.multipliers)

    def smallest(self, engines: list[Engine], interval: int) -> Engine:
        """The smallest engine that takes at most so many cycles; the fastest where none does."""
        enough = [e for e in engines if e.cycles <= interval]
        if enough:
            return min(enough, key=self.size)
        return min(engines, key=lambda e: (e.cycles, self.size(e)))
