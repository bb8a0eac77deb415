"""Charts of numbers by name: bars, heat maps, scatter plots with lines, and a choice among charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hwblocks.charts.drawn import Drawn
from hwblocks.errors import InputError
from hwblocks.table import Chart, Column, Table

Value = float | int | None


@dataclass(frozen=True)
class Axis:
    """An axis: what it counts, its unit, and whether it is logarithmic."""

    title: str
    unit: str = ""
    log: bool = False

    @property
    def heading(self) -> str:
        """Title and unit as people read them."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True)
class Series:
    """One value for each name of a chart. source: the table that the values were priced with, "" where none was."""

    name: str
    values: tuple[Value, ...]
    source: str = ""


@dataclass(frozen=True)
class Bars(Drawn):
    """One bar for each name; several series are stacked. An infinite value is drawn as long as the longest finite one.

    Errors: InputError for a series of another length, and for series priced by two energy tables, whose figures must
    not be added or compared.

    >>> Bars("SQNR", ("a", "b"), (Series("SQNR", (30.0, 20.0)),), Axis("SQNR", "dB")).to_table()["a0"]
    [30.0, 20.0]
    """

    names: tuple[str, ...]
    series: tuple[Series, ...]
    axis: Axis
    names_title: str = "layer"

    def __post_init__(self) -> None:
        for series in self.series:
            if len(series.values) != len(self.names):
                raise InputError(
                    f"chart {self.title!r}: series {series.name!r} has {len(series.values)} values for "
                    f"{len(self.names)} names"
                )
        one_source(self.title, [series.source for series in self.series])

    @property
    def source(self) -> str:
        """The table that priced the values."""
        return self.series[0].source if self.series else ""

    def to_table(self) -> Table:
        columns = [Column(f"a{i}", series.name, self.axis.unit) for i, series in enumerate(self.series)]
        rows = [
            {"name": name, **{f"a{i}": series.values[row] for i, series in enumerate(self.series)}}
            for row, name in enumerate(self.names)
        ]
        return Table(self.heading, (Column("name", self.names_title), *columns), tuple(rows))

    @property
    def heading(self) -> str:
        """The title with the table that priced the values."""
        return f"{self.title}, by {self.source}" if self.source else self.title


def one_source(title: str, sources: Sequence[str]) -> None:
    """Refuse figures of two energy tables in one chart. Errors: InputError that names them."""
    different = sorted(set(sources))
    if len(different) > 1:
        names = " and ".join(repr(source) for source in different)
        raise InputError(f"chart {title!r}: its figures come from {names}; price all of them with one energy table")


@dataclass(frozen=True)
class HeatMap(Drawn):
    """A value for each row and column, None where there is none. All share one unit and one scale of colours.

    log: colours by the logarithm; zero has the colour of the ground.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[Value, ...], ...]  # [rows][columns]
    axis: Axis
    rows_title: str = "layer"

    def __post_init__(self) -> None:
        if len(self.values) != len(self.rows) or any(len(line) != len(self.columns) for line in self.values):
            raise InputError(f"chart {self.title!r}: values are not {len(self.rows)} rows of {len(self.columns)}")

    def to_table(self) -> Table:
        columns = [Column(f"c{i}", name, self.axis.unit) for i, name in enumerate(self.columns)]
        rows = [
            {"name": name, **{f"c{i}": value for i, value in enumerate(line)}}
            for name, line in zip(self.rows, self.values, strict=True)
        ]
        return Table(self.title, (Column("name", self.rows_title), *columns), tuple(rows))


@dataclass(frozen=True)
class Point:
    """A named point. group: points of one group share a colour; source: the energy table behind it, if any."""

    name: str
    x: float
    y: float
    group: str = ""
    source: str = ""
    note: str = ""


@dataclass(frozen=True)
class Line:
    """A named line through points, for example a roof: (x values, y values)."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Scatter(Drawn):
    """Points in a plane with lines; logarithmic axes leave out points that are not positive; the table has them.

    labels: print the names beside the points. Errors: InputError when points come from two energy tables.
    """

    points: tuple[Point, ...]
    x: Axis
    y: Axis
    lines: tuple[Line, ...] = ()
    labels: bool = False

    def __post_init__(self) -> None:
        one_source(self.title, [point.source for point in self.points])

    @property
    def source(self) -> str:
        """The table that priced the points."""
        return self.points[0].source if self.points else ""

    @property
    def shown(self) -> tuple[tuple[int, Point], ...]:
        """The points that the axes can show, with their places among all."""
        return tuple(
            (i, p) for i, p in enumerate(self.points) if (p.x > 0 or not self.x.log) and (p.y > 0 or not self.y.log)
        )

    def to_table(self) -> Table:
        columns = (Column("name"), Column("x", self.x.title, self.x.unit), Column("y", self.y.title, self.y.unit))
        rows = [{"name": p.name, "x": p.x, "y": p.y} for p in self.points]
        return Table(f"{self.title}, by {self.source}" if self.source else self.title, columns, tuple(rows))


@dataclass(frozen=True)
class Gallery(Drawn):
    """Charts of one kind of which one is shown at a time, chosen by name; selecting a layer selects its chart."""

    charts: tuple[tuple[str, Chart], ...]  # (name to choose by, chart)

    def __iter__(self) -> Iterator[tuple[str, Chart]]:
        return iter(self.charts)

    def to_table(self) -> Table:
        """The tables of all charts under each other, with the chart's name first."""
        tables = [(name, chart.to_table()) for name, chart in self.charts]
        columns = {column.key: column for _, table in tables for column in table.columns}
        rows = [{"chart": name, **row} for name, table in tables for row in table.rows]
        return Table(self.title, (Column("chart", "shown"), *columns.values()), tuple(rows))


def finite(values: Sequence[Any]) -> list[float]:
    """The finite numbers among values.

    >>> finite([1, None, float("inf"), 2.5])
    [1.0, 2.5]
    """
    numbers = [float(v) for v in values if v is not None]
    return [v for v in numbers if v - v == 0]
