"""Difference: one model under two dialects: which layers differ, by how much, and by which mechanism."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hwblocks.graph.block import Pointwise
from hwblocks.graph.control import Control
from hwblocks.graph.dialect import Dialect
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.requantize import Requantize
from hwblocks.simulate.inputs import read_samples
from hwblocks.simulate.simulator import Run, Simulator
from hwblocks.table import Column, Result, Section, Table

Array = np.ndarray[Any, Any]
Swap = Callable[[Arithmetic, Arithmetic], Arithmetic]
Progress = Callable[[int], None]

CHUNK = 32  # samples compared at a time
EXPLAINED_LAYERS = 16  # layers whose cause is looked for
NARROW = ("q16", "fixed")  # schemes whose multipliers are short


@dataclass
class Layer:
    """Counts of one tensor that both dialects make."""

    tensor: str
    block: str
    elements: int = 0
    differing: int = 0
    fresh: int = 0
    largest: float = 0.0
    cause: str = ""
    explained: dict[str, float] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """The layer as a row of the result's table."""
        percent = 100 * self.differing / max(self.elements, 1)
        propagated = max(self.differing - self.fresh, 0)
        return {**vars(self), "differing_percent": percent, "propagated": propagated}


COLUMNS = (
    Column("tensor", "tensor"),
    Column("block", "block"),
    Column("elements", "elements"),
    Column("differing", "differing"),
    Column("differing_percent", "differing", "%", ".3f", bar=True),
    Column("largest", "largest difference", format="g"),
    Column("fresh", "fresh"),
    Column("propagated", "propagated"),
    Column("cause", "cause"),
)


@dataclass(frozen=True)
class Difference(Result):
    """Two dialects on one model.

    layers: one row per tensor that both make, in execution order. fresh: elements that differ although the layer was
    fed with the first dialect's inputs; propagated: the others. cause: the mechanism that explains the fresh ones.
    first_layer: the first tensor that differs (None: all are equal). fused: nodes that only one of the two runs.
    """

    schema = "difference"
    model: str = ""
    first: str = ""
    second: str = ""
    samples: int = 0
    layers: Table = Table("", (), ())
    first_layer: str | None = None
    fused: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """True when no tensor differs."""
        return self.first_layer is None

    def layer(self, tensor: str) -> Mapping[str, Any]:
        """The row of a tensor."""
        return next(row for row in self.layers if row["tensor"] == tensor)

    def content(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "first": self.first,
            "second": self.second,
            "samples": self.samples,
            "equal": self.equal,
            "first_layer": self.first_layer,
            "fused": list(self.fused),
            "layers": [dict(row) for row in self.layers],
        }

    def sections(self) -> Sequence[Section]:
        facts = [("samples", f"{self.samples:,}"), ("first differing tensor", self.first_layer or "none")]
        if self.first_layer:
            facts.append(("cause there", str(self.layer(self.first_layer)["cause"]) or "not found"))
        if self.fused:
            facts.append(("nodes that only one of the two runs", str(len(self.fused))))
        return (Section(f"{self.first} against {self.second}: {self.model}", "", tuple(facts), (self.layers,)),)


