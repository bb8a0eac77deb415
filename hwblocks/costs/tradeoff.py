"""Charts of models and targets side by side: accuracy against time, energy and bytes, or these as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwblocks.charts import Axis, Bars, Line, Point, Scatter, Series
from hwblocks.table import Chart

Row = Mapping[str, Any]

HOW_TO_CHOOSE = "Up and to the left is better; a point with another one above and left of it is never the right choice."


def tradeoff_charts(rows: Sequence[Row], tables: Mapping[str, str]) -> tuple[Chart, ...]:
    """What differs among the rows of a comparison: cycles on one target or time on several, energy, bytes of weights.

    tables: energy tables with their units. Each has a chart of its own with the rows that it priced.
    """
    time = ("latency_us", Axis("latency", "µs")) if _differ(rows, "target") else ("cycles", Axis("cycles"))
    costs = [(*time, "")]
    costs += [(f"energy {table}", Axis("energy", unit), table) for table, unit in tables.items()]
    costs.append(("weight_bytes", Axis("weights", "B"), ""))
    return tuple(chart for key, axis, table in costs if (chart := _chart(rows, key, axis, table)))


def _differ(rows: Sequence[Row], key: str) -> bool:
    return len({row.get(key) for row in rows}) > 1


def _name(row: Row, rows: Sequence[Row]) -> str:
    """What tells a row from the others: its model, its target, or both."""
    parts = [row[key] for key in ("model", "target") if _differ(rows, key)]
    return " on ".join(parts) or row["model"]


def _chart(rows: Sequence[Row], key: str, axis: Axis, table: str) -> Chart | None:
    """Accuracy against a cost; where all have the same accuracy, the cost as bars; None where the cost is the same."""
    priced = [row for row in rows if row.get(key) is not None]
    if not _differ(priced, key):
        return None
    known = "top1" if any(row.get("top1") is not None for row in rows) else "sqnr_db"
    if not _differ(priced, known):
        series = Series(axis.title, tuple(row[key] for row in priced), table)
        names = tuple(_name(row, rows) for row in priced)
        title = axis.title.capitalize() + (f" by {table}" if table else "")
        return Bars(title, names, (series,), axis, names_title="model", text=_ranges(priced, table), in_table=True)
    return _scatter([row for row in priced if row.get(known) is not None], rows, key, axis, table, known)


def _scatter(drawn: Sequence[Row], rows: Sequence[Row], key: str, axis: Axis, table: str, known: str) -> Scatter | None:
    y = Axis("top-1", "%") if known == "top1" else Axis("SQNR", "dB")
    several = _differ(rows, "target")
    points = tuple(
        Point(r["model"], float(r[key]), float(r[known]), r["target"] if several else "", table, _note(r, table))
        for r in drawn
    )
    title = f"{y.title} against {axis.title}" + (f", by {table}" if table else "")
    text = " ".join(filter(None, (HOW_TO_CHOOSE, _ranges(drawn, table))))
    line = _float_line(drawn, known, [p.x for p in points])
    return Scatter(title, points, axis, y, line, labels=True, text=text, in_table=True) if points else None


def _note(row: Row, table: str) -> str:
    return str(row[f"energy {table} range"] if table else row["target"])


def _ranges(rows: Sequence[Row], table: str) -> str:
    """Every energy with its range in words, since a chart shows its middle."""
    return "; ".join(f"{_name(row, rows)}: {row[f'energy {table} range']}" for row in rows) + "." if table else ""


def _float_line(rows: Sequence[Row], known: str, xs: Sequence[float]) -> tuple[Line, ...]:
    """The accuracy of the float model, where all rows have the same."""
    values = {row.get(f"float_{known}") for row in rows}
    value = values.pop() if len(values) == 1 else None
    return () if value is None or not xs else (Line("float", (min(xs), max(xs)), (value, value)),)
