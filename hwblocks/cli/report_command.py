"""hwblocks report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from hwblocks.cli.output import output_options, progress
from hwblocks.cli.pair import pair_options
from hwblocks.cli.shapes import shape_option


@click.command("report")
@pair_options
@click.option("--target", "targets", multiple=True, help="A target's name or a TOML file; may be given several times.")
@click.option("--sample", "shown", multiple=True, type=int, help="Sample whose activation maps are shown; default 0.")
@click.option("--layers", default="*", show_default=True, help="Layers to look into, by name or pattern.")
@click.option("--channels", default=4, show_default=True, type=click.IntRange(1, 64), help="Activation maps a layer.")
@click.option("--output", "-o", default="report.html", show_default=True, type=click.Path(), help="HTML page.")
@click.option("--charts", default="inline", show_default=True, help="inline, file (plotly.min.js beside it), or none.")
@click.option("--markdown", type=click.Path(), help="Also write the numbers as Markdown.")
@click.option("--tables", type=click.Path(), help="Also write every table as CSV into this folder.")
@click.option("--threads", type=click.IntRange(1), help="Workers; default all processors.")
@shape_option
@output_options
def command(
    float_model: str,
    quantized_model: str,
    samples: str,
    labels: str | None,
    part: str | None,
    targets: tuple[str, ...],
    shown: tuple[int, ...],
    layers: str,
    channels: int,
    output: str,
    charts: str,
    markdown: str | None,
    tables: str | None,
    threads: int | None,
    shapes: dict[str, list[int]] | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """One page on FLOAT_MODEL and QUANTIZED_MODEL: graph, accuracy, values in formats, memory, cycles and energy."""
    from hwblocks.cli.samples import read_labels, read_samples_file
    from hwblocks.files import check_writable, write_atomically
    from hwblocks.importers.load import load
    from hwblocks.reports import check_charts, report
    from hwblocks.table import save_tables
    from hwblocks.targets.load import load_target

    for path in (output, *([markdown] if markdown else [])):
        check_writable(path)
    check_charts(charts)
    priced = [load_target(target) for target in targets or ("ideal-64mac",)]
    graphs = load(float_model, shapes), load(quantized_model)
    data = read_samples_file(samples, graphs[0], part)
    truth = read_labels(labels, part) if labels else None
    wanted: dict[str, Any] = {"layers": layers, "shown": shown or (0,), "channels": channels, "threads": threads}
    with progress("comparing and inspecting", 2 * len(next(iter(data.values()))), quiet or as_json) as advance:
        results = whole_report(*graphs, data, truth, priced, wanted, advance)
    page = report(output, *results.values(), title=f"{graphs[1].title}: integers against float", charts=charts)
    if markdown:
        write_atomically(markdown, "\n\n".join(result.to_markdown() for result in results.values()) + "\n")
    if tables:
        save_tables(tables, *results.values())
    _show(results, str(page), bool(shown), as_json, quiet)


def whole_report(
    float_graph: Any, integer_graph: Any, data: Any, truth: Any, targets: Any, wanted: Any, advance: Any
) -> dict[str, Any]:
    """The results of a page by name, in its order."""
    from hwblocks.analysis.comparison import compare_graphs
    from hwblocks.analysis.inspection import inspect_graphs
    from hwblocks.costs.comparison import compare_costs

    inspected = inspect_graphs(float_graph, integer_graph, data, progress=advance, **wanted)
    compared = compare_graphs(float_graph, integer_graph, data, truth, threads=wanted.get("threads"), progress=advance)
    title = integer_graph.title
    together = compare_costs({title: integer_graph}, targets, accuracy={title: compared.figures})
    results: dict[str, Any] = {"targets": together} if len(targets) > 1 else {}
    results |= {"comparison": compared, "inspection": inspected}
    results["profile"] = next(iter(together.costs.values())).profile
    return results | {f"cost on {cost.target}": cost for cost in together.costs.values()}


def _show(results: dict[str, Any], path: str, with_maps: bool, as_json: bool, quiet: bool) -> None:
    """One JSON document, or every result and the page's path; maps only of samples that were asked for."""
    from hwblocks.cli.output import console, show_json

    if as_json:
        show_json("report", report=path, results={name: result.to_dict() for name, result in results.items()})
        return
    if quiet:
        return
    for name, result in results.items():
        console().print(replace(result, maps=None) if name == "inspection" and not with_maps else result)
    click.echo(f"report: {path}")
