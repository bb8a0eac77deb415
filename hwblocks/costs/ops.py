"""Operations of each layer of a graph, with the widths they work on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hwblocks.dialects import dialect
from hwblocks.graph.algorithm import site_work
from hwblocks.graph.block import Accumulate, Block
from hwblocks.graph.control import Control
from hwblocks.graph.graph import Graph
from hwblocks.graph.memory import is_view
from hwblocks.graph.nest import Nest
from hwblocks.graph.node import Node
from hwblocks.graph.site import Site
from hwblocks.graph.work import Work
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.formats import Format

FLOAT_BITS = 32
DEFAULT_MULTIPLIER_BITS = 31  # of a requantization that no record describes


@dataclass(frozen=True)
class Layer:
    """A node with its work and widths. `free` marks layout changes, views and control blocks, which cost nothing.

    times: how often a sample runs the node; `work` counts all of them.
    group, composite: the path of the composites it is part of, and their kinds; "" for a node of its own.
    nests: the loops of its sums of products in one pass. multiplier_bits: of a requantization; 0 where it only shifts.
    body_bytes: packed bytes of all constants of the loop body it is in, 0 outside of loops.
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
    nests: tuple[Nest, ...] = ()
    multiplier_bits: int = 0
    body_bytes: int = 0

    @property
    def widths(self) -> str:
        """ "8x8→32": activation bits × weight bits → accumulator bits; "" without products."""
        if not self.work.macs:
            return ""
        return f"{self.activation_bits}x{self.weight_bits}→{self.accumulator_bits}"

    @property
    def is_float(self) -> bool:
        """True where the node computes in floating point; a conversion between floats and codes does not."""
        return self.site.output.format.is_float and not self.is_edge

    @property
    def is_edge(self) -> bool:
        """True for a conversion between floating point and codes; none where products are summed."""
        return not self.nests and self.site.output.format.is_float != self.site.present[0].format.is_float

    def by_widths(self) -> Iterator[tuple[str, str, int]]:
        """(operation, widths, count) of all that the layer does: "macs", "8x8→32"; "requants", "32→8"; "adds", "8"."""
        work, a, acc = self.work, self.activation_bits, self.accumulator_bits
        out = self.site.output.format.bits
        wide = acc if work.macs else a
        texts = {
            "macs": f"{a}x{self.weight_bits}→{acc}",
            "muls": f"{a}x{a}",
            "adds": f"{wide}",
            "compares": f"{a}",
            "lookups": f"{a}→{out}",
            "divisions": f"{a}",
            "requants": f"{acc}→{out}",
            "shifts": f"{a}",
            "reads": f"{out}",
            "writes": f"{out}",
        }
        for name, text in texts.items():
            if count := getattr(work, name):
                yield name, text, count

    @property
    def vector_ops(self) -> tuple[tuple[int, int], ...]:
        """(count, bits) of the operations of a vector unit: all but products of contractions, and words moved."""
        work, a = self.work, self.activation_bits
        wide = self.accumulator_bits if work.macs else a
        plain = work.muls + work.compares + work.lookups + work.divisions + work.shifts
        elementwise = sum(n.macs for n in self.nests if n.is_elementwise) * self.times
        return (
            (plain + elementwise, a),
            (work.adds, wide),
            (work.requants, self.accumulator_bits),
            (max(work.reads, work.writes), self.site.output.format.bits),
        )

    @property
    def products(self) -> tuple[Nest, ...]:
        """The nests that the multipliers run, in one pass."""
        return tuple(n for n in self.nests if not n.is_elementwise)


def layers(
    graph: Graph, inside: str = "", times: int = 1, within: tuple[str, str] = ("", ""), body_bytes: int = 0
) -> list[Layer]:
    """All nodes in execution order. The nodes of bodies stand after the block that holds them, "scan0/body/add": those
    of a scan with the work of all its passes; else with that of one, since how often a loop runs depends on the data,
    and of two branches one runs.
    """
    made = []
    for node in graph.nodes:
        about = node.attributes
        group = (about["group"], about["composite"]) if "group" in about and not within[0] else within
        layer = _layer(graph, node, inside, times)
        made.append(replace(layer, times=times, group=group[0], composite=group[1], body_bytes=body_bytes))
        if isinstance(node.block, Control):
            repeats = times * node.block.passes(*graph.site(node).shapes)
            for part, body in node.block.bodies.items():
                made += layers(body, f"{inside}{node.name}/{part}/", repeats, group, packed_bytes(body))
    return made


def packed_bytes(graph: Graph) -> int:
    """Bytes of all constants of a graph, codes packed without gaps."""
    return sum(t.packed_bytes for t in graph.tensors.values() if t.is_constant)


def _layer(graph: Graph, node: Node, inside: str, times: int) -> Layer:
    site = graph.site(node)
    if isinstance(node.block, Control):
        return Layer(node.replace(name=inside + node.name), site, Work(), 0, 0, 0, True)
    x = site.present[0].format
    arithmetic = _arithmetic(graph, site)
    accumulator = arithmetic.accumulator if arithmetic else None
    work = site_work(site) * times
    bits = accumulator.bits if accumulator else _unstated_bits(node.block, x, work)
    if not site.output.format.is_quantized:
        work = Work(**{**work.to_dict(), "requants": 0})
    free = node.marked == "layout" or is_view(site)
    return Layer(
        node.replace(name=inside + node.name),
        site,
        work,
        x.bits,
        _weight_bits(site),
        bits,
        free,
        nests=node.block.nests(*site.shapes),
        multiplier_bits=_multiplier_bits(arithmetic),
    )


def _weight_bits(site: Site) -> int:
    """Bits of the second operand of a contraction, or of the first matrix among the constants of another block."""
    if isinstance(site.node.block, Accumulate):
        return site.present[1].format.bits
    matrices = (t for t in site.present[1:] if t.is_constant and len(t.shape) > 1)
    first = next(matrices, site.present[0]) if site.node.block.nests(*site.shapes) else site.present[0]
    return first.format.bits


def _unstated_bits(block: Block, x: Format, work: Work) -> int:
    """Bits of the sums of a node that states no accumulator: 64 in a contraction, as it is simulated. In other blocks
    sums of products of 8-bit codes, and single codes of 16 bits with their products, fit 32; wider ones take 64.
    """
    if x.is_float:
        return FLOAT_BITS
    if isinstance(block, Accumulate):
        return 64
    return 32 if x.bits <= (8 if work.macs else 16) else 64


def _arithmetic(graph: Graph, site: Site) -> Arithmetic | None:
    """The node's arithmetic, else what the graph's default dialect gives it."""
    stated = site.node.arithmetic
    if stated is not None or not graph.dialect or not site.output.format.is_quantized:
        return stated
    made = dialect(graph.dialect).arithmetic(site)
    return None if isinstance(made, str) else made


def _multiplier_bits(arithmetic: Arithmetic | None) -> int:
    requantize = arithmetic.requantize if arithmetic else None
    if requantize is None:
        return DEFAULT_MULTIPLIER_BITS
    return 0 if requantize.scheme == "shift" else requantize.multiplier_bits
