"""hwblocks diff."""

from __future__ import annotations

import click

from hwblocks.cli.output import output_options, progress, show


@click.command("diff")
@click.argument("model", type=click.Path())
@click.argument("first")
@click.argument("second")
@click.option("--inputs", type=click.Path(), help="Samples: .npz, .npy or idx; default random ones.")
@click.option("--samples", "count", type=click.IntRange(1), default=8, show_default=True, help="How many random ones.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of random samples.")
@click.option("--range", "part", help="Samples a:b only.")
@click.option("--state", type=click.Choice(["reset", "carry"]), default="reset", help="States between samples.")
@click.option("--threads", type=click.IntRange(1), help="Workers; default all processors.")
@output_options
def command(
    model: str,
    first: str,
    second: str,
    inputs: str | None,
    count: int,
    seed: int,
    part: str | None,
    state: str,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Where MODEL's integers differ under the dialects FIRST and SECOND, and by which mechanism; exit code 1 if so."""
    from hwblocks.analysis.difference import diff_graph
    from hwblocks.cli.samples import given_or_random
    from hwblocks.importers.load import load

    graph = load(model)
    data = given_or_random(graph, inputs, part, count, seed)
    total = len(next(iter(data.values())))
    with progress("comparing", total, quiet or as_json) as advance:
        result = diff_graph(graph, data, first, second, state=state, threads=threads, progress=advance)
    show(result, as_json, quiet)
    return int(not result.equal)
