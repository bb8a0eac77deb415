"""Difference: one model under two dialects: which layers differ, by how much, and by which mechanism."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hwblocks.analysis.mechanisms import swapped_nodes
from hwblocks.graph.dialect import Dialect
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.simulate.inputs import read_samples
from hwblocks.simulate.simulator import Run, Simulator
from hwblocks.table import Column, Result, Section, Table

Array = np.ndarray[Any, Any]
Progress = Callable[[int], None]

CHUNK = 32  # samples compared at a time
EXPLAINED_LAYERS = 16  # layers whose cause is looked for
ENOUGH = 256  # fresh elements of a layer that a cause rests on


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
    detail: str = ""
    examined: int = 0
    explained: dict[str, int] = field(default_factory=dict)

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
    Column("detail", "from → to"),
)


@dataclass(frozen=True)
class Difference(Result):
    """Two dialects on one model.

    layers: one row per tensor that both make, in execution order. fresh: elements that differ although the layer was
    fed with the first dialect's inputs; propagated: the others. cause: the mechanism that explains the fresh ones, and
    detail: what it is in the first and in the second dialect.
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
        if fresh.any() and layer.examined < ENOUGH and (layer.examined or self.looked < EXPLAINED_LAYERS):
            self.looked += not layer.examined
            self._explain(layer, node, fed, name, made, fresh)

    def _explain(self, layer: Layer, node: Node, fed: dict[str, Array], name: str, made: Array, fresh: Array) -> None:
        """Swap one mechanism at a time in the first dialect's node, and see which makes the second's codes."""
        mine = self.first.graph.producer.get(name)
        if mine is None or mine.type_name != node.type_name or mine.inputs != node.inputs:
            layer.cause, layer.examined = "fusion", ENOUGH
            return
        found = {title: (detail, changed) for title, detail, changed in swapped_nodes(mine, node)}
        for title, (_, changed) in found.items():
            swapped = alone(self.first.graph, changed, fed, name)
            same = int(np.count_nonzero(swapped[fresh] == made[fresh]))
            layer.explained[title] = layer.explained.get(title, 0) + same
        layer.examined += int(np.count_nonzero(fresh))
        if layer.explained:
            best = max(layer.explained, key=lambda key: layer.explained[key])
            layer.cause = f"{best} ({100 * layer.explained[best] / layer.examined:.0f} % of {layer.examined} elements)"
            layer.detail = found[best][0]


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
