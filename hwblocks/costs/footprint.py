"""Memory: bytes of constants, and the arena that the run-time tensors of one sample need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwblocks.costs.memory_options import plan_graph
from hwblocks.costs.ops import Layer
from hwblocks.graph.algorithm import table_bytes as site_tables
from hwblocks.graph.graph import Graph


@dataclass(frozen=True)
class Arena:
    """The planned arena in bytes, its lower bound, the node at which most is alive, and whether no plan is smaller."""

    bytes: int
    bound_bytes: int
    peak_node: str
    optimal: bool = False


def weight_bytes(layer: Layer) -> tuple[int, int]:
    """(bytes with codes packed without gaps, bytes in storage types) of a layer's constants, biases included."""
    constants = [t for t in layer.site.present if t.is_constant]
    packed = sum((t.format.packed_bits(t.elements) + 7) // 8 for t in constants)
    return packed, sum(t.stored_bytes for t in constants)


def packed_constants(layers: Sequence[Layer]) -> int:
    """Bytes of all constants of some layers, codes packed; one that several layers read counts once."""
    constants = {id(t.value): t for layer in layers for t in layer.site.present if t.is_constant}
    return sum((t.format.packed_bits(t.elements) + 7) // 8 for t in constants.values())


def table_bytes(layer: Layer) -> int:
    """Bytes of the tables and coefficients of a layer's integer function."""
    return site_tables(layer.site)


def arena(graph: Graph) -> Arena:
    """The arena of one sample; while a control block runs, the largest of its bodies' arenas is alive too."""
    made = plan_graph(graph)
    return Arena(made.plan.size, made.plan.bound, made.peak_node, made.plan.optimal)


def activation_bytes(layer: Layer) -> tuple[int, int]:
    """(bytes read, bytes written) of run-time tensors, once each time that the node runs."""
    read = sum(t.stored_bytes for t in layer.site.present if not t.is_constant)
    return read * layer.times, sum(t.stored_bytes for t in layer.site.outputs) * layer.times


def memory_bytes(layer: Layer) -> int:
    """Bytes of the words that a layer reads from and writes to memories, packed without gaps."""
    words = layer.work.reads + layer.work.writes
    return (layer.site.output.format.packed_bits(words) + 7) // 8
