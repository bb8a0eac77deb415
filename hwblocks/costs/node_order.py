"""Reordering: an order of a graph's nodes in which as few bytes as possible are alive at once.

The bytes alive after some nodes have run depend on which these are, not on their order: so the best order is a path
through the sets of executed nodes whose largest step is smallest, found best first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from hwblocks.graph.control import Control
from hwblocks.graph.graph import Graph
from hwblocks.graph.memory import live_ranges, liveness_bound, storage_names

MOST_SETS = 50_000  # sets of executed nodes that are looked at; about 20 independent chains of some nodes


# The most bytes so far, −nodes done, their set, bytes alive after them; the set before and the nodes taken since.
_Step = tuple[int, int, int, int, int, tuple[int, ...]]


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
    given = flow.peak(range(len(graph.nodes)))
    best, order, sets, proven = given, list(range(len(graph.nodes))), 0, given <= flow.least()
    if not proven:
        found, sets, proven = _best_first(flow, given, most_sets)
        found = found if proven else _greedy(flow)
        if found is not None and flow.peak(found) < best:
            best, order = flow.peak(found), found
    made = graph.replace(nodes=tuple(graph.nodes[i] for i in order))
    bound = liveness_bound(live_ranges(made))
    return Ordered(made, bound, proven or best <= flow.least(), sets)


@dataclass(frozen=True, eq=False)
class _Flow:
    """Nodes and storages as bit masks.

    needs, next: nodes before and after a node. made, read: storages that a node makes and reads. size, readers: of each
    storage, the readers as a mask of nodes. kept: storages that outlive the nodes. start: bytes alive before the first;
    unread: of inputs that nothing reads, alive at the first. inner: bytes that a control block's bodies need.
    """

    needs: list[int]
    next: list[list[int]]
    made: list[list[int]]
    read: list[list[int]]
    size: list[int]
    readers: list[int]
    kept: list[bool]
    start: int
    unread: int
    inner: list[int]

    @staticmethod
    def of(graph: Graph) -> _Flow:
        """The flow of a graph."""
        storage = storage_names(graph)
        names = list(dict.fromkeys(storage.values()))
        number = {name: i for i, name in enumerate(names)}
        maker = {name: i for i, node in enumerate(graph.nodes) for name in node.outputs}
        readers, needs = [0] * len(names), []
        for i, node in enumerate(graph.nodes):
            needs.append(sum(1 << m for m in {maker[n] for n in node.inputs if n in maker}))
            for name in node.inputs:
                if name in storage:
                    readers[number[storage[name]]] |= 1 << i
        kept = {storage[n] for n in (*graph.sinks, *(s.tensor for s in graph.states)) if n in storage}
        size = [graph.tensors[name].stored_bytes for name in names]
        sources = sum(size[number[n]] for n in graph.sources)
        start = sum(size[number[n]] for n in graph.sources if readers[number[n]] or n in kept)
        count = range(len(graph.nodes))
        return _Flow(
            needs,
            [[j for j in count if needs[j] >> i & 1] for i in count],
            [[number[n] for n in node.outputs if storage[n] == n] for node in graph.nodes],
            [sorted({number[storage[n]] for n in node.inputs if n in storage}) for node in graph.nodes],
            size,
            readers,
            [name in kept for name in names],
            start,
            sources - start,
            [_inner_bytes(node.block) for node in graph.nodes],
        )

    def run(self, i: int, done: int, alive: int) -> tuple[int, int]:
        """(bytes alive while a node runs, and after it)."""
        after = alive + sum(self.size[s] for s in self.made[i])
        during = after + self.inner[i] + (0 if done else self.unread)
        done |= 1 << i
        gone = sum(self.size[s] for s in self.read[i] if not self.kept[s] and not self.readers[s] & ~done)
        gone += sum(self.size[s] for s in self.made[i] if not self.readers[s] and not self.kept[s])
        return during, after - gone

    def ready(self, done: int) -> Iterator[int]:
        """Nodes whose inputs are there."""
        return (i for i, needs in enumerate(self.needs) if not done >> i & 1 and not needs & ~done)

    def peak(self, order: Iterator[int] | range | list[int]) -> int:
        """The most bytes alive while the nodes run in an order."""
        done, alive, most = 0, self.start, 0
        for i in order:
            during, alive = self.run(i, done, alive)
            done, most = done | 1 << i, max(most, during)
        return most

    def least(self) -> int:
        """Bytes that some node needs in every order: what it reads and makes, and what always lives."""
        always = [s for s, kept in enumerate(self.kept) if kept and not any(s in made for made in self.made)]
        return max(
            (
                sum(self.size[s] for s in {*self.made[i], *self.read[i], *always}) + self.inner[i]
                for i in range(len(self.needs))
            ),
            default=0,
        )


def _inner_bytes(block: object) -> int:
    if not isinstance(block, Control):
        return 0
    return max(liveness_bound(live_ranges(body)) for body in block.bodies.values())


def _best_first(flow: _Flow, given: int, most_sets: int) -> tuple[list[int] | None, int, bool]:
    """(an order below `given` bytes or None where there is none, sets looked at, True when that is proven)."""
    full = (1 << len(flow.needs)) - 1
    waiting: list[_Step] = [(0, 0, 0, flow.start, 0, ())]
    came: dict[int, tuple[int, tuple[int, ...]]] = {}
    while waiting:
        most, count, done, alive, before, taken = heappop(waiting)
        if done in came:
            continue
        if len(came) >= most_sets:
            return None, len(came), False
        came[done] = (before, taken)
        if done == full:
            return _path(came, done), len(came), True
        for i in flow.ready(done):
            step = _extended(flow, i, done, alive, most)
            if step[0] < given and step[2] not in came:
                heappush(waiting, (step[0], count - len(step[-1]), *step[2:]))
    return None, len(came), True


def _extended(flow: _Flow, i: int, done: int, alive: int, most: int) -> _Step:
    """The step by node i, and then by all nodes that are harmless."""
    during, after = flow.run(i, done, alive)
    peak, taken, left = max(most, during), [i], done | 1 << i
    for j in _harmless(flow, left, after, peak):
        taken.append(j)
        after = flow.run(j, left, after)[1]
        left |= 1 << j
    return peak, 0, left, after, done, tuple(taken)


def _harmless(flow: _Flow, done: int, alive: int, most: int) -> Iterator[int]:
    """Nodes that may run at once whatever comes later: they need no more than `most` and leave no more than before."""
    found: int | None = -1
    while found is not None:
        found = None
        for i in flow.ready(done):
            during, after = flow.run(i, done, alive)
            if during <= most and after <= alive:
                yield i
                found, done, alive = i, done | 1 << i, after
                break


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
    done, alive = 0, flow.start
    while len(order) < len(flow.needs):
        after, _, i = min((*reversed(flow.run(i, done, alive)), i) for i in flow.ready(done))
        order.append(i)
        done, alive = done | 1 << i, after
    return order
