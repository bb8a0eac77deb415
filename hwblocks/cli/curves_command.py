"""hwblocks curves."""

from __future__ import annotations

from typing import Any

import click

from hwblocks.cli.output import output_options, show
from hwblocks.errors import InputError


@click.command("curves")
@click.argument("block")
@click.option("--input", "x_format", required=True, help="Format of the input, for example 'ap_fixed<16,4>'.")
@click.option("--output", "y_format", required=True, help="Format of the output.")
@click.option("--variant", "names", multiple=True, help="One to measure, for example 'pwl(8)'; default all usual ones.")
@click.option("--set", "attributes", multiple=True, metavar="NAME=VALUE", help="An attribute of the block.")
@click.option("--rounding", default="half_even", show_default=True, help="Of the cast to the output.")
@output_options
def command(
    block: str,
    x_format: str,
    y_format: str,
    names: tuple[str, ...],
    attributes: tuple[str, ...],
    rounding: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Error, tables and operations of the integer variants of BLOCK, for example sigmoid."""
    from hwblocks.analysis.curves import curve_errors

    show(curve_errors(_block(block, attributes), x_format, y_format, names, rounding), as_json, quiet)


def _block(name: str, attributes: tuple[str, ...]) -> Any:
    """A block by its name in any case, with attributes."""
    from hwblocks.graph.registry import block_class, block_classes

    known = {n.lower(): n for n in block_classes()}
    cls = block_class(known.get(name.lower(), name))
    values = dict(_attribute(text) for text in attributes)
    try:
        return cls(**values)
    except TypeError as error:
        raise InputError(f"{cls.__name__}: {error}; --set takes its attributes") from None


def _attribute(text: str) -> tuple[str, Any]:
    """NAME=VALUE; numbers where they are numbers."""
    name, sign, value = text.partition("=")
    if not sign:
        raise InputError(f"--set {text!r}: write NAME=VALUE")
    try:
        return name, float(value)
    except ValueError:
        return name, value
