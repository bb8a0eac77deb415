"""What targets there are, and every number of one with its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hwblocks.costs.machines.choice import machine
from hwblocks.table import Column, Listing, Result, Section, Table
from hwblocks.targets.kinds import Target
from hwblocks.targets.load import load_target, numbers, read_target, target_names
from hwblocks.targets.schema import Memory

CATALOGUE_COLUMNS = (
    Column("target"),
    Column("kind"),
    Column("clock_mhz", "clock", "MHz", "g"),
    Column("peak", "MACs a cycle, 8x8", "", ",g"),
    Column("peak_gmac", "peak", "GMAC/s", ",g"),
    Column("memories"),
    Column("energy", "energy table"),
)


def catalogue() -> Listing:
    """One row for each target of the library, by kind."""
    rows = tuple(_row(target) for target in sorted(map(load_target, target_names()), key=lambda t: t.target.kind))
    return Listing(name="targets", title="Targets", table=Table("targets", CATALOGUE_COLUMNS, rows))


def _row(target: Target) -> dict[str, Any]:
    peak = machine(target).peak(8, 8)
    return {
        "target": target.name,
        "kind": target.target.kind,
        "clock_mhz": target.target.clock_mhz,
        "peak": peak,
        "peak_gmac": peak * target.target.clock_mhz / 1e3,
        "memories": ", ".join(memory_text(name, memory) for name, memory in target.memory.items()),
        "energy": target.energy.table,
    }


def memory_text(name: str, memory: Memory) -> str:
    """ "sram 256 KiB 4 GB/s"."""
    parts = [name]
    if memory.bytes is not None:
        parts.append(f"{memory.bytes / 1024:g} KiB")
    if memory.gb_per_s is not None:
        parts.append(f"{memory.gb_per_s:g} GB/s")
    if memory.bytes_per_cycle is not None:
        parts.append(f"{memory.bytes_per_cycle:g} B/cycle")
    return " ".join(parts)


@dataclass(frozen=True)
class TargetSheet(Result):
    """Every number of a target: where it stands in the file, its value, its source."""

    schema = "target"
    target: Target = None  # type: ignore[assignment]
    numbers: Table = Table("", (), ())

    def content(self) -> dict[str, Any]:
        return {**_row(self.target), "note": self.target.target.note, "numbers": [dict(row) for row in self.numbers]}

    def sections(self) -> Sequence[Section]:
        row = _row(self.target)
        facts = tuple((c.heading, c.text(row[c.key])) for c in CATALOGUE_COLUMNS[1:])
        return (Section(self.target.name, self.target.target.note, facts, (self.numbers,)),)


def target_sheet(name: str) -> TargetSheet:
    """The sheet of a target of the library, or of a file."""
    target = load_target(name)
    columns = (Column("key"), Column("value", "value", "", ",.10g"), Column("source"))
    rows = tuple(
        {"key": path.removeprefix("$."), "value": value, "source": source}
        for path, value, source in numbers(read_target(name))
        if path != "$.schema"
    )
    return TargetSheet(target=target, numbers=Table("numbers and their sources", columns, rows))
