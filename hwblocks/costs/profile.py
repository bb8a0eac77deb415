"""Profile: operations and memory of one sample, by layer and in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hwblocks.charts import Gantt, GraphView, measures_of
from hwblocks.table import Chart, Column, Result, Section, Table

PROFILE_COLUMNS = (
    Column("layer", "layer"),
    Column("block", "block"),
    Column("output", "output"),
    Column("widths", "bits"),
    Column("macs", "MACs", bar=True),
    Column("macs_valid", "MACs without padding"),
    Column("muls", "muls"),
    Column("adds", "adds"),
    Column("compares", "compares"),
    Column("lookups", "lookups"),
    Column("divisions", "divisions"),
    Column("requants", "requants"),
    Column("shifts", "shifts"),
    Column("reads", "words read"),
    Column("writes", "words written"),
    Column("memory_bytes", "read and written", "B"),
    Column("weight_bytes", "weights", "B"),
    Column("table_bytes", "tables", "B"),
    Column("output_bytes", "output", "B"),
)
SUMMED = (
    *("macs", "macs_valid", "muls", "adds", "shifts", "compares", "lookups", "divisions", "requants"),
    *("reads", "writes", "memory_bytes", "weight_bytes", "table_bytes"),
)


OPERATION_COLUMNS = (
    Column("operation", "operation"),
    Column("widths", "bits"),
    Column("count", "count", bar=True),
)
COUNT_COLUMNS = (Column("layer", "layer"), *OPERATION_COLUMNS)


@dataclass(frozen=True)
class Profile(Result):
    """Operations and memory of one sample.

    layers: one row a layer; free: layout changes and views, which cost nothing. operations: totals by operation and
    widths; counts: the same layer by layer.
    """

    schema = "profile"
    model: str = ""
    macs: int = 0
    macs_valid: int = 0
    weight_bytes: int = 0
    weight_stored_bytes: int = 0
    table_bytes: int = 0
    peak_bytes: int = 0
    peak_bound_bytes: int = 0
    peak_optimal: bool = False
    peak_node: str = ""
    layers: Table = Table("", (), ())
    free: tuple[str, ...] = ()
    operations: Table = Table("", (), ())
    counts: Table = Table("", (), ())
    view: GraphView | None = None
    memory: Gantt | None = None

    @property
    def charts(self) -> tuple[Chart, ...]:
        """The graph with products and weights, and memory over time."""
        measures = measures_of(self.layers, "macs", "weight_bytes", "output_bytes") if self.layers.link else ()
        view = self.view.with_measures(*measures) if self.view else None
        return tuple(chart for chart in (view, self.memory) if chart is not None)

    @property
    def by_widths(self) -> tuple[tuple[str, int], ...]:
        """MACs by their widths."""
        return tuple((row["widths"], row["count"]) for row in self.operations if row["operation"] == "macs")

    def folded(self) -> Profile:
        """The same with one row for each composite, at its outermost name; other layers stay as they are."""
        rows: dict[str, dict[str, Any]] = {}
        for row in self.layers:
            name = row["group"].split("/")[0] if row["group"] else row["layer"]
            kind = row["composite"].split("/")[0] if row["group"] else row["block"]
            whole = rows.setdefault(name, {**row, "layer": name, "block": kind, **dict.fromkeys(SUMMED, 0)})
            whole |= {key: whole[key] + row[key] for key in SUMMED}
            whole |= {"output": row["output"], "output_bytes": row["output_bytes"]}
            if whole["widths"] != row["widths"] and row["widths"]:
                whole["widths"] = "mixed" if whole["widths"] else row["widths"]
        return replace(self, layers=Table("Operations by block", PROFILE_COLUMNS, tuple(rows.values()), "layer"))

    def content(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "macs": self.macs,
            "macs_valid": self.macs_valid,
            "macs_by_bits": dict(self.by_widths),
            "operations": [dict(row) for row in self.operations],
            "weight_bytes": self.weight_bytes,
            "weight_stored_bytes": self.weight_stored_bytes,
            "table_bytes": self.table_bytes,
            "peak_activation_bytes": self.peak_bytes,
            "peak_bound_bytes": self.peak_bound_bytes,
            "peak_optimal": self.peak_optimal,
            "peak_node": self.peak_node,
            "free_layers": list(self.free),
            "layers": [dict(row) for row in self.layers],
            "counts": [dict(row) for row in self.counts],
        }

    def sections(self) -> Sequence[Section]:
        optimal = "optimal" if self.peak_optimal else f"bound {self.peak_bound_bytes:,} B"
        facts = [
            ("MACs", f"{self.macs:,} ({self.macs_valid:,} without padding)"),
            *((f"MACs at {widths} bits", f"{macs:,}") for widths, macs in self.by_widths),
            ("weights", f"{self.weight_bytes:,} B packed, {self.weight_stored_bytes:,} B stored"),
            ("tables", f"{self.table_bytes:,} B of integer functions"),
            ("peak activations", f"{self.peak_bytes:,} B at {self.peak_node!r} ({optimal})"),
        ]
        if self.free:
            facts.append(("free layers", ", ".join(self.free)))
        tables = (self.layers, self.operations)
        return (Section(f"Profile of one sample: {self.model}", "", tuple(facts), tables, self.charts),)
