"""Direct runs: a plan that is one C program computes a whole data set by calls of many chunks of samples each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from hwblocks.graph.graph import Graph
from hwblocks.graph.tensor import Tensor
from hwblocks.numerics import kernels
from hwblocks.simulate.failures import FOUND, failure
from hwblocks.simulate.in_place import Place, in_place
from hwblocks.simulate.stages import FOLLOWED, Compiled, ProgramStage, program_events
from hwblocks.simulate.trace import NodeEvents

Array = np.ndarray[Any, Any]
Progress = Callable[[int], None]

CACHE_BYTES = 1 << 20  # a chunk's tensors should stay within the second-level cache, more or less
LARGEST_CHUNK = 128
CALL_MACS = 1_000_000_000  # products in one call into C: about 0.1 s at the slowest useful speed

PART_NANOSECONDS = 5_000  # of the smallest part that is worth a thread's while
MACS_A_NANOSECOND = 200
BAND_MACS = 100_000  # of the smallest part of a layer: beside it threads may wait for each other


def chunk_size(bytes_per_sample: int, macs: int) -> int:
    """Samples that a program takes at once: what fits the cache, and is done in about 0.1 s."""
    return max(1, min(CACHE_BYTES // bytes_per_sample, CALL_MACS // max(macs, 1), LARGEST_CHUNK))


def smallest_part(bytes_per_sample: int, macs: int, tile: int, chunk: int) -> int:
    """Samples of the smallest part of a run on several threads: what takes some µs by a rough guess, in whole tiles.

    A sample is taken to need the time of its products and 1 ns for each byte of its tensors.
    """
    wanted = -(-PART_NANOSECONDS // max(1, macs // MACS_A_NANOSECOND + bytes_per_sample))
    return min(chunk, -(-wanted // tile) * tile)


def run_samples(call: Any, start: int, stop: int) -> None:
    """Samples of a prepared call. Errors: those of `failure`, for what the data hold."""
    try:
        call.run(start, stop)
    except FOUND as error:
        raise failure(error) from None


@dataclass(frozen=True, eq=False, slots=True)
class Made:
    """A tensor that the program makes outside its arena: its slot, shape of a sample, whole and short, storage type."""

    slot: int
    shape: tuple[int, ...]
    short: tuple[int, ...]
    dtype: Any


@dataclass(frozen=True, eq=False, slots=True)
class Result:
    """A wanted tensor: the slot that holds it, its shape, whole and short. same: as the array of the slot is made."""

    name: str
    slot: int
    shape: tuple[int, ...]
    short: tuple[int, ...]
    same: bool


@dataclass(frozen=True, eq=False)
class State:
    """A state of the graph: the slot that holds it, the slot of what it becomes, and its shape."""

    name: str
    slot: int
    next: int
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Shared:
    """A tensor that lies in the memory of another one: its slot; that memory, its bytes, and the first byte there."""

    slot: int
    memory: int
    bytes: int
    offset: int
    elements: int
    dtype: Any


@dataclass(eq=False, slots=True)
class Job:
    """The arrays of one run. inputs and state by name; a sequence hands its state from sample to sample; short: wanted
    tensors are [count, *shape[1:]] where a sample's leading axis is 1."""

    inputs: Mapping[str, Array]
    count: int
    statistics: int
    state: Mapping[str, Array]
    sequence: bool = False
    threads: int = 1
    progress: Progress | None = None
    short: bool = False


