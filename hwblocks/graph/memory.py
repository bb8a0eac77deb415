"""Memory: how long each run-time tensor lives, and a planner that places the buffers in one arena."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hwblocks.errors import InputError
from hwblocks.graph.block import Move
from hwblocks.graph.graph import Graph
from hwblocks.graph.site import Site


class Buffer(NamedTuple):
    """A block of memory that is needed in the half-open interval [lower, upper) of steps; size in bytes."""

    id: str
    lower: int
    upper: int
    size: int


@dataclass(frozen=True)
class MemoryPlan:
    """Where each buffer lies.

    offsets: bytes from the arena's start, in the order of the buffers. size: bytes of the arena.
    bound: the largest sum of sizes alive at once; no plan can be smaller. optimal: size equals bound.
    """

    buffers: tuple[Buffer, ...]
    offsets: tuple[int, ...]
    size: int
    bound: int

    @property
    def optimal(self) -> bool:
        """True when no plan can be smaller."""
        return self.size == self.bound


def plan_memory(
    buffers: Iterable[tuple[str, int, int, int]], capacity: int | None = None, align: int = 1
) -> MemoryPlan:
    """Place buffers (id, lower, upper, size) so that those alive together do not overlap.

    First fit in four orders (size, lifetime, size · lifetime, start); the smallest arena wins.
    Errors: InputError for an empty lifetime, a negative size, or a plan above `capacity`.

    >>> plan_memory([("a", 0, 2, 4), ("b", 1, 3, 4), ("c", 2, 4, 4)]).offsets
    (0, 4, 0)
    """
    items = tuple(Buffer(str(i), int(lo), int(hi), -(-int(size) // align) * align) for i, lo, hi, size in buffers)
    for item in items:
        if item.upper <= item.lower or item.size < 0:
            raise InputError(f"buffer {item.id!r}: lives in [{item.lower}, {item.upper}) with {item.size} bytes")
    best = min((_first_fit(items, key) for key in _ORDERS), key=lambda offsets: _height(items, offsets))
    plan = MemoryPlan(items, best, _height(items, best), liveness_bound(items))
    if capacity is not None and plan.size > capacity:
        raise InputError(f"the plan needs {plan.size} bytes (bound {plan.bound}) but the capacity is {capacity}")
    return plan


_ORDERS: tuple[Callable[[Buffer], tuple[int, ...]], ...] = (
    lambda b: (-b.size, b.lower),
    lambda b: (-(b.upper - b.lower), -b.size),
    lambda b: (-b.size * (b.upper - b.lower), b.lower),
    lambda b: (b.lower, -b.size),
)


def _height(buffers: Sequence[Buffer], offsets: Sequence[int]) -> int:
    return max((o + b.size for b, o in zip(buffers, offsets, strict=True)), default=0)


def _first_fit(buffers: Sequence[Buffer], key: Callable[[Buffer], tuple[int, ...]]) -> tuple[int, ...]:
    offsets: dict[int, int] = {}
    for index in sorted(range(len(buffers)), key=lambda i: key(buffers[i])):
        here = buffers[index]
        taken = sorted(
            (o, o + buffers[i].size)
            for i, o in offsets.items()
            if buffers[i].lower < here.upper and here.lower < buffers[i].upper
        )
        position = 0
        for start, end in taken:
            if start - position >= here.size:
                break
            position = max(position, end)
        offsets[index] = position
    return tuple(offsets[i] for i in range(len(buffers)))


def liveness_bound(buffers: Sequence[Buffer]) -> int:
    """The largest number of bytes alive at one step.

    >>> liveness_bound([Buffer("a", 0, 2, 4), Buffer("b", 1, 3, 4), Buffer("c", 2, 4, 4)])
    8
    """
    events = sorted(
        [(b.upper, 0, -b.size) for b in buffers] + [(b.lower, 1, b.size) for b in buffers]
    )  # what ends at a step is gone before what starts there
    alive = peak = 0
    for _, _, change in events:
        alive += change
        peak = max(peak, alive)
    return peak


def is_view(site: Site) -> bool:
    """True when the node only renames its input's memory: elements in their order, equal formats, no fused clamp."""
    block = site.node.block
    if not isinstance(block, Move) or not block.is_view or site.node.clamp is not None:
        return False
    return not site.input(0).is_constant and site.equal_formats


def storage_names(graph: Graph) -> dict[str, str]:
    """For each run-time tensor the tensor whose memory it uses: views share their input's."""
    names = {name: name for name in graph.sources}
    for node in graph.nodes:
        view = is_view(graph.site(node))
        for output in node.outputs:
            source = node.inputs[0] if view else ""
            names[output] = names.get(source, output) if view else output
    return names


def live_ranges(graph: Graph) -> list[Buffer]:
    """One buffer for each run-time tensor that owns memory, in bytes of one sample.

    Step i is node i. An input lives from step 0, an output to the end, a state throughout; a view keeps its input
    alive.
    """
    storage = storage_names(graph)
    first = dict.fromkeys(graph.sources, 0)
    last = dict.fromkeys(graph.sources, 1)
    for step, node in enumerate(graph.nodes):
        for name in node.outputs:
            owner = storage[name]
            first.setdefault(owner, step)
            last[owner] = max(last.get(owner, 0), step + 1)
        for name in node.inputs:
            if name in storage:
                last[storage[name]] = step + 1
    for name in (*graph.sinks, *(state.tensor for state in graph.states)):
        if name in storage:
            last[storage[name]] = max(len(graph.nodes), 1)
    return [Buffer(n, first[n], last[n], graph.tensors[n].stored_bytes) for n in first]
