"""Direct runs: a plan that is one C program computes a whole data set by calls that hold many chunks of samples each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.graph.graph import Graph
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


@dataclass(frozen=True, eq=False)
class Direct:
    """A compiled plan of one program, ready to run.

    inputs: slots of the graph's inputs. made: slot, elements of a sample and storage type of what the program makes.
    results: for every wanted tensor the slot that holds it, and its shape. chunk: samples that the program takes at
    once. call: samples of one call into C, whole chunks.
    """

    stage: ProgramStage
    inputs: tuple[tuple[str, int], ...]
    made: tuple[tuple[int, int, Any], ...]
    results: tuple[tuple[str, int, tuple[int, ...]], ...]
    chunk: int
    call: int

    def run(
        self, arrays: Mapping[str, Array], count: int, statistics: int, threads: int, progress: Progress | None
    ) -> tuple[dict[str, Array], Callable[[], dict[str, NodeEvents]]]:
        """The wanted tensors [count, *shape] of `count` samples, and a maker of events."""
        slots = self.slots(arrays, count)
        if threads == 1 or count <= self.chunk:
            counts = [self._part(slots, count, self.call, 0, 1, statistics, progress)]
        else:
            counts = self._in_threads(slots, count, statistics, threads, progress)
        return self.outputs(slots, count), lambda: program_events(self.stage, counts, count, statistics)

    def slots(self, arrays: Mapping[str, Array], count: int) -> dict[int, Array]:
        """The array of every slot outside the arena: the inputs, and room for what is made."""
        slots: dict[int, Array] = {slot: np.empty((count, size), dtype) for slot, size, dtype in self.made}
        for name, slot in self.inputs:
            slots[slot] = np.ascontiguousarray(arrays[name])
        return slots

    def outputs(self, slots: Mapping[int, Array], count: int) -> dict[str, Array]:
        """The wanted tensors [count, *shape], as they lie in the slots."""
        return {name: slots[slot].reshape(count, *shape) for name, slot, shape in self.results}

    def _part(
        self, slots: dict[int, Array], count: int, call: int, which: int, of: int, statistics: int,
        progress: Progress | None,
    ) -> Counts:  # fmt: skip
        """What every `of`-th call counts, from number `which` on."""
        prepared = self.stage.program.prepare(slots, count, self.chunk, statistics)
        for start in range(which * call, count, of * call):
            stop = min(start + call, count)
            prepared.run(start, stop)
            if progress is not None:
                progress(stop - start)
        counts: Counts = prepared.counts()
        prepared.release()
        return counts

    def _in_threads(
        self, slots: dict[int, Array], count: int, statistics: int, threads: int, progress: Progress | None
    ) -> list[Counts]:
        """The calls in turn to every thread, short enough for each to have some."""
        call = min(self.call, -(-count // threads))
        parts = min(threads, -(-count // call))
        with ThreadPoolExecutor(parts) as pool:
            jobs = [pool.submit(self._part, slots, count, call, i, parts, statistics, progress) for i in range(parts)]
            return [job.result() for job in jobs]


def direct_of(
    graph: Graph, compiled: Compiled, wanted: Sequence[str], statistics: int, macs: int
) -> Direct | None:
    """The direct run of a compiled plan, or None where it is more than one program, has states, or keeps an input."""
    if len(compiled.stages) != 1 or graph.states or not graph.batched or statistics >= FOLLOWED:
        return None
    stage = compiled.stages[0]
    if not isinstance(stage, ProgramStage):
        return None
    owners = {name: compiled.owners.get(name, name) for name in wanted}
    read = {name: slot for name, slot in stage.slots.items() if name not in stage.made}
    if any(owner not in stage.made for owner in owners.values()) or any(name not in graph.inputs for name in read):
        return None
    tensors = {name: graph.tensors[name] for name in stage.made}
    chunk = chunk_size(compiled.bytes_per_sample, macs)
    return Direct(
        stage,
        tuple(read.items()),
        tuple((stage.slots[n], t.elements, t.format.dtype) for n, t in tensors.items()),
        tuple((n, stage.slots[o], graph.tensors[n].shape) for n, o in owners.items()),
        chunk,
        max(chunk, CALL_MACS // max(macs, 1) // chunk * chunk),
    )
