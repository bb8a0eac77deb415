"""hwblocks cost."""

from __future__ import annotations

import click

from hwblocks.cli.output import output_options, show


@click.command("cost")
@click.argument("model", type=click.Path())
@click.option("--target", default="ideal-64mac", show_default=True, help="A target's name or a TOML file.")
@output_options
def command(model: str, target: str, as_json: bool, quiet: bool) -> None:
    """Cycles, time and energy of one sample of MODEL on a target."""
    from hwblocks.costs.pricing import price_graph
    from hwblocks.importers.load import load
    from hwblocks.targets.load import load_target

    priced = load_target(target)
    show(price_graph(load(model), priced), as_json, quiet)