@dataclass(frozen=True, eq=False)
class Direct:
    """A compiled plan of one program, ready to run.

    inputs: slots of the graph's inputs.
    chunk: samples that the program takes at once. part: those that it takes at least when threads share them.
    call: samples of one call into C on one thread. split: products of the smallest band of a step's output rows when
    threads share one sample.
    shared: tensors that share memory. in_place: the same for a sequence, with what is saved one sample at a time.
    """

    stage: ProgramStage
    inputs: tuple[tuple[str, int], ...]
    made: tuple[Made, ...]
    results: tuple[Result, ...]
    states: tuple[State, ...]
    chunk: int
    part: int
    call: int
    split: int = BAND_MACS
    shared: tuple[Shared, ...] = ()
    in_place: Direct | None = None

    def serving(self, sequence: bool) -> Direct:
        """The one for a sequence, or for samples on their own."""
        return self.in_place if sequence and self.in_place is not None else self

    def run(self, job: Job) -> tuple[dict[str, Array], dict[str, Array], Callable[[], dict[str, NodeEvents]]]:
        """The wanted tensors [count, *shape], the states after the last sample, and a maker of events."""
        if job.sequence and self.in_place is not None:
            return self.in_place.run(job)
        slots = self.slots(job)
        call = self.prepared(job, slots)
        if job.progress is None:
            run_samples(call, 0, job.count)
        else:
            self._run_telling(call, job, job.progress)
        words = call.packed_counts()
        call.release()
        states = self.left(slots, job) if self.states else {}
        return self.outputs(slots, job), states, lambda: program_events(self.stage, words, job.count, job.statistics)

    def slots(self, job: Job) -> dict[int, Array]:
        """The array of every slot outside the arena: inputs and states, and room for what is made."""
        count, kept = job.count, min(self._chunk(job), job.count)
        slots = self._places() if self.shared else {}
        for state in self.states:
            given = job.state[state.name]
            if state.slot in slots:
                slots[state.slot][...] = given.reshape(1, -1)
            else:
                slots[state.slot] = given.copy() if job.sequence else np.stack([given] * kept)
        for m in self.made:
            first = kept if m.slot in self.fixed else count
            slots[m.slot] = np.empty((first, *(m.short if job.short else m.shape)), m.dtype)
        for name, slot in self.inputs:
            slots[slot] = np.ascontiguousarray(job.inputs[name])
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
        wanted = {result.slot for result in self.results}
        states = {s for state in self.states for s in (state.slot, state.next) if s not in wanted}
        return frozenset(states | {s.slot for s in self.shared})

    def _chunk(self, job: Job) -> int:
        return 1 if job.sequence else self.chunk

    def prepared(self, job: Job, slots: dict[int, Array]) -> Any:
        """The call into C of a job's arrays. Samples with states share arrays, so one thread takes them in turn."""
        carried = [(s.next, s.slot) for s in self.states] if job.sequence else ()
        threads, least = (1, 1) if self.states else (job.threads, self.part)
        return self.stage.program.prepare(
            slots, job.count, self._chunk(job), job.statistics, self.fixed, carried,
            threads, least, self.call * threads, self.split,
        )  # fmt: skip

    def _run_telling(self, call: Any, job: Job, progress: Progress) -> None:
        """All samples by several calls into C, after each of which `progress` is told."""
        some = self.call * job.threads
        for start in range(0, job.count, some):
            stop = min(start + some, job.count)
            run_samples(call, start, stop)
            progress(stop - start)

    def outputs(self, slots: Mapping[int, Array], job: Job) -> dict[str, Array]:
        """The wanted tensors [count, *shape] as they lie in the slots."""
        made = {}
        for r in self.results:
            array = slots[r.slot]
            made[r.name] = array if r.same else array.reshape(job.count, *(r.short if job.short else r.shape))
        return made

    def left(self, slots: Mapping[int, Array], job: Job) -> dict[str, Array]:
        """The states after the last sample."""
        last = (job.count - 1) % min(self.chunk, job.count)
        made = {}
        for s in self.states:
            if job.sequence:
                made[s.name] = slots[s.slot].reshape(s.shape)
            else:
                made[s.name] = slots[s.next][last if s.next in self.fixed else -1].reshape(s.shape)
        return made


def without_one(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a sample without a leading axis of 1."""
    return shape[1:] if shape[:1] == (1,) else shape


def made(tensor: Tensor, slot: int) -> Made:
    """A tensor that the program makes in a slot."""
    return Made(slot, tensor.shape, without_one(tensor.shape), tensor.format.dtype)


def result(tensor: Tensor, slot: int, owner: str) -> Result:
    """A wanted tensor in the slot of its owner."""
    return Result(tensor.name, slot, tensor.shape, without_one(tensor.shape), tensor.name == owner)


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
    part = smallest_part(compiled.bytes_per_sample, macs, stage.program.tile, chunk)
    direct = _direct(graph, stage, owner, wanted, {}, (chunk, part, call))
    placed = in_place(graph, stage, compiled.owners, {owner[name] for name in wanted}) if graph.states else None
    if placed is None:
        return direct
    return replace(direct, in_place=_direct(graph, placed[0], owner, wanted, placed[1], (1, 1, call)))


def _direct(
    graph: Graph, stage: ProgramStage, owner: Mapping[str, str], wanted: Sequence[str], places: Mapping[str, Place],
    sizes: tuple[int, int, int],
) -> Direct:  # fmt: skip
    """The direct run of a stage; owner: of every wanted tensor and of what states become; sizes: chunk, part, call."""
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
        tuple(made(tensors[n], slots[n]) for n in stage.made if n not in places),
        tuple(result(tensors[n], slots[owner[n]], owner[n]) for n in wanted),
        tuple(State(s.name, slots[s.tensor], slots[owner[s.next]], s.initial.shape) for s in graph.states),
        *sizes,
        shared=tuple(shared),
    )
