"""Cost: cycles, bytes, time and energy of one sample on a target, by layer and in all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hwblocks.charts import measures_of
from hwblocks.costs.charts import cost_charts
from hwblocks.costs.energy import Range, total
from hwblocks.costs.profile import Profile
from hwblocks.table import SIGNIFICANT, Chart, Column, Result, Section, Table, significant


def cost_columns(
    rows: Sequence[Mapping[str, Any]],
    levels: Sequence[str],
    components: Iterable[str],
    unit: str,
    own: tuple[Column, ...],
) -> tuple[Column, ...]:
    """The columns of a cost table: those of the memories and energy components that some row has."""
    present = {key for row in rows for key in row}
    outer = levels[-1] if levels else ""
    columns = (
        Column("layer", "layer"),
        Column("block", "block"),
        Column("output", "output", detail=True),
        Column("widths", "bits"),
        Column("macs", "MACs"),
        *(Column(f"{unit}_cycles", unit, "cycles", detail=True) for unit in ("array", "vector", *levels, "fixed")),
        Column("cycles", "cycles", bar=True),
        Column("bound", "bound"),
        Column("time_us", "time", "µs", SIGNIFICANT),
        Column("utilisation", "busy", "", ".1%"),
        Column("mapping", "mapped", "", ".1%", detail=True),
        Column("area_mul8_eq", "a multiplier", "8x8 multipliers", ".3g", detail=True),
        Column("area_full_adders", "a multiplier and its adder", "full adders", detail=True),
        *(Column(f"{level}_bytes", level, "B", detail=level != outer) for level in levels),
        Column("macs_per_byte", "MACs a byte", "", ".2f", detail=True),
        Column("macs_per_cycle", "MACs a cycle", "", ".2f", detail=True),
        *(Column(f"energy_{c}", f"energy {c}", unit, ",.1f", detail=True) for c in components),
        Column("energy", "energy", unit, SIGNIFICANT, bar=True),
        Column("energy_low", "at least", unit, SIGNIFICANT),
        Column("energy_high", "at most", unit, SIGNIFICANT),
        *own,
    )
    return tuple(c for c in columns if c.key in present)


@dataclass(frozen=True)
class Cost(Result):
    """Cycles, time and energy of one sample on a target.

    cycles: from the first input to the last output; interval_cycles: from one sample to the next.
    energy: by component, each with its range, in `energy_unit` of `energy_table`; None for floating point.
    resources: what the target takes of a device, where it is made for the model.
    moved: bytes by memory. bytes_per_cycle: of the memories' ports, where they have one.
    """

    schema = "cost"
    model: str = ""
    target: str = ""
    kind: str = ""
    clock_mhz: float = 0.0
    note: str = ""
    energy_table: str = ""
    energy_unit: str = "pJ"
    energy_note: str = ""
    cycles: int = 0
    interval_cycles: int = 0
    latency_us: float = 0.0
    inferences_per_second: float = 0.0
    utilisation: float = 0.0
    peak_macs_per_cycle: float = 0.0
    bytes_per_cycle: Mapping[str, float] = field(default_factory=dict)
    energy: Mapping[str, Range] | None = None
    moved: Mapping[str, int] = field(default_factory=dict)
    resources: Mapping[str, int] = field(default_factory=dict)
    profile: Profile = Profile()
    layers: Table = Table("", (), ())

    @property
    def energy_total(self) -> Range | None:
        """Energy of all components."""
        return None if self.energy is None else total(self.energy.values())

    @property
    def energy_pj(self) -> float | None:
        """Total energy in pJ; None where the table's unit is another, or for floating point."""
        return self.energy_total.v if self.energy_total and self.energy_unit == "pJ" else None

    def content(self) -> dict[str, Any]:
        energy = self.energy_total
        return {
            "model": self.model,
            "target": self.target,
            "kind": self.kind,
            "clock_mhz": self.clock_mhz,
            "cycles": self.cycles,
            "interval_cycles": self.interval_cycles,
            "latency_us": self.latency_us,
            "inferences_per_second": self.inferences_per_second,
            "utilisation": self.utilisation,
            "peak_macs_per_cycle": self.peak_macs_per_cycle,
            "bytes_per_cycle": dict(self.bytes_per_cycle),
            "moved_bytes": dict(self.moved),
            "resources": dict(self.resources),
            "energy_table": self.energy_table,
            "energy_unit": self.energy_unit,
            "energy": None if energy is None else energy._asdict(),
            "energy_by_component": {name: part._asdict() for name, part in (self.energy or {}).items()},
            "profile": self.profile.content(),
            "layers": [dict(row) for row in self.layers],
        }

    @property
    def tables(self) -> tuple[Table, ...]:
        return (self.layers,)

    def sections(self) -> Sequence[Section]:
        facts = (
            ("target", f"{self.target} ({self.kind}, {self.clock_mhz:g} MHz)"),
            ("latency", f"{significant(self.latency_us)} µs ({self.cycles:,} cycles)"),
            ("throughput", f"{self.inferences_per_second:,.1f} inferences a second"),
            ("multipliers busy", f"{100 * self.utilisation:.1f} % of {self.peak_macs_per_cycle:g} MACs a cycle (8x8)"),
            ("time by bound", self.by_bound()),
            *((name, f"{count:,}") for name, count in self.resources.items()),
            *((f"moved at {name}", f"{count:,} B") for name, count in self.moved.items() if count),
            *self._energy_facts(),
        )
        text = " ".join(filter(None, (self.note, self.energy_note)))
        title = f"Cost of one sample: {self.model} on {self.target}"
        return (Section(title, text, facts, (self.layers,), self.charts),)

    @property
    def charts(self) -> tuple[Chart, ...]:
        """The graph with cycles and energy; cycles, roofline, bytes and energy by layer."""
        rows = self.layers.rows
        drawn = cost_charts(
            rows,
            self.clock_mhz,
            self.peak_macs_per_cycle,
            self.bytes_per_cycle,
            tuple(self.moved),
            tuple(self.energy or ()),
            self.energy_table,
            self.energy_unit,
            quantity(self.energy_total, self.energy_unit) if self.energy_total else "",
        )
        if self.profile.view is None or not self.layers.link:
            return drawn
        keys = [key for key in ("cycles", "energy") if any(row.get(key) is not None for row in rows)]
        found = measures_of(self.layers, *keys)
        named = tuple(replace(measure, title=f"{measure.title} on {self.target}") for measure in found)
        return (self.profile.view.with_measures(*named), *drawn)

    def by_bound(self) -> str:
        """Share of the cycles that each unit decides on."""
        shares: dict[str, int] = {}
        for row in self.layers:
            shares[row["bound"]] = shares.get(row["bound"], 0) + row["cycles"]
        whole = sum(shares.values()) or 1
        ranked = sorted(shares.items(), key=lambda item: -item[1])
        return ", ".join(f"{name} {100 * count / whole:.0f} %" for name, count in ranked if count)

    def _energy_facts(self) -> list[tuple[str, str]]:
        whole = self.energy_total
        if whole is None:
            return [
                (
                    "energy",
                    f"none by {self.energy_table!r}: it prices integers only (quantize the model), the products of a "
                    "board only, or nothing",
                )
            ]
        parts = ", ".join(
            f"{name} {100 * part.v / whole.v:.0f} %" for name, part in (self.energy or {}).items() if part.v
        )
        return [(f"energy by {self.energy_table}", f"{quantity(whole, self.energy_unit)}: {parts}")]


def quantity(figure: Range, unit: str) -> str:
    """A figure with its range, in a readable unit: "15.4 nJ (7.7 to 61.6)"."""
    scale, shown = 1.0, unit
    if unit == "pJ":
        scale, shown = next(((s, u) for s, u in ((1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ")) if figure.v >= s), (1.0, "pJ"))
    middle, low, high = (significant(value / scale) for value in figure)
    return f"{middle} {shown} ({low} to {high})"
