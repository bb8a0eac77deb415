"""Simulator: a graph planned once and run on any number of samples, spread over threads; the same integers always."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, cached_property
from typing import Any

import numpy as np

from hwblocks.dialects import dialect as dialect_of
from hwblocks.errors import InputError, SimulationError, TrapError
from hwblocks.graph.block import Accumulate
from hwblocks.graph.control import named_nodes, with_changed_bodies
from hwblocks.graph.dialect import Dialect
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import folded
from hwblocks.graph.site import Site
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.user_mac import UserMac, register_of
from hwblocks.simulate.bound import Bound
from hwblocks.simulate.direct import Direct, Job, chunk_size, direct_of
from hwblocks.simulate.execute import run_node
from hwblocks.simulate.inputs import Reader, Samples
from hwblocks.simulate.plan import Plan, make_plan
from hwblocks.simulate.stages import Compiled
from hwblocks.simulate.store import Store
from hwblocks.simulate.summary import RunSummary, summary_of
from hwblocks.simulate.trace import NodeEvents, Trace, traced_names
from hwblocks.table import Section

Array = np.ndarray[Any, Any]
Register = Accumulator | UserMac
Progress = Callable[[int], None]

STATISTICS = {None: 1, "ranges": 2, "steps": 3}


@dataclass(eq=False)
class Run:
    """What a run made.

    outputs: by name in model order; stored integers of quantized outputs, native dtype of all others.
    real: the same as real values in float64. trace: kept tensors and events. state: states by name.
    summary: outputs and events in few numbers, which prints, exports and reports.
    """

    graph: Graph
    outputs: dict[str, Array]
    trace: Trace
    state: dict[str, Array] = field(default_factory=dict)

    @property
    def real(self) -> dict[str, Array]:
        """The outputs as real values, always float64."""
        return {
            name: np.asarray(self.graph.tensors[name].format.dequantize(codes), dtype=np.float64)
            for name, codes in self.outputs.items()
        }

    @property
    def events(self) -> dict[str, NodeEvents]:
        """Counts by node name."""
        return self.trace.events

    @property
    def summary(self) -> RunSummary:
        """Outputs and events as a result."""
        return summary_of(self.graph, self.real, self.events)

    def sections(self) -> Sequence[Section]:
        """The summary as parts of a report."""
        return self.summary.sections()


class Simulator:
    """Runs a graph; planned once, weights packed once.

    dialect: the runtime whose integers are computed; None: the nodes' own arithmetic, else the graph's dialect.
    accumulator: an Accumulator or its text form for every sum of products, a user-written multiply-accumulate, or
        {node name pattern: spec}.
    threads: that share samples, or the layers of a single one (default: the processors this process may use).
    engine: "fast" (kernels where there are any) or "definition" (the exact Python definition of every node).
    isa: instruction set of the kernels, default the best of this machine or HWBLOCKS_ISA.
    finite: refuse NaN and infinity in float inputs; without it they are numbers like others.
    """

    def __init__(
        self,
        graph: Graph,
        dialect: str | Dialect | None = None,
        accumulator: Any = None,
        threads: int | None = None,
        engine: str = "fast",
        isa: str | None = None,
        finite: bool = True,
    ) -> None:
        if engine not in ("fast", "definition"):
            raise SimulationError(f'engine {engine!r}: use "fast" or "definition"')
        if threads is not None and threads < 1:
            raise SimulationError(f"threads {threads}: use at least 1")
        self.source = graph
        self.accumulator = accumulator
        self.unfolded = with_dialect(graph, dialect)
        graph = folded(self.unfolded, constant_results)
        self.decided = decisions(graph, accumulator)
        self.graph = with_accumulators(graph, self.decided)
        self.threads = threads or available_processors()
        self.engine, self.isa = engine, isa
        self._reader = Reader(self.graph, finite)
        self._plans: dict[tuple[bool, bool], Plan] = {}
        self._directs: dict[tuple[int, tuple[str, ...], int], Direct | None] = {}
        self._state: dict[str, Array] = {}
        self.reset()

    @cached_property
    def macs(self) -> int:
        """Products of one sample."""
        return total_macs(self.graph)

    @property
    def plan(self) -> Plan:
        """The bound nodes; made at the first use."""
        return self._plan(self.engine == "definition")

    def _plan(self, definition: bool, follow: bool = False) -> Plan:
        if (definition, follow) not in self._plans:
            self._plans[definition, follow] = make_plan(self.graph, self.isa, definition, follow)
        return self._plans[definition, follow]

    def run(
        self,
        x: Any,
        trace: Any = None,
        state: Any = "carry",
        real: bool = False,
        progress: Progress | None = None,
    ) -> Run:
        """Run all samples of x.

        x: one array, a dict by input name, or a list in model order; [N, *shape] or [N, *shape[1:]].
        trace: None, "ranges" (extremes of accumulators), "steps" (events of every addition),
        "full" (every tensor) or a list of tensor names. real: read integer samples as real values.
        progress: called with the number of samples done after each chunk.
        state: "carry" (samples are one sequence that goes on from the last run), "reset" (every sample starts anew),
        or the `state` of a run (a sequence that goes on from there). Graphs without states have no use for it.
        """
        samples = self._reader.read(x, real)
        keep = () if trace is None else traced_names(self.unfolded, trace)
        level = trace if isinstance(trace, str) else None
        plan, statistics = self._plan(self.engine == "definition", level == "steps"), STATISTICS.get(level, 1)
        direct = self._direct(plan, keep, statistics)
        if direct is not None:
            return self._run_direct(direct, samples, keep, statistics, state, progress)
        work = _Work(
            self,
            plan.compiled(keep),
            samples,
            keep,
            statistics,
            starting_state(self.graph, state, self._state),
            self._is_sequence(state),
        )
        work.run(progress)
        if work.sequence:
            self._state = dict(work.state)
        return work.result(self.decided)

    def bind(self, count: int = 1) -> Bound:
        """The simulator bound to arrays of `count` samples, for many short runs: fill inputs, run, read outputs."""
        if count < 1:
            raise SimulationError(f"bind: {count} samples; use at least 1")
        plan, statistics = self._plan(self.engine == "definition"), STATISTICS[None]
        return Bound(self, count, self._direct(plan, (), statistics), statistics)

    def _is_sequence(self, state: Any) -> bool:
        """True when samples hand their state on."""
        return bool(self.graph.states) and not (isinstance(state, str) and state == "reset")

    def _direct(self, plan: Plan, keep: tuple[str, ...], statistics: int) -> Direct | None:
        """The direct run of a plan where it is one program."""
        key = (id(plan), keep, statistics)
        if key not in self._directs:
            wanted = tuple(dict.fromkeys((*self.graph.outputs, *keep)))
            self._directs[key] = direct_of(self.graph, plan.compiled(keep), wanted, statistics, self.macs)
        return self._directs[key]

    def _run_direct(
        self,
        direct: Direct,
        samples: Samples,
        keep: tuple[str, ...],
        statistics: int,
        state: Any,
        progress: Progress | None,
    ) -> Run:
        """All samples by a few calls into C."""
        sequence = self._is_sequence(state)
        start = starting_state(self.graph, state, self._state) if self.graph.states else {}
        job = Job(samples.arrays, samples.count, statistics, start, sequence, self.threads, progress, samples.short)
        arrays, states, counted = direct.run(job)
        if sequence:
            self._state = dict(states)
        kept = {n: arrays[n] for n in keep}
        outputs = {n: arrays[n] for n in self.graph.outputs} if keep else arrays
        return Run(self.graph, outputs, Trace(self.graph, kept, lambda: self._named(counted())), states)

    def _named(self, events: dict[str, NodeEvents]) -> dict[str, NodeEvents]:
        """Events in the graph's order, with what decided each accumulator."""
        for name, (_, who) in self.decided.items():
            if name in events:
                events[name].decided_by = who
        return {node.name: events[node.name] for node in self.graph.nodes if node.name in events}

    def reset(self) -> None:
        """Forget carried state: the next sequence starts from the graph's initial values."""
        self._state = {state.name: state.initial for state in self.graph.states}


