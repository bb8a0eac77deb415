"""Costs side by side: one row for each model on each target, and ratios to the first of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwblocks.costs.pricing import count_graph, price
from hwblocks.costs.result import Cost, quantity
from hwblocks.costs.tradeoff import tradeoff_charts
from hwblocks.errors import InputError
from hwblocks.graph.graph import Graph
from hwblocks.table import SIGNIFICANT, Chart, Column, Result, Section, Table
from hwblocks.targets.kinds import Target


@dataclass(frozen=True)
class CostComparison(Result):
    """costs: by (model's label, target). accuracy: by label, what stands beside them, as `Comparison.figures` gives it.

    Energy stands in one column for each table, and its ratios only compare rows of the same table.
    """

    schema = "cost_comparison"
    costs: Mapping[tuple[str, str], Cost] = None  # type: ignore[assignment]
    accuracy: Mapping[str, Mapping[str, float | str | None]] = None  # type: ignore[assignment]

    @property
    def table(self) -> Table:
        """One row for each model on each target."""
        return Table("Models on targets", self._columns(), tuple(self._rows()))

    def _rows(self) -> list[dict[str, Any]]:
        return [self._row(label, cost) for (label, _), cost in self.costs.items()]

    def _row(self, label: str, cost: Cost) -> dict[str, Any]:
        first = self._basis(cost.target)
        energy, base = cost.energy_total, first.energy_total
        alike = energy is not None and base is not None and cost.energy_table == first.energy_table
        return {
            "model": label,
            "target": cost.target,
            **(self.accuracy or {}).get(label, {}),
            "macs": cost.profile.macs,
            "weight_bytes": cost.profile.weight_bytes,
            "peak_bytes": cost.profile.peak_bytes,
            "cycles": cost.cycles,
            "latency_us": cost.latency_us,
            "inferences_per_second": cost.inferences_per_second,
            "utilisation": cost.utilisation,
            "bound": cost.by_bound(),
            "latency_ratio": cost.latency_us / first.latency_us if first.latency_us else None,
            "energy_table": cost.energy_table,
            f"energy {cost.energy_table}": None if energy is None else energy.v,
            f"energy {cost.energy_table} range": None if energy is None else quantity(energy, cost.energy_unit),
            "energy_ratio": energy.v / base.v if alike and energy and base else None,
        }

    @property
    def _energy_tables(self) -> dict[str, str]:
        """The tables that priced something, with their units."""
        return {c.energy_table: c.energy_unit for c in self.costs.values() if c.energy is not None}

    @property
    def _of_one_model(self) -> bool:
        return len({label for label, _ in self.costs}) == 1

    def _basis(self, target: str) -> Cost:
        """What ratios refer to: the first model on the same target; of one model, the first target."""
        return next(c for (_, t), c in self.costs.items() if t == target or self._of_one_model)

    def _columns(self) -> tuple[Column, ...]:
        shown = {key for figures in (self.accuracy or {}).values() for key in figures}
        tables = self._energy_tables
        return (
            Column("model", "model"),
            Column("target", "target"),
            *(column for column in ACCURACY_COLUMNS if column.key in shown),
            Column("macs", "MACs", detail=True),
            Column("weight_bytes", "weights", "B"),
            Column("peak_bytes", "activations", "B"),
            Column("cycles", "cycles"),
            Column("latency_us", "latency", "µs", SIGNIFICANT, bar=True),
            Column("inferences_per_second", "inferences a second", "", ",.0f"),
            Column("utilisation", "busy", "", ".1%"),
            Column("latency_ratio", "latency ratio", "", ".2f"),
            *(Column(f"energy {t}", f"energy by {t}", unit, ",.0f", detail=True) for t, unit in tables.items()),
            *(Column(f"energy {t} range", f"energy by {t}") for t in tables),
            Column("energy_ratio", "energy ratio", "", ".2f"),
            Column("bound", "time by bound"),
        )

    def content(self) -> dict[str, Any]:
        costs = [{"label": label, **cost.content()} for (label, _), cost in self.costs.items()]
        return {"comparison": [dict(row) for row in self.table], "costs": costs}

    @property
    def tables(self) -> tuple[Table, ...]:
        return (self.table,)

    def sections(self) -> Sequence[Section]:
        basis = "to the first target" if self._of_one_model else "to the first model on the same target"
        text = f"Ratios are {basis}; of energy only where the table is the same."
        return (Section("Cost by model and target", text, (), (self.table,), self.charts),)

    @property
    def charts(self) -> tuple[Chart, ...]:
        """Accuracy against time, energy by each table, and bytes; without differences in accuracy the costs as bars."""
        return tradeoff_charts(self._rows(), self._energy_tables)


ACCURACY_COLUMNS = (
    Column("top1", "top-1", "%", ".2f"),
    Column("float_top1", "float top-1", "%", ".2f", detail=True),
    Column("agreement", "same as float", "%", ".2f"),
    Column("sqnr_db", "SQNR of the output", "dB", ".1f"),
)


def compare_costs(
    models: Mapping[str, Graph],
    targets: Sequence[Target],
    energy: str | None = None,
    accuracy: Mapping[str, Mapping[str, float | str | None]] | None = None,
) -> CostComparison:
    """The cost of every model on every target; `energy` names one table for all.

    Errors: InputError without models or targets, or for a target named twice; TargetError as `price_graph`.
    """
    if not models or not targets:
        raise InputError("a comparison needs at least one model and one target")
    names = [target.name for target in targets]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"target {twice[0]!r} is given twice; give each once, and each file its own name")
    counted = {label: count_graph(graph) for label, graph in models.items()}
    costs = {(label, target.name): price(one, target, energy) for target in targets for label, one in counted.items()}
    return CostComparison(costs=costs, accuracy=accuracy or {})
