"""Checks of a format table before it is used: a row for every tensor that needs one, of the right form."""

from __future__ import annotations

from difflib import get_close_matches

from hwblocks.errors import ConversionError
from quantize.domain import Domain
from quantize.format_table import FormatTable
from quantize.groups import activation_constants
from quantize.weights import Sum, sums_of


def check_formats(domain: Domain, table: FormatTable) -> None:
    """Refuse a table that does not fit the graph. Raises ConversionError that names the tensor."""
    sums = sums_of(domain)
    activations = [*domain.stored, *activation_constants(domain)]
    weights = [item.weight.name for item in sums if item.weight is not None]
    biases = [item.bias.name for item in sums if item.bias is not None]
    _check_names(table, [*activations, *weights], biases)
    for name in activations:
        if isinstance(table[name].scale, tuple) or isinstance(table[name].zero_point, tuple):
            raise ConversionError(f"format table: {name!r} is an activation and needs one scale and one zero point")
    for item in sums:
        _check_weight(item, table)


def _check_names(table: FormatTable, needed: list[str], optional: list[str]) -> None:
    for name in needed:
        if name not in table:
            raise ConversionError(
                f"format table of {table.model!r}: tensor {name!r} has no row; assign the formats again"
            )
    for name in table:
        if name not in needed and name not in optional:
            close = get_close_matches(name, [*needed, *optional], 3, 0.3)
            raise ConversionError(
                f"format table of {table.model!r}: {name!r} is no tensor that is quantized; did you mean "
                f"{', '.join(close) or 'another model'}?"
            )


def _check_weight(item: Sum, table: FormatTable) -> None:
    if item.weight is None:
        return
    format, where = (
        table[item.weight.name],
        f"format table: weights {item.weight.name!r} of {item.node.where}",
    )
    if not isinstance(format.scale, tuple):
        return
    channels = item.weight.shape[item.axis]
    if format.axis != item.axis or len(format.scale) != channels:
        raise ConversionError(
            f"{where} have {channels} channels along axis {item.axis}, the row has "
            f"{len(format.scale)} scales along axis {format.axis}"
        )
