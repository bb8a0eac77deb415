"""What a run records beside its outputs: kept tensors, and per node counts and ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from hwblocks.graph.graph import Graph
from hwblocks.numerics.step_counts import StepCounts

Array = np.ndarray[Any, Any]


@dataclass
class NodeEvents:
    """Counts of one node over all samples of a run.

    saturated: outputs that left their format's range before the cast limited them (a fused clamp is not counted).
    final: accumulators whose exact total left their width. steps: additions that did, with trace="steps".
    lowest, highest: the accumulator's observed extremes before the cast (None where not recorded).
    outputs: elements made. decided_by: what chose the node's accumulator.
    iterations: passes through the body of a loop, or through a branch.
    active: what the data decided on, where a block counts it: open gates of hard attention, rows that a
    memory really wrote.
    first: (sample, element, step) of the first addition that left its register, where additions were followed or the
    accumulator traps: element within one sample of the output, step among all additions of that element.
    channels: with trace="steps" the counts of every output channel: additions, first event, extremes of partial sums
    before they were limited, and how many bits they needed.
    """

    saturated: int = 0
    final: int = 0
    steps: int | None = None
    lowest: int | None = None
    highest: int | None = None
    outputs: int = 0
    iterations: int = 0
    active: int = 0
    decided_by: str = "node"
    first: tuple[int, int, int] | None = None
    channels: StepCounts | None = None

    def add(self, other: NodeEvents) -> None:
        """Count another part of the samples in; sums and extremes do not depend on the order of the parts."""
        self.saturated += other.saturated
        self.final += other.final
        self.outputs += other.outputs
        self.iterations += other.iterations
        self.active += other.active
        self.steps = _both(self.steps, other.steps, lambda a, b: a + b)
        self.first = min((f for f in (self.first, other.first) if f is not None), default=None)
        self.lowest = _both(self.lowest, other.lowest, min)
        self.highest = _both(self.highest, other.highest, max)
        self.channels = _both(self.channels, other.channels, StepCounts.joined)

    def take(self, counts: StepCounts, follow: bool, traps: bool) -> None:
        """Set what is known of additions: all of it where they were followed, the first event where the node traps."""
        if follow or traps:
            self.first = counts.earliest
        if follow:
            self.channels, self.steps = counts, int(counts.steps.sum())

    def shift(self, samples: int) -> None:
        """Count these samples as the ones after `samples` others."""
        if self.first is not None:
            self.first = (self.first[0] + samples, *self.first[1:])
        if self.channels is not None:
            self.channels = self.channels.shifted(samples)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers by field."""
        return {**vars(self), "channels": None if self.channels is None else self.channels.to_dict()}


def _both(a: Any, b: Any, join: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    return join(a, b)


@dataclass
class Trace(Mapping[str, Array]):
    """Kept tensors by name (stored codes, or floats), and `events` by node name; nodes of bodies after their own
    as "while0/body/add".

    `layout` and `source_name` of a tensor are those of the graph: `trace.layout("conv1")`.
    """

    graph: Graph
    tensors: dict[str, Array] = field(default_factory=dict)
    counted: Callable[[], dict[str, NodeEvents]] = dict

    @cached_property
    def events(self) -> dict[str, NodeEvents]:
        """Counts by node name; put together when they are first asked for."""
        return self.counted()

    def __getitem__(self, name: str) -> Array:
        return self.tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def real(self, name: str) -> Array:
        """The tensor's real values in float64."""
        return np.asarray(self.graph.traced[name].format.dequantize(self.tensors[name]), dtype=np.float64)

    def layout(self, name: str) -> str:
        """The axes of a tensor, for example "NHWC"."""
        return self.graph.traced[name].layout

    def source_name(self, name: str) -> str:
        """The tensor's name in the imported file, or ""."""
        return self.graph.traced[name].source_name


def traced_names(graph: Graph, trace: Any) -> tuple[str, ...]:
    """The tensors that a trace request keeps: all run-time tensors for "full", the named ones for a list."""
    if trace is None or trace in ("ranges", "steps"):
        return ()
    from hwblocks.errors import SimulationError

    names = list(graph.traced)
    if trace == "full":
        return tuple(names)
    if isinstance(trace, str):
        raise SimulationError(f'trace {trace!r}: use None, "ranges", "steps", "full" or a list of tensor names')
    unknown = [name for name in trace if name not in names]
    if unknown:
        raise SimulationError(f"trace: the graph has no run-time tensor {unknown[0]!r}; it has {', '.join(names[:12])}")
    return tuple(dict.fromkeys(trace))
