"""Headroom: what the registers of a sum of products see on data, beside what they may see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.analysis.bounds import Bounds
from hwblocks.graph.contraction import Contraction
from hwblocks.graph.control import with_changed_bodies
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.site import Site, scalar_zero_point
from hwblocks.graph.tensor import Tensor
from hwblocks.numerics.accumulator import Accumulator, exact_matmul, peak
from hwblocks.numerics.overflow import Overflow, OverflowMode
from hwblocks.numerics.partial_sums import Products, Seen, k_order, partial_sums, unit_register
from hwblocks.simulate.execute import lower
from hwblocks.simulate.inputs import read_samples
from hwblocks.simulate.simulator import Simulator

Array = np.ndarray[Any, Any]
Progress = Callable[[int], None]

CHUNK = 32  # samples run at a time
WINDOW_ELEMENTS = 1 << 22  # elements of all windows of a layer that are held at a time


@dataclass
class Observed:
    """Lowest and highest value of one register per output channel, in its own LSBs."""

    lowest: Array
    highest: Array

    def add(self, other: Observed) -> None:
        """Count other samples in."""
        self.lowest = np.minimum(self.lowest, other.lowest)
        self.highest = np.maximum(self.highest, other.highest)

    @property
    def span(self) -> tuple[int, int]:
        """(lowest, highest) of all channels."""
        return int(self.lowest.min()), int(self.highest.max())


def observed(bounds: Bounds, inputs: Sequence[Array | None]) -> list[Observed]:
    """What each of a node's registers is asked to hold on stored codes [N · leading, ...]: the accumulator, the unit.

    The same values that the bounds are of: totals where the register wraps plainly, else every partial sum.
    """
    site, accumulator = bounds.site, bounds.accumulator
    lowered = lower(site, inputs)
    bias = inputs[2] if len(inputs) > 2 else None
    grouped = None if bias is None else lowered.grouped(bias.astype(np.int64))
    if accumulator.is_plain:
        total = exact_matmul(lowered.rows, lowered.columns)
        found = [_added(total, grouped)]
    else:
        found = [seen for seen in _followed(site, accumulator, lowered, grouped) if seen.lowest is not None]
    return [_per_channel(seen) for seen in found]


def _added(total: Array, bias: Array | None) -> Seen:
    if bias is not None:
        total = total.astype(object) + bias if peak(total) >= 1 << 62 else total + bias
    return Seen(total, total)


def _followed(site: Site, accumulator: Accumulator, lowered: Contraction, bias: Array | None) -> tuple[Seen, Seen]:
    """Every addition, for all elements at once; units hand on what they really hold."""
    rows, columns, correction = lowered.rows, lowered.columns, None
    if accumulator.zero_point == "correct":
        zero = scalar_zero_point(site.input(0).format)
        rows, correction = rows + zero, -zero * columns.sum(axis=-2, keepdims=True)
    parts = [part for part in (bias, correction) if part is not None]
    reach = rows.shape[-1] * peak(rows) * peak(columns) + sum(peak(part) for part in parts)
    dtype: Any = np.int64 if reach < 1 << 60 else object
    rows, columns = rows.astype(dtype), columns.astype(dtype)
    order = k_order(accumulator, lowered.k_shape)
    lead = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])
    shape = (1, *lead, rows.shape[-2], columns.shape[-1])

    def term(k: int) -> Array:
        return np.asarray(rows[..., order[k], None] * columns[..., None, order[k], :])[None]

    return partial_sums(
        Products(rows.shape[-1], term, lambda: np.zeros(shape, dtype)),
        accumulator,
        None if bias is None else bias.astype(dtype)[None],
        None if correction is None else correction.astype(dtype)[None],
        lambda value: _held(accumulator, value),
    )


def _held(accumulator: Accumulator, value: Array) -> Array:
    stage = unit_register(accumulator)
    assert stage is not None
    return np.asarray(stage[1].apply(value, stage[0], True)[0])


def _per_channel(seen: Seen) -> Observed:
    """Extremes over all axes but G and N of [..., G, M, N], as [G · N]."""
    assert seen.lowest is not None and seen.highest is not None
    axes = (*range(seen.lowest.ndim - 3), seen.lowest.ndim - 2)
    return Observed(seen.lowest.min(axis=axes).ravel(), seen.highest.max(axis=axes).ravel())


def observe(
    graph: Graph, bounds: Sequence[Bounds], x: Any, state: Any, threads: int | None, progress: Progress | None
) -> tuple[dict[str, list[Observed]], int]:
    """({node name: what each of its registers sees}, number of samples), running the graph as it is.

    A register that traps does not stop the run here. Nodes in loops and branches, other than scans, are not observed.
    """
    samples = read_samples(graph, x)
    own = [b for b in bounds if all(name in graph.traced for name in _inputs(b))]
    wanted = dict.fromkeys(name for b in own for name in _inputs(b))
    simulator = Simulator(_untrapped(graph), threads=threads)
    simulator.reset()
    found: dict[str, list[Observed]] = {}
    for start in range(0, samples.count, CHUNK):
        part = {name: array[start : start + CHUNK] for name, array in samples.arrays.items()}
        run = simulator.run(part, trace=list(wanted), state=state)
        for node in own:
            for inputs in _batches(graph, node, run.trace):
                _count_in(found, node.name, observed(node, inputs))
        if progress is not None:
            progress(len(next(iter(part.values()))))
    return found, samples.count


def _inside(bounds: Bounds) -> str:
    """What leads to the node's graph in names: "" or "scan0/body/"."""
    return bounds.name.removesuffix(bounds.site.node.name)


