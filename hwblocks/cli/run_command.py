"""hwblocks run."""

from __future__ import annotations

from typing import Any

import click

from hwblocks.cli.output import output_options, progress, show_json
from hwblocks.cli.shapes import shape_option


@click.command("run")
@click.argument("model", type=click.Path())
@click.option("--inputs", required=True, type=click.Path(), help="Samples: .npz, .npy or idx; floats are real values.")
@click.option("--range", "part", help="Samples a:b only.")
@click.option("--outputs", type=click.Path(), help="Where the outputs go, a .npz file.")
@click.option("--dialect", help="The runtime whose integers are computed: tflm, litert-ref, xnnpack, ort, ...")
@click.option("--accumulator", help="Accumulator of every sum of products, for example 'int16 saturate'.")
@click.option("--threads", type=click.IntRange(1), help="Workers; default all processors.")
@click.option("--state", type=click.Choice(["reset", "carry"]), default="reset", help="States between samples.")
@click.option("--real", is_flag=True, help="Read integer samples as real values, not as stored codes.")
@click.option("--dump", type=click.Path(), help="A new folder for golden vectors of every node.")
@click.option("--dump-format", type=click.Choice(["npy", "hex"]), default="npy", show_default=True)
@shape_option
@output_options
def command(
    model: str,
    inputs: str,
    part: str | None,
    outputs: str | None,
    dialect: str | None,
    accumulator: str | None,
    threads: int | None,
    state: str,
    real: bool,
    dump: str | None,
    dump_format: str,
    shapes: dict[str, list[int]] | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run MODEL on samples; integers bit for bit."""
    from hwblocks.cli.samples import read_samples_file
    from hwblocks.files import check_writable, write_npz
    from hwblocks.importers.load import load
    from hwblocks.simulate.simulator import Simulator

    for path in (outputs, dump):
        if path:
            check_writable(path.rstrip("/"), may_be_folder=path is dump)
    graph = load(model, shapes)
    data = read_samples_file(inputs, graph, part)
    simulator = Simulator(graph, dialect, accumulator=accumulator, threads=threads)
    count = len(next(iter(data.values())))
    with progress("running", count, quiet or as_json) as advance:
        made = simulator.run(data, trace="full" if dump else None, state=state, real=real, progress=advance)
    if outputs:
        write_npz(outputs, made.outputs)
    if dump:
        from hwblocks.exporters.to_vectors import dump_vectors

        dump_vectors(simulator.graph, made, dump, dump_format)
    _show(made, count, outputs, dump, as_json, quiet)


def _show(made: Any, count: int, outputs: str | None, dump: str | None, as_json: bool, quiet: bool) -> None:
    events = {name: counted.to_dict() for name, counted in made.events.items()}
    shapes = {name: [list(a.shape), str(a.dtype)] for name, a in made.outputs.items()}
    if as_json:
        show_json("run", samples=count, outputs=shapes, file=outputs, dump=dump, events=events)
        return
    if quiet:
        return
    click.echo(f"{count} samples")
    for name, (shape, dtype) in shapes.items():
        click.echo(f"output {name}: {tuple(shape)} {dtype}")
    for name, counted in made.events.items():
        if counted.saturated or counted.final or counted.steps:
            click.echo(f"{name}: {counted.saturated} saturated, {counted.final} totals outside the accumulator")
