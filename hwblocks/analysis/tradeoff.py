"""Accuracy against cost: several integer models of one network as points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hwblocks.charts import Axis, Point, Scatter
from hwblocks.table import Column, Result, Section, Table

COLUMNS = (
    Column("model", "model"),
    Column("target", "target"),
    Column("top1_percent", "top-1", "%", ".2f"),
    Column("sqnr_db", "SQNR of the output", "dB", ".2f"),
    Column("agreement_percent", "same as float", "%", ".2f"),
    Column("weight_bytes", "weights", "B"),
    Column("peak_bytes", "memory", "B"),
    Column("cycles", "cycles"),
    Column("energy_nj", "energy", "nJ", ".2f"),
)
COSTS = (("cycles", Axis("cycles")), ("energy_nj", Axis("energy", "nJ")), ("weight_bytes", Axis("weights", "B")))
HOW_TO_CHOOSE = "Up and to the left is better; a point with another one above and left of it is never the right choice."


@dataclass(frozen=True)
class Tradeoff(Result):
    """One row for each model and target: what it gets right, and what it costs."""

    schema = "tradeoff"
    title: str = ""
    table: Table = Table("", (), ())
    energy_table: str = ""

    @property
    def quality(self) -> tuple[str, Axis]:
        """The column and axis of accuracy: top-1 where labels were given, else SQNR."""
        if any(row.get("top1_percent") is not None for row in self.table.rows):
            return "top1_percent", Axis("top-1", "%")
        return "sqnr_db", Axis("SQNR", "dB")

    def content(self) -> dict[str, Any]:
        return {"title": self.title, "energy_table": self.energy_table, "models": [dict(r) for r in self.table.rows]}

    def sections(self) -> Sequence[Section]:
        charts = tuple(self._chart(key, axis) for key, axis in COSTS)
        return (Section(self.title, "", (), (self.table,), tuple(c for c in charts if c.points)),)

    def _chart(self, key: str, axis: Axis) -> Scatter:
        quality, y = self.quality
        rows = [r for r in self.table.rows if r.get(key) is not None and r.get(quality) is not None]
        source = self.energy_table if key == "energy_nj" else ""
        several = len({r["target"] for r in rows}) > 1
        points = tuple(
            Point(r["model"], float(r[key]), float(r[quality]), r["target"] if several else "", source, r["target"])
            for r in rows
        )
        by = f", by {source}" if source else ""
        return Scatter(
            f"{y.title} against {axis.title}{by}", points, axis, y, text=HOW_TO_CHOOSE, labels=True, in_table=True
        )


def tradeoff(rows: Sequence[dict[str, Any]], title: str, energy_table: str = "") -> Tradeoff:
    """Rows with the keys of COLUMNS; what is not known is None."""
    return Tradeoff(title, Table("Accuracy and cost", COLUMNS, tuple(rows)), energy_table)
