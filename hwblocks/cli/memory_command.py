"""hwblocks memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from hwblocks.cli.output import output_options, show
from hwblocks.cli.shapes import shape_option


@click.command("memory")
@click.argument("model", type=click.Path())
@click.option("--capacity", type=click.IntRange(1), help="Bytes that there are; exit code 2 where nothing fits.")
@click.option(
    "--align", type=click.IntRange(1), default=1, show_default=True, help="Bytes that offsets are multiples of."
)
@click.option(
    "--option",
    "options",
    multiple=True,
    help="in_place, concat_in_place, reorder; may be given several times. The table shows every one anyway.",
)
@click.option("--effort", type=click.IntRange(0), help="Units of search, some 400 million a second; 0: first fit only.")
@click.option("--scratch", is_flag=True, help="Also what the C kernels of this machine need beside the arena.")
@click.option("--csv", "table", type=click.Path(), help="Write the table of options (of buffers, for a CSV file).")
@click.option("--output", "-o", type=click.Path(), help="Write id, lower, upper, size, offset of every buffer.")
@shape_option
@output_options
def command(
    model: str,
    capacity: int | None,
    align: int,
    options: tuple[str, ...],
    effort: int | None,
    scratch: bool,
    table: str | None,
    output: str | None,
    shapes: dict[str, list[int]] | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Plan the memory of MODEL, or of the buffers in a CSV file (id, lower, upper, size).

    \b
    hwblocks memory model.hwb --option in_place --option reorder
    hwblocks memory buffers.csv --capacity 1048576 -o offsets.csv
    """
    from hwblocks.files import check_writable, write_atomically
    from hwblocks.graph.arena_plan import EFFORT
    from hwblocks.importers.load import load

    for path in filter(None, (table, output)):
        check_writable(path)
    how = {"capacity": capacity, "align": align, "effort": EFFORT if effort is None else effort}
    if Path(model).suffix.lower() == ".csv":
        if options or scratch or shapes:
            raise click.UsageError("--option, --scratch, --shape: a CSV file has buffers but no nodes; give a model")
        result, buffers, shown = _of_buffers(model, how)
    else:
        result, buffers, shown = _of_graph(load(model, shapes), options, scratch, how)
    if table:
        write_atomically(table, shown.to_csv())
    if output:
        write_atomically(output, buffers.to_csv())
    show(result, as_json, quiet)


def _of_graph(graph: Any, options: tuple[str, ...], scratch: bool, how: dict[str, Any]) -> tuple[Any, Any, Any]:
    """(result, table of buffers, table of options) of a model."""
    from hwblocks.costs.memory.buffer_file import plan_table
    from hwblocks.costs.memory.options import memory_report, most_scratch

    result = memory_report(graph, options, **how)
    if scratch:
        result = replace(result, kernel_scratch=most_scratch(graph))
    rows = [{**row, "id": row["buffer"]} for row in result.gantt]
    return result, plan_table(rows), result.options


def _of_buffers(path: str, how: dict[str, Any]) -> tuple[Any, Any, Any]:
    """(result, table of buffers, the same) of a CSV file."""
    from hwblocks.costs.memory.buffer_file import PlannedBuffers, read_buffers
    from hwblocks.graph.memory import plan_memory

    plan = plan_memory(read_buffers(path), **how)
    result = PlannedBuffers(Path(path).name, plan, how["capacity"])
    return result, result.table, result.table
