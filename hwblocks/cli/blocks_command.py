"""hwblocks blocks."""

from __future__ import annotations

import click

from hwblocks.cli.output import output_options, show
from hwblocks.table import Column, Result, Section, Table


@click.command("blocks")
@output_options
def command(as_json: bool, quiet: bool) -> None:
    """All building blocks with their formulas."""
    from dataclasses import dataclass
    from typing import Any

    from hwblocks.graph.registry import block_classes

    rows = tuple(
        {
            "block": name,
            "kind": cls.kind,
            "inputs": ", ".join(cls.input_names),
            "formula": (cls.__doc__ or "").strip().splitlines()[0],
        }
        for name, cls in block_classes().items()
    )
    columns = (Column("block"), Column("kind"), Column("inputs"), Column("formula"))
    table = Table("Blocks", columns, rows)

    @dataclass(frozen=True)
    class Blocks(Result):
        """The list of blocks."""

        schema = "blocks"

        def content(self) -> dict[str, Any]:
            return {"blocks": [dict(row) for row in rows]}

        def sections(self) -> tuple[Section, ...]:
            return (Section(f"{len(rows)} blocks", tables=(table,)),)

    show(Blocks(), as_json, quiet)
