"""What `hwblocks info --dialects` shows: every dialect with its runtime, and which operators are proven exact in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hwblocks.table import Column, Result, Section, Table

SIGNS = {"exact": "=", "near": "≈"}


@dataclass(frozen=True)
class Dialects(Result):
    """dialects: one row each, with the lists of operators that the tests compare. See `hwblocks.dialects.proven`."""

    schema = "dialects"
    dialects: tuple[dict[str, Any], ...] = ()

    def content(self) -> dict[str, Any]:
        return {"dialects": list(self.dialects)}

    def sections(self) -> Sequence[Section]:
        facts = (
            ("=", "all integers equal the runtime's"),
            ("≈", "equal but for the last bit of a float function or sum"),
        )
        return (
            Section("Dialects", tables=(self._runtimes(),)),
            Section("Proven operators", facts=facts, tables=(self._operators(),)),
        )

    def _runtimes(self) -> Table:
        columns = tuple(Column(key, key) for key in ("dialect", "runtime", "version", "summary"))
        counts = tuple(Column(key, f"operators {sign}") for key, sign in SIGNS.items())
        rows = tuple({**row, **{key: len(row[key]) for key in SIGNS}} for row in self.dialects)
        return Table("dialects", (*columns, *counts), rows)

    def _operators(self) -> Table:
        names = [row["dialect"] for row in self.dialects]
        operators = sorted({operator for row in self.dialects for key in SIGNS for operator in row[key]}, key=str.lower)
        rows = tuple({"operator": o, **{r["dialect"]: sign_of(r, o) for r in self.dialects}} for o in operators)
        return Table("operators", (Column("operator", "operator"), *(Column(n, n) for n in names)), rows)


def sign_of(row: dict[str, Any], operator: str) -> str:
    """How an operator is proven in a dialect, "" where it was not compared."""
    return next((sign for key, sign in SIGNS.items() if operator in row[key]), "")


def dialect_list() -> Dialects:
    """All dialects."""
    from hwblocks.dialects import dialect, names, proven

    rows = []
    for name in names():
        made = dialect(name)
        facts = {"dialect": name, "runtime": made.runtime, "version": made.version, "summary": made.summary}
        rows.append({**facts, **proven(name)})
    return Dialects(dialects=tuple(rows))
