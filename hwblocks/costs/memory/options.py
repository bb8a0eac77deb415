"""The memory of a graph under options: nothing shared, results in place, joins in place, nodes reordered, and all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hwblocks.costs.memory.node_order import Ordered, reordered
from hwblocks.costs.memory.sharing import Shared, shared_buffers
from hwblocks.errors import InputError
from hwblocks.graph.arena_plan import EFFORT
from hwblocks.graph.control import Control
from hwblocks.graph.graph import Graph
from hwblocks.graph.memory import Buffer, MemoryPlan, liveness_bound, plan_memory
from hwblocks.table import Column, Result, Section, Table

OPTIONS = ("in_place", "concat_in_place", "reorder")
ROWS: tuple[tuple[str, ...], ...] = (
    (),
    ("in_place",),
    ("concat_in_place",),
    ("in_place", "concat_in_place"),
    ("reorder",),
    ("in_place", "concat_in_place", "reorder"),
)
OPTION_COLUMNS = (
    Column("option", "option"),
    Column("bytes", "arena", "B", bar=True),
    Column("bound_bytes", "bound", "B"),
    Column("gap_bytes", "gap", "B"),
    Column("gap_percent", "gap", "%", ".2f"),
    Column("optimal", "optimal"),
    Column("buffers", "buffers"),
    Column("peak_node", "most is alive at"),
    Column("method", "found by"),
    Column("order", "order of nodes"),
)
BUFFER_COLUMNS = (
    Column("buffer", "buffer"),
    Column("lower", "from step"),
    Column("upper", "to step"),
    Column("offset", "offset", "B"),
    Column("size", "size", "B"),
    Column("tensors", "tensors"),
    Column("nodes", "nodes"),
)


@dataclass(frozen=True, eq=False)
class GraphPlan:
    """A graph's memory under some options: the graph (perhaps reordered), its buffers, and their plan.

    order: what is known about the order of the nodes, "" where it is the file's.
    """

    graph: Graph
    options: tuple[str, ...]
    shared: Shared
    plan: MemoryPlan
    order: str = ""

    @property
    def name(self) -> str:
        """The options in words."""
        if self.options == OPTIONS:
            return "all three"
        return " + ".join(option.replace("_", " ") for option in self.options) or "plain"

    @property
    def peak_node(self) -> str:
        """The first node at which most is alive, "" for a graph without nodes."""
        return peak_node(self.graph, self.plan.buffers)

    @property
    def row(self) -> dict[str, Any]:
        """The plan as a row of the table of options."""
        plan = self.plan
        return {
            "option": self.name,
            "bytes": plan.size,
            "bound_bytes": plan.bound,
            "gap_bytes": plan.gap.bytes,
            "gap_percent": 100 * plan.gap.share,
            "optimal": plan.optimal,
            "buffers": len(plan.buffers),
            "peak_node": self.peak_node,
            "method": plan.method,
            "order": self.order or "as given",
        }

    @property
    def gantt(self) -> list[dict[str, Any]]:
        """A row for each buffer: its steps, its place, the tensors in it, and the nodes from first to last."""
        rows = zip(self.plan.buffers, self.plan.offsets, strict=True)
        return [{**self._gantt_row(b), "offset": offset, "size": b.size} for b, offset in rows]

    def _gantt_row(self, buffer: Buffer) -> dict[str, Any]:
        return {
            "buffer": buffer.id,
            "lower": buffer.lower,
            "upper": buffer.upper,
            "tensors": list(self.shared.tensors(buffer.id)),
            "nodes": [node.name for node in self.graph.nodes[buffer.lower : buffer.upper]],
        }


@dataclass(frozen=True)
class MemoryReport(Result):
    """The memory of a model: the chosen plan, every option, and where each buffer lies."""

    schema = "memory"
    model: str = ""
    option: str = ""
    bytes: int = 0
    bound_bytes: int = 0
    optimal: bool = False
    proof: str = ""
    peak_node: str = ""
    capacity: int | None = None
    kernel_scratch: tuple[str, int] | None = None
    steps: tuple[str, ...] = ()
    options: Table = Table("", (), ())
    gantt: tuple[dict[str, Any], ...] = ()

    def content(self) -> dict[str, Any]:
        names = ("model", "option", "bytes", "bound_bytes", "optimal", "proof", "peak_node", "capacity", "steps")
        made = {name: getattr(self, name) for name in names}
        scratch = {"kernel_scratch": dict([self.kernel_scratch])} if self.kernel_scratch else {}
        return {**made, **scratch, "options": list(self.options), "gantt": list(self.gantt)}

    @property
    def buffers(self) -> Table:
        """Where each buffer of the chosen plan lies."""
        rows = [{**r, "tensors": ", ".join(r["tensors"]), "nodes": _ends(r["nodes"])} for r in self.gantt]
        return Table(f"Buffers, {self.option}", BUFFER_COLUMNS, tuple(rows))

    def sections(self) -> Sequence[Section]:
        gap = self.bytes - self.bound_bytes
        share = f" ({100 * gap / self.bound_bytes:.2f} %)" if gap else ""
        facts = [
            ("arena", f"{self.bytes:,} B, {self.option}"),
            ("most alive at once", f"{self.bound_bytes:,} B at {self.peak_node!r}; gap {gap:,} B{share}"),
            ("proof", self.proof),
        ]
        if self.capacity is not None:
            facts.append(("capacity", f"{self.capacity:,} B, {self.capacity - self.bytes:,} B left"))
        if self.kernel_scratch:
            node, size = self.kernel_scratch
            facts.append(("scratch of the C kernels here, not in the arena", f"{size:,} B at {node!r}"))
        return (Section(f"Memory of one sample: {self.model}", "", tuple(facts), (self.options, self.buffers)),)


def plan_graph(
    graph: Graph,
    options: Iterable[str] = (),
    capacity: int | None = None,
    align: int = 1,
    effort: int = EFFORT,
) -> GraphPlan:
    """Plan the arena of one sample under options.

    "in_place": a node may write over an input that ends there (blocks say which: `overwrites`). "concat_in_place": the
    inputs of a join are made in their part of the result. "reorder": the nodes in an order of the smallest bound.
    Errors: InputError for an unknown option, and where the capacity is too small, with the node and the bytes missing.
    """
    return _Planner(graph, align, effort).plan(_checked(options), capacity)


def memory_report(
    graph: Graph,
    options: Iterable[str] = (),
    capacity: int | None = None,
    align: int = 1,
    effort: int = EFFORT,
) -> MemoryReport:
    """The plan under the given options, and one row for each option and their combinations."""
    planner = _Planner(graph, align, effort)
    chosen = planner.plan(_checked(options), capacity)
    rows = [chosen if chosen.options == row else planner.plan(row) for row in ROWS]
    return MemoryReport(
        model=graph.title,
        option=chosen.name,
        bytes=chosen.plan.size,
        bound_bytes=chosen.plan.bound,
        optimal=chosen.plan.optimal,
        proof="; ".join(filter(None, (chosen.plan.proof, chosen.order))),
        peak_node=chosen.peak_node,
        capacity=capacity,
        steps=tuple(node.name for node in chosen.graph.nodes),
        options=Table("Options", OPTION_COLUMNS, tuple(row.row for row in rows)),
        gantt=tuple(chosen.gantt),
    )


def most_scratch(graph: Graph) -> tuple[str, int] | None:
    """The node whose C kernel needs the most scratch on this machine, and the bytes; None where no node has a kernel.

    Columns, sums and the like, beside the arena; a device's own kernels need what they need.
    """
    from hwblocks.simulate.plan import make_plan

    steps = [step for step in make_plan(graph).steps if step.kernel is not None]
    found = [(step.site.node.name, int(step.kernel.scratch_bytes)) for step in steps]
    return max(found, key=lambda pair: pair[1], default=None)


@dataclass(frozen=True, eq=False)
class _Planner:
    """Plans of one graph, which is reordered at most once."""

    graph: Graph
    align: int
    effort: int

    @cached_property
    def ordered(self) -> Ordered:
        """The graph in another order."""
        return reordered(self.graph)

    def plan(self, options: tuple[str, ...], capacity: int | None = None) -> GraphPlan:
        """The plan under options."""
        is_moved = "reorder" in options
        graph = self.ordered.graph if is_moved else self.graph
        shared = shared_buffers(graph, "in_place" in options, "concat_in_place" in options)
        buffers = (*shared.buffers, *bodies(graph, self.align, self.effort))
        _check_capacity(graph, buffers, capacity, self.align)
        made = plan_memory(buffers, capacity, self.align, self.effort)
        return GraphPlan(graph, options, shared, made, _said_of(self.ordered) if is_moved else "")


def _said_of(ordered: Ordered) -> str:
    """What is known about an order."""
    if ordered.proven:
        return f"no order has a smaller bound ({ordered.sets:,} sets of nodes looked at)"
    return f"the better of given and greedy order; not proven within {ordered.sets:,} sets of nodes"


def bodies(graph: Graph, align: int = 1, effort: int = EFFORT) -> list[Buffer]:
    """The largest arena of each control block's bodies, alive while the block runs."""
    made = []
    for step, node in enumerate(graph.nodes):
        if isinstance(node.block, Control):
            inner = max(plan_graph(body, align=align, effort=effort).plan.size for body in node.block.bodies.values())
            made.append(Buffer(f"{node.name}/bodies", step, step + 1, inner))
    return made


