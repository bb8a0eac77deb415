"""A layered layout of directed graphs without cycles: levels by longest path, few crossings, straight long edges.

Steps (K. Sugiyama, S. Tagawa, M. Toda 1981): every node gets the level of its longest path from a start; an edge over
several levels is cut by bends; the order on each level follows the mean of the neighbours' places, sweeping down and
up; then places become coordinates, as near to the neighbours' mean as the widths allow. Equal input, equal layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 12  # for the order on the levels, and again for the coordinates
GAP_X, GAP_Y, BEND = 18.0, 26.0, 10.0  # between boxes, between levels, and the width kept free for a bend

Level = list[int]


@dataclass(frozen=True)
class Layout:
    """Centres of the boxes, for each edge the points it passes (from box to box), and the size of the drawing."""

    centres: tuple[tuple[float, float], ...]
    paths: tuple[tuple[tuple[float, float], ...], ...]
    width: float
    height: float


@dataclass
class _Layered:
    """Boxes and bends: sizes, level by vertex, neighbours above and below, vertices of each level in their order."""

    widths: list[float]
    heights: list[float]
    level: list[int]
    above: list[list[int]]
    below: list[list[int]]
    levels: list[Level]
    chains: list[list[int]]  # for each edge its vertices from source to target


def layered(sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]) -> Layout:
    """Place boxes of the given (width, height); edges are (source, target) and lead from sources before targets.

    >>> layered([(40, 20), (40, 20)], [(0, 1)]).centres
    ((20.0, 10.0), (20.0, 56.0))
    """
    if not sizes:
        return Layout((), (), 0.0, 0.0)
    graph = _with_bends(sizes, edges, _levels(len(sizes), edges))
    _order(graph)
    x = _coordinates(graph)
    y = _heights(graph)
    left = min(x[v] - graph.widths[v] / 2 for v in range(len(x)))
    x = [value - left for value in x]
    right = max(x[v] + graph.widths[v] / 2 for v in range(len(x)))
    bottom = max(y[v] + graph.heights[v] / 2 for v in range(len(y)))
    paths = tuple(_path(graph, chain, x, y) for chain in graph.chains)
    return Layout(tuple(zip(x, y, strict=True))[: len(sizes)], paths, right, bottom)


def _levels(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Longest path from a start; then what nothing leads to moves down to just above its first reader."""
    below: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for source, target in edges:
        below[source].append(target)
        waiting[target] += 1
    starts = [v for v in range(count) if not waiting[v]]
    level, ready = [0] * count, list(starts)
    for vertex in ready:  # grows while it is read
        for target in below[vertex]:
            level[target] = max(level[target], level[vertex] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for vertex in starts:
        if below[vertex]:
            level[vertex] = min(level[target] for target in below[vertex]) - 1
    return level


def _with_bends(sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]], level: list[int]) -> _Layered:
    widths, heights = [float(w) for w, _ in sizes], [float(h) for _, h in sizes]
    level, chains = list(level), []
    for source, target in edges:
        chain = [source]
        for step in range(level[source] + 1, level[target]):
            chain.append(len(level))
            level.append(step)
            widths.append(BEND)
            heights.append(0.0)
        chains.append([*chain, target])
    above: list[list[int]] = [[] for _ in level]
    below: list[list[int]] = [[] for _ in level]
    for chain in chains:
        for first, second in pairwise(chain):
            below[first].append(second)
            above[second].append(first)
    levels: list[Level] = [[] for _ in range(max(level) + 1)]
    for vertex in _depth_first(level, above, below):
        levels[level[vertex]].append(vertex)
    return _Layered(widths, heights, level, above, below, levels, chains)


def _depth_first(level: list[int], above: list[list[int]], below: list[list[int]]) -> list[int]:
    """All vertices, branch by branch, so that branches start beside each other without crossings."""
    seen: set[int] = set()
    found = []
    for start in sorted((v for v in range(len(level)) if not above[v]), key=lambda v: (level[v], v)):
        stack = [start]
        while stack:
            vertex = stack.pop()
            if vertex not in seen:
                seen.add(vertex)
                found.append(vertex)
                stack += reversed(below[vertex])
    return found


