"""The cells of a table on a page: text, value to sort by, bar, and columns that hold nothing but zeros."""

from __future__ import annotations

import math
from typing import Any

from hwblocks.table import Column, Table


def table_parts(table: Table) -> dict[str, Any]:
    """Columns, rows of cells with the link of the row, and the titles of the columns behind the button (zeros)."""
    columns = [
        {
            "title": c.title or c.key.replace("_", " "),
            "unit": c.unit,
            "number": table.is_number(c),
            "empty": c.detail or table.is_zero(c),
        }
        for c in table.columns
    ]
    lines = cells(table)
    links = [row.get(table.link) if table.link else None for row in table.rows]
    for line in lines:
        for cell, column in zip(line, columns, strict=True):
            cell["kind"] = " ".join(
                word
                for word, given in (
                    ("number", column["number"]),
                    ("bar", cell["bar"] is not None),
                    ("zeros", column["empty"]),
                )
                if given
            )
    rows = [{"link": link, "cells": line} for link, line in zip(links, lines, strict=True)]
    return {"columns": columns, "rows": rows, "more": [c["title"] for c in columns if c["empty"]]}


def cells(table: Table) -> list[list[dict[str, Any]]]:
    """Rows of cells: text, value to sort by (None: the text), and the length of the bar in per cent (None: no bar)."""
    tops = {c.key: _top(table, c) for c in table.columns if c.bar}
    return [
        [
            {
                "text": c.text(row.get(c.key)),
                "value": _value(row.get(c.key)),
                "bar": _bar(row.get(c.key), tops.get(c.key)),
            }
            for c in table.columns
        ]
        for row in table.rows
    ]


def _value(value: Any) -> str | None:
    return None if isinstance(value, (bool, str)) or not isinstance(value, (int, float)) else f"{value:.9g}"


def _top(table: Table, column: Column) -> float:
    values = [v for v in table[column.key] if isinstance(v, (int, float)) and math.isfinite(v)]
    return max(values, default=0.0)


def _bar(value: Any, top: float | None) -> float | None:
    if top is None or not isinstance(value, (int, float)) or top <= 0:
        return None
    return 100.0 if math.isinf(value) else max(0.0, 100.0 * value / top)