def diff_graph(
    graph: Graph,
    x: Any,
    first: str | Dialect,
    second: str | Dialect,
    *,
    state: str = "reset",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Difference:
    """Run a graph under two dialects and compare every tensor that both make."""
    pair = _Pair(Simulator(graph, first, threads=threads), Simulator(graph, second, threads=threads), state)
    samples = read_samples(graph, x)
    for start in range(0, samples.count, CHUNK):
        part = {name: array[start : start + CHUNK] for name, array in samples.arrays.items()}
        pair.compare(part)
        if progress is not None:
            progress(len(next(iter(part.values()))))
    rows = tuple(layer.row() for layer in pair.layers.values())
    differing = next((row["tensor"] for row in rows if row["differing"]), None)
    names = tuple(d if isinstance(d, str) else d.name for d in (first, second))
    return Difference(
        model=graph.name,
        first=names[0],
        second=names[1],
        samples=samples.count,
        layers=Table("layers", COLUMNS, rows),
        first_layer=differing,
        fused=pair.only_one,
    )


@dataclass(eq=False)
class _Pair:
    """Both simulators, and what was counted so far."""

    first: Simulator
    second: Simulator
    state: str
    layers: dict[str, Layer] = field(default_factory=dict)
    looked: int = 0

    @property
    def only_one(self) -> tuple[str, ...]:
        """Nodes that one graph has and the other has not."""
        ours, theirs = ({n.name for n in s.graph.nodes} for s in (self.first, self.second))
        return tuple(n.name for s in (self.first, self.second) for n in s.graph.nodes if n.name in ours ^ theirs)

    def compare(self, part: dict[str, Array]) -> None:
        """Count one chunk of samples in."""
        runs = [s.run(part, trace="full", state=self.state) for s in (self.first, self.second)]
        for node in self.second.graph.nodes:
            for name in node.outputs:
                if name in runs[0].trace and name in runs[1].trace:
                    self._tensor(node, name, *runs)

    def _tensor(self, node: Node, name: str, first: Run, second: Run) -> None:
        a, b = first.trace[name], second.trace[name]
        if a.dtype != b.dtype:
            a, b = first.trace.real(name), second.trace.real(name)
        layer = self.layers.setdefault(name, Layer(name, node.type_name))
        unequal = a != b
        layer.elements += a.size
        layer.differing += int(np.count_nonzero(unequal))
        if not unequal.any():
            return
        wide = np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64))
        layer.largest = max(layer.largest, float(wide.max()))
        self._fresh(layer, node, name, first)

    def _fresh(self, layer: Layer, node: Node, name: str, run: Run) -> None:
        """Elements that differ when the second dialect's node gets the first dialect's inputs."""
        graph = self.second.graph
        inputs = [n for n in node.inputs if n and not graph.tensors[n].is_constant]
        if any(n not in run.trace or run.trace[n].dtype != graph.tensors[n].format.dtype for n in inputs):
            layer.cause = layer.cause or "fusion: its inputs exist in one of the two graphs only"
            return
        wanted = run.trace[name]
        fed = {n: run.trace[n] for n in inputs}
        made = alone(graph, node, fed, name)
        fresh = made != wanted if made.dtype == wanted.dtype else np.ones(wanted.shape, bool)
        layer.fresh += int(np.count_nonzero(fresh))
        if fresh.any() and not layer.explained and self.looked < EXPLAINED_LAYERS:
            self.looked += 1
            self._explain(layer, node, fed, name, made, fresh)

    def _explain(self, layer: Layer, node: Node, fed: dict[str, Array], name: str, made: Array, fresh: Array) -> None:
        """Swap one mechanism at a time in the first dialect's node, and see which makes the second's codes."""
        mine = self.first.graph.producer.get(name)
        if mine is None or mine.type_name != node.type_name or mine.inputs != node.inputs:
            layer.cause, layer.explained = "fusion", {"fusion": 1.0}
            return
        for mechanism, changed in swapped_nodes(mine, node):
            swapped = alone(self.first.graph, changed, fed, name)
            layer.explained[mechanism] = float(np.mean(swapped[fresh] == made[fresh]))
        if layer.explained:
            best = max(layer.explained, key=lambda key: layer.explained[key])
            layer.cause = f"{best} ({100 * layer.explained[best]:.0f} % of {np.count_nonzero(fresh)} elements)"


def alone(graph: Graph, node: Node, fed: dict[str, Array], output: str) -> Array:
    """One output of a node by itself, on given inputs [N, *shape]."""
    names = [n for n in (*node.inputs, *node.outputs) if n]
    single = Graph(
        graph.name,
        {n: graph.tensors[n] for n in names},
        (node,),
        tuple(dict.fromkeys(n for n in node.inputs if n in fed)),
        node.outputs,
    )
    return Simulator(single).run(fed, trace="full").trace[output]


