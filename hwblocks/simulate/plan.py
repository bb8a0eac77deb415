"""Plans: every node bound once, to a kernel or to its definition, weights packed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hwblocks.graph.algorithm import chosen
from hwblocks.graph.block import Accumulate, Move, Pointwise
from hwblocks.graph.control import Control
from hwblocks.graph.graph import Graph
from hwblocks.graph.memory import is_view
from hwblocks.graph.site import Site
from hwblocks.graph.user_sums import check_site
from hwblocks.numerics import kernels
from hwblocks.simulate.control import control_stage
from hwblocks.simulate.stages import Compiled, compile_stages
from hwblocks.simulate.user_macs import UserMacStage, user_mac_stage


@dataclass(frozen=True, eq=False)
class Step:
    """One node of a plan: its kernel, or None with the reason why its definition runs; a control block's bodies.

    loop: a user-written multiply-accumulate, compiled.
    """

    site: Site
    kernel: Any = None
    reason: str = ""
    bodies: Mapping[str, Plan] = field(default_factory=dict)
    loop: UserMacStage | None = None

    @property
    def is_view(self) -> bool:
        """True when the node only renames its input's memory."""
        return is_view(self.site)


@dataclass(eq=False)
class Plan:
    """A graph with every node bound once, and the stages made for each set of kept tensors."""

    graph: Graph
    steps: tuple[Step, ...]
    isa: str
    _compiled: dict[tuple[str, ...], Compiled] = field(default_factory=dict)

    def compiled(self, keep: Iterable[str]) -> Compiled:
        """The stages that make the tensors in `keep` and the graph's outputs."""
        key = tuple(sorted({*keep, *self.graph.sinks}))
        if key not in self._compiled:
            self._compiled[key] = compile_stages(self.graph, self.steps, key, control_stage)
        return self._compiled[key]

    @property
    def unserved(self) -> dict[str, str]:
        """The nodes that run by their definition, with the reason."""
        own = [s for s in self.steps if s.kernel is None and s.loop is None and not s.is_view and not s.bodies]
        found = {s.site.node.name: s.reason for s in own}
        for step in self.steps:
            for part, plan in step.bodies.items():
                found |= {f"{step.site.node.name}/{part}/{name}": reason for name, reason in plan.unserved.items()}
        return found


def make_plan(graph: Graph, isa: str | None = None, definition: bool = False, follow: bool = False) -> Plan:
    """Bind every node; with `definition` none gets a kernel; with `follow` sums count every addition."""
    name = isa or kernels.default_isa()
    steps = tuple(bind_step(graph.site(node), name, definition, follow) for node in graph.nodes)
    return Plan(graph, steps, "definition" if definition else name)


def kernel_call(site: Site) -> Any:
    """The kernel call of a site, or the reason why there is none: the named algorithm's, else the block's.

    Algorithms are named for stored codes: floats are the block's own.
    """
    on_codes = site.is_integer or any(t.format.is_quantized for t in site.present)
    named = chosen(site) if on_codes else None
    if named is None or isinstance(site.node.block, Pointwise):
        return site.node.block.kernel(site)
    return named.kernel(site) if named.kernel else f"algorithm {named.name} has no kernel"


def followed(site: Site, call: Any) -> Any:
    """The call of a sum of products that counts every addition, or the reason why its definition must."""
    if isinstance(call, str) or chosen(site) is not None or not isinstance(site.node.block, Accumulate):
        return call
    if getattr(call, "ordered", None) is None:
        return "every addition is followed by the definition"
    return replace(call, in_order=True)


def bind_step(site: Site, isa: str, definition: bool, follow: bool = False) -> Step:
    """The node's kernel on an instruction set, or its definition with the reason; the plans of its bodies."""
    block = site.node.block
    if isinstance(block, Control):
        bodies = {name: make_plan(body, isa, definition, follow) for name, body in block.bodies.items()}
        return Step(site, None, "its bodies run", bodies)
    if site.arithmetic.mac is not None:
        check_site(site)
    if definition:
        return Step(site, None, "the definition was asked for")
    if site.arithmetic.mac is not None:
        return Step(site, loop=user_mac_stage(site, isa))
    if not (site.is_integer or site.node.block.serves_floats):
        return Step(site, None, "float")
    if site.node.clamp is not None and isinstance(site.node.block, Move):
        return Step(site, None, "a clamp fused into a move")
    call = followed(site, kernel_call(site)) if follow else kernel_call(site)
    bound = call if isinstance(call, str) else kernels.bind(call, isa)
    return Step(site, None, bound) if isinstance(bound, str) else Step(site, bound)
