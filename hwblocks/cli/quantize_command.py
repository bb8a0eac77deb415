"""hwblocks quantize."""

from __future__ import annotations

import click

from hwblocks.cli.output import output_options, progress, show_json


@click.command("quantize")
@click.argument("model", type=click.Path())
@click.option("--samples", required=True, type=click.Path(), help="Calibration samples: .npz, .npy or idx.")
@click.option("--range", "part", help="Samples a:b only.")
@click.option("--recipe", default="int8", show_default=True, help="A recipe's name or a TOML file.")
@click.option("--out", "-o", required=True, type=click.Path(), help="The integer model, a .hwb file.")
@click.option("--ranges", type=click.Path(), help="Also save the range table (JSON).")
@output_options
def command(
    model: str,
    samples: str,
    part: str | None,
    recipe: str,
    out: str,
    ranges: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make an integer model from a float MODEL and calibration samples."""
    import quantize as qz
    from hwblocks.cli.samples import read_samples_file
    from hwblocks.files import check_writable
    from hwblocks.graph.io import content_hash, save
    from hwblocks.importers.load import load

    check_writable(out)
    if ranges:
        check_writable(ranges)
    chosen = qz.load_recipe(recipe)
    graph = load(model)
    data = read_samples_file(samples, graph, part)
    count = len(next(iter(data.values())))
    with progress("calibrating", count, quiet or as_json) as advance:
        table = qz.calibrate(graph, data, progress=advance)
    made = qz.convert(graph, table, recipe=chosen)
    if ranges:
        table.save(ranges)
    save(made, out)
    if as_json:
        show_json("quantize", out=out, nodes=len(made.nodes), hash=content_hash(made), metadata=dict(made.metadata))
    elif not quiet:
        recipe_name = made.metadata["recipe"]
        click.echo(f"{out}: {len(made.nodes)} nodes, recipe {recipe_name}, {count} samples, hash {content_hash(made)}")
        click.echo(f"accumulators: {made.metadata['accumulator']}")
        for note in made.metadata["notes"].splitlines():
            click.echo(f"note: {note}")
