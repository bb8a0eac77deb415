"""Conversion: from a float graph and its ranges to an integer graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hwblocks.errors import ConversionError, FormatError
from hwblocks.graph.block import Accumulate
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.site import accumulate_epilogue
from hwblocks.graph.tensor import Origin, Tensor, constant
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.cast import Cast
from hwblocks.numerics.formats import Format
from hwblocks.numerics.overflow import Overflow
from hwblocks.numerics.rounding import Rounding
from quantize.assignment import assign, check_overrides
from quantize.domain import Domain, find_domain
from quantize.edges import with_edges
from quantize.format_table import FormatTable
from quantize.groups import activation_constants
from quantize.models import Model, as_graph
from quantize.passes import prepare
from quantize.proof import unproven
from quantize.range_table import RangeTable
from quantize.recipe import Recipe, TensorRule, load_recipe
from quantize.scans import closed, opened
from quantize.stated import convert_stated, states_formats
from quantize.table_check import check_formats
from quantize.weights import Sum, bias_format, sums_of


def convert(
    model: Model,
    ranges: RangeTable | None = None,
    recipe: Recipe | str | Path | None = None,
    *,
    formats: FormatTable | None = None,
) -> Graph:
    """The integer graph of a float model, or of a model that states its formats itself (QDQ, QONNX).

    ranges: from `calibrate` (may be None when `formats` is given). recipe: a name, a Recipe or a file's path,
    "int8" when it is not given; it says how values are rounded and sums accumulated and requantized. formats: an
    edited table from `assign`, used as it is.
    A model that carries quantizers or codes is converted from these, without ranges and formats (see
    `quantize.stated.convert_stated`); a recipe then only says how sums are requantized.

    Each node carries its Arithmetic, each tensor its origin in the float graph. `metadata` holds the recipe's
    name, notes on what was decided beside it, and under "accumulator" either "safe" or the sums that may
    leave their register.
    Errors: CalibrationError, RecipeError, ConversionError (see `assign`).

    >>> import numpy as np, hwblocks as hb, quantize as qz
    >>> net = hb.Sequential(hb.Linear(weight=np.array([[0.5, -1.0]])), hb.ReLU(), input_shape=(2,))
    >>> q = convert(net, qz.calibrate(net, np.array([[1.0, 0.25], [-1.0, 0.5]])))
    >>> q.tensors["relu1"].format
    Format('int8', scale=0.0009803922148421407, zero_point=-128)
    >>> q.metadata["accumulator"]
    'safe'
    """
    graph = as_graph(model)
    if states_formats(graph):
        if ranges is not None or formats is not None:
            raise ConversionError(f"graph {graph.name!r} states its own formats; convert it without ranges and formats")
        return convert_stated(graph, None if recipe is None else load_recipe(recipe))
    chosen = load_recipe("int8" if recipe is None else recipe)
    prepared = prepare(opened(graph))
    if formats is None:
        if ranges is None:
            raise ConversionError("neither ranges nor formats are given; calibrate the model first")
        formats = assign(prepared, ranges, chosen)
    check_overrides(chosen, prepared)
    domain = find_domain(prepared, chosen)
    check_formats(domain, formats)
    return closed(_integer_graph(domain, chosen, formats), graph)


def _integer_graph(domain: Domain, recipe: Recipe, table: FormatTable) -> Graph:
    notes = list(table.notes)
    tensors = {name: _with_origin(tensor) for name, tensor in domain.graph.tensors.items()}
    for name in domain.stored:
        tensors[name] = tensors[name].replace(format=table[name])
    _quantize_constants(domain, recipe, table, tensors, notes)
    nodes = tuple(_with_arithmetic(domain, recipe, node) for node in domain.graph.nodes)
    graph = with_edges(domain, tensors, nodes)
    _check_requantization(graph)
    problems = unproven(graph)
    facts = {"recipe": recipe.name, "notes": "\n".join(notes), "accumulator": "\n".join(problems) or "safe"}
    return graph.replace(metadata={**graph.metadata, **facts})


def _with_origin(tensor: Tensor) -> Tensor:
    return tensor if tensor.origin else tensor.replace(origin=Origin(tensor.name))


def _quantize_constants(
    domain: Domain, recipe: Recipe, table: FormatTable, tensors: dict[str, Tensor], notes: list[str]
) -> None:
    readers = domain.graph.consumers
    for name in activation_constants(domain):
        rule = recipe.activations_of(name, *(node.name for node in readers[name]))
        tensors[name] = _quantized(tensors[name], table[name], rule)
    sums = sums_of(domain)
    for item in sums:
        if item.weight is not None and tensors[item.weight.name].format.is_float:
            rule = recipe.weights_of(item.weight.name, *(node.name for node in readers[item.weight.name]))
            tensors[item.weight.name] = _quantized(tensors[item.weight.name], table[item.weight.name], rule)
    for item in sums:
        if item.bias is not None:
            tensors[item.bias.name] = _quantized_bias(item, recipe, table, tensors[item.bias.name], notes)


def _quantized(tensor: Tensor, format: Format, rule: TensorRule) -> Tensor:
    codes, _ = Cast(format, rule.rounding, rule.overflow).real(_float64(tensor))
    return _stored(tensor, codes, format)


def _quantized_bias(item: Sum, recipe: Recipe, table: FormatTable, tensor: Tensor, notes: list[str]) -> Tensor:
    """Codes round(b / (scale(x) · scale(w))), limited to the bias's width."""
    rule = recipe.bias_of(tensor.name, item.node.name)
    bits = table[tensor.name].bits if tensor.name in table else rule.bits
    format = bias_format(table[item.x], table[item.node.inputs[1]], bits)
    codes, outside = Cast(format, rule.rounding, "saturate").real(_float64(tensor))
    if outside.any():
        notes.append(f"bias {tensor.name!r} of {item.node.where}: {int(outside.sum())} values saturate at {bits} bits")
    return _stored(tensor, codes, format)


def _float64(tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(tensor.value, dtype=np.float64)


def _stored(tensor: Tensor, codes: np.ndarray[tuple[int, ...], np.dtype[np.int64]], format: Format) -> Tensor:
    return constant(
        tensor.name, codes, format, origin=tensor.origin, layout=tensor.layout, source_name=tensor.source_name
    )


def _with_arithmetic(domain: Domain, recipe: Recipe, node: Node) -> Node:
    if node.name not in domain.integer:
        return node
    rule = recipe.activations_of(node.outputs[0], node.name)
    made = Arithmetic(rounding=Rounding(rule.rounding), overflow=Overflow(rule.overflow))
    if isinstance(node.block, Accumulate):
        bias = node.inputs[2] if len(node.inputs) > 2 else ""
        made = made.replace(
            requantize=recipe.requantize_of(node.name),
            accumulator=recipe.accumulator_of(node.name),
            bias_bits=recipe.bias_of(bias, node.name).bits if bias else None,
        )
    return node.replace(arithmetic=made)


def _check_requantization(graph: Graph) -> None:
    """Refuse scales that the requantization cannot serve. Raises ConversionError that names the node."""
    for node in graph.nodes:
        site = graph.site(node)
        if not isinstance(node.block, Accumulate) or not site.is_integer:
            continue
        x, w = site.input(0).format, site.input(1).format
        channels = len(w.scale) if isinstance(w.scale, tuple) else 1
        try:
            accumulate_epilogue(site, x, w, channels)
        except FormatError as error:
            raise ConversionError(f"{node.where}: {error.message}") from None
