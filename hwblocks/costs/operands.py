"""Operands: the bytes of a layer's inputs, weights and outputs, in memory and in all its passes."""

from __future__ import annotations

from dataclasses import dataclass

from hwblocks.costs.ops import Layer


@dataclass(frozen=True)
class Operands:
    """Bytes with codes packed without gaps. inputs, outputs: of all passes; weights: once; fetches of the weights."""

    inputs: int
    weights: int
    outputs: int
    passes: int


def operands(layer: Layer) -> Operands:
    """Each run-time tensor once a pass, constants once; of a table that is addressed only the words that are read."""
    inputs = sum(t.packed_bytes for t in layer.site.present if not t.is_constant)
    outputs = sum(t.packed_bytes for t in layer.site.outputs)
    weights = sum(t.packed_bytes for t in layer.site.present if t.is_constant)
    if layer.work.reads:
        weights = min(weights, (layer.site.output.format.packed_bits(layer.work.reads) + 7) // 8)
    return Operands(inputs * layer.times, weights, outputs * layer.times, layer.times)


def vectors(layer: Layer) -> int:
    """Bytes of the constants beside the weights of a layer's products, which have one axis: biases, scales."""
    return sum(t.packed_bytes for t in layer.site.present if t.is_constant and len(t.shape) < 2)


def made_at_run_time(layer: Layer) -> bool:
    """True where the second operand of a layer's products is no constant, as in attention."""
    return bool(layer.products) and not any(t.is_constant for t in layer.site.present[1:])


def results(layer: Layer) -> int | None:
    """Bytes of all passes' outputs where they are not the results of the layer's products, one by one: where these are
    added up behind the multipliers (transposed convolutions, gates). None where they are.
    """
    made = sum(nest.groups * nest.rows * nest.columns for nest in layer.products)
    return None if made == layer.site.output.elements else operands(layer).outputs


def weight_fetches(layer: Layer, kept_bytes: int | None) -> int:
    """How often a layer's weights are fetched: once, or in every pass of a loop whose body's constants do not fit in
    the `kept_bytes` beside the multipliers (None: all fit). What is made at run time is fetched in every pass.
    """
    if made_at_run_time(layer):
        return layer.times
    if kept_bytes is None or layer.body_bytes <= kept_bytes:
        return 1
    return layer.times
