"""A body of a control block with its stages, ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.graph.graph import Graph
from hwblocks.simulate.store import Events, Stage, Store
from hwblocks.simulate.trace import NodeEvents

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Body:
    """A body with its stages; `name` leads its nodes' names in events: "while0/body".

    keep: tensors that a trace keeps.
    """

    name: str
    graph: Graph
    stages: tuple[Stage, ...]
    owners: Mapping[str, str]
    keep: tuple[str, ...] = ()

    def run(self, arrays: Sequence[Array], events: Events, statistics: int, count: int = 1) -> tuple[Array, ...]:
        """The outputs of one pass of `count` samples, then the tensors to keep."""
        store = Store(self.graph, self.owners, dict(zip(self.graph.inputs, arrays, strict=True)))
        counted: Events = {}
        for stage in self.stages:
            stage.run(store, count, counted, statistics)
        self.count(counted, events)
        return tuple(store[name] for name in (*self.graph.outputs, *self.keep))

    def count(self, counted: Events, events: Events) -> None:
        """Add counts of the body's nodes under their names outside."""
        for name, part in counted.items():
            events.setdefault(f"{self.name}/{name}", NodeEvents()).add(part)
