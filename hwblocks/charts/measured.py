"""Charts of what was measured: histograms with a format's range, activation maps, memory over time."""

from __future__ import annotations

from dataclasses import dataclass

from hwblocks.charts.drawn import Drawn
from hwblocks.charts.records import Axis
from hwblocks.errors import InputError
from hwblocks.table import Column, Table


@dataclass(frozen=True)
class Limit:
    """A line over a histogram: an end of the format's range."""

    name: str
    value: float


@dataclass(frozen=True)
class Histogram(Drawn):
    """Shares of values in bins of one width, with the range of a format drawn over them.

    start, width: bin i is [start + i · width, start + (i + 1) · width). shares: per cent of all values, by series.
    below, above: per cent of the first series that lie outside the limits.
    """

    start: float
    width: float
    series: tuple[tuple[str, tuple[float, ...]], ...]  # (name, shares in per cent)
    axis: Axis
    limits: tuple[Limit, ...] = ()
    below: float = 0.0
    above: float = 0.0

    @property
    def bins(self) -> int:
        """Number of bins."""
        return len(self.series[0][1]) if self.series else 0

    @property
    def centres(self) -> tuple[float, ...]:
        """The middle of each bin."""
        return tuple(self.start + (i + 0.5) * self.width for i in range(self.bins))

    def to_table(self) -> Table:
        columns = [Column("from", self.axis.title, self.axis.unit), Column("to", "to", self.axis.unit)]
        columns += [Column(f"s{i}", name, "%") for i, (name, _) in enumerate(self.series)]
        rows = [
            {
                "from": self.start + b * self.width,
                "to": self.start + (b + 1) * self.width,
                **{f"s{i}": shares[b] for i, (_, shares) in enumerate(self.series)},
            }
            for b in range(self.bins)
        ]
        return Table(self.title, tuple(columns), tuple(rows))


@dataclass(frozen=True)
class Pixels:
    """One picture: values by row, and the range that its colours span; `signed` centres the colours on zero."""

    values: tuple[tuple[float, ...], ...]
    low: float
    high: float
    signed: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(rows, columns)."""
        return len(self.values), len(self.values[0]) if self.values else 0


@dataclass(frozen=True)
class Images(Drawn):
    """Pictures in a grid: `rows` down (channels), `columns` across (float, integer, difference)."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    pixels: tuple[tuple[Pixels, ...], ...]  # [rows][columns]
    unit: str = ""

    def __post_init__(self) -> None:
        if len(self.pixels) != len(self.rows) or any(len(line) != len(self.columns) for line in self.pixels):
            raise InputError(f"chart {self.title!r}: pictures are not {len(self.rows)} rows of {len(self.columns)}")

    def to_table(self) -> Table:
        """The range of each picture; the values themselves are in `to_dict`."""
        columns = (Column("row", "map"), Column("column", "of"), Column("size"), Column("low"), Column("high"))
        rows = [
            {"row": row, "column": column, "size": "×".join(map(str, p.size)), "low": p.low, "high": p.high}
            for row, line in zip(self.rows, self.pixels, strict=True)
            for column, p in zip(self.columns, line, strict=True)
        ]
        return Table(self.title, columns, tuple(rows))


@dataclass(frozen=True)
class Box:
    """A buffer in memory: alive in the half-open [lower, upper) of steps, at offset, of size bytes."""

    name: str
    lower: int
    upper: int
    offset: int
    size: int


@dataclass(frozen=True)
class Gantt(Drawn):
    """Memory over time: buffers as boxes (steps across, addresses up), what is alive, and the arena.

    steps: names of the steps. size: bytes of the arena. bound: bytes that no plan can go below.
    """

    blocks: tuple[Box, ...]
    steps: tuple[str, ...]
    size: int
    bound: int

    @property
    def live(self) -> tuple[int, ...]:
        """Bytes alive at each step.

        >>> Gantt("m", (Box("a", 0, 2, 0, 4), Box("b", 1, 2, 4, 4)), ("x", "y"), 8, 8).live
        (4, 8)
        """
        changes = [0] * (len(self.steps) + 1)
        for block in self.blocks:
            changes[block.lower] += block.size
            changes[block.upper] -= block.size
        return tuple(sum(changes[: step + 1]) for step in range(len(self.steps)))

    def to_table(self) -> Table:
        columns = (
            Column("name", "buffer"),
            Column("lower", "from step"),
            Column("upper", "to step"),
            Column("offset", "offset", "B"),
            Column("size", "size", "B"),
        )
        return Table(self.title, columns, tuple(dict(vars(block)) for block in self.blocks))
