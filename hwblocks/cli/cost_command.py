"""hwblocks cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hwblocks.cli.output import output_options, show
from hwblocks.cli.shapes import shape_option

STAND_INS = 8  # random samples that calibrate a model whose scales do not matter


@click.command("cost")
@click.argument("model", type=click.Path())
@click.option("--target", "-t", "targets", multiple=True, help="A target's name or a TOML file; may be repeated.")
@click.option("--recipe", "-r", "recipes", multiple=True, help="Quantize a float MODEL by this first; repeatable.")
@click.option("--samples", type=click.Path(), help="Calibrates the recipes; measures their accuracy too.")
@click.option("--labels", type=click.Path(), help="Class numbers of the samples, for top-1.")
@click.option("--range", "part", help="Samples a:b only.")
@click.option("--energy", help="One energy table for all targets: a name or a TOML file.")
@click.option("--compare-vela", "vela", type=click.Path(), help="A CSV that Vela wrote for MODEL, beside ours.")
@click.option("--csv", "csv_path", type=click.Path(), help="Also write the table of layers (or of the comparison).")
@shape_option
@output_options
def command(
    model: str,
    targets: tuple[str, ...],
    recipes: tuple[str, ...],
    samples: str | None,
    labels: str | None,
    part: str | None,
    energy: str | None,
    vela: str | None,
    csv_path: str | None,
    shapes: dict[str, list[int]] | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Cycles, bytes, time and energy of one sample of MODEL on targets.

    With several targets or recipes they stand side by side. Recipes without --samples take their formats from random
    inputs: widths decide the cost, scales do not.
    """
    from hwblocks.costs.comparison import compare_costs
    from hwblocks.costs.pricing import price_graph
    from hwblocks.costs.vela_csv import beside_vela
    from hwblocks.errors import InputError
    from hwblocks.files import check_writable, write_atomically
    from hwblocks.importers.load import load
    from hwblocks.targets.load import load_target

    if csv_path:
        check_writable(csv_path)
    chosen = [load_target(name) for name in targets or ("ideal-64mac",)]
    graph = load(model, shapes)
    models: dict[str, Any] = {Path(model).stem: graph}
    accuracy: dict[str, dict[str, Any]] = {}
    if recipes:
        models, accuracy = by_recipe(graph, recipes, samples, labels, part)
    single = len(chosen) == 1 and len(models) == 1
    if vela and not single:
        raise InputError("--compare-vela takes one target and one model; leave out the others")
    result: Any = (
        price_graph(next(iter(models.values())), chosen[0], energy)
        if single
        else compare_costs(models, chosen, energy, accuracy)
    )
    result = beside_vela(result, vela) if vela else result
    show(result, as_json, quiet)
    if csv_path:
        write_atomically(csv_path, result.to_csv())


def by_recipe(
    graph: Any, recipes: tuple[str, ...], samples: str | None, labels: str | None, part: str | None
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """(the integer model of each recipe, the accuracy of each where there are samples)."""
    import quantize as qz
    from hwblocks.analysis.comparison import compare_graphs
    from hwblocks.cli.samples import given_or_random, read_labels
    from hwblocks.errors import InputError

    shown = [Path(name).stem if name.endswith(".toml") else name for name in recipes]
    twice = next((label for label in shown if shown.count(label) > 1), None)
    if twice is not None:
        raise InputError(f"recipe {twice!r} is given twice; give each once, and each file its own name")
    if qz.states_formats(graph):
        raise InputError(
            f"{graph.title} states its own formats, which no recipe replaces; `hwblocks quantize MODEL -o Q.hwb` makes "
            "its integer model, whose cost needs no --recipe"
        )
    data = given_or_random(graph, samples, part, STAND_INS, seed=0)
    truth = read_labels(labels, part) if labels else None
    ranges = qz.calibrate(graph, data)
    models = {label: qz.convert(graph, ranges, recipe=name) for label, name in zip(shown, recipes, strict=True)}
    if samples is None:
        return models, {}
    return models, {label: compare_graphs(graph, made, data, truth).figures for label, made in models.items()}
