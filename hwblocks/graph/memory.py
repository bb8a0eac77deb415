"""Memory: how long each run-time tensor lives, and plans that place the buffers in one arena."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import index
from typing import NamedTuple

from hwblocks.errors import InputError
from hwblocks.graph.arena_plan import EFFORT, Placement, place
from hwblocks.graph.block import Move
from hwblocks.graph.graph import Graph
from hwblocks.graph.plan_check import check_plan
from hwblocks.graph.site import Site

LARGEST = 1 << 62  # bytes of all buffers together, and steps
FIRST_FIT = 0  # effort that leaves a plan at first fit


class Buffer(NamedTuple):
    """A block of memory that is needed in the half-open interval [lower, upper) of steps; size in bytes."""

    id: str
    lower: int
    upper: int
    size: int


class Gap(NamedTuple):
    """How far a plan lies above the most bytes alive at once: in bytes, and as a share of them."""

    bytes: int
    share: float


@dataclass(frozen=True)
class MemoryPlan:
    """Where each buffer lies.

    buffers: sizes rounded up to the alignment. offsets: bytes from the arena's start, in the order of the buffers.
    size: bytes of the arena. bound: the most bytes alive at once; no plan can be smaller. proven: no plan is smaller
    than this, by the bound or by a search. method: how the plan was found.
    """

    buffers: tuple[Buffer, ...]
    offsets: tuple[int, ...]
    size: int
    bound: int
    proven: int
    method: str = ""

    @property
    def optimal(self) -> bool:
        """True when no plan can be smaller."""
        return self.size == self.proven

    @property
    def gap(self) -> Gap:
        """What the plan needs above the bound."""
        return Gap(self.size - self.bound, (self.size - self.bound) / self.bound if self.bound else 0.0)

    @property
    def proof(self) -> str:
        """How the size was found, and what is known about smaller ones."""
        if self.size == self.bound:
            return f"{self.method}: optimal, as many bytes are alive at once"
        if self.optimal:
            return f"{self.method}: optimal, the search shows that nothing smaller exists"
        return f"{self.method}: not proven, at least {self.proven:,} bytes are needed"


def plan_memory(
    buffers: Iterable[tuple[str, int, int, int]],
    capacity: int | None = None,
    align: int = 1,
    effort: int = EFFORT,
) -> MemoryPlan:
    """Place buffers (id, lower, upper, size) so that those alive together do not overlap.

    First fit in several orders, exchanges in the best of them, and a search: within `capacity` bytes if it is given,
    else for the smallest arena. The same plan on every machine.
    align: every offset is a multiple of it. effort: units of search, one for each buffer looked at, some 400 million a
    second; 0 leaves it at first fit.
    Errors: InputError for an empty lifetime, a negative size, and where no plan within `capacity` exists or is found.

    >>> m = plan_memory([("a", 0, 2, 4), ("b", 1, 3, 4), ("c", 2, 4, 4)])
    >>> m.offsets, m.size, m.bound, m.optimal
    ((0, 4, 0), 8, 8, True)
    """
    align, effort = _whole("align", align, 1), _whole("effort", effort, 0)
    capacity = None if capacity is None else _whole("capacity", capacity, 0)
    items = _checked(buffers, align)
    bound = liveness_bound(items)
    if capacity is not None and bound > capacity:
        raise InputError(_too_much_alive(items, bound, capacity))
    used = [i for i, item in enumerate(items) if item.size]
    alive = [items[i] for i in used]
    found = place([b.lower for b in alive], [b.upper for b in alive], [b.size for b in alive], capacity or 0, effort)
    if capacity is not None and found.size > capacity:
        raise InputError(_no_plan(found, capacity))
    offsets = dict(zip(used, found.offsets, strict=True))
    plan = MemoryPlan(
        items, tuple(offsets.get(i, 0) for i in range(len(items))), found.size, bound, found.proven, found.method
    )
    check_plan(plan.buffers, plan.offsets, plan.size, align)
    return plan


def _whole(name: str, value: int, least: int) -> int:
    """An integer argument. Errors: InputError for what is none or too small."""
    try:
        number = index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise InputError(f"{name}={value!r}: an integer from {least} on is needed")
    return number


def _checked(buffers: Iterable[tuple[str, int, int, int]], align: int) -> tuple[Buffer, ...]:
    """The buffers with sizes rounded up. Errors: InputError."""
    items = tuple(_buffer(row, align) for row in buffers)
    total = sum(item.size for item in items)
    if total >= LARGEST or any(not -LARGEST < step < LARGEST for item in items for step in item[1:3]):
        raise InputError(f"buffers of {total} bytes together: sizes and steps must stay below 2^62")
    return items


def _buffer(row: tuple[str, int, int, int], align: int) -> Buffer:
    try:
        name, lower, upper, size = row
        item = Buffer(str(name), index(lower), index(upper), -(-index(size) // align) * align)
    except (TypeError, ValueError):
        raise InputError(f"buffer {row!r}: (id, lower, upper, size) is needed, the last three integers") from None
    if item.upper <= item.lower or item.size < 0:
        raise InputError(f"buffer {item.id!r}: lives in [{item.lower}, {item.upper}) with {item.size} bytes")
    return item


def _too_much_alive(items: Sequence[Buffer], bound: int, capacity: int) -> str:
    step = next(b.lower for b in items if sum(o.size for o in items if o.lower <= b.lower < o.upper) == bound)
    alive = sorted((b for b in items if b.lower <= step < b.upper), key=lambda b: -b.size)
    names = ", ".join(f"{b.id!r} {b.size:,}" for b in alive[:4]) + (", ..." if len(alive) > 4 else "")
    return (
        f"step {step} alone needs {bound:,} bytes, {bound - capacity:,} more than the capacity of {capacity:,}: "
        f"alive are {names}; make a buffer smaller or shorter-lived, or the memory larger"
    )


def _no_plan(found: Placement, capacity: int) -> str:
    if found.proven > capacity:
        return (
            f"no plan fits the capacity of {capacity:,} bytes, shown by a search: at least {found.proven:,} are "
            f"needed; the plan found takes {found.size:,}"
        )
    return (
        f"no plan within the capacity of {capacity:,} bytes was found ({found.method}): the smallest takes "
        f"{found.size:,}, and at least {found.proven:,} are needed; a larger effort= searches longer"
    )


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
