"""Direct runs: a plan that is one C program computes a whole data set by calls of many chunks of samples each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Event
from typing import Any

import numpy as np

from hwblocks.errors import InputError
from hwblocks.graph.graph import Graph
from hwblocks.numerics import kernels
from hwblocks.simulate.in_place import Place, in_place
from hwblocks.simulate.stages import FOLLOWED, Compiled, ProgramStage, program_events
from hwblocks.simulate.trace import NodeEvents

Array = np.ndarray[Any, Any]
Progress = Callable[[int], None]

CACHE_BYTES = 1 << 20  # a chunk's tensors should stay within the second-level cache, more or less
LARGEST_CHUNK = 128
CALL_MACS = 1_000_000_000  # products in one call into C: about 0.1 s at the slowest useful speed

Counts = list[tuple[int, int, int, int]]  # saturated, outside, lowest, highest of each step


def chunk_size(bytes_per_sample: int, macs: int) -> int:
    """Samples that a program takes at once: what fits the cache, and is done in about 0.1 s."""
    return max(1, min(CACHE_BYTES // bytes_per_sample, CALL_MACS // max(macs, 1), LARGEST_CHUNK))


def run_samples(call: Any, start: int, stop: int) -> None:
    """Samples of a prepared call. Errors: InputError for what an edge finds in its floats."""
    try:
        call.run(start, stop)
    except FloatingPointError as error:
        raise InputError(str(error)) from None


@dataclass(frozen=True, eq=False)
class Made:
    """A tensor that the program makes outside its arena: its slot, elements of a sample and storage type."""

    slot: int
    elements: int
    dtype: Any


@dataclass(frozen=True, eq=False)
class State:
    """A state of the graph: the slot that holds it, the slot of what it becomes, and its shape."""

    name: str
    slot: int
    next: int
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Shared:
    """A tensor that lies in the memory of another one: its slot; that memory, its bytes, and the first byte there."""

    slot: int
    memory: int
    bytes: int
    offset: int
    elements: int
    dtype: Any


@dataclass(frozen=True, eq=False)
class Job:
    """The arrays of one run. inputs and state by name; a sequence hands its state from sample to sample."""

    inputs: Mapping[str, Array]
    count: int
    statistics: int
    state: Mapping[str, Array]
    sequence: bool = False
    threads: int = 1
    progress: Progress | None = None


@dataclass(frozen=True, eq=False)
class Direct:
    """A compiled plan of one program, ready to run.

    inputs: slots of the graph's inputs. results: for every wanted tensor the slot that holds it, and its shape.
    chunk: samples that the program takes at once. call: samples of one call into C, whole chunks.
    shared: tensors that share memory. in_place: the same for a sequence, with what is saved one sample at a time.
    """

    stage: ProgramStage
    inputs: tuple[tuple[str, int], ...]
    made: tuple[Made, ...]
    results: tuple[tuple[str, int, tuple[int, ...]], ...]
    states: tuple[State, ...]
    chunk: int
    call: int
    shared: tuple[Shared, ...] = ()
    in_place: Direct | None = None

    def serving(self, sequence: bool) -> Direct:
        """The one for a sequence, or for samples on their own."""
        return self.in_place if sequence and self.in_place is not None else self

    def run(self, job: Job) -> tuple[dict[str, Array], dict[str, Array], Callable[[], dict[str, NodeEvents]]]:
        """The wanted tensors [count, *shape], the states after the last sample, and a maker of events."""
        if job.sequence and self.in_place is not None:
            return self.in_place.run(job)
        chunk = 1 if job.sequence else self.chunk
        slots = self.slots(job, chunk)
        if job.threads == 1 or job.count <= chunk or self.states:
            counts = [self._part(job, slots, chunk, self.call)]
        else:
            counts = self._in_threads(job, slots, chunk)
        states = self.left(slots, job)
        outputs = self.outputs(slots, job.count)
        return outputs, states, lambda: program_events(self.stage, counts, job.count, job.statistics)

    def slots(self, job: Job, chunk: int) -> dict[int, Array]:
        """The array of every slot outside the arena: inputs and states, and room for what is made."""
        fixed, count = self.fixed, job.count
        kept = min(chunk, count)
        slots: dict[int, Array] = {
            m.slot: np.empty((kept if m.slot in fixed else count, m.elements), m.dtype) for m in self.made
        }
        for name, slot in self.inputs:
            slots[slot] = np.ascontiguousarray(job.inputs[name])
        if self.shared:
            slots |= self._places()
        for state in self.states:
            value = job.state[state.name]
            if state.slot in slots:
                slots[state.slot][...] = value.reshape(1, -1)
            else:
                slots[state.slot] = np.stack([value] * kept)
        return slots

    def _places(self) -> dict[int, Array]:
        """New memory for the tensors that share some, [1, elements] each."""
        memories = {s.memory: np.zeros(s.bytes, np.uint8) for s in self.shared}
        return {
            s.slot: memories[s.memory][s.offset : s.offset + s.elements * s.dtype.itemsize].view(s.dtype)[None]
            for s in self.shared
        }

    @cached_property
    def fixed(self) -> frozenset[int]:
        """Slots whose arrays hold one chunk: states, and what they become where nobody else wants it."""
        wanted = {slot for _, slot, _ in self.results}
        states = {s for state in self.states for s in (state.slot, state.next) if s not in wanted}
        return frozenset(states | {s.slot for s in self.shared})

    def prepared(self, job: Job, slots: dict[int, Array], chunk: int) -> Any:
        """The call into C of a job's arrays."""
        carried = [(s.next, s.slot) for s in self.states] if job.sequence else []
        return self.stage.program.prepare(slots, job.count, chunk, job.statistics, self.fixed, carried)

    def outputs(self, slots: Mapping[int, Array], count: int) -> dict[str, Array]:
        """The wanted tensors [count, *shape], as they lie in the slots."""
        return {name: slots[slot].reshape(count, *shape) for name, slot, shape in self.results}

    def left(self, slots: Mapping[int, Array], job: Job) -> dict[str, Array]:
        """The states after the last sample."""
        last = (job.count - 1) % min(self.chunk, job.count)
        made = {}
        for s in self.states:
            array = slots[s.slot][0] if job.sequence else slots[s.next][last if s.next in self.fixed else -1]
            made[s.name] = array.reshape(s.shape)
        return made

    def _part(
        self, job: Job, slots: dict[int, Array], chunk: int, call: int, which: int = 0, of: int = 1,
        stopped: Event | None = None,
    ) -> Counts:  # fmt: skip
        """What every `of`-th call counts, from number `which` on, until `stopped`."""
        prepared = self.prepared(job, slots, chunk)
        for start in range(which * call, job.count, of * call):
            if stopped is not None and stopped.is_set():
                break
            stop = min(start + call, job.count)
            run_samples(prepared, start, stop)
            if job.progress is not None:
                job.progress(stop - start)
        counts: Counts = prepared.counts()
        prepared.release()
        return counts

    def _in_threads(self, job: Job, slots: dict[int, Array], chunk: int) -> list[Counts]:
        """The calls in turn to every thread, short enough for each to have some; an error stops all.

        The threads are new ones: systems start those on idle processors, but may wake old ones on a busy one.
        """
        call = min(self.call, -(-job.count // job.threads))
        parts, stopped = min(job.threads, -(-job.count // call)), Event()
        with ThreadPoolExecutor(parts) as pool:
            futures = [pool.submit(self._part, job, slots, chunk, call, i, parts, stopped) for i in range(parts)]
            try:
                return [future.result() for future in futures]
            except BaseException:
                stopped.set()
                raise


def direct_of(graph: Graph, compiled: Compiled, wanted: Sequence[str], statistics: int, macs: int) -> Direct | None:
    """The direct run of a compiled plan, or None where it is more than one program or keeps what it does not make."""
    if len(compiled.stages) != 1 or statistics >= FOLLOWED:
        return None
    stage = compiled.stages[0]
    if not isinstance(stage, ProgramStage) or any(kernels.channel_counts(s.kernel) is not None for s in stage.steps):
        return None
    owner = {name: compiled.owners.get(name, name) for name in (*wanted, *(s.next for s in graph.states))}
    read = {name: slot for name, slot in stage.slots.items() if name not in stage.made}
    states = {s.tensor for s in graph.states}
    if any(name not in stage.made for name in owner.values()):
        return None
    if not states <= set(read) or not set(read) <= {*graph.inputs, *states}:
        return None
    chunk = chunk_size(compiled.bytes_per_sample, macs) if graph.batched else 1
    call = max(chunk, CALL_MACS // max(macs, 1) // chunk * chunk)
    direct = _direct(graph, stage, owner, wanted, {}, chunk, call)
    placed = in_place(graph, stage, compiled.owners, {owner[name] for name in wanted}) if graph.states else None
    if placed is None:
        return direct
    return replace(direct, in_place=_direct(graph, placed[0], owner, wanted, placed[1], 1, call))


def _direct(
    graph: Graph, stage: ProgramStage, owner: Mapping[str, str], wanted: Sequence[str], places: Mapping[str, Place],
    chunk: int, call: int,
) -> Direct:  # fmt: skip
    """The direct run of a stage; owner: of every wanted tensor and of what states become."""
    tensors, slots = graph.tensors, stage.slots
    memories = {place.root: number for number, place in enumerate(places.values())}
    shared = [
        Shared(slots[n], memories[p.root], tensors[p.root].stored_bytes, p.offset, tensors[n].elements,
               tensors[n].format.dtype)
        for n, p in places.items() if n in slots
    ]  # fmt: skip
    return Direct(
        stage,
        tuple((name, slots[name]) for name in graph.inputs if name in slots),
        tuple(Made(slots[n], tensors[n].elements, tensors[n].format.dtype) for n in stage.made if n not in places),
        tuple((n, slots[owner[n]], tensors[n].shape) for n in wanted),
        tuple(State(s.name, slots[s.tensor], slots[owner[s.next]], s.initial.shape) for s in graph.states),
        chunk,
        call,
        tuple(shared),
    )
