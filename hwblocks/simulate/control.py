"""Control at run time: loops and branches, sample by sample, with bodies that were planned once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.blocks.control import If, While
from hwblocks.errors import SimulationError
from hwblocks.graph.graph import Graph
from hwblocks.graph.site import Site
from hwblocks.simulate.store import Events, Stage, Store
from hwblocks.simulate.trace import NodeEvents

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Body:
    """A body with its stages; `name` leads its nodes' names in events: "while0/body"."""

    name: str
    graph: Graph
    stages: tuple[Stage, ...]
    owners: Mapping[str, str]

    def run(self, arrays: Sequence[Array], events: Events, statistics: int) -> tuple[Array, ...]:
        """The outputs of one pass."""
        store = Store(self.graph, self.owners, dict(zip(self.graph.inputs, arrays, strict=True)))
        counted: Events = {}
        for stage in self.stages:
            stage.run(store, 1, counted, statistics)
        for name, part in counted.items():
            events.setdefault(f"{self.name}/{name}", NodeEvents()).add(part)
        return tuple(store[name] for name in self.graph.outputs)


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
