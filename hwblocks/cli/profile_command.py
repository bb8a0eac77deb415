"""hwblocks profile."""

from __future__ import annotations

import click

from hwblocks.cli.output import output_options, show
from hwblocks.cli.shapes import shape_option


@click.command("profile")
@click.argument("model", type=click.Path())
@click.option("--fold", is_flag=True, help="One row for each composite (LSTM, attention, ...).")
@shape_option
@output_options
def command(model: str, fold: bool, shapes: dict[str, list[int]] | None, as_json: bool, quiet: bool) -> None:
    """Operations and memory of one sample of MODEL, layer by layer."""
    from hwblocks.costs.profiling import profile_graph
    from hwblocks.importers.load import load

    profile = profile_graph(load(model, shapes))
    show(profile.folded() if fold else profile, as_json, quiet)