def peak_node(graph: Graph, buffers: Sequence[Buffer]) -> str:
    """The first node at which most bytes are alive, "" for a graph without nodes."""
    alive = [sum(b.size for b in buffers if b.lower <= step < b.upper) for step in range(len(graph.nodes))]
    return graph.nodes[alive.index(max(alive))].name if alive else ""


def _checked(options: Iterable[str]) -> tuple[str, ...]:
    given = {name.replace("-", "_") for name in options}
    unknown = sorted(given - set(OPTIONS))
    if unknown:
        raise InputError(f"no memory option {unknown[0]!r}; there are {', '.join(OPTIONS)}")
    return tuple(name for name in OPTIONS if name in given)


def _check_capacity(graph: Graph, buffers: Sequence[Buffer], capacity: int | None, align: int) -> None:
    """Errors: InputError naming the node that alone needs more than the capacity."""
    sizes = [b._replace(size=-(-b.size // align) * align) for b in buffers]
    bound = liveness_bound(sizes)
    if capacity is None or bound <= capacity or not graph.nodes:
        return
    name = peak_node(graph, sizes)
    alive = sum(b.size for b in sizes if b.lower <= [n.name for n in graph.nodes].index(name) < b.upper)
    raise InputError(
        f"graph {graph.name!r}: {graph.node(name).where} alone needs {alive:,} bytes of activations, "
        f"{alive - capacity:,} more than the capacity of {capacity:,}; use narrower formats, an option "
        f"({', '.join(OPTIONS)}) or a larger memory"
    )


def _ends(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}" if names else ""
