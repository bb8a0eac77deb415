"""A model as a drawn graph: nodes with what is known of them, and the tensors between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hwblocks.charts.drawn import Drawn
from hwblocks.table import SIGNIFICANT, Column, Table, significant


@dataclass(frozen=True)
class GraphNode:
    """A node by its unique name. kind: its block; formats: of its outputs; faint: it costs nothing (a view)."""

    name: str
    kind: str
    formats: str = ""
    faint: bool = False


@dataclass(frozen=True)
class Edge:
    """A tensor between two nodes."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True)
class Measure:
    """A number for some nodes: what it counts, its unit, how it is written, and which end deserves attention.

    high_is_bad: large values stand out (cycles, energy, saturation); else small ones do (SQNR).
    """

    title: str
    unit: str
    values: Mapping[str, float]
    format: str = ".6g"
    high_is_bad: bool = True

    def text(self, name: str) -> str:
        """The value of a node with its unit, "" without one.

        >>> Measure("SQNR", "dB", {"a": 40.25}, ".1f").text("a")
        '40.2 dB'
        """
        value = self.values.get(name)
        return "" if value is None else f"{self._number(value)} {self.unit}".rstrip()

    def _number(self, value: float) -> str:
        if self.format == SIGNIFICANT:
            return significant(value)
        made = f"{value:{self.format}}"
        return f"{value:,.0f}" if "e+" in made else made

    @property
    def ends(self) -> tuple[str, str]:
        """The values of the weakest and of the strongest colour."""
        known = [v for v in self.values.values() if v - v == 0]
        low, high = (0 if self.high_is_bad else min(known, default=0)), max(known, default=0)
        first, last = (self._number(v) for v in ((low, high) if self.high_is_bad else (high, low)))
        return first, last

    def share(self, name: str) -> float | None:
        """How much a node stands out, 0 to 1, None without a (finite) value."""
        known = [v for v in self.values.values() if v - v == 0]
        value = self.values.get(name)
        if value is None or not known:
            return None
        low, high = (min(known), max(known)) if not self.high_is_bad else (0.0, max(known))
        if value - value != 0:
            return 1.0 if (value > 0) == self.high_is_bad else 0.0
        part = (value - low) / (high - low) if high > low else 0.0
        return part if self.high_is_bad else 1.0 - part


@dataclass(frozen=True)
class GraphView(Drawn):
    """The graph of one model with any number of measures; views of one model from several results become one."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[Edge, ...]
    measures: tuple[Measure, ...] = ()

    def with_measures(self, *measures: Measure) -> GraphView:
        """The same graph with further measures; those without values are left out."""
        return replace(self, measures=(*self.measures, *(m for m in measures if m.values)))

    def joined(self, other: GraphView) -> GraphView:
        """The measures of another view of the same graph added; of equal titles the first stays."""
        known = {measure.title for measure in self.measures}
        return self.with_measures(*(m for m in other.measures if m.title not in known))

    def is_same_graph(self, other: GraphView) -> bool:
        """True for the same model: equal title and node names."""
        return self.title == other.title and [n.name for n in self.nodes] == [n.name for n in other.nodes]

    def to_table(self) -> Table:
        columns = [Column("name", "node"), Column("kind", "block"), Column("formats")]
        columns += [Column(f"m{i}", measure.title, measure.unit) for i, measure in enumerate(self.measures)]
        rows = [
            {
                "name": node.name,
                "kind": node.kind,
                "formats": node.formats,
                **{f"m{i}": measure.values.get(node.name) for i, measure in enumerate(self.measures)},
            }
            for node in self.nodes
        ]
        return Table(self.title, tuple(columns), tuple(rows))


def measures_of(table: Table, *keys: str, high_is_bad: bool = True) -> tuple[Measure, ...]:
    """Columns of a table as measures, by the rows' link; the column's title, unit and format are kept."""
    columns = {column.key: column for column in table.columns}
    found = []
    for key in keys:
        column = columns[key]
        values = {row[table.link]: row[key] for row in table.rows if row.get(key) is not None}
        found.append(Measure(column.title or key, column.unit, values, column.format or ",", high_is_bad))
    return tuple(found)