def _inputs(bounds: Bounds) -> list[str]:
    """The run-time inputs of a node as a trace names them."""
    return [_inside(bounds) + t.name for t in bounds.site.present if not t.is_constant]


def _count_in(found: dict[str, list[Observed]], name: str, seen: list[Observed]) -> None:
    if name not in found:
        found[name] = seen
        return
    for old, new in zip(found[name], seen, strict=True):
        old.add(new)


def _untrapped(graph: Graph) -> Graph:
    """The graph as it is, whatever its dialect, with wrap in place of trap: the same integers, without the stop."""

    def changed(node: Node) -> Node:
        record = node.arithmetic.accumulator if node.arithmetic else None
        if record is None or record.overflow.mode is not OverflowMode.TRAP:
            return node
        assert node.arithmetic is not None
        return node.replace(arithmetic=node.arithmetic.replace(accumulator=record.replace(overflow=Overflow("wrap"))))

    nodes = tuple(changed(node) for node in graph.nodes)
    return with_changed_bodies(graph.replace(nodes=nodes, dialect=""), lambda name, body: _untrapped(body))


def _batches(graph: Graph, bounds: Bounds, trace: Mapping[str, Array]) -> Iterator[list[Array | None]]:
    """The node's inputs, a few samples at a time: as many as keep the windows small, one where samples never join."""
    site, inside = bounds.site, _inside(bounds)
    count = len(trace[_inputs(bounds)[0]])
    groups, channels = bounds.operands.columns.shape[2], max(bounds.operands.channels, 1)
    windows = max(site.node.block.work(*site.shapes).macs * groups // channels, site.output.elements, 1)
    size = max(1, WINDOW_ELEMENTS // windows) if graph.batched else 1
    for start in range(0, count, size):
        stop = min(start + size, count)
        yield [None if t is None else _part(t, inside, trace, start, stop) for t in site.inputs]


def _part(tensor: Tensor, inside: str, trace: Mapping[str, Array], start: int, stop: int) -> Array:
    if tensor.value is not None:
        return tensor.value
    part = trace[inside + tensor.name][start:stop]
    if not tensor.shape:
        return part.reshape(())
    return part.reshape(-1, *tensor.shape[1:])
