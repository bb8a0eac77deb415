"""Stages of a compiled plan: runs of kernels joined into C programs, and single nodes by their definition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hwblocks.graph.block import Accumulate
from hwblocks.graph.graph import Graph
from hwblocks.graph.memory import FIRST_FIT, Buffer, plan_memory
from hwblocks.graph.site import Site
from hwblocks.numerics import kernels
from hwblocks.numerics.step_counts import StepCounts
from hwblocks.simulate.execute import run_node
from hwblocks.simulate.failures import FOUND, failure
from hwblocks.simulate.store import Events, Stage, Store
from hwblocks.simulate.trace import NodeEvents

if TYPE_CHECKING:
    from hwblocks.simulate.plan import Step

Array = np.ndarray[Any, Any]

ALIGN = 64  # bytes, of every buffer in an arena
RECORDED = 2  # statistics level from which extremes are recorded
FOLLOWED = 3  # and from which every addition is counted


@dataclass(frozen=True, eq=False)
class DefinitionStage:
    """One node by its definition."""

    site: Site

    def run(self, store: Store, count: int, events: Events, statistics: int) -> None:
        """Run the node on the store's arrays."""
        inputs = [None if t is None else store[t.name] for t in self.site.inputs]
        outputs, counted = run_node(self.site, inputs, follow=statistics >= FOLLOWED)
        for tensor, array in zip(self.site.outputs, outputs, strict=False):
            store[tensor.name] = array
        events.setdefault(self.site.node.name, NodeEvents()).add(counted)


@dataclass(frozen=True, eq=False)
class ProgramStage:
    """A run of kernels as one C program: one call for all samples of a chunk."""

    steps: tuple[Step, ...]
    program: Any
    slots: Mapping[str, int]  # the tensors that live outside the program
    made: tuple[str, ...]  # those of them that the program makes
    moved: tuple[Step, ...] = ()  # what need not run because tensors share memory

    def run(self, store: Store, count: int, events: Events, statistics: int) -> None:
        """Make room for the outputs and call the program once."""
        for name in self.made:
            tensor = store.graph.tensors[name]
            leading = count * (tensor.shape[0] if tensor.shape else 1)  # one of the two factors is 1
            store[name] = np.empty((leading, *tensor.shape[1:]), tensor.format.dtype)
        external = {slot: np.ascontiguousarray(store[name]) for name, slot in self.slots.items()}
        channels = [kernels.channel_counts(step.kernel) for step in self.steps]
        try:
            counts = self.program.run(external, count, count, statistics, channels)
        except FOUND as error:
            raise failure(error) from None
        for step, row, words in zip(self.steps, counts, channels, strict=True):
            made = _events(step.site, row, count, statistics)
            if words is not None:
                traps = step.site.accumulator.overflow.mode == "trap"
                made.take(StepCounts.of_words(words), statistics >= FOLLOWED, traps)
            events.setdefault(step.site.node.name, NodeEvents()).add(made)


def program_events(stage: ProgramStage, words: bytes, count: int, statistics: int) -> dict[str, NodeEvents]:
    """What a run of `count` samples counted, by node; words: a call's packed counts."""
    rows = np.frombuffer(words, np.int64).reshape(len(stage.steps), -1).tolist()
    events = {
        s.site.node.name: _events(s.site, row, count, statistics) for s, row in zip(stage.steps, rows, strict=True)
    }
    for step in stage.moved:
        events[step.site.node.name] = NodeEvents(outputs=sum(t.elements for t in step.site.outputs) * count)
    return events


def _events(site: Site, row: Sequence[int], count: int, statistics: int) -> NodeEvents:
    saturated, outside, lowest, highest = (int(v) for v in row)
    made = NodeEvents(saturated=saturated, final=outside, outputs=sum(t.elements for t in site.outputs) * count)
    if site.node.block.counts_active:
        made.active, made.final = made.final, 0
    if statistics >= RECORDED and lowest <= highest and isinstance(site.node.block, Accumulate):
        made.lowest, made.highest = lowest, highest
    return made


@dataclass(frozen=True, eq=False)
class Compiled:
    """Stages in order, the owner of every view's memory, and the bytes of one sample (for choosing a chunk)."""

    stages: tuple[Stage, ...]
    owners: Mapping[str, str]
    bytes_per_sample: int

    @property
    def uses_blas(self) -> bool:
        """True when some node, or one of a body, may run by its definition, with float products of matrices."""
        return any(not isinstance(stage, ProgramStage) for stage in self.stages)


