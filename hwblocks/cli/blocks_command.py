"""hwblocks blocks."""

from __future__ import annotations

import click

from hwblocks.cli.output import output_options, show


@click.command("blocks")
@output_options
def command(as_json: bool, quiet: bool) -> None:
    """All building blocks with their formulas."""
    from hwblocks.graph.registry import block_classes
    from hwblocks.table import Column, Listing, Table

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
    show(Listing("blocks", f"{len(rows)} blocks", Table("Blocks", columns, rows)), as_json, quiet)
