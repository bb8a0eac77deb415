"""Accuracy against cost: several integer models of one network as points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwblocks.charts import Axis, Bars, Line, Point, Scatter, Series
from hwblocks.table import Chart, Column, Result, Section, Table

COLUMNS = (
    Column("model", "model"),
    Column("target", "target"),
    Column("top1_percent", "top-1", "%", ".2f"),
    Column("sqnr_db", "SQNR of the output", "dB", ".2f"),
    Column("agreement_percent", "same as float", "%", ".2f"),
    Column("weight_bytes", "weights", "B"),
    Column("peak_bytes", "memory", "B"),
    Column("cycles", "cycles"),
    Column("latency_us", "latency", "µs", ",.2f"),
    Column("energy_nj", "energy", "nJ", ",.2f"),
    Column("energy_table", "energy by"),
)
HOW_TO_CHOOSE = "Up and to the left is better; a point with another one above and left of it is never the right choice."


@dataclass(frozen=True)
class Tradeoff(Result):
    """One row for each model and target: what it gets right, and what it costs."""

    schema = "tradeoff"
    title: str = ""
    table: Table = Table("", (), ())

    @property
    def energy_tables(self) -> tuple[str, ...]:
        """The energy tables that priced the rows."""
        return tuple(sorted({row["energy_table"] for row in self.table.rows if row.get("energy_nj") is not None}))

    @property
    def quality(self) -> tuple[str, Axis]:
        """The column and axis of accuracy: top-1 where labels were given, else SQNR."""
        if any(row.get("top1_percent") is not None for row in self.table.rows):
            return "top1_percent", Axis("top-1", "%")
        return "sqnr_db", Axis("SQNR", "dB")

    def content(self) -> dict[str, Any]:
        return {"title": self.title, "models": [dict(r) for r in self.table.rows]}

    def sections(self) -> Sequence[Section]:
        mixed = len(self.energy_tables) > 1
        drawn = [self._chart(key, axis) for key, axis in self._costs if not (mixed and key == "energy_nj")]
        text = f"Energy is priced by {' and '.join(self.energy_tables)}; it is not drawn together." if mixed else ""
        return (Section(self.title, text, (), (self.table,), tuple(chart for chart in drawn if chart)),)

    @property
    def _costs(self) -> tuple[tuple[str, Axis], ...]:
        """Cycles of one target, time on several; energy; bytes."""
        time = ("latency_us", Axis("latency", "µs")) if self._several("target") else ("cycles", Axis("cycles"))
        return (time, ("energy_nj", Axis("energy", "nJ")), ("weight_bytes", Axis("weights", "B")))

    def _several(self, key: str) -> bool:
        return len({row.get(key) for row in self.table.rows}) > 1

    def _chart(self, key: str, axis: Axis) -> Chart | None:
        """Accuracy against a cost; where all have the same accuracy, the cost as bars; None where nothing differs."""
        rows = [row for row in self.table.rows if row.get(key) is not None]
        source = self.energy_tables[0] if key == "energy_nj" and self.energy_tables else ""
        quality, _ = self.quality
        if not rows or (len(rows) > 1 and not self._several(key)):
            return None
        if len(rows) > 1 and not self._several(quality):
            names = tuple(row["model"] for row in rows)
            series = Series(axis.title, tuple(row[key] for row in rows), source)
            return Bars(axis.title.capitalize(), names, (series,), axis, names_title="model", in_table=True)
        return self._scatter([row for row in rows if row.get(quality) is not None], key, axis, source)

    def _scatter(self, rows: Sequence[Mapping[str, Any]], key: str, axis: Axis, source: str) -> Scatter | None:
        quality, y = self.quality
        several = self._several("target")
        points = tuple(
            Point(r["model"], float(r[key]), float(r[quality]), r["target"] if several else "", source, r["target"])
            for r in rows
        )
        title = f"{y.title} against {axis.title}" + (f", by {source}" if source else "")
        line = self._float_line(quality, [p.x for p in points])
        made = Scatter(title, points, axis, y, line, labels=True, text=HOW_TO_CHOOSE, in_table=True)
        return made if points else None

    def _float_line(self, quality: str, xs: Sequence[float]) -> tuple[Line, ...]:
        """The accuracy of the float model, where all rows have the same."""
        known = {row.get(f"float_{quality}") for row in self.table.rows}
        value = known.pop() if len(known) == 1 else None
        return () if value is None or not xs else (Line("float", (min(xs), max(xs)), (value, value)),)


def tradeoff(rows: Sequence[Mapping[str, Any]], title: str = "Accuracy against cost") -> Tradeoff:
    """Points from rows with the keys of COLUMNS, and float_top1_percent; what is not known is None or absent.

    >>> made = tradeoff([{"model": "int8", "sqnr_db": 40.0, "cycles": 10, "target": "t"}])
    >>> [chart.title for chart in made.charts]
    ['SQNR against cycles']
    """
    return Tradeoff(title, Table("Accuracy and cost", COLUMNS, tuple(rows)))
