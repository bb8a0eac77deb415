"""hwblocks accumulators."""

from __future__ import annotations

from typing import Any

import click

from hwblocks.cli.output import output_options, progress, show
from hwblocks.errors import InputError


@click.command("accumulators")
@click.argument("model", type=click.Path())
@click.option("--samples", type=click.Path(), help="Also what these need: .npz, .npy or idx; floats are real values.")
@click.option("--range", "part", help="Samples a:b only.")
@click.option("--dialect", help="The runtime whose accumulators are meant: tflm, xnnpack, ort-avx2, ...")
@click.option("--accumulator", help="Of every sum of products instead, for example 'int16 saturate dot(4)'.")
@click.option("--out", "-o", type=click.Path(), help="Write a certificate (JSON).")
@click.option("--recipe", type=click.Path(), help="Write a recipe (TOML) with the narrowest safe accumulators.")
@click.option("--from", "source", help="The recipe that it changes; default the one that made MODEL.")
@click.option("--overflow", help="Of the accumulators of --recipe: wrap, saturate, trap, ...; default their own.")
@click.option("--channels", is_flag=True, help="One row for each output channel.")
@click.option("--fail-unsafe", is_flag=True, help="Exit with 1 when an accumulator is not proven safe.")
@click.option("--state", type=click.Choice(["reset", "carry"]), default="reset", help="States between samples.")
@click.option("--threads", type=click.IntRange(1), help="Workers; default all processors.")
@output_options
def command(
    model: str,
    samples: str | None,
    part: str | None,
    dialect: str | None,
    accumulator: str | None,
    out: str | None,
    recipe: str | None,
    source: str | None,
    overflow: str | None,
    channels: bool,
    fail_unsafe: bool,
    state: str,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """What width each accumulator of the integer MODEL needs: proven for all inputs, or an input that overflows it."""
    from hwblocks.analysis.widths import find_accumulators
    from hwblocks.cli.samples import read_samples_file
    from hwblocks.files import check_writable
    from hwblocks.importers.load import load

    if recipe is None and (source or overflow):
        raise InputError("--from and --overflow change what --recipe writes; name its file with --recipe")
    for path in (out, recipe):
        if path:
            check_writable(path)
    graph = load(model)
    start = _starting_recipe(graph, source) if recipe else None
    data = read_samples_file(samples, graph, part) if samples else None
    count = len(next(iter(data.values()))) if data else None
    with progress("observing", count, quiet or as_json or not data) as advance:
        found = find_accumulators(graph, data, dialect, accumulator, state=state, threads=threads, progress=advance)
    if recipe:
        from quantize.narrowing import save_narrowed

        save_narrowed(recipe, found, start, overflow)  # type: ignore[arg-type]
    if out:
        found.save_certificate(out)
    _show(found, channels, as_json, quiet)
    return int(fail_unsafe and not found.safe)


def _starting_recipe(graph: Any, source: str | None) -> Any:
    """The recipe named, else the one whose name the model carries."""
    import quantize as qz
    from quantize.recipe import recipe_names

    name = source or graph.metadata.get("recipe", "")
    if source is None and name not in recipe_names():
        raise InputError(
            f"--recipe: graph {graph.name!r} was made by no recipe of the library ({name or 'none named'}); "
            "give the one to change with --from"
        )
    return qz.load_recipe(name)


def _show(found: Any, channels: bool, as_json: bool, quiet: bool) -> None:
    from hwblocks.table import Listing

    if not channels:
        show(found, as_json, quiet)
        return
    title = f"Accumulators, channel by channel: {found.model}"
    show(Listing(name="accumulator_channels", title=title, table=found.channels), as_json, quiet)