@dataclass(eq=False)
class _Work:
    """One run in progress: where its chunks go and what they count."""

    simulator: Simulator
    compiled: Compiled
    samples: Samples
    keep: tuple[str, ...]
    statistics: int
    state: dict[str, Array]  # at the start of the next chunk of a sequence; else of every sample
    sequence: bool
    kept: dict[str, Array] = field(default_factory=dict)
    events: dict[str, NodeEvents] = field(default_factory=dict)
    last: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph, count = self.simulator.graph, self.samples.count
        for name in dict.fromkeys((*graph.outputs, *self.keep)):
            tensor = graph.traced[name] if name not in graph.tensors else graph.tensors[name]
            self.kept[name] = np.empty((count, *tensor.shape), tensor.format.dtype)

    def run(self, progress: Progress | None) -> None:
        """All chunks, on the simulator's threads; the first error stops the rest."""
        chunks = self._chunks()
        with one_blas_thread() if self.compiled.uses_blas else nullcontext():
            if self.simulator.threads == 1 or len(chunks) == 1 or self.sequence:
                for chunk in chunks:
                    self._finish(self._chunk(*chunk), chunk, progress)
                return
            self._run_threads(chunks, progress)

    def _run_threads(self, chunks: list[tuple[int, int]], progress: Progress | None) -> None:
        with ThreadPoolExecutor(self.simulator.threads) as pool:
            futures = {pool.submit(self._chunk, *chunk): chunk for chunk in chunks}
            try:
                waiting = set(futures)
                while waiting:
                    done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
                    for future in sorted(done, key=lambda f: futures[f]):
                        self._finish(future.result(), futures[future], progress)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _finish(self, events: dict[str, NodeEvents], chunk: tuple[int, int], progress: Progress | None) -> None:
        for name, counted in events.items():
            self.events.setdefault(name, NodeEvents()).add(counted)
        if progress is not None:
            progress(chunk[1] - chunk[0])

    def _chunks(self) -> list[tuple[int, int]]:
        count, size = self.samples.count, 1
        if self.simulator.graph.batched and not self.sequence:
            size = chunk_size(self.compiled.bytes_per_sample, self.simulator.macs)
        return [(start, min(start + size, count)) for start in range(0, count, size)]

    def _chunk(self, start: int, stop: int) -> dict[str, NodeEvents]:
        graph = self.simulator.graph
        arrays = {}
        for name, array in self.samples.arrays.items():
            part = array[start:stop]
            shape = graph.tensors[name].shape
            arrays[name] = part.reshape(stop - start, *shape[1:]) if graph.batched else part[0]
        for state in graph.states:
            initial = self.state[state.name]
            copies = stop - start if graph.batched else 1
            arrays[state.tensor] = initial if copies == 1 else np.concatenate([initial] * copies)
        store = Store(graph, self.compiled.owners, arrays)
        events: dict[str, NodeEvents] = {}
        for stage in self.compiled.stages:
            stage.run(store, stop - start, events, self.statistics)
        for counted in events.values():
            counted.shift(start)
        for name, target in self.kept.items():
            if name in graph.tensors and graph.tensors[name].is_constant:
                target[start:stop] = store[name]
            else:
                target[start:stop] = np.reshape(store[name], target[start:stop].shape)
        self._keep_states(store, start, stop)
        return events

    def _keep_states(self, store: Store, start: int, stop: int) -> None:
        """What the states became: after this chunk of a sequence, or after the last sample."""
        states = self.simulator.graph.states
        made = {
            s.name: np.array(store[s.next][-s.initial.shape[0] :] if s.initial.ndim else store[s.next]) for s in states
        }
        if self.sequence:
            self.state = made
        elif stop == self.samples.count:
            self.last = made

    def result(self, decided: Mapping[str, tuple[Register, str]]) -> Run:
        """The run's outputs and trace in the form of the inputs."""
        graph = self.simulator.graph
        self._check_traps()
        for name, (_, who) in decided.items():
            if name in self.events:
                self.events[name].decided_by = who
        shaped = {name: self._shaped(name) for name in self.kept}
        events = self._ordered_events()
        trace = Trace(graph, {n: shaped[n] for n in self.keep}, lambda: events)
        return Run(graph, {n: shaped[n] for n in graph.outputs}, trace, self.state if self.sequence else self.last)

    def _check_traps(self) -> None:
        """Raise TrapError with the first event of all nodes whose accumulator traps."""
        found = []
        for position, (name, node) in enumerate(named_nodes(self.simulator.graph)):
            accumulator = node.arithmetic.accumulator if node.arithmetic else None
            first = self.events[name].first if name in self.events else None
            if accumulator is not None and accumulator.overflow.mode == "trap" and first is not None:
                found.append((first[0], position, first[1:], f"{node.where}: accumulator {accumulator}"))
        if found:
            sample, _, (element, step), what = min(found)
            raise TrapError(f"{what} left its range first at sample {sample}, element {element}, step {step}")

    def _ordered_events(self) -> dict[str, NodeEvents]:
        return {n: self.events[n] for n, _ in named_nodes(self.simulator.graph) if n in self.events}

    def _shaped(self, name: str) -> Array:
        array = self.kept[name]
        short = self.samples.short and array.shape[1:2] == (1,)
        return array.reshape(array.shape[0], *array.shape[2:]) if short else array


