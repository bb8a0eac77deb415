"""hwblocks blocks."""

from __future__ import annotations

import click

from hwblocks.cli.output import output_options, progress, show


@click.command("blocks")
@click.option("--coverage", is_flag=True, help="The ONNX and TFLite operators that are served, and by which blocks.")
@click.option(
    "--conformance", is_flag=True, help="Run the node tests of the installed onnx package; exit 1 if any fails."
)
@output_options
def command(coverage: bool, conformance: bool, as_json: bool, quiet: bool) -> int:
    """All building blocks with their formulas; operators served; the ONNX node tests."""
    if coverage and conformance:
        raise click.UsageError("choose --coverage or --conformance")
    if conformance:
        return run_conformance(as_json, quiet)
    if coverage:
        from hwblocks.importers.coverage import coverage as served

        show(served(), as_json, quiet)
    else:
        list_blocks(as_json, quiet)
    return 0


def run_conformance(as_json: bool, quiet: bool) -> int:
    """Every node test of the installed onnx package; the exit code."""
    from hwblocks.importers.onnx_conformance import conformance, node_tests

    tests = node_tests()
    with progress("node tests", len(tests), quiet or as_json) as advance:
        result = conformance(tests, advance)
    show(result, as_json, quiet)
    return 1 if result.counts["wrong"] or result.counts["failed"] else 0


def list_blocks(as_json: bool, quiet: bool) -> None:
    """Names, kinds, inputs and formulas."""
    from hwblocks.graph.registry import block_classes
    from hwblocks.table import Column, Listing, Table

    rows = tuple(
        {
            "block": name,
            "kind": cls.kind,
            "inputs": ", ".join(cls.input_names),
            "formula": (cls.__doc__ or "").strip().splitlines()[0],
        }
        for name, cls in block_classes().items()
    )
    columns = (Column("block"), Column("kind"), Column("inputs"), Column("formula"))
    show(Listing("blocks", f"{len(rows)} blocks", Table("Blocks", columns, rows)), as_json, quiet)
