"""Profiling: operations and memory of one sample, layer by layer; the body of a loop is counted once."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hwblocks.costs.charts import memory_chart
from hwblocks.costs.footprint import arena, memory_bytes, table_bytes, weight_bytes
from hwblocks.costs.ops import Layer, layers
from hwblocks.costs.result import PROFILE_COLUMNS, Profile
from hwblocks.graph.graph import Graph
from hwblocks.graph.outline import outline
from hwblocks.table import Table


def profile_graph(graph: Graph) -> Profile:
    """The profile of a float or an integer graph."""
    every = layers(graph)
    counted = [layer for layer in every if not layer.free]
    free = tuple(layer.node.name for layer in every if layer.free)
    rows = tuple(_row(layer) for layer in counted)
    memory = arena(graph)
    widths: Counter[str] = Counter()
    for layer in counted:
        if layer.widths:
            widths[layer.widths] += layer.work.macs
    return Profile(
        model=graph.title,
        macs=sum(row["macs"] for row in rows),
        macs_valid=sum(row["macs_valid"] for row in rows),
        weight_bytes=sum(weight_bytes(layer)[0] for layer in counted),
        weight_stored_bytes=sum(weight_bytes(layer)[1] for layer in counted),
        table_bytes=sum(row["table_bytes"] for row in rows),
        peak_bytes=memory.bytes,
        peak_bound_bytes=memory.bound_bytes,
        peak_node=memory.peak_node,
        layers=Table("Operations by layer", PROFILE_COLUMNS, rows, "layer"),
        free=free,
        by_widths=tuple(sorted(widths.items())),
        view=outline(graph),
        memory=memory_chart(memory.plan, [node.name for node in graph.nodes], _makers(graph)),
    )


def _makers(graph: Graph) -> dict[str, str]:
    """The node of each run-time tensor; an input stands for itself."""
    return {name: node.name for name, node in graph.producer.items()}


def _row(layer: Layer) -> dict[str, Any]:
    output = layer.site.output
    return {
        "layer": layer.node.name,
        "block": layer.node.type_name,
        "group": layer.group,
        "composite": layer.composite,
        "output": "×".join(map(str, output.shape[1:])) or "1",
        "widths": layer.widths,
        **layer.work.to_dict(),
        "memory_bytes": memory_bytes(layer),
        "weight_bytes": weight_bytes(layer)[0],
        "table_bytes": table_bytes(layer),
        "output_bytes": output.stored_bytes,
    }
