"""Sequences in place: one sample at a time, joined tensors are made where they belong, and slices are parts of others.

A concatenation in the order of memory needs no copy where each of its inputs can be made in its place, and a slice of
neighbours is a part of what it is cut from. Several samples at once would lie apart; so this serves chunks of one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hwblocks.graph.block import Move
from hwblocks.graph.graph import Graph
from hwblocks.numerics.kernels.gather import GatherCall
from hwblocks.simulate.stages import ProgramStage, operands, program_stage

if TYPE_CHECKING:
    from hwblocks.simulate.plan import Step


@dataclass(frozen=True)
class Place:
    """Where a tensor lies: the tensor whose memory it shares (perhaps its own), and the first byte there."""

    root: str
    offset: int


@dataclass
class Places:
    """Places found so far, and the steps that need not run because of them."""

    graph: Graph
    owners: Mapping[str, str]
    free: set[str]  # tensors that may be placed: states, and what steps make for nobody outside
    found: dict[str, Place] = field(default_factory=dict)
    moved: list[Step] = field(default_factory=list)

    def take(self, step: Step) -> None:
        """Place the output of a step that only moves neighbours, if that can be done."""
        call = gathered(step)
        if call is None or step.site.output.name not in self.free - set(self.found):
            return
        sources, first = operands(step, self.owners), int(call.index[0])
        if not np.array_equal(call.index, np.arange(first, first + call.index.size)):
            return
        size = np.dtype(call.dtype).itemsize
        if len(sources) == 1:
            self._cut(step, sources[0], first * size)
        elif first == 0 and call.index.size == sum(call.counts):
            self._join(step, sources, [count * size for count in call.counts])

    def _cut(self, step: Step, source: str, offset: int) -> None:
        if source not in self.found:
            if source not in self.free:
                return
            self.found[source] = Place(source, 0)
        whole = self.found[source]
        self.found[step.site.output.name] = Place(whole.root, whole.offset + offset)
        self.moved.append(step)

    def _join(self, step: Step, sources: Sequence[str], sizes: Sequence[int]) -> None:
        if len(set(sources)) < len(sources) or not set(sources) <= self.free - set(self.found):
            return
        root, offset = step.site.output.name, 0
        self.found[root] = Place(root, 0)
        for source, size in zip(sources, sizes, strict=True):
            self.found[source] = Place(root, offset)
            offset += size
        self.moved.append(step)


def gathered(step: Step) -> GatherCall | None:
    """The gather of a step with one output that only moves codes."""
    block = step.site.node.block
    call = block.kernel(step.site) if isinstance(block, Move) else None
    return call if isinstance(call, GatherCall) and not call.out_counts and call.index.size else None


def taken_over(graph: Graph, owners: Mapping[str, str], places: Mapping[str, Place]) -> bool:
    """True where a state becomes what another state's memory holds: that may be overwritten before it is read."""

    def span(name: str) -> tuple[str, int, int]:
        place = places.get(name, Place(name, 0))
        return place.root, place.offset, place.offset + graph.tensors[name].stored_bytes

    for state in graph.states:
        root, first, end = span(owners.get(state.next, state.next))
        for other in graph.states:
            where, low, high = span(other.tensor)
            if other is not state and where == root and first < high and low < end:
                return True
    return False


def in_place(
    graph: Graph, stage: ProgramStage, owners: Mapping[str, str], wanted: Collection[str]
) -> tuple[ProgramStage, dict[str, Place]] | None:
    """The stage without the moves that places save, and the places; None where there are no such moves.

    wanted: owners of the tensors that somebody keeps of every sample; they stay where they are.
    """
    outputs = {t.name for step in stage.steps for t in step.site.outputs}
    places = Places(graph, owners, (outputs | {s.tensor for s in graph.states}) - set(wanted))
    for step in stage.steps:
        places.take(step)
    if not places.moved or taken_over(graph, owners, places.found):
        return None
    gone = {id(step) for step in places.moved}
    run = tuple(step for step in stage.steps if id(step) not in gone)
    states = [name for s in graph.states for name in (s.tensor, owners.get(s.next, s.next))]
    outside = {*stage.made, *places.found}
    made, _ = program_stage(graph, run, owners, outside, [name for name in states if name in places.found])
    return ProgramStage(made.steps, made.program, made.slots, made.made, tuple(places.moved)), places.found
