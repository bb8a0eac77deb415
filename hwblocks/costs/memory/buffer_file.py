"""Buffers in CSV files: read from id, lower, upper, size; written with their offsets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwblocks.errors import FileFormatError
from hwblocks.graph.memory import Buffer, MemoryPlan
from hwblocks.table import Column, Result, Section, Table

FIELDS = ("id", "lower", "upper", "size")
PLAN_COLUMNS = (
    Column("id", "buffer"),
    Column("lower", "from step"),
    Column("upper", "to step"),
    Column("size", "size", "B"),
    Column("offset", "offset", "B"),
)


def read_buffers(path: str | Path) -> list[Buffer]:
    """The buffers of a CSV file whose first line names id, lower, upper and size (in any order, others are ignored).

    Errors: FileFormatError with the line for missing columns, rows of another length than the header, what is no
    integer, empty lives, and ids used twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: cannot be read as text ({error})") from None
    lines = csv.reader(io.StringIO(text), skipinitialspace=True)
    try:
        return _buffers(lines, path)
    except csv.Error as error:
        raise FileFormatError(f"{path}, line {lines.line_num}: {error}") from None


def _buffers(lines: Any, path: str | Path) -> list[Buffer]:
    header: list[str] = next(lines, [])
    missing = [name for name in FIELDS if name not in header]
    if missing:
        raise FileFormatError(f"{path}, line 1: column {missing[0]!r} is missing; the header is {','.join(FIELDS)}")
    buffers, seen = [], set()
    for cells in filter(any, lines):  # without empty lines
        where = f"{path}, line {lines.line_num}"
        if len(cells) != len(header):
            raise FileFormatError(f"{where}: {len(cells)} values under {len(header)} columns")
        buffers.append(_buffer(dict(zip(header, cells, strict=True)), where))
        if buffers[-1].id in seen:
            raise FileFormatError(f"{where}: the id {buffers[-1].id!r} is used twice")
        seen.add(buffers[-1].id)
    return buffers


def _buffer(row: dict[str, str], where: str) -> Buffer:
    numbers = []
    for name in FIELDS[1:]:
        try:
            numbers.append(int(row[name]))
        except ValueError:
            raise FileFormatError(f"{where}: {name} is {row[name]!r}, an integer is needed") from None
    lower, upper, size = numbers
    if upper <= lower or size < 0:
        raise FileFormatError(f"{where}: buffer {row['id']!r} lives in [{lower}, {upper}) with {size} bytes")
    return Buffer(row["id"], lower, upper, size)


def plan_table(rows: Iterable[dict[str, Any]]) -> Table:
    """Rows of id, lower, upper, size and offset as a table."""
    return Table("Buffers", PLAN_COLUMNS, tuple({c.key: row[c.key] for c in PLAN_COLUMNS} for row in rows))


@dataclass(frozen=True)
class PlannedBuffers(Result):
    """A plan of buffers as a result."""

    schema = "memory_plan"
    name: str = ""
    plan: MemoryPlan = MemoryPlan((), (), 0, 0, 0)
    capacity: int | None = None

    @property
    def table(self) -> Table:
        """Every buffer with its offset."""
        rows = zip(self.plan.buffers, self.plan.offsets, strict=True)
        return plan_table([{**b._asdict(), "offset": offset} for b, offset in rows])

    def content(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "name": self.name,
            "capacity": self.capacity,
            "bytes": plan.size,
            "bound_bytes": plan.bound,
            "gap_bytes": plan.gap.bytes,
            "optimal": plan.optimal,
            "proof": plan.proof,
            "buffers": list(self.table),
        }

    def sections(self) -> tuple[Section, ...]:
        plan = self.plan
        facts = (
            ("arena", f"{plan.size:,} B" + (f" of {self.capacity:,} B" if self.capacity is not None else "")),
            ("most alive at once", f"{plan.bound:,} B; gap {plan.gap.bytes:,} B ({100 * plan.gap.share:.2f} %)"),
            ("proof", plan.proof),
        )
        return (Section(f"Memory plan: {self.name}", "", facts, (self.table,)),)
