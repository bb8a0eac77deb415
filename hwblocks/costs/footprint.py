"""Footprint: bytes of constants, tables and words, and of the run-time tensors that a layer reads and writes."""

from __future__ import annotations

from collections.abc import Sequence

from hwblocks.costs.ops import Layer
from hwblocks.graph.algorithm import table_bytes as site_tables


def weight_bytes(layer: Layer) -> int:
    """Bytes of a layer's constants, biases included, codes packed without gaps."""
    return sum(t.packed_bytes for t in layer.site.present if t.is_constant)


def constant_bytes(layers: Sequence[Layer]) -> tuple[int, int]:
    """(packed, in storage types) bytes of all constants of some layers; one that several layers read counts once."""
    constants = {id(t.value): t for layer in layers for t in layer.site.present if t.is_constant}.values()
    return sum(t.packed_bytes for t in constants), sum(t.stored_bytes for t in constants)


def table_bytes(layer: Layer) -> int:
    """Bytes of the tables and coefficients of a layer's integer function."""
    return site_tables(layer.site)


def memory_bytes(layer: Layer) -> int:
    """Bytes of the words that a layer reads from and writes to memories, packed without gaps."""
    words = layer.work.reads + layer.work.writes
    return (layer.site.output.format.packed_bits(words) + 7) // 8
