"""hwblocks export."""

from __future__ import annotations

from typing import Any

import click

from hwblocks.cli.output import console, output_options, show_json


@click.command("export")
@click.argument("model", type=click.Path())
@click.option("--out", "-o", required=True, type=click.Path(), help="The file to write.")
@click.option("--onnx", "kind", flag_value="onnx", help="Write an ONNX file.")
@click.option("--scalesim", "kind", flag_value="scalesim", help="Write the layers as a SCALE-Sim topology (CSV).")
@click.option(
    "--style",
    type=click.Choice(["qdq", "qoperator"]),
    default="qdq",
    show_default=True,
    help="QuantizeLinear and DequantizeLinear around every node, or ONNX Runtime's operators on codes.",
)
@click.option("--samples", type=click.Path(), help="Also run both on samples (.npz, .npy, idx) and compare tensors.")
@click.option("--dialect", help="Compare with the model under a runtime's arithmetic instead of its own.")
@click.option("--range", "part", help="Samples a:b only.")
@output_options
def command(
    model: str,
    out: str,
    kind: str | None,
    style: str,
    samples: str | None,
    dialect: str | None,
    part: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write MODEL as an ONNX file; say where ONNX Runtime's integers may differ, and with --samples where they do.

    With --scalesim: its convolutions and matrix products as the rows of a topology.
    """
    from hwblocks.cli.samples import read_samples_file
    from hwblocks.exporters.to_onnx import export_onnx
    from hwblocks.files import check_writable
    from hwblocks.importers.load import load

    if kind is None:
        raise click.UsageError("say which kind of file to write: --onnx or --scalesim")
    check_writable(out)
    if kind == "scalesim":
        _refuse_onnx_options(samples=samples, dialect=dialect, range=part)
        _topology(load(model), out, as_json, quiet)
        return
    graph = load(model)
    data = read_samples_file(samples, graph, part) if samples else None
    made = export_onnx(graph, out, style)
    rows = None if data is None else measured(graph, made, data, dialect)
    if as_json:
        show_json("export", out=out, nodes=made.nodes, notes=made.notes, tensors=rows)
    elif not quiet:
        _print(made, rows)


def _refuse_onnx_options(**given: str | None) -> None:
    named = [f"--{name}" for name, value in given.items() if value is not None]
    if named:
        raise click.UsageError(f"{', '.join(named)}: for --onnx only")


def _topology(graph: Any, out: str, as_json: bool, quiet: bool) -> None:
    from hwblocks.exporters.to_scalesim import export_scalesim

    made = export_scalesim(graph, out)
    if as_json:
        show_json("export", out=out, rows=len(made.rows), macs=made.macs)
    elif not quiet:
        click.echo(f"{made.path}: {len(made.rows)} rows, {made.macs:,} MACs")


def _print(made: Any, rows: list[dict[str, Any]] | None) -> None:
    from hwblocks.table import Column, Table

    click.echo(f"{made.path}: {made.nodes} nodes")
    if made.notes:
        console().print(made.table)
    if rows is None:
        return
    wrong = [row for row in rows if row["different"]]
    count = len({row["tensor"] for row in wrong})
    click.echo(f"{len(rows)} tensors compared with ONNX Runtime, optimisation off: {count} differ")
    if wrong:
        columns = (Column("tensor"), Column("elements"), Column("different"), Column("max_difference"))
        console().print(Table("differences", columns, tuple(wrong)))


def measured(graph: Any, made: Any, data: dict[str, Any], dialect: str | None = None) -> list[dict[str, Any]]:
    """Every tensor of the file against the graph's own run: codes by equality, real values by their difference."""
    import numpy as np

    from hwblocks.simulate.simulator import Simulator

    names = [n for n in made.tensors if n not in graph.inputs]
    run = Simulator(graph, dialect).run(data, trace=names)
    count = len(next(iter(data.values())))
    found = {name: _tensor(graph, run, name) for name in names}
    rows, session = [], _session(made, names)
    theirs: dict[str, list[Any]] = {name: [] for name in names}
    for sample in range(count):
        feed = {
            n: np.asarray(data[n][sample], graph_type(graph, n)).reshape(graph.tensors[n].shape) for n in graph.inputs
        }
        results = session.run([made.tensors[n][0] for n in names], feed)
        for name, result in zip(names, results, strict=True):
            theirs[name].append(np.moveaxis(result, 1, -1) if made.tensors[name][1] else result)
    for name in names:
        ours, other = np.asarray(found[name]), np.stack(theirs[name]).reshape(np.shape(found[name]))
        rows.append(_row(name, ours, other, made.tensors[name][2]))
    return rows


def graph_type(graph: Any, name: str) -> Any:
    """The type of an input of the file: real values are float32."""
    format = graph.tensors[name].format
    return format.dtype if format.kind in ("raw", "bool") else "float32"


def _tensor(graph: Any, run: Any, name: str) -> Any:
    return run.outputs[name] if name in graph.outputs else run.trace.tensors[name]


def _session(made: Any, names: list[str]) -> Any:
    """The file in ONNX Runtime without optimisation, with every tensor as an output."""
    import onnx

    from hwblocks.errors import MissingExtraError

    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("--samples needs onnxruntime; run `pip install onnxruntime`") from None
    model = onnx.load(made.path)
    there = {o.name for o in model.graph.output}
    wanted = dict.fromkeys(made.tensors[n][0] for n in names)
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in wanted if n not in there)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def _row(name: str, ours: Any, theirs: Any, codes: bool) -> dict[str, Any]:
    import numpy as np

    distance = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    limit = 0.0 if codes else 1e-5 * max(1.0, float(np.abs(ours).max(initial=0.0)))
    return {
        "tensor": name,
        "elements": int(ours.size),
        "different": int(np.count_nonzero(distance > limit)),
        "max_difference": float(distance.max(initial=0.0)),
    }
