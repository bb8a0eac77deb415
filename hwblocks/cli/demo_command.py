"""hwblocks demo."""

from __future__ import annotations

from typing import Any

import click

from hwblocks.cli.output import console, output_options, show_json

RECIPES = ("int8", "w4a8", "fixed16")
SHOWN = ("tensor", "block", "format", "sqnr_db", "max_error_steps", "saturated")


@click.command("demo")
@click.option("--report", "report_path", default="report.html", show_default=True, type=click.Path(), help="HTML page.")
@click.option("--files", "folder", type=click.Path(), help="Also write the network and its data into this folder.")
@output_options
def command(report_path: str, folder: str | None, as_json: bool, quiet: bool) -> None:
    """Quantize, run, compare and price a small network that is shipped with the package."""
    import quantize as qz
    from hwblocks.analysis.comparison import compare_graphs
    from hwblocks.analysis.inspection import inspect_graphs
    from hwblocks.cli.demo_data import demo_graph, demo_samples, save_demo
    from hwblocks.costs.comparison import compare_costs
    from hwblocks.files import check_writable
    from hwblocks.reports import report
    from hwblocks.targets.load import load_target

    check_writable(report_path)
    written = save_demo(folder) if folder else ()
    graph, samples = demo_graph(), demo_samples()
    table = qz.calibrate(graph, samples["calibration"])
    models = {recipe: qz.convert(graph, table, recipe=recipe) for recipe in RECIPES}
    compared = {r: compare_graphs(graph, m, samples["images"], samples["labels"]) for r, m in models.items()}
    figures = {recipe: compared[recipe].figures for recipe in RECIPES}
    together = compare_costs(models, [load_target("ideal-64mac")], accuracy=figures)
    priced = dict(zip(RECIPES, together.costs.values(), strict=True))
    inspected = inspect_graphs(graph, models[RECIPES[0]], samples["images"], shown=(0, 1, 2))
    more = [r for recipe in RECIPES[1:] for r in (compared[recipe], priced[recipe])]
    results = [together, compared[RECIPES[0]], inspected, priced[RECIPES[0]].profile, priced[RECIPES[0]], *more]
    path = report(report_path, *results, title="hwblocks demo: digits in float and in integers")
    if as_json:
        content = {r: {"comparison": compared[r].content(), "cost": priced[r].content()} for r in RECIPES}
        show_json("demo", recipes=content, report=str(path))
    elif not quiet:
        _print(compared, priced, path)
        for file in written:
            click.echo(f"wrote {file}")


def _print(compared: dict[str, Any], priced: dict[str, Any], path: Any) -> None:
    from hwblocks.costs.result import quantity
    from hwblocks.table import Column, Table

    screen = console()
    first = compared["int8"]
    screen.print(f"{first.samples} test images of handwritten digits, {priced['int8'].profile.macs:,} MACs each\n")
    rows = [{"arithmetic": "float", "top1": str(first.float_top1)}]
    rows += [
        {
            "arithmetic": recipe,
            "top1": str(compared[recipe].integer_top1),
            "agreement": 100 * compared[recipe].agreement,
            "weights": priced[recipe].profile.weight_bytes,
            "peak": priced[recipe].profile.peak_bytes,
            "cycles": priced[recipe].cycles,
            "energy": quantity(priced[recipe].energy_total, priced[recipe].energy_unit),
        }
        for recipe in RECIPES
    ]
    columns = (
        Column("arithmetic"),
        Column("top1", "top-1 [95 %]"),
        Column("agreement", "same as float", "%", ".2f"),
        Column("weights", "weights", "B"),
        Column("peak", "memory", "B"),
        Column("cycles"),
        Column("energy", "energy (least to most)"),
    )
    title = f"Accuracy, and cost of one image on {priced['int8'].target} (energy by {priced['int8'].energy_table})"
    screen.print(Table(title, columns, tuple(rows)))
    layers = first.layers
    shown = tuple(column for column in layers.columns if column.key in SHOWN)
    screen.print(Table("int8 against float, layer by layer", shown, layers.rows))
    click.echo(f"report: {path}")
