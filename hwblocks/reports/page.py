"""The HTML page of a report: sections with facts and tables, bars drawn where a column asks for them."""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path
from typing import Any

from hwblocks.errors import InputError
from hwblocks.files import check_writable, write_atomically
from hwblocks.table import Column, Result, Table


def report(path: str | Path, *results: Result, title: str | None = None) -> Path:
    """Write results as one HTML page that needs no other file, and return its path.

    Errors: OutputError when the folder is missing; InputError without results.
    """
    if not results:
        raise InputError("a report needs at least one result, for example the value of hb.compare(...)")
    check_writable(path)
    sections = [section for result in results for section in result.sections()]
    return write_atomically(path, render(title or sections[0].title, sections))


def render(title: str, sections: Any) -> str:
    """The page's text."""
    import jinja2

    source = resources.files("hwblocks.reports").joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.globals.update(cells=cells)
    return environment.from_string(source).render(title=title, sections=sections)


def cells(table: Table) -> list[list[dict[str, Any]]]:
    """Rows of cells: text, whether it is a number, and the length of its bar in per cent (None: no bar)."""
    tops = {c.key: _top(table, c) for c in table.columns if c.bar}
    numbers = {c.key for c in table.columns if table.is_number(c)}
    return [
        [
            {
                "text": c.text(row.get(c.key)),
                "number": c.key in numbers,
                "bar": _bar(row.get(c.key), tops.get(c.key)),
            }
            for c in table.columns
        ]
        for row in table.rows
    ]


def _top(table: Table, column: Column) -> float:
    values = [v for v in table[column.key] if isinstance(v, (int, float)) and math.isfinite(v)]
    return max(values, default=0.0)


def _bar(value: Any, top: float | None) -> float | None:
    if top is None or not isinstance(value, (int, float)) or top <= 0:
        return None
    return 100.0 if math.isinf(value) else max(0.0, 100.0 * value / top)
