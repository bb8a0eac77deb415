"""Reordering: an order of a graph's nodes in which as few bytes as possible are alive at once.

The bytes alive after some nodes have run depend on which these are, not on their order: so the best order is a path
through the sets of executed nodes whose largest step is smallest, found best first. Sets are bit masks of nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from hwblocks.graph.control import Control
from hwblocks.graph.graph import Graph
from hwblocks.graph.memory import live_ranges, liveness_bound, storage_names

MOST_SETS = 20_000  # sets of executed nodes that are looked at, some seconds: about 20 nodes side by side


@dataclass(frozen=True, eq=False)
class Ordered:
    """A graph in its new order. proven: no order has a smaller bound. sets: of executed nodes that were looked at."""

    graph: Graph
    bound: int
    proven: bool
    sets: int


def reordered(graph: Graph, most_sets: int = MOST_SETS) -> Ordered:
    """The graph with its nodes in an order of the smallest liveness bound.

    Exact where at most `most_sets` sets of executed nodes have to be looked at; else the better of the given order and
    a greedy one, which takes the node that leaves the fewest bytes alive.
    """
    flow = _Flow.of(graph)
    order = min((list(range(len(graph.nodes))), _greedy(flow)), key=flow.peak)
    sets, proven = 0, flow.peak(order) <= flow.least()
    if not proven:
        found, sets, proven = _best_first(flow, flow.peak(order), most_sets)
        order = found or order
    made = graph.replace(nodes=tuple(graph.nodes[i] for i in order))
    return Ordered(made, liveness_bound(live_ranges(made)), proven, sets)


@dataclass(frozen=True)
class _Sets:
    """What has run: the nodes, those that may run next, bytes alive."""

    done: int
    ready: int
    alive: int


@dataclass(frozen=True, eq=False)
class _Flow:
    """Nodes and the storages that they make and read.

    needs, next: nodes right before (a mask) and after each. making: bytes of the storages that a node makes; dying:
    those of them that nothing reads. frees: for each node the storages that it reads, as (mask of all readers, bytes).
    least_at: bytes that a node needs in every order. inner: bytes of a control block's bodies. start: bytes alive
    before the first node; unread: of inputs that nothing reads, alive at the first.
    """

    needs: list[int]
    next: list[list[int]]
    making: list[int]
    dying: list[int]
    frees: list[list[tuple[int, int]]]
    least_at: list[int]
    inner: list[int]
    start: int
    unread: int

    @staticmethod
    def of(graph: Graph) -> _Flow:
        """The flow of a graph."""
        storage, maker = storage_names(graph), {n: i for i, node in enumerate(graph.nodes) for n in node.outputs}
        kept = {storage[n] for n in (*graph.sinks, *(s.tensor for s in graph.states)) if n in storage}
        size = {name: graph.tensors[name].stored_bytes for name in storage.values()}
        read = [{storage[n] for n in node.inputs if n in storage} for node in graph.nodes]
        made = [[n for n in node.outputs if storage[n] == n] for node in graph.nodes]
        readers = {name: sum(1 << i for i, names in enumerate(read) if name in names) for name in size}
        before = [{maker[n] for n in node.inputs if n in maker} for node in graph.nodes]
        always = {n for n in graph.sources if n in kept}
        sources = [n for n in graph.sources if readers[n] or n in kept]
        inner = [_inner_bytes(node.block) for node in graph.nodes]
        return _Flow(
            [sum(1 << m for m in makers) for makers in before],
            [[j for j, makers in enumerate(before) if i in makers] for i in range(len(before))],
            [sum(size[n] for n in names) for names in made],
            [sum(size[n] for n in names if not readers[n] and n not in kept) for names in made],
            [[(readers[n], size[n]) for n in sorted(names) if n not in kept] for names in read],
            [sum(size[n] for n in {*m, *r, *always}) + b for m, r, b in zip(made, read, inner, strict=True)],
            inner,
            sum(size[n] for n in sources),
            sum(size[n] for n in graph.sources if n not in sources),
        )

    @property
    def empty(self) -> _Sets:
        """Before the first node."""
        return _Sets(0, sum(1 << i for i, needs in enumerate(self.needs) if not needs), self.start)

    def cost(self, i: int, sets: _Sets) -> tuple[int, int]:
        """(bytes alive while a node runs, bytes alive after it)."""
        full = sets.alive + self.making[i]
        waiting = ~(sets.done | 1 << i)
        gone = self.dying[i] + sum(size for readers, size in self.frees[i] if not readers & waiting)
        return full + self.inner[i] + (0 if sets.done else self.unread), full - gone

    def after(self, i: int, sets: _Sets, alive: int) -> _Sets:
        """What has run after one more node, which leaves these bytes alive."""
        done, ready = sets.done | 1 << i, sets.ready & ~(1 << i)
        for j in self.next[i]:
            if not self.needs[j] & ~done:
                ready |= 1 << j
        return _Sets(done, ready, alive)

    def peak(self, order: Iterable[int]) -> int:
        """The most bytes alive while the nodes run in an order."""
        sets, most = self.empty, 0
        for i in order:
            during, alive = self.cost(i, sets)
            sets, most = self.after(i, sets, alive), max(most, during)
        return most

    def least(self) -> int:
        """Bytes that some node needs in every order: what it reads and makes, and what always lives."""
        return max(self.least_at, default=0)


def _inner_bytes(block: object) -> int:
    if not isinstance(block, Control):
        return 0
    return max(liveness_bound(live_ranges(body)) for body in block.bodies.values())


def _members(mask: int) -> Iterator[int]:
    """The nodes of a mask, the first first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _best_first(flow: _Flow, given: int, most_sets: int) -> tuple[list[int] | None, int, bool]:
    """(an order below `given` bytes or None where there is none, sets looked at, True when that is proven)."""
    full = (1 << len(flow.needs)) - 1
    # the most bytes so far, −nodes done, their set; what has run, the set before and the nodes taken since
    waiting: list[tuple[int, int, int, _Sets, int, tuple[int, ...]]] = [(0, 0, 0, flow.empty, 0, ())]
    came: dict[int, tuple[int, tuple[int, ...]]] = {}
    while waiting:
        most, count, done, sets, before, taken = heappop(waiting)
        if done in came:
            continue
        if len(came) >= most_sets:
            return None, len(came), False
        came[done] = (before, taken)
        if done == full:
            return _path(came, done), len(came), True
        for i in _members(sets.ready):
            during, alive = flow.cost(i, sets)
            peak = max(most, during)
            if peak >= given:
                continue
            then, more = _harmless(flow, flow.after(i, sets, alive), peak)
            if then.done not in came:
                heappush(waiting, (peak, count - 1 - len(more), then.done, then, done, (i, *more)))
    return None, len(came), True


def _harmless(flow: _Flow, sets: _Sets, most: int) -> tuple[_Sets, list[int]]:
    """Run what may run at once whatever comes later: it needs no more than `most` and leaves no more than before."""
    taken: list[int] = []
    found = True
    while found:
        found = False
        for i in _members(sets.ready):
            during, alive = flow.cost(i, sets)
            if during <= most and alive <= sets.alive:
                sets, found = flow.after(i, sets, alive), True
                taken.append(i)
                break
    return sets, taken


def _path(came: dict[int, tuple[int, tuple[int, ...]]], done: int) -> list[int]:
    """The nodes that led to a set."""
    order: list[int] = []
    while done:
        done, taken = came[done]
        order[:0] = taken
    return order


def _greedy(flow: _Flow) -> list[int]:
    """Always the node that leaves the fewest bytes alive, of equal ones the first."""
    order: list[int] = []
    sets = flow.empty
    while sets.ready:
        alive, _, i = min((*reversed(flow.cost(i, sets)), i) for i in _members(sets.ready))
        order.append(i)
        sets = flow.after(i, sets, alive)
    return order
