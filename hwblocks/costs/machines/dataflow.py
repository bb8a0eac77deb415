"""Folded dataflow: one engine for each layer, all at work at once; the slowest sets the interval.

Latency follows the streams. An engine begins when the share of its inputs is there that the first window needs (at once
without a window), at the pace of the slower of its producer and itself; its first output follows the first window (the
first vector, the first row); its last output comes when its cycles are over, and after what remains to do when the last
input is there:

    begin = start + window share · max(end − start, cycles)
    first = start + share · max(end − start, cycles)
    last = max(end + rest · cycles, begin + cycles)

start, end: the first and the last input, those of the latest producer. The network's own inputs keep pace.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from hwblocks.costs.estimate import Estimate, Moved
from hwblocks.costs.machine import Machine, Span
from hwblocks.costs.machines.dsp_packing import Operand, products_per_dsp
from hwblocks.costs.machines.engine_resources import Resources
from hwblocks.costs.machines.engines import Engine, Foundry, Task, task_of
from hwblocks.costs.operands import operands
from hwblocks.costs.ops import Layer
from hwblocks.errors import TargetError
from hwblocks.table import Column
from hwblocks.targets.fpga_kinds import Dataflow


@dataclass(frozen=True)
class Stage:
    """A layer with its task and its engine."""

    layer: Layer
    task: Task
    engine: Engine


class DataflowMachine(Machine[Dataflow]):
    """cycles of an engine = vectors · (columns / PE) · (depth / SIMD), or vectors · reuse (see engines.py)."""

    columns: ClassVar[tuple[Column, ...]] = (
        Column("pe", "PE"),
        Column("simd", "SIMD"),
        Column("reuse", "reuse"),
        Column("dsps", "DSPs"),
        Column("luts", "LUTs"),
        Column("bram18", "BRAM18"),
        Column("uram", "URAM", detail=True),
        Column("output_cycle", "last output", "cycles", detail=True),
        Column("no_overlap_cycle", "without overlap", "cycles", detail=True),
    )

    def __init__(self, target: Dataflow) -> None:
        super().__init__(target)
        self.foundry = Foundry(target.folding, target.dsp)
        self.stages: dict[str, Stage] = {}
        self.times: dict[str, tuple[float, float, int]] = {}

    @property
    def limit(self) -> float:
        """That of the goal."""
        return self.target.folding.limit or 0.0

    def prepare(self, layers: Sequence[Layer]) -> None:
        """Chooses the engines. Errors: TargetError where a layer cannot keep the pace, or the device is too small."""
        tasks = [task_of(layer) for layer in layers]
        names = [layer.node.name for layer in layers]
        unknown = sorted(set(self.target.folding.layers) - set(names))
        if unknown:
            raise TargetError(f"{self.target.name}: there is no layer {unknown[0]!r} - at `$.folding.layers`")
        given = self.target.folding.layers
        choices = [
            [self.foundry.given(task, given[name])] if name in given else list(self.foundry.every(task))
            for name, task in zip(names, tasks, strict=True)
        ]
        engines = self._chosen(tasks, choices)
        made = (Stage(*parts) for parts in zip(layers, tasks, engines, strict=True))
        self.stages = dict(zip(names, made, strict=True))
        self._check_device()
        self._follow_streams()

    def _chosen(self, tasks: Sequence[Task], choices: Sequence[list[Engine]]) -> list[Engine]:
        folding = self.target.folding
        if folding.goal in ("max_dsps", "max_luts"):
            return self._within(choices)
        if folding.goal != "pace":
            by_frames = folding.goal == "frames_per_second"
            interval = int(self.target.target.clock_mhz * 1e6 / self.limit if by_frames else self.limit)
            for task, engines in zip(tasks, choices, strict=True):
                least = min(e.cycles for e in engines)
                if least > interval:
                    raise TargetError(
                        f"{task.name}: takes {least:,} cycles at least, {least - interval:,} more than the interval of "
                        f"{interval:,} - at `$.folding` of {self.target.name}"
                    )
            return [self.foundry.smallest(engines, interval) for engines in choices]
        given = [engines[0].cycles for engines in choices if len(engines) == 1]
        pace = max(given or [e.cycles for engines in choices for e in engines])
        return [self.foundry.smallest(engines, pace) for engines in choices]

    def _within(self, choices: Sequence[list[Engine]]) -> list[Engine]:
        """The shortest interval whose smallest engines keep the budget; they shrink as it grows: halving finds it."""
        slowest = max((min(e.cycles for e in engines) for engines in choices), default=0)
        paces = sorted({e.cycles for engines in choices for e in engines if e.cycles >= slowest})
        low, high = 0, len(paces) - 1
        while low < high:
            middle = (low + high) // 2
            fits = self._keeps_budget([self.foundry.smallest(e, paces[middle]) for e in choices])
            low, high = (low, middle) if fits else (middle + 1, high)
        made = [self.foundry.smallest(e, paces[low]) for e in choices] if paces else []
        if not self._keeps_budget(made):
            name, needed, there = self._over_budget(made)
            raise TargetError(
                f"{self.target.name}: the smallest engines take {needed:,} {name}, {needed - there:,} more than the "
                f"{there:,} allowed - at `$.folding`"
            )
        return made

    def _over_budget(self, engines: Sequence[Engine]) -> tuple[str, int, int]:
        """(resource, taken, allowed), or ("", 0, 0) within the budget."""
        folding, taken = self.target.folding, total(engines)
        name, count = ("DSP blocks", taken.dsps) if folding.goal == "max_dsps" else ("LUTs", taken.luts)
        return (name, count, int(self.limit)) if count > self.limit else ("", 0, 0)

    def _keeps_budget(self, engines: Sequence[Engine]) -> bool:
        return not self._over_budget(engines)[0]

    def _check_device(self) -> None:
        device, taken = self.target.device, total([s.engine for s in self.stages.values()]).to_dict()
        for name in taken:
            there = getattr(device, name)
            if there is not None and taken[name] > there:
                largest = max(self.stages.values(), key=lambda s: s.engine.resources.to_dict()[name])
                raise TargetError(
                    f"{self.target.name}: the engines take {taken[name]:,} {name}, the device has {there:,}: "
                    f"{taken[name] - there:,} too many; {largest.layer.node.where} takes most, "
                    f"{largest.engine.resources.to_dict()[name]:,}"
                )

    def totals(self) -> dict[str, int]:
        """Resources of all engines."""
        return self._shown(total([stage.engine for stage in self.stages.values()]))

    def _shown(self, taken: Resources) -> dict[str, int]:
        """Without LUTs where multipliers are reused: there is no estimate with a source."""
        hidden = "luts" if self.target.folding.style == "reuse" else ""
        return {name: count for name, count in taken.to_dict().items() if name != hidden}

    def peak(self, activation_bits: int, weight_bits: int) -> float:
        """Multipliers of all engines; before there are any, what the device's DSP blocks make."""
        made = sum(stage.engine.multipliers for stage in self.stages.values())
        one = products_per_dsp(self.target.dsp, Operand(activation_bits), Operand(weight_bits))
        return float(made or one * self.target.device.dsps)

    def estimate(self, layer: Layer) -> Estimate:
        stage = self.stages[layer.node.name]
        engine, has_products = stage.engine, stage.task.has_products
        made = engine.cycles * engine.multipliers
        busy = layer.work.macs / made if made else None
        return Estimate(
            engine.cycles if has_products else 0.0,
            0.0 if has_products else engine.cycles,
            moved=self._moved(layer),
            mapping=busy,
            figures=self._figures(stage),
        )

    def _moved(self, layer: Layer) -> dict[str, Moved]:
        once = operands(layer)
        fetched = -(-layer.work.macs * layer.weight_bits // 8) if layer.work.macs else once.weights
        moved = {"weights": Moved(weights=fetched), "streams": Moved(inputs=once.inputs, outputs=once.outputs)}
        return {name: bytes_ for name, bytes_ in moved.items() if name in self.target.memory}

    def _figures(self, stage: Stage) -> dict[str, Any]:
        engine, reused = stage.engine, self.target.folding.style == "reuse" and stage.task.has_products
        _, last, path = self.times[stage.layer.node.name]
        folds = {"reuse": engine.reuse} if reused else {"pe": engine.pe, "simd": engine.simd}
        return {**folds, **self._shown(engine.resources), "output_cycle": math.ceil(last), "no_overlap_cycle": path}

    def _follow_streams(self) -> None:
        """When the first and last output of every layer come, and the cycles of the longest path without overlap."""
        made: dict[str, str] = {}
        before = ""
        self.times = {}
        for name, stage in self.stages.items():
            inputs = [t.name for t in stage.layer.site.present if not t.is_constant]
            sources = {made.setdefault(tensor, before) for tensor in inputs} - {""}
            self.times[name] = timed(stage, [self.times[source] for source in sorted(sources)])
            made |= {tensor.name: name for tensor in stage.layer.site.outputs}
            before = name

    def span(self, cycles: Sequence[int]) -> Span:
        """Latency by the streams; the interval is that of the slowest engine."""
        last = max((time[1] for time in self.times.values()), default=0)
        return Span(math.ceil(last), max(cycles, default=0))


def total(engines: Sequence[Engine]) -> Resources:
    """The resources of some engines."""
    return sum((engine.resources for engine in engines), Resources())


def timed(stage: Stage, sources: Sequence[tuple[float, float, int]]) -> tuple[float, float, int]:
    """(first output, last output, cycles of the longest path) of a layer, from those of its producers."""
    cycles = stage.engine.cycles
    start = max((first for first, _, _ in sources), default=0.0)
    end = max((last for _, last, _ in sources), default=start + cycles)
    path = cycles + max((path for _, _, path in sources), default=0)
    if stage.task.times > 1:  # the steps of a loop wait for each other
        return end + cycles, end + cycles, path
    begin, share, rest = shares(stage)
    pace = max(end - start, cycles)
    first = start + share * pace
    return first, max(end + rest * cycles, start + begin * pace + cycles, first), path


def shares(stage: Stage) -> tuple[float, float, float]:
    """Shares of the inputs before the engine begins and before its first output; of its cycles after the last input."""
    task, window = stage.task, stage.task.window
    if window is not None:
        return _of_window(stage)
    if task.has_products:
        folds = 1 if stage.engine.pe == 0 else task.columns // stage.engine.pe
        return 0.0, 1 / task.vectors, (1 - 1 / folds + 1 / stage.engine.cycles) / task.vectors
    x, y = stage.layer.site.present[0], stage.layer.site.output
    rows = y.shape[1] if len(y.shape) > 2 else 1
    vectors = max(task.vectors, 1)
    return 0.0, 1 / (vectors if x.elements == y.elements else max(rows, 1)), 1 / vectors


def _of_window(stage: Stage) -> tuple[float, float, float]:
    """The pixels up to the last tap of the first window; the rows of windows that end in the padding behind."""
    nest = stage.layer.products[0]
    assert nest.window is not None
    made, place, whole = nest.window, 0, 1
    for axis in reversed(range(len(made.input))):
        reach = (made.kernel[axis] - 1) * made.dilation[axis] - made.pads[axis][0]
        place += min(max(reach, 0), made.input[axis] - 1) * whole
        whole *= made.input[axis]
    rows, windows = made.output[0] * nest.images, math.prod(made.output) * nest.images
    behind = sum(1 for last in made.positions(0)[:, -1] if last > made.input[0] - 1)
    share = (place + 1) / (whole * nest.images)
    return share, share, min(behind / rows + 1 / windows, 1.0)
