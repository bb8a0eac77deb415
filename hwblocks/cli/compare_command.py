"""hwblocks compare."""

from __future__ import annotations

import click

from hwblocks.cli.output import output_options, progress, show
from hwblocks.cli.pair import pair_options
from hwblocks.cli.shapes import shape_option
from hwblocks.errors import InputError


@click.command("compare")
@pair_options
@click.option("--fail-below", help="Exit with 1 when below, for example top1=0.97 or agreement=0.99.")
@click.option("--report", "report_path", type=click.Path(), help="Also write an HTML page.")
@click.option("--threads", type=click.IntRange(1), help="Workers; default all processors.")
@shape_option
@output_options
def command(
    float_model: str,
    quantized_model: str,
    samples: str,
    labels: str | None,
    part: str | None,
    fail_below: str | None,
    report_path: str | None,
    threads: int | None,
    shapes: dict[str, list[int]] | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """FLOAT_MODEL against QUANTIZED_MODEL on the same samples, layer by layer."""
    from hwblocks.analysis.comparison import compare_graphs
    from hwblocks.cli.samples import read_labels, read_samples_file
    from hwblocks.files import check_writable
    from hwblocks.importers.load import load

    if report_path:
        check_writable(report_path)
    limit = _limit(fail_below)
    first, second = load(float_model, shapes), load(quantized_model)
    data = read_samples_file(samples, first, part)
    truth = read_labels(labels, part) if labels else None
    count = len(next(iter(data.values())))
    with progress("comparing", count, quiet or as_json) as advance:
        result = compare_graphs(first, second, data, truth, threads=threads, progress=advance)
    show(result, as_json, quiet)
    if report_path:
        from hwblocks.reports import report

        report(report_path, result)
    if limit is None:
        return 0
    name, least = limit
    if name == "top1" and result.integer_top1 is None:
        raise InputError("--fail-below top1 needs --labels")
    got = result.integer_top1.share if name == "top1" and result.integer_top1 else result.agreement
    if got < least:
        click.echo(f"check failed: {name} {got:.4f} is below {least}", err=True)
    return int(got < least)


def _limit(text: str | None) -> tuple[str, float] | None:
    if text is None:
        return None
    name, _, value = text.partition("=")
    try:
        least = float(value)
    except ValueError:
        least = -1.0
    if name not in ("top1", "agreement") or not 0 <= least <= 1:
        raise InputError(f"--fail-below {text}: write top1=0.97 or agreement=0.99, a share from 0 to 1")
    return name, least