def with_dialect(graph: Graph, chosen: str | Dialect | None) -> Graph:
    """The graph with the arithmetic of a dialect, or of its own where nodes state none."""
    if chosen is not None:
        return (chosen if isinstance(chosen, Dialect) else dialect_of(chosen)).applied(graph)
    return dialect_of(graph.dialect).applied(graph, keep_stated=True) if graph.dialect else graph


def constant_results(site: Site) -> tuple[Array, ...]:
    """The outputs of a node of constants."""
    return run_node(site, [None if t is None else t.value for t in site.inputs])[0]


def starting_state(graph: Graph, state: Any, carried: dict[str, Array]) -> dict[str, Array]:
    """The states' values at the start of a run. Errors: InputError for unknown words, names and shapes."""
    initial = {s.name: s.initial for s in graph.states}
    if isinstance(state, str) and state == "reset":
        return initial
    if isinstance(state, str) and state == "carry":
        return dict(carried)
    if not isinstance(state, Mapping):
        raise InputError(f'state {state!r}: use "reset", "carry" or the state of a run')
    if set(state) != set(initial):
        raise InputError(
            f"state holds {', '.join(state) or 'nothing'}, the graph keeps {', '.join(initial) or 'nothing'}"
        )
    for name, value in initial.items():
        given = np.asarray(state[name])
        if given.shape != value.shape or given.dtype != value.dtype:
            raise InputError(f"state {name!r} is {given.shape} {given.dtype}, needs {value.shape} {value.dtype}")
    return {name: np.asarray(value) for name, value in state.items()}


