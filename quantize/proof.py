"""Proof that accumulators cannot overflow: the sums of products of a graph whose register an input may leave."""

from __future__ import annotations

from hwblocks.analysis.bounds import Bounds, node_bounds
from hwblocks.analysis.operands import sum_sites
from hwblocks.graph.graph import Graph
from hwblocks.graph.site import Site
from hwblocks.numerics.accumulator import Accumulator


def unproven(graph: Graph) -> list[str]:
    """One line for each sum of products whose registers are not proven wide enough."""
    stated = [(name, site) for name, site in sum_sites(graph) if site.arithmetic.accumulator is not None]
    found = [node_bounds(site, name=name) for name, site in stated]
    return [_line(bounds) for bounds in found if bounds.verdict != "safe"]


def _line(bounds: Bounds) -> str:
    extremes = next(e for e in bounds.registers if e.verdict != "safe")
    low, high = extremes.span
    which = "" if extremes is bounds.main else f" in the {extremes.register.name}"
    return (
        f"{bounds.site.where}: not proven: sums may reach {low} to {high}{which}, which takes {extremes.needed} bits; "
        f"the accumulator is {bounds.accumulator}"
    )


def sum_bounds(site: Site, accumulator: Accumulator) -> tuple[int, int]:
    """(lowest, highest) that the register can see over all input codes and all channels.

    Where it wraps plainly this is the total; else any partial sum in its order.
    """
    return node_bounds(site, accumulator).main.span
