"""Summary of a run: its outputs in numbers, and the events of every node, as a result that prints and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.graph.graph import Graph
from hwblocks.simulate.trace import NodeEvents
from hwblocks.table import Column, Result, Section, Table

Array = np.ndarray[Any, Any]

OUTPUT_COLUMNS = (
    Column("output", "output"),
    Column("shape", "shape"),
    Column("format", "format"),
    Column("least", "least", "", ".6g"),
    Column("mean", "mean", "", ".6g"),
    Column("most", "most", "", ".6g"),
)
EVENT_COLUMNS = (
    Column("layer", "layer"),
    Column("block", "block"),
    Column("outputs", "elements"),
    Column("saturated", "saturated", bar=True),
    Column("final", "sums beyond the accumulator"),
    Column("steps", "additions beyond it"),
    Column("lowest", "lowest sum"),
    Column("highest", "highest sum"),
    Column("active", "active"),
    Column("iterations", "passes"),
    Column("decided_by", "accumulator by"),
)


@dataclass(frozen=True)
class RunSummary(Result):
    """outputs: real values of each output in few numbers. events: counts of every node over all samples."""

    schema = "run"
    model: str = ""
    samples: int = 0
    outputs: Table = Table("", (), ())
    events: Table = Table("", (), ())

    def content(self) -> dict[str, Any]:
        tables = {"outputs": self.outputs, "events": self.events}
        rows = {name: [dict(row) for row in table] for name, table in tables.items()}
        return {"model": self.model, "samples": self.samples, **rows}

    def sections(self) -> Sequence[Section]:
        facts = (("samples", f"{self.samples:,}"), ("saturated", f"{sum(self.events['saturated']):,}"))
        return (Section(f"Run: {self.model}", "", facts, (self.outputs, self.events)),)


def summary_of(graph: Graph, real: Mapping[str, Array], events: Mapping[str, NodeEvents]) -> RunSummary:
    """The summary of a run of `graph`."""
    outputs = tuple(_output_row(name, values, graph.tensors[name].format.name) for name, values in real.items())
    kinds = {node.name: node.type_name for node in graph.nodes}
    rows = tuple(_event_row(name, kinds.get(name, ""), counted) for name, counted in events.items())
    samples = len(next(iter(real.values()))) if real else 0
    return RunSummary(
        graph.title,
        samples,
        Table("Outputs", OUTPUT_COLUMNS, outputs),
        Table("Events", EVENT_COLUMNS, rows, "layer"),
    )


def _output_row(name: str, values: Array, format: str) -> dict[str, Any]:
    some = values.size > 0
    return {
        "output": name,
        "shape": "×".join(map(str, values.shape)),
        "format": format,
        "least": float(values.min()) if some else None,
        "mean": float(values.mean()) if some else None,
        "most": float(values.max()) if some else None,
    }


def _event_row(name: str, block: str, counted: NodeEvents) -> dict[str, Any]:
    return {
        "layer": name,
        "block": block,
        **{column.key: getattr(counted, column.key) for column in EVENT_COLUMNS[2:]},
    }