def total_macs(graph: Graph) -> int:
    """Products of one sample."""
    return sum(node.block.work(*graph.site(node).shapes).macs for node in graph.nodes)


def available_processors() -> int:
    """Processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def one_blas_thread() -> Any:
    """A context in which NumPy's BLAS uses one thread, so that float sums do not depend on the machine."""
    return loaded_libraries().limit(limits=1, user_api="blas")


@cache
def loaded_libraries() -> Any:
    """The libraries with thread pools, found once: looking for them takes longer than running a small graph."""
    import numpy.linalg  # noqa: F401  (loads BLAS)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def decisions(graph: Graph, accumulator: Any) -> dict[str, tuple[Register, str]]:
    """The accumulator of each sum of products where the `accumulator=` argument decides it."""
    if accumulator is None:
        return {}
    specs = accumulator if isinstance(accumulator, Mapping) else {"*": accumulator}
    sums = [name for name, node in named_nodes(graph) if isinstance(node.block, Accumulate)]
    chosen: dict[str, tuple[Register, str]] = {}
    for pattern, spec in specs.items():
        record = register_of(spec)
        hit = [pattern] if pattern in sums else [name for name in sums if fnmatchcase(name, pattern)]
        if not hit:
            raise SimulationError(f"accumulator: no sum of products matches {pattern!r}; there are {', '.join(sums)}")
        chosen.update(dict.fromkeys(hit, (record, f"argument {pattern!r}")))
    return chosen


def with_accumulators(graph: Graph, decided: Mapping[str, tuple[Register, str]], inside: str = "") -> Graph:
    """The graph with the decided accumulators in its nodes and those of bodies; `inside` leads to their names."""
    if not decided:
        return graph

    def changed(node: Node) -> Node:
        if inside + node.name not in decided:
            return node
        arithmetic, record = node.arithmetic or Arithmetic(), decided[inside + node.name][0]
        user = record if isinstance(record, UserMac) else None
        accumulator = None if isinstance(record, UserMac) else record
        return node.replace(arithmetic=arithmetic.replace(accumulator=accumulator, mac=user))

    def body(name: str, graph: Graph) -> Graph:
        return with_accumulators(graph, decided, f"{inside}{name}/")

    return with_changed_bodies(graph.replace(nodes=tuple(changed(node) for node in graph.nodes)), body)
