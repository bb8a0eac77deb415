"""Operations of each layer of a graph, with the widths they work on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hwblocks.dialects import dialect
from hwblocks.graph.algorithm import site_work
from hwblocks.graph.block import Accumulate
from hwblocks.graph.control import Control
from hwblocks.graph.graph import Graph
from hwblocks.graph.memory import is_view
from hwblocks.graph.node import Node
from hwblocks.graph.site import Site
from hwblocks.graph.work import Work
from hwblocks.numerics.arithmetic import Arithmetic

FLOAT_BITS = 32
EXACT_BITS = 64  # where nothing states a register, sums are exact


@dataclass(frozen=True)
class Layer:
    """A node with its work and widths. `free` marks layout changes, views and control blocks, which cost nothing.

    times: how often a sample runs the node; `work` counts all of them.
    group, composite: the path of the composites it is part of, and their kinds; "" for a node of its own.
    """

    node: Node
    site: Site
    work: Work
    activation_bits: int
    weight_bits: int
    accumulator_bits: int
    free: bool
    times: int = 1
    group: str = ""
    composite: str = ""

    @property
    def widths(self) -> str:
        """ "8x8→32": activation bits × weight bits → accumulator bits; "" without products."""
        if not self.work.macs:
            return ""
        return f"{self.activation_bits}x{self.weight_bits}→{self.accumulator_bits}"

    @property
    def other_ops(self) -> int:
        """Element-wise operations: everything but the products of a contraction."""
        w = self.work
        return w.muls + w.adds + w.compares + w.lookups + w.divisions + w.requants + w.shifts


def layers(graph: Graph, inside: str = "", times: int = 1, within: tuple[str, str] = ("", "")) -> list[Layer]:
    """All nodes in execution order. The nodes of bodies stand after the block that holds them, "scan0/body/add": those
    of a scan with the work of all its passes; else with that of one, since how often a loop runs depends on the data,
    and of two branches one runs.
    """
    made = []
    for node in graph.nodes:
        about = node.attributes
        group = (about["group"], about["composite"]) if "group" in about and not within[0] else within
        layer = _layer(graph, node, inside, times)
        made.append(replace(layer, times=times, group=group[0], composite=group[1]))
        if isinstance(node.block, Control):
            repeats = times * node.block.passes(*graph.site(node).shapes)
            for part, body in node.block.bodies.items():
                made += layers(body, f"{inside}{node.name}/{part}/", repeats, group)
    return made


def _layer(graph: Graph, node: Node, inside: str, times: int) -> Layer:
    site = graph.site(node)
    if isinstance(node.block, Control):
        return Layer(node.replace(name=inside + node.name), site, Work(), 0, 0, 0, True)
    x = site.present[0].format
    w = site.present[1].format if len(site.present) > 1 else x
    bits = FLOAT_BITS if x.is_float else _accumulator_bits(graph, site)
    work = site_work(site) * times
    if not site.output.format.is_quantized:
        work = Work(**{**work.to_dict(), "requants": 0})
    free = node.marked == "layout" or is_view(site)
    weight_bits = w.bits if isinstance(node.block, Accumulate) else x.bits
    return Layer(node.replace(name=inside + node.name), site, work, x.bits, weight_bits, bits, free)


def _accumulator_bits(graph: Graph, site: Site) -> int:
    """Bits of the register in which an integer node sums: its own arithmetic's, else that of the graph's dialect."""
    made = site.node.arithmetic
    if made is None and graph.dialect:
        stated = dialect(graph.dialect).arithmetic(site)
        made = stated if isinstance(stated, Arithmetic) else None
    return made.accumulator.bits if made and made.accumulator else EXACT_BITS
