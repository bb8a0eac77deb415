"""Pricing: cycles, time and energy of one sample on a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwblocks.costs.charts import cycles_chart, energy_chart, roofline_chart
from hwblocks.costs.cycles import layer_cycles, mac_scale
from hwblocks.costs.energy import layer_energy
from hwblocks.costs.ops import Layer, layers
from hwblocks.costs.profiling import profile_graph
from hwblocks.costs.result import COST_COLUMNS, Cost
from hwblocks.graph.graph import Graph
from hwblocks.table import Chart, Table
from hwblocks.targets.load import load_energy
from hwblocks.targets.schema import EnergyTable, Target


def price_graph(graph: Graph, target: Target) -> Cost:
    """The cost of one sample: layers one after the other, each at the longer of compute and memory."""
    table = load_energy(target.energy)
    rows = tuple(_row(layer, target, table) for layer in layers(graph) if not layer.free)
    profile = profile_graph(graph)
    cycles = sum(row["cycles"] for row in rows)
    return Cost(
        model=graph.title,
        target=target.target.name,
        energy_table=table.name,
        energy_note=table.note,
        cycles=cycles,
        latency_us=cycles / target.target.clock_mhz,
        utilisation=profile.macs / (cycles * target.compute.macs_per_cycle) if cycles else 0.0,
        energy_pj=sum(row["energy_pj"] for row in rows),
        profile=profile,
        layers=Table(f"Cost by layer on {target.target.name}", COST_COLUMNS, rows, "layer"),
        drawings=_drawings(rows, target, table),
    )


def _drawings(rows: Sequence[dict[str, Any]], target: Target, table: EnergyTable) -> tuple[Chart, ...]:
    """Cycles, roofline and energy; a peak for each pair of widths that occurs."""
    each, clock = target.compute.macs_per_cycle, target.target.clock_mhz
    widths = sorted({row["widths"].split("→")[0] for row in rows if row["widths"]})
    peaks = {f"{w} bits": each * mac_scale(target, *map(int, w.split("x"))) for w in widths} or {"products": each}
    roofs = roofline_chart(rows, clock, peaks, {"memory": target.memory.bytes_per_cycle})
    return (cycles_chart(rows), roofs, energy_chart(rows, {"energy": "energy_pj"}, table.name))


def _row(layer: Layer, target: Target, table: EnergyTable) -> dict[str, Any]:
    counted = layer_cycles(layer, target)
    return {
        "layer": layer.node.name,
        "block": layer.node.type_name,
        "widths": layer.widths,
        "macs": layer.work.macs,
        "moved_bytes": counted.moved_bytes,
        "compute_cycles": counted.compute,
        "memory_cycles": counted.memory,
        "cycles": counted.cycles,
        "bound": counted.bound,
        "energy_pj": layer_energy(layer, counted.moved_bytes, table).total_pj,
    }
