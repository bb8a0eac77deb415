"""Memory: bytes of constants, and the arena that the run-time tensors of one sample need."""

from __future__ import annotations

from dataclasses import dataclass

from hwblocks.costs.ops import Layer
from hwblocks.graph.algorithm import table_bytes as site_tables
from hwblocks.graph.control import Control
from hwblocks.graph.graph import Graph
from hwblocks.graph.memory import Buffer, MemoryPlan, live_ranges, plan_memory


@dataclass(frozen=True)
class Arena:
    """The planned arena in bytes, its lower bound, the node at which most is alive, and the plan itself."""

    bytes: int
    bound_bytes: int
    peak_node: str
    plan: MemoryPlan


def weight_bytes(layer: Layer) -> tuple[int, int]:
    """(bytes with codes packed without gaps, bytes in storage types) of a layer's constants, biases included."""
    constants = [t for t in layer.site.present if t.is_constant]
    packed = sum((t.format.packed_bits(t.elements) + 7) // 8 for t in constants)
    return packed, sum(t.stored_bytes for t in constants)


def table_bytes(layer: Layer) -> int:
    """Bytes of the tables and coefficients of a layer's integer function."""
    return site_tables(layer.site)


def arena(graph: Graph) -> Arena:
    """The arena of one sample; while a control block runs, the largest of its bodies' arenas is alive too."""
    buffers = live_ranges(graph)
    for step, node in enumerate(graph.nodes):
        if isinstance(node.block, Control):
            inner = max(arena(body).bytes for body in node.block.bodies.values())
            buffers.append(Buffer(f"{node.name}/bodies", step, step + 1, inner))
    plan = plan_memory(buffers)
    alive = [sum(b.size for b in buffers if b.lower <= step < b.upper) for step in range(max(len(graph.nodes), 1))]
    peak = graph.nodes[alive.index(max(alive))].name if graph.nodes else ""
    return Arena(plan.size, plan.bound, peak, plan)


def activation_bytes(layer: Layer) -> tuple[int, int]:
    """(bytes read, bytes written) of run-time tensors, once each time that the node runs."""
    read = sum(t.stored_bytes for t in layer.site.present if not t.is_constant)
    return read * layer.times, sum(t.stored_bytes for t in layer.site.outputs) * layer.times


def memory_bytes(layer: Layer) -> int:
    """Bytes of the words that a layer reads from and writes to memories, packed without gaps."""
    words = layer.work.reads + layer.work.writes
    return (layer.site.output.format.packed_bits(words) + 7) // 8
