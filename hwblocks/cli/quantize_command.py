"""hwblocks quantize."""

from __future__ import annotations

from typing import Any

import click

from hwblocks.cli.output import output_options, progress, show_json
from hwblocks.cli.shapes import shape_option


@click.command("quantize")
@click.argument("model", type=click.Path())
@click.option("--samples", type=click.Path(), help="Calibration samples: .npz, .npy or idx; float models need them.")
@click.option("--range", "part", help="Samples a:b only.")
@click.option("--recipe", help="A recipe's name or a TOML file; default int8, or what the model states.")
@click.option("--out", "-o", required=True, type=click.Path(), help="The integer model, a .hwb file.")
@click.option("--ranges", type=click.Path(), help="Also save the range table (JSON).")
@shape_option
@output_options
def command(
    model: str,
    samples: str | None,
    part: str | None,
    recipe: str | None,
    out: str,
    ranges: str | None,
    shapes: dict[str, list[int]] | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make an integer model from a float MODEL and calibration samples, or from a QDQ or QONNX MODEL alone."""
    import quantize as qz
    from hwblocks.files import check_writable
    from hwblocks.graph.io import content_hash, save
    from hwblocks.importers.load import load

    check_writable(out)
    if ranges:
        check_writable(ranges)
    chosen = qz.load_recipe(recipe) if recipe else None
    graph = load(model, shapes)
    table, count = _ranges(graph, model, samples, part, quiet or as_json)
    made = qz.convert(graph, table, recipe=chosen)
    if ranges and table is not None:
        table.save(ranges)
    save(made, out)
    if as_json:
        show_json("quantize", out=out, nodes=len(made.nodes), hash=content_hash(made), metadata=dict(made.metadata))
    elif not quiet:
        recipe_name = made.metadata["recipe"]
        how = f"recipe {recipe_name}, {count} samples" if count else f"formats of the file, recipe {recipe_name}"
        click.echo(f"{out}: {len(made.nodes)} nodes, {how}, hash {content_hash(made)}")
        click.echo(f"accumulators: {made.metadata['accumulator']}")
        for note in made.metadata["notes"].splitlines():
            click.echo(f"note: {note}")


def _ranges(graph: Any, model: str, samples: str | None, part: str | None, quiet: bool) -> tuple[Any, int]:
    """(the range table, number of samples) of a float model; (None, 0) of one that states its formats."""
    import quantize as qz
    from hwblocks.cli.samples import read_samples_file
    from hwblocks.errors import InputError

    if qz.states_formats(graph):
        if samples is not None:
            raise InputError(f"{model}: states its own formats and is converted from these; leave out --samples")
        return None, 0
    if samples is None:
        raise InputError(f"{model}: is a float model; give calibration samples with --samples")
    data = read_samples_file(samples, graph, part)
    count = len(next(iter(data.values())))
    with progress("calibrating", count, quiet) as advance:
        return qz.calibrate(graph, data, progress=advance), count
