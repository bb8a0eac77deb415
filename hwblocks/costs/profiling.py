"""Profiling: operations and memory of one sample, layer by layer; the body of a loop is counted once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hwblocks.costs.charts import memory_chart
from hwblocks.costs.footprint import constant_bytes, memory_bytes, table_bytes, weight_bytes
from hwblocks.costs.memory.options import plan_graph
from hwblocks.costs.ops import Layer, layers
from hwblocks.costs.profile import COUNT_COLUMNS, OPERATION_COLUMNS, PROFILE_COLUMNS, Profile
from hwblocks.graph.graph import Graph
from hwblocks.graph.outline import outline
from hwblocks.graph.work import Work
from hwblocks.table import Table


def profile_graph(graph: Graph) -> Profile:
    """The profile of a float or an integer graph."""
    return profile_layers(graph, layers(graph))


def profile_layers(graph: Graph, every: Sequence[Layer]) -> Profile:
    """The profile of a graph whose layers are counted already."""
    counted = [layer for layer in every if not layer.free]
    free = tuple(layer.node.name for layer in every if layer.free)
    rows = tuple(_row(layer) for layer in counted)
    weights, stored = constant_bytes(counted)
    planned = plan_graph(graph)
    counts = tuple(
        {"layer": layer.node.name, "operation": operation, "widths": widths, "count": count}
        for layer in counted
        for operation, widths, count in layer.by_widths()
    )
    return Profile(
        model=graph.title,
        macs=sum(row["macs"] for row in rows),
        macs_valid=sum(row["macs_valid"] for row in rows),
        weight_bytes=weights,
        weight_stored_bytes=stored,
        table_bytes=sum(row["table_bytes"] for row in rows),
        peak_bytes=planned.plan.size,
        peak_bound_bytes=planned.plan.bound,
        peak_optimal=planned.plan.optimal,
        peak_node=planned.peak_node,
        layers=Table("Operations by layer", PROFILE_COLUMNS, rows, "layer"),
        free=free,
        operations=Table("Operations by widths", OPERATION_COLUMNS, _totals(counts)),
        counts=Table("Operations by layer and widths", COUNT_COLUMNS, counts, "layer"),
        view=outline(graph),
        memory=memory_chart(planned.plan, [node.name for node in graph.nodes], _makers(graph)),
    )


def _makers(graph: Graph) -> dict[str, str]:
    """The node of each run-time tensor; an input stands for itself."""
    return {name: node.name for name, node in graph.producer.items()}


def _totals(counts: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """One row for each operation and widths, in the order of `Work`."""
    totals: Counter[tuple[str, str]] = Counter()
    for row in counts:
        totals[row["operation"], row["widths"]] += row["count"]
    order = list(Work().to_dict())
    ranked = sorted(totals.items(), key=lambda item: (order.index(item[0][0]), item[0][1]))
    return tuple({"operation": name, "widths": widths, "count": count} for (name, widths), count in ranked)


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
        "weight_bytes": weight_bytes(layer),
        "table_bytes": table_bytes(layer),
        "output_bytes": output.stored_bytes,
    }
