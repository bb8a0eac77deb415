"""Charts of costs: memory over time, cycles and energy by layer, and layers under the roofs of a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwblocks.charts import Axis, Bars, Box, Gantt, Line, Point, Scatter, Series
from hwblocks.graph.memory import MemoryPlan
from hwblocks.table import Chart

Row = Mapping[str, Any]

HOW_TO_PLACE = (
    "Each box is a buffer: alive over its steps, at its addresses. Line: bytes alive; dashed: the bound, the most "
    "alive at once, below which no plan can go."
)
HOW_TO_BOUND = "Cycles of each layer, coloured by what bounds it: the multipliers, or the bytes that have to be moved."
HOW_TO_ROOF = (
    "A layer below the slanted roof waits for bytes, one below the flat roof for multipliers. Far below both: the "
    "layer does other work, or uses the array badly."
)


def cost_charts(
    rows: Sequence[Row],
    clock_mhz: float,
    peak_macs: float,
    rates: Mapping[str, float],
    levels: Sequence[str],
    components: Sequence[str],
    table: str,
    unit: str,
    total: str = "",
) -> tuple[Chart, ...]:
    """Everything about a cost by layer; what a target does not state is left out.

    rows: with `<level>_bytes` and `energy_<component>`. peak_macs: products a cycle. rates: bytes a cycle by level of
    the memory; the outermost level that has one is the roof. total: the energy of all layers with its range, in words.
    """
    moved = {level: f"{level}_bytes" for level in levels if any(row.get(f"{level}_bytes") for row in rows)}
    priced = {name: f"energy_{name}" for name in components}
    roofs = [level for level in moved if rates.get(level)]
    drawn: list[Chart] = [cycles_chart(rows)] if any(row["cycles"] for row in rows) else []
    if roofs and peak_macs and any(row["macs"] for row in rows):
        outer = roofs[-1]
        drawn.append(roofline_chart(rows, clock_mhz, {"8x8 bits": peak_macs}, {outer: rates[outer]}, moved[outer]))
    drawn += [traffic_chart(rows, moved)] if moved else []
    drawn += [energy_chart(rows, priced, table, unit, total)] if priced else []
    return tuple(drawn)


def memory_chart(plan: MemoryPlan, steps: Sequence[str], makers: Mapping[str, str]) -> Gantt:
    """A plan as boxes.

    steps: names of the nodes. makers: the node of each buffer, by which layers are linked; other buffers (inputs, the
    bodies of a loop: "scan0/bodies") stand for themselves.
    """
    boxes = tuple(Box(b.id, b.lower, b.upper, o, b.size) for b, o in zip(plan.buffers, plan.offsets, strict=True))
    links = tuple(makers.get(box.name, box.name) for box in boxes)
    names = tuple(steps) or ("start",)
    return Gantt("Memory over time", boxes, names, plan.size, plan.bound, text=HOW_TO_PLACE, links=links)


def cycles_chart(rows: Sequence[Row]) -> Bars:
    """Cycles of each layer, one series for each bound."""
    bounds = tuple(dict.fromkeys(row["bound"] for row in rows if row["bound"]))
    series = tuple(
        Series(f"bound by {bound}", tuple(row["cycles"] if row["bound"] == bound else 0 for row in rows))
        for bound in bounds
    )
    names = tuple(row["layer"] for row in rows)
    return Bars("Cycles by layer", names, series, Axis("cycles"), text=HOW_TO_BOUND, links=names, in_table=True)


def energy_chart(
    rows: Sequence[Row], components: Mapping[str, str], table: str, unit: str = "pJ", total: str = ""
) -> Bars:
    """Energy of each layer, stacked by component.

    components: name → key of the rows, in `unit`. table: the name of the energy table. total: of all, with its range.
    """
    series = tuple(Series(name, _values(rows, key), table) for name, key in components.items())
    names = tuple(row["layer"] for row in rows)
    whole = f"In all {total}. " if total else ""
    text = f"Energy of one sample by layer, in figures of {table}. {whole}Ratios mean more than absolute values."
    return Bars("Energy by layer", names, series, Axis("energy", unit), text=text, links=names, in_table=True)


def _values(rows: Sequence[Row], key: str) -> tuple[Any, ...]:
    """A column; layers without it have none of it."""
    return tuple(row.get(key) or 0 for row in rows)


def traffic_chart(rows: Sequence[Row], levels: Mapping[str, str]) -> Bars:
    """Bytes that each layer moves, stacked by level of the memory. levels: name → key of the rows."""
    series = tuple(Series(name, _values(rows, key)) for name, key in levels.items())
    names = tuple(row["layer"] for row in rows)
    return Bars("Bytes moved by layer", names, series, Axis("bytes", "B"), links=names, in_table=True)


def roofline_chart(
    rows: Sequence[Row],
    clock_mhz: float,
    peaks: Mapping[str, float],
    memories: Mapping[str, float],
    moved: str = "moved_bytes",
) -> Scatter:
    """Layers with products under the target's roofs.

    rows: with `macs`, `cycles`, `bound`, and the bytes through the memory in question under the key `moved`.
    peaks: products a cycle by name. memories: bytes a cycle by name.
    """
    placed = [row for row in rows if row["macs"] and row.get(moved) and row["cycles"]]
    points = tuple(
        Point(
            row["layer"],
            row["macs"] / row[moved],
            row["macs"] * clock_mhz * 1e6 / row["cycles"],
            f"bound by {row['bound']}",
            note=f"{row['macs']:,} MACs in {row['cycles']:,} cycles",
        )
        for row in placed
    )
    return Scatter(
        "Roofline",
        points,
        Axis("MACs per byte", log=True),
        Axis("MACs per second", log=True),
        _roofs([p.x for p in points], clock_mhz * 1e6, peaks, memories),
        text=HOW_TO_ROOF,
        links=tuple(row["layer"] for row in placed),
    )


def _roofs(
    seen: Sequence[float], clock: float, peaks: Mapping[str, float], memories: Mapping[str, float]
) -> tuple[Line, ...]:
    """Slanted roofs up to the highest peak, flat roofs from where the fastest memory reaches them."""
    top, fastest = max(peaks.values()), max(memories.values())
    left = min([*seen, top / fastest]) / 2
    right = max([*seen, top / min(memories.values())]) * 2
    slanted = (
        Line(f"{name}: {each * clock / 1e9:.4g} GB/s", (left, top / each), (left * each * clock, top * clock))
        for name, each in memories.items()
    )
    flat = (
        Line(f"{name}: {each * clock / 1e9:.4g} GMAC/s", (each / fastest, right), (each * clock, each * clock))
        for name, each in peaks.items()
    )
    return (*slanted, *flat)
