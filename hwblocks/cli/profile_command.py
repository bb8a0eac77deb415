"""hwblocks profile."""

from __future__ import annotations

import click

from hwblocks.cli.output import output_options, show


@click.command("profile")
@click.argument("model", type=click.Path())
@output_options
def command(model: str, as_json: bool, quiet: bool) -> None:
    """Operations and memory of one sample of MODEL, layer by layer."""
    from hwblocks.costs.profiling import profile_graph
    from hwblocks.importers.load import load

    show(profile_graph(load(model)), as_json, quiet)
