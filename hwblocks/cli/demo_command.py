"""hwblocks demo."""

from __future__ import annotations

from typing import Any

import click

from hwblocks.cli.output import console, output_options, show_json

RECIPES = ("int8", "w4a8", "fixed16")
SHOWN = ("tensor", "block", "format", "sqnr_db", "max_error_steps", "saturated")


@click.command("demo")
@click.option("--report", "report_path", default="report.html", show_default=True, type=click.Path(), help="HTML page.")
@output_options
def command(report_path: str, as_json: bool, quiet: bool) -> None:
    """Quantize, run, compare and price a small network that is shipped with the package."""
    import quantize as qz
    from hwblocks.analysis.comparison import compare_graphs
    from hwblocks.analysis.inspection import inspect_graphs
    from hwblocks.analysis.tradeoff import tradeoff
    from hwblocks.cli.demo_data import demo_graph, demo_samples
    from hwblocks.cli.report_command import tradeoff_row
    from hwblocks.costs.pricing import price_graph
    from hwblocks.files import check_writable
    from hwblocks.reports import report
    from hwblocks.targets.load import load_target

    check_writable(report_path)
    graph, samples = demo_graph(), demo_samples()
    table = qz.calibrate(graph, samples["calibration"])
    target = load_target("ideal-64mac")
    compared, priced = {}, {}
    for recipe in RECIPES:
        made = qz.convert(graph, table, recipe=recipe)
        compared[recipe] = compare_graphs(graph, made, samples["images"], samples["labels"])
        priced[recipe] = price_graph(made, target)
    first = qz.convert(graph, table, recipe=RECIPES[0])
    rows = [tradeoff_row(recipe, compared[recipe], priced[recipe]) for recipe in RECIPES]
    inspected = inspect_graphs(graph, first, samples["images"], shown=(0, 1, 2))
    more = [r for recipe in RECIPES[1:] for r in (compared[recipe], priced[recipe])]
    results = [compared[RECIPES[0]], inspected, priced[RECIPES[0]].profile, priced[RECIPES[0]], *more]
    path = report(report_path, tradeoff(rows), *results, title="hwblocks demo: digits in float and in integers")
    if as_json:
        content = {r: {"comparison": compared[r].content(), "cost": priced[r].content()} for r in RECIPES}
        show_json("demo", recipes=content, report=str(path))
    elif not quiet:
        _print(compared, priced, path)


def _print(compared: dict[str, Any], priced: dict[str, Any], path: Any) -> None:
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
            "energy": priced[recipe].energy_pj / 1e3,
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
        Column("energy", "energy", "nJ", ".2f"),
    )
    title = f"Accuracy, and cost of one image on {priced['int8'].target} (energy by {priced['int8'].energy_table})"
    screen.print(Table(title, columns, tuple(rows)))
    layers = first.layers
    shown = tuple(column for column in layers.columns if column.key in SHOWN)
    screen.print(Table("int8 against float, layer by layer", shown, layers.rows))
    click.echo(f"report: {path}")
