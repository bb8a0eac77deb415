"""hwblocks verify."""

from __future__ import annotations

import click

from hwblocks.cli.output import output_options, progress, show


@click.command("verify")
@click.argument("model", type=click.Path())
@click.option(
    "--against",
    required=True,
    help="tflm, litert, litert-ref, litert-opt, ort, ort-noopt, or a .npz of tensors by name.",
)
@click.option("--inputs", type=click.Path(), help="Samples: .npz, .npy or idx; default random ones.")
@click.option("--samples", "count", type=click.IntRange(1), default=8, show_default=True, help="How many random ones.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of random samples.")
@click.option("--range", "part", help="Samples a:b only.")
@click.option("--dialect", help="Default: the one that equals the runtime, or the model's own.")
@click.option("--state", type=click.Choice(["reset", "carry"]), default="reset", help="States between samples.")
@output_options
def command(
    model: str,
    against: str,
    inputs: str | None,
    count: int,
    seed: int,
    part: str | None,
    dialect: str | None,
    state: str,
    as_json: bool,
    quiet: bool,
) -> int:
    """Whether MODEL's tensors equal those of an installed runtime, or a dump of a board or RTL; exit code 1 if not."""
    from hwblocks.analysis.verification import verify_graph
    from hwblocks.cli.samples import given_or_random, read_arrays
    from hwblocks.errors import InputError
    from hwblocks.importers.load import load

    graph = load(model)
    recorded = against.endswith(".npz")
    if recorded and inputs is None:
        raise InputError(f"--against {against}: tensors of which inputs? give them with --inputs")
    data = given_or_random(graph, inputs, part, count, seed)
    if recorded:
        theirs, chosen = read_arrays(against), dialect
    else:
        from hwblocks.runtimes import reference

        theirs, found = reference(against, model, graph, state)  # type: ignore[assignment]
        chosen = dialect or (found if any(t.format.is_quantized for t in graph.tensors.values()) else None)
    total = len(next(iter(data.values())))
    with progress("verifying", total, quiet or as_json) as advance:
        result = verify_graph(graph, data, theirs, against, dialect=chosen, state=state, progress=advance)
    show(result, as_json, quiet)
    return int(not result.equal)