def compile_stages(
    graph: Graph, steps: Sequence[Step], keep: Iterable[str], held: Callable[[Step, Sequence[str]], Stage]
) -> Compiled:
    """Join neighbouring kernels into programs; tensors that others read or `keep` names live outside them.

    held: makes the stage of a control block that keeps the named tensors of its bodies.
    """
    keep = tuple(keep)
    owners = view_owners(steps)
    kept = {owners.get(name, name) for name in keep}
    stages: list[Stage] = []
    needed = [max((t.stored_bytes for t in graph.runtime_tensors), default=1), 1]
    for run in _runs(steps):
        if run[0].bodies:
            stages.append(held(run[0], keep))
            continue
        if run[0].loop is not None:
            stages.append(run[0].loop)
            needed.append(run[0].loop.bytes_per_sample)
            continue
        if run[0].kernel is None:
            stages.append(DefinitionStage(run[0].site))
            continue
        outside = kept | _read_by_others(graph, steps, run, owners)
        stage, size = program_stage(graph, run, owners, outside)
        stages.append(stage)
        needed.append(size)
    return Compiled(tuple(stages), owners, max(needed))


def view_owners(steps: Sequence[Step]) -> dict[str, str]:
    """For every view the tensor whose memory it uses."""
    owners: dict[str, str] = {}
    for step in steps:
        if step.is_view:
            source = step.site.input(0).name
            owners[step.site.output.name] = owners.get(source, source)
    return owners


def _runs(steps: Sequence[Step]) -> list[tuple[Step, ...]]:
    """Neighbouring kernels together, definitions alone; views need no step."""
    runs: list[tuple[Step, ...]] = []
    for step in steps:
        if step.is_view:
            continue
        if step.kernel is not None and runs and runs[-1][0].kernel is not None:
            runs[-1] = (*runs[-1], step)
        else:
            runs.append((step,))
    return runs


def _read_by_others(graph: Graph, steps: Sequence[Step], run: tuple[Step, ...], owners: Mapping[str, str]) -> set[str]:
    """Owners of the tensors that steps outside the run read."""
    here = {s.site.node.name for s in run}
    others = [s for s in steps if s.site.node.name not in here and not s.is_view]
    return {owners.get(t.name, t.name) for s in others for t in s.site.present}


def operands(step: Step, owners: Mapping[str, str]) -> list[str]:
    """Owners of the run-time inputs of a step, in order."""
    return [owners.get(t.name, t.name) for t in step.site.present if not t.is_constant]


def program_stage(
    graph: Graph, run: tuple[Step, ...], owners: Mapping[str, str], outside: set[str], more: Sequence[str] = ()
) -> tuple[ProgramStage, int]:
    """The program of a run of kernels, and the bytes of one sample that it touches.

    more: tensors outside it that have a slot though no step reads or makes them.
    """
    outputs = [t.name for s in run for t in s.site.outputs]
    made = tuple(name for name in outputs if name in outside)
    read = dict.fromkeys(name for s in run for name in operands(s, owners) if name not in outputs)
    external = {name: slot for slot, name in enumerate(dict.fromkeys((*read, *made, *more)))}
    inner = [name for name in outputs if name not in outside]
    slots = {**external, **{name: slot for slot, name in enumerate(inner, len(external))}}
    memory = plan_memory(_lifetimes(run, owners, inner), align=ALIGN, effort=FIRST_FIT)
    program = kernels.Program(
        [
            (s.kernel, tuple(slots[n] for n in operands(s, owners)), tuple(slots[t.name] for t in s.site.outputs))
            for s in run
        ],
        [graph.tensors[name].stored_bytes for name in slots],
        [-1] * len(external) + list(memory.offsets),
    )
    size = memory.size + sum(graph.tensors[name].stored_bytes for name in external)
    return ProgramStage(run, program, external, made), size


def _lifetimes(run: tuple[Step, ...], owners: Mapping[str, str], names: Sequence[str]) -> list[Buffer]:
    """Buffers of the tensors that live only inside a program, in bytes of one sample."""
    first = {t.name: position for position, s in enumerate(run) for t in s.site.outputs}
    last = {name: position + 1 for name, position in first.items()}
    for position, step in enumerate(run):
        for name in operands(step, owners):
            last[name] = position + 1
    sizes = {t.name: t.stored_bytes for s in run for t in s.site.outputs}
    return [Buffer(name, first[name], last[name], sizes[name]) for name in names]
