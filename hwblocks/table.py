"""Tables and results: named columns with units, and one way to print, export and report them."""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from hwblocks.errors import MissingExtraError, OutputError
from hwblocks.files import write_atomically

SIGNIFICANT = "significant"  # a column's format: three digits that count, never an exponent


def significant(value: float) -> str:
    """A number with three digits that count and no exponent: 0.0123, 708, 1,011, 249,900.

    >>> [significant(v) for v in (0.01234, 0, 1.5, 708.4, 1011.4, 249900.0)]
    ['0.0123', '0', '1.5', '708', '1,011', '249,900']
    """
    if not value or not math.isfinite(value):
        return f"{value:g}"
    digits = max(2 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


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
        if self.format == SIGNIFICANT and isinstance(value, (int, float)):
            return significant(value)
        return format(value, self.format) if isinstance(value, (int, float)) else str(value)


@dataclass(frozen=True)
class Table:
    """Rows of values under named columns. link: key of the layer's name in each row, by which reports connect tables,
    charts and the drawn graph.

    >>> t = Table("sizes", (Column("name"), Column("bytes", unit="B")), ({"name": "a", "bytes": 1200},))
    >>> print(t.to_markdown())
    | name | bytes (B) |
    | :--- | ---: |
    | a | 1,200 |
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Any], ...]
    link: str = ""

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

    def is_zero(self, column: Column) -> bool:
        """True for a column of numbers that are all zero, in a table of several rows; drawn forms may leave it out."""
        values = self[column.key]
        numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) and v == 0 for v in values)
        return len(values) > 1 and numbers

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
        return "\n".join(
            "| " + " | ".join(" ".join(cell.replace("|", "\\|").splitlines()) for cell in line) + " |" for line in lines
        )

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
        from rich.text import Text  # names are shown as they are: plain strings would be read for markup and emoji

        kept = [column for column in self.columns if not column.detail]
        zeros = [column for column in kept if self.is_zero(column)]
        columns = [column for column in kept if column not in zeros]
        words = f"columns of zeros: {', '.join(column.heading for column in zeros)}"
        caption = Text(words, "table.caption") if zeros else None
        title = Text(self.title, "table.title")
        shown = RichTable(title=title, title_justify="left", header_style="bold", caption=caption)
        shown.caption_justify = "left"
        for column in columns:
            side = "right" if self.is_number(column) else "left"
            shown.add_column(Text(column.heading), justify=side, overflow="fold")  # type: ignore[arg-type]
        for row in self.rows:
            shown.add_row(*(Text(column.text(row.get(column.key))) for column in columns))
        return shown

    def __str__(self) -> str:
        return f"{self.title}\n{self.to_markdown()}"


def plain(value: Any) -> Any:
    """A value as JSON can hold it: NumPy numbers become Python's, infinities and NaN become text; records and charts
    become dictionaries by field."""
    if isinstance(value, Chart):
        return {"kind": type(value).__name__, **{f.name: plain(getattr(value, f.name)) for f in fields(value)}}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
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
class Chart:
    """A drawing as data (see `hwblocks.charts`).

    text: how to read it. links: the layers that its parts stand for. in_table: a table beside it tells the same, so
    that plain forms leave it out.
    """

    title: str
    text: str = field(default="", kw_only=True)
    links: tuple[str, ...] = field(default=(), kw_only=True)
    in_table: bool = field(default=False, kw_only=True)

    def to_table(self) -> Table:
        """The chart's numbers."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """All fields; infinities and NaN as text."""
        made: dict[str, Any] = plain(self)
        return made

    def to_svg(self) -> str:
        """A static picture, or "" where there is none."""
        return ""


@dataclass(frozen=True)
class Section:
    """A part of a report: a title, a text, facts (label and value pairs), tables and charts."""

    title: str
    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()


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

    @property
    def charts(self) -> tuple[Chart, ...]:
        """All charts of the sections."""
        return tuple(chart for section in self.sections() for chart in section.charts)

    def to_dict(self) -> dict[str, Any]:
        """A versioned envelope around `content` and the charts' data."""
        drawn = {"charts": [chart.to_dict() for chart in self.charts]} if self.charts else {}
        return {"schema": f"hwblocks.{self.schema}/1", **plain(self.content()), **drawn}

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
            for chart in plain_charts(section):
                parts += [f"### {chart.title}", *([chart.text] if chart.text else []), chart.to_table().to_markdown()]
        return "\n\n".join(parts)

    def save_tables(self, folder: str | Path) -> list[Path]:
        """Every table, and every chart as a table, as CSV files named after them; the folder is made.

        Errors: OutputError when the folder cannot be made.
        """
        return save_tables(folder, self)

    def to_pandas(self) -> Any:
        """The first table as a pandas DataFrame."""
        return self.tables[0].to_pandas()

    def _repr_html_(self) -> str:
        parts = []
        for section in self.sections():
            parts.append(f"<h3>{html.escape(section.title)}</h3>")
            parts += [f"<p>{html.escape(label)}: <b>{html.escape(value)}</b></p>" for label, value in section.facts]
            for chart in section.charts:
                parts += [f"<h4>{html.escape(chart.title)}</h4><p>{html.escape(chart.text)}</p>", chart.to_svg()]
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
            shown += [*section.tables, *plain_charts(section)]
            shown.append(Text(""))
        return Group(*shown)


def plain_charts(section: Section) -> list[Chart]:
    """The charts that no table of the section tells already."""
    return [chart for chart in section.charts if not chart.in_table]


def save_tables(folder: str | Path, *results: Result) -> list[Path]:
    """Every table of results, and every chart as a table, as CSV files; names are kept apart by numbers.

    Errors: OutputError when the folder cannot be made.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror}); name another folder") from None
    made: list[Path] = []
    names: Counter[str] = Counter()
    for result in results:
        for section in result.sections():
            for table in (*section.tables, *(chart.to_table() for chart in plain_charts(section))):
                name = file_name(f"{result.schema} {table.title}")
                names[name] += 1
                number = f"-{names[name]}" if names[name] > 1 else ""
                made.append(write_atomically(folder / f"{name}{number}.csv", table.to_csv()))
    return made


def file_name(title: str) -> str:
    """A title as a file's name.

    >>> file_name("comparison Layer by layer")
    'comparison_layer_by_layer'
    """
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


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