def _order(graph: _Layered) -> None:
    """Sweep down and up, each level sorted by the mean place of its neighbours; keep the best order seen."""
    best, fewest = [list(level) for level in graph.levels], crossings(graph.levels, graph.below)
    place = {v: i for level in graph.levels for i, v in enumerate(level)}
    for sweep in range(SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        neighbours = graph.above if down else graph.below
        for level in graph.levels if down else reversed(graph.levels):
            means = {v: _mean([place[n] for n in neighbours[v]], place[v]) for v in level}
            level.sort(key=lambda v, means=means: (means[v], place[v]))  # type: ignore[misc]
            place.update((v, i) for i, v in enumerate(level))
        count = crossings(graph.levels, graph.below)
        if count < fewest:
            best, fewest = [list(level) for level in graph.levels], count
    graph.levels = best


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def crossings(levels: Sequence[Level], below: Sequence[Sequence[int]]) -> int:
    """Pairs of edges between neighbouring levels that cross: inversions of the targets' places, counted in a tree.

    >>> crossings([[0, 1], [2, 3]], [[3], [2], [], []])
    1
    """
    total = 0
    for upper, lower in pairwise(levels):
        place = {v: i for i, v in enumerate(lower)}
        ends = [p for v in upper for p in sorted(place[n] for n in below[v])]
        tree = [0] * (len(lower) + 1)
        for seen, end in enumerate(ends):
            at, smaller = end + 1, 0
            while at:  # how many of the earlier ends are not to the right of this one
                smaller += tree[at]
                at &= at - 1
            total += seen - smaller
            at = end + 1
            while at <= len(lower):
                tree[at] += 1
                at += at & -at
    return total


def _coordinates(graph: _Layered) -> list[float]:
    """x of every vertex: sweeps that move each level to its neighbours' means, widths and order kept."""
    x = [0.0] * len(graph.level)
    for level in graph.levels:
        for vertex, value in zip(level, _spread(graph, level, [0.0] * len(level)), strict=True):
            x[vertex] = value
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for level in graph.levels if down else reversed(graph.levels):
            wanted = [_wanted(graph, v, x, down) for v in level]
            for vertex, value in zip(level, _spread(graph, level, wanted), strict=True):
                x[vertex] = value
    return x


def _wanted(graph: _Layered, vertex: int, x: list[float], down: bool) -> float:
    near = graph.above[vertex] if down else graph.below[vertex]
    return _mean([x[n] for n in near], x[vertex])


def _spread(graph: _Layered, level: Level, wanted: Sequence[float]) -> list[float]:
    """The places nearest to the wanted ones (least squares) at which neighbours do not touch.

    Shifted by the space that the boxes before it need, each place must not be left of the one before it: what is wanted
    is made to rise by pooling neighbours that do not (pool adjacent violators).
    """
    offsets = [0.0]
    for first, second in pairwise(level):
        offsets.append(offsets[-1] + (graph.widths[first] + graph.widths[second]) / 2 + GAP_X)
    pools: list[tuple[float, int]] = []  # (mean, members)
    for want, offset in zip(wanted, offsets, strict=True):
        mean, members = want - offset, 1
        while pools and pools[-1][0] > mean:
            other, count = pools.pop()
            mean, members = (mean * members + other * count) / (members + count), members + count
        pools.append((mean, members))
    placed = [mean for mean, members in pools for _ in range(members)]
    return [value + offset for value, offset in zip(placed, offsets, strict=True)]


def _heights(graph: _Layered) -> list[float]:
    y, top = [0.0] * len(graph.level), 0.0
    for level in graph.levels:
        tall = max((graph.heights[v] for v in level), default=0.0)
        for vertex in level:
            y[vertex] = top + tall / 2
        top += tall + GAP_Y
    return y


def _path(graph: _Layered, chain: list[int], x: list[float], y: list[float]) -> tuple[tuple[float, float], ...]:
    """From the lower side of the source through the bends to the upper side of the target."""
    first, last = chain[0], chain[-1]
    start = (x[first], y[first] + graph.heights[first] / 2)
    end = (x[last], y[last] - graph.heights[last] / 2)
    return (start, *((x[v], y[v]) for v in chain[1:-1]), end)
