"""Control at run time: loops and branches, sample by sample; bodies are planned once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hwblocks.blocks.control import If, While
from hwblocks.blocks.scan import Scan
from hwblocks.errors import SimulationError
from hwblocks.graph.site import Site
from hwblocks.simulate.body import Body
from hwblocks.simulate.direct import direct_of
from hwblocks.simulate.scan import ScanStage, streamed
from hwblocks.simulate.stages import compile_stages
from hwblocks.simulate.store import Events, Stage, Store
from hwblocks.simulate.trace import NodeEvents

if TYPE_CHECKING:
    from hwblocks.simulate.plan import Step

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class ControlStage:
    """A While or an If. Its graph is not batched, so that every call is one sample."""

    site: Site
    bodies: Mapping[str, Body]

    def run(self, store: Store, count: int, events: Events, statistics: int) -> None:
        """Run the bodies on the store's arrays; `iterations` counts the passes through a body or a branch."""
        given = tuple(store[t.name] for t in self.site.present)
        block = self.site.node.block
        if isinstance(block, While):
            made, trips = self._loop(block, given, events, statistics)
        elif isinstance(block, If):
            made, trips = self.bodies[block.branch(given[0])].run(given[1:], events, statistics), 1
        else:
            raise SimulationError(f"{self.site.where}: no rule says when its bodies run")
        for tensor, array in zip(self.site.outputs, made, strict=False):
            store[tensor.name] = np.asarray(array)
        counted = NodeEvents(outputs=sum(int(a.size) for a in made), iterations=trips)
        events.setdefault(self.site.node.name, NodeEvents()).add(counted)

    def _loop(
        self, block: While, values: tuple[Array, ...], events: Events, statistics: int
    ) -> tuple[tuple[Array, ...], int]:
        for trip in range(block.max_iterations + 1):
            if not self.bodies["cond"].run(values, events, statistics)[0].any():
                return values, trip
            if trip < block.max_iterations:
                values = self.bodies["body"].run(values, events, statistics)
        raise SimulationError(f"{self.site.where}: {block.endless().message.removeprefix('While: ')}")


def control_stage(step: Step, keep: Sequence[str]) -> Stage:
    """The stage of a control block with the stages of its bodies; a scan keeps the named tensors of its body."""
    name = step.site.node.name
    if isinstance(step.site.node.block, Scan):
        return scan_stage(step, keep)
    bodies = {}
    for part, plan in step.bodies.items():
        compiled = plan.compiled(())
        bodies[part] = Body(f"{name}/{part}", plan.graph, compiled.stages, compiled.owners)
    return ControlStage(step.site, bodies)


def scan_stage(step: Step, keep: Sequence[str]) -> ScanStage:
    """The stage of a scan: its body compiled for passes one by one, and where it can be as one program."""
    block, plan, name = step.site.node.block, step.bodies["body"], f"{step.site.node.name}/body"
    assert isinstance(block, Scan)
    inner = tuple(path.removeprefix(f"{name}/") for path in keep if path.startswith(f"{name}/"))
    compiled = plan.compiled(inner)
    body = Body(name, plan.graph, compiled.stages, compiled.owners, inner)
    if len(block.body.inputs) > block.carried + block.scanned or not set(inner) <= set(plan.graph.tensors):
        return ScanStage(step.site, body, None)
    graph = streamed(block)
    wanted = tuple(dict.fromkeys((*graph.outputs, *inner)))
    flow = compile_stages(graph, plan.steps, {*wanted, *graph.sinks}, control_stage)
    macs = block.work(*step.site.shapes).macs // block.steps(step.site.shapes)
    return ScanStage(step.site, body, direct_of(graph, flow, wanted, 1, macs))