def swapped_nodes(mine: Node, theirs: Node) -> Iterator[tuple[str, Node]]:
    """The mechanisms in which two nodes differ, each with my node when that one alone is the other's; of a control
    block those of the nodes in its bodies.
    """
    if not isinstance(mine.block, Control) or not isinstance(theirs.block, Control):
        ours, others = mine.arithmetic or Arithmetic(), theirs.arithmetic or Arithmetic()
        for mechanism, swap in mechanisms(mine, ours, others):
            yield mechanism, mine.replace(arithmetic=swap(ours, others))
        return
    for part, body in mine.block.bodies.items():
        for inner in body.nodes:
            other = theirs.block.bodies[part].producer.get(inner.outputs[0])
            if other is None or other.type_name != inner.type_name or other.inputs != inner.inputs:
                continue
            for mechanism, changed in swapped_nodes(inner, other):
                nodes = tuple(changed if node is inner else node for node in body.nodes)
                swapped = mine.block.with_body(part, body.replace(nodes=nodes))
                yield f"{mechanism} in {part}/{inner.name}", mine.replace(block=swapped)


def mechanisms(node: Node, ours: Arithmetic, theirs: Arithmetic) -> Iterator[tuple[str, Swap]]:
    """The mechanisms in which two arithmetics of a node differ, each with the swap of that one alone."""
    a, b = ours.requantize or Requantize(), theirs.requantize or Requantize()
    if ours.requantize is None and theirs.requantize is not None:
        yield "rounding step", lambda x, y: x.replace(requantize=y.requantize, tail=y.tail, lanes=y.lanes)
    elif theirs.requantize is not None:
        if steps(ours) != steps(theirs):
            narrow = a.scheme in NARROW or b.scheme in NARROW
            yield "multiplier width" if narrow else "rounding step", swap_steps
        for name, fields in (
            ("scale precision", ("scale_precision", "scale_order")),
            ("zero point inside the rounding", ("zero_point", "fma")),
        ):
            if any(getattr(a, f) != getattr(b, f) for f in fields):
                yield name, swap_fields(fields)
    if ours.accumulator != theirs.accumulator:
        saturates = any("sat" in str(r.accumulator) for r in (ours, theirs))
        yield "pair saturation" if saturates else "accumulator", lambda x, y: x.replace(accumulator=y.accumulator)
    if (ours.algorithm, ours.table) != (theirs.algorithm, theirs.table):
        curve = isinstance(node.block, Pointwise) or node.type_name in ("Softmax", "LSTM")
        title = "activation table" if curve else "algorithm"
        yield title, lambda x, y: x.replace(algorithm=y.algorithm, table=y.table, requantize=y.requantize)
    if ours.edge != theirs.edge:
        yield "edge rule", lambda x, y: x.replace(edge=y.edge)


def steps(arithmetic: Arithmetic) -> tuple[Any, ...]:
    """What makes the rounding steps of a requantization."""
    r = arithmetic.requantize or Requantize()
    return r.scheme, r.multiplier_bits, r.rounding, r.first_rounding, arithmetic.tail, arithmetic.lanes


def swap_steps(ours: Arithmetic, theirs: Arithmetic) -> Arithmetic:
    """The other's rounding steps, with one's own scale precision and place of the zero point."""
    a, b = ours.requantize or Requantize(), theirs.requantize or Requantize()
    kept = {name: getattr(a, name) for name in ("scale_precision", "scale_order", "zero_point", "fma")}
    return ours.replace(requantize=replace(b, **kept), tail=theirs.tail, lanes=theirs.lanes)


def swap_fields(fields: tuple[str, ...]) -> Swap:
    """A swap of some fields of the requantization."""

    def swap(ours: Arithmetic, theirs: Arithmetic) -> Arithmetic:
        a, b = ours.requantize or Requantize(), theirs.requantize or Requantize()
        return ours.replace(requantize=replace(a, **{name: getattr(b, name) for name in fields}))

    return swap
