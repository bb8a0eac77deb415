"""Tables and results: named columns with units, and one way to print, export and report them."""

from __future__ import annotations

import csv
import html
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwblocks.errors import MissingExtraError


@dataclass(frozen=True)
class Column:
    """One column: the key in each row, its heading, unit, number format, and whether reports draw bars for it.

    detail: left out where room is short (terminals); files and reports have it.
    """

    key: str
    title: str = ""
    unit: str = ""
    format: str = ""
    bar: bool = False
    detail: bool = False

    @property
    def heading(self) -> str:
        """Title and unit as people read them."""
        name = self.title or self.key.replace("_", " ")
        return f"{name} ({self.unit})" if self.unit else name

    def text(self, value: Any) -> str:
        """A value as people read it; absent values are empty."""
        if value is None:
            return ""
        if isinstance(value, float) and not self.format:
            return "inf" if math.isinf(value) else f"{value:.6g}"
        if isinstance(value, bool) or isinstance(value, str):
            return str(value)
        if isinstance(value, int) and not self.format:
            return f"{value:,}"
        return format(value, self.format) if isinstance(value, (int, float)) else str(value)


@dataclass(frozen=True)
class Table:
    """Rows of values under named columns.

    >>> t = Table("sizes", (Column("name"), Column("bytes", unit="B")), ({"name": "a", "bytes": 1200},))
    >>> print(t.to_markdown())
    | name | bytes (B) |
    | :--- | ---: |
    | a | 1,200 |
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, key: str) -> list[Any]:
        """The values of one column."""
        return [row.get(key) for row in self.rows]

    def is_number(self, column: Column) -> bool:
        """True when the column's values are numbers."""
        values = [row.get(column.key) for row in self.rows]
        return any(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)

    def texts(self) -> list[list[str]]:
        """All cells as people read them."""
        return [[column.text(row.get(column.key)) for column in self.columns] for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """Title, columns with units, and rows; infinities and NaN as text."""
        columns = [{"key": c.key, "title": c.heading, "unit": c.unit} for c in self.columns]
        return {"title": self.title, "columns": columns, "rows": [plain(dict(row)) for row in self.rows]}

    def to_json(self) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)

    def to_csv(self) -> str:
        """Plain numbers under the column keys; pastes into a spreadsheet."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([c.key for c in self.columns])
        writer.writerows(
            [["" if row.get(c.key) is None else row.get(c.key) for c in self.columns] for row in self.rows]
        )
        return out.getvalue()

    def to_markdown(self) -> str:
        """A Markdown table, numbers to the right."""
        aligns = ["---:" if self.is_number(c) else ":---" for c in self.columns]
        lines = [[c.heading for c in self.columns], aligns, *self.texts()]
        return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)

    def to_pandas(self) -> Any:
        """A pandas DataFrame. Errors: MissingExtraError without pandas."""
        try:
            import pandas  # type: ignore[import-not-found,import-untyped,unused-ignore]
        except ImportError:
            raise MissingExtraError('pandas is not installed; run: pip install "hwblocks[pandas]"') from None
        return pandas.DataFrame([dict(row) for row in self.rows], columns=[c.key for c in self.columns])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(c.heading)}</th>" for c in self.columns)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(t)}</td>" for t in line) + "</tr>" for line in self.texts())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def __rich__(self) -> Any:
        from rich.table import Table as RichTable

        shown = RichTable(title=self.title, title_justify="left", header_style="bold")
        columns = [column for column in self.columns if not column.detail]
        for column in columns:
            shown.add_column(column.heading, justify="right" if self.is_number(column) else "left", overflow="fold")
        for row in self.rows:
            shown.add_row(*(column.text(row.get(column.key)) for column in columns))
        return shown

    def __str__(self) -> str:
        return f"{self.title}\n{self.to_markdown()}"


def plain(value: Any) -> Any:
    """A value as JSON can hold it: NumPy numbers become Python's, infinities and NaN become text."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


@dataclass(frozen=True)
class Section:
    """A part of a report: a title, a text, facts (label and value pairs), and tables."""

    title: str
    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Result:
    """What an analysis returns; subclasses state `schema`, `to_dict` content and `sections`."""

    schema: str = field(default="result", init=False, repr=False)

    def content(self) -> dict[str, Any]:
        """The numbers by name."""
        return {}

    def sections(self) -> Sequence[Section]:
        """The result as parts of a report."""
        return ()

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables of the sections."""
        return tuple(table for section in self.sections() for table in section.tables)

    def to_dict(self) -> dict[str, Any]:
        """A versioned envelope around `content`."""
        return {"schema": f"hwblocks.{self.schema}/1", **plain(self.content())}

    def to_json(self) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)

    def to_csv(self) -> str:
        """The first table as CSV."""
        return self.tables[0].to_csv() if self.tables else ""

    def to_markdown(self) -> str:
        """All sections as Markdown."""
        parts = []
        for section in self.sections():
            parts.append(f"## {section.title}")
            parts += [section.text] if section.text else []
            parts += ["\n".join(f"- {label}: {value}" for label, value in section.facts)] if section.facts else []
            parts += [table.to_markdown() for table in section.tables]
        return "\n\n".join(parts)

    def to_pandas(self) -> Any:
        """The first table as a pandas DataFrame."""
        return self.tables[0].to_pandas()

    def _repr_html_(self) -> str:
        parts = []
        for section in self.sections():
            parts.append(f"<h3>{html.escape(section.title)}</h3>")
            parts += [f"<p>{html.escape(label)}: <b>{html.escape(value)}</b></p>" for label, value in section.facts]
            parts += [table._repr_html_() for table in section.tables]
        return "".join(parts)

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        shown: list[Any] = []
        for section in self.sections():
            shown.append(Text(section.title, style="bold"))
            shown += [Text(section.text)] if section.text else []
            shown += [Text.assemble(f"  {label}: ", (value, "bold")) for label, value in section.facts]
            shown += list(section.tables)
            shown.append(Text(""))
        return Group(*shown)


@dataclass(frozen=True)
class Listing(Result):
    """One table as a result: `name` is its schema and the key of its rows."""

    name: str = "listing"
    title: str = ""
    table: Table = Table("", (), ())

    def __post_init__(self) -> None:
        object.__setattr__(self, "schema", self.name)

    def content(self) -> dict[str, Any]:
        return {self.name: [dict(row) for row in self.table]}

    def sections(self) -> Sequence[Section]:
        return (Section(self.title, tables=(self.table,)),)
