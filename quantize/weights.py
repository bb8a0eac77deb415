"""Formats of weights and biases: per tensor or per channel, widened where a bias would not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from hwblocks.graph.block import Accumulate
from hwblocks.graph.node import Node
from hwblocks.graph.tensor import Tensor
from hwblocks.numerics.formats import Format
from hwblocks.numerics.overflow import code_range
from quantize.domain import Domain
from quantize.format_table import FormatTable
from quantize.observers import observe
from quantize.recipe import Recipe, TensorRule
from quantize.scales import channel_format, is_zero_range, range_format, widened_scale
from quantize.sketches import Sketch

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Sum:
    """A sum of products in integers, with its constant weights and bias (None where there is none)."""

    node: Node
    x: str
    weight: Tensor | None
    axis: int
    bias: Tensor | None


def sums_of(domain: Domain) -> list[Sum]:
    """The sums of products in order."""
    return [_sum(domain, node) for node in domain.nodes if isinstance(node.block, Accumulate)]


def _sum(domain: Domain, node: Node) -> Sum:
    block, site = node.block, domain.graph.site(node)
    assert isinstance(block, Accumulate)
    roles = [block.quant.role(position) for position in range(len(site.inputs))]
    constants = {r: t for r, t in zip(roles, site.inputs, strict=True) if t is not None and t.is_constant}
    return Sum(node, node.inputs[0], constants.get("weight"), block.weight_axis(*site.shapes), constants.get("bias"))


def assign_weights(domain: Domain, recipe: Recipe, table: FormatTable) -> None:
    """A format for each weight, wide enough for the biases that depend on it."""
    readers: dict[str, list[Sum]] = {}
    for item in sums_of(domain):
        if item.weight is not None:
            readers.setdefault(item.weight.name, []).append(item)
    for name, items in readers.items():
        rule = recipe.weights_of(name, *(item.node.name for item in items))
        format = weight_format(items[0], rule, recipe, table)
        for item in items:
            format = _widened(item, format, rule, recipe, table)
        table.formats[name] = format


def weight_format(item: Sum, rule: TensorRule, recipe: Recipe, table: FormatTable) -> Format:
    """The format of a weight by its own values."""
    weight, precision = item.weight, recipe.scale_precision
    assert weight is not None
    assert weight.value is not None
    where = f"weights {weight.name!r} of {item.node.where}"
    values = np.asarray(weight.value, dtype=np.float64)
    if rule.per == "tensor":
        span = observe(Sketch.of(values), rule.observer)
        if is_zero_range(*span):
            table.notes.append(f"{where} are all 0; their scale is that of the range -1 to 1")
        return range_format(*span, rule, precision, where)
    spans = [observe(Sketch.of(channel), rule.observer) for channel in np.moveaxis(values, item.axis, 0)]
    zeros = [channel for channel, span in enumerate(spans) if is_zero_range(*span)]
    if zeros:
        table.notes.append(f"{where}: channels {_listed(zeros)} are all 0 and take the largest scale of the others")
    return channel_format(spans, rule, item.axis, precision, where)


def _widened(item: Sum, format: Format, rule: TensorRule, recipe: Recipe, table: FormatTable) -> Format:
    """The weight's format with larger scales where the bias leaves its width; it then takes half of it."""
    if item.bias is None or item.bias.value is None:
        return format
    bits = recipe.bias_of(item.bias.name, item.node.name).bits
    x_scale = Fraction(float(table[item.x].scale))
    scales = list(format.scale) if isinstance(format.scale, tuple) else [format.scale]
    limit = code_range(bits, True)[1]
    wide = []
    for channel, b in enumerate(np.asarray(item.bias.value, dtype=np.float64).tolist()):
        position = channel if len(scales) > 1 else 0
        size = abs(Fraction(b))
        if size > limit * x_scale * Fraction(scales[position]):
            least = 2 * size / (limit * x_scale)
            scales[position] = widened_scale(scales[position], least, rule, recipe.scale_precision)
            wide.append(channel)
    if not wide:
        return format
    table.notes.append(
        f"weights {item.node.inputs[1]!r} of {item.node.where}: the scale of channels {_listed(wide)} "
        f"was widened, since the bias would leave {bits} bits"
    )
    return format.replace(scale=tuple(scales) if isinstance(format.scale, tuple) else scales[0])


def assign_biases(domain: Domain, recipe: Recipe, table: FormatTable) -> None:
    """scale(x) · scale(w) for each bias."""
    for item in sums_of(domain):
        if item.bias is not None:
            bits = recipe.bias_of(item.bias.name, item.node.name).bits
            w = table[item.node.inputs[1]]
            table.formats[item.bias.name] = bias_format(table[item.x], w, bits)


def bias_format(x: Format, w: Format, bits: int) -> Format:
    """Signed codes of `bits` with zero point 0 and scale(x) · scale(w), exact for float32 scales."""
    if isinstance(w.scale, tuple):
        return Format(kind="int", bits=bits, scale=tuple(float(x.scale) * s for s in w.scale), axis=0)
    return Format(kind="int", bits=bits, scale=float(x.scale) * float(w.scale))


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:8]))
    return f"{shown} and {len(numbers) - 8} more" if len(numbers) > 8 else shown
