"""Scans at run time: all passes of a sample in one call into C where the body is one program, else pass by pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.blocks.scan import Scan
from hwblocks.graph.graph import Graph
from hwblocks.graph.site import Site
from hwblocks.graph.state import State
from hwblocks.simulate.body import Body
from hwblocks.simulate.direct import Direct, Job
from hwblocks.simulate.store import Events, Store
from hwblocks.simulate.trace import NodeEvents

Array = np.ndarray[Any, Any]


def streamed(block: Scan) -> Graph:
    """The body as a graph whose states go on from pass to pass and whose samples are the passes."""
    body = block.body
    scanned = body.inputs[block.carried :]
    pairs = zip(body.inputs[: block.carried], body.outputs, strict=False)
    states = [
        State(into, into, out, np.zeros(body.tensors[into].shape, body.tensors[into].format.dtype))
        for into, out in pairs
    ]
    outputs = tuple(dict.fromkeys(body.outputs[block.carried :]))
    return body.replace(inputs=scanned, outputs=outputs, states=tuple(states))


@dataclass(frozen=True, eq=False)
class ScanStage:
    """A scan. direct: its body as one program that takes the passes in turn; None where it is not one program."""

    site: Site
    body: Body
    direct: Direct | None

    @property
    def block(self) -> Scan:
        """The scan."""
        block = self.site.node.block
        assert isinstance(block, Scan)
        return block

    def run(self, store: Store, count: int, events: Events, statistics: int) -> None:
        """Run all passes of all samples on the store's arrays; `iterations` counts the passes."""
        block = self.block
        given = block.spread([store[t.name] for t in self.site.present])
        samples = given[block.carried].shape[0] if block.keeps_samples() else 1
        run = self._by_passes if self.direct is None else self._by_program
        made = run(given, samples, events, statistics)
        kept = [f"{self.body.name}/{name}" for name in self.body.keep]
        for name, array in zip([*(t.name for t in self.site.outputs), *kept], made, strict=True):
            store[name] = np.ascontiguousarray(array)
        outputs = sum(int(a.size) for a in made[: len(self.site.outputs)])
        counted = NodeEvents(outputs=outputs, iterations=block.steps(self.site.shapes) * samples)
        events.setdefault(self.site.node.name, NodeEvents()).add(counted)

    def _by_passes(self, given: Sequence[Array], samples: int, events: Events, statistics: int) -> tuple[Array, ...]:
        """All samples together, one pass after the other."""

        def one_pass(values: Sequence[Array]) -> tuple[Array, ...]:
            return self.body.run(values, events, statistics, samples)

        return self.block.run(one_pass, given)

    def _by_program(self, given: Sequence[Array], samples: int, events: Events, statistics: int) -> tuple[Array, ...]:
        """One sample after the other, all its passes in one call."""
        block = self.block
        states, scanned = given[: block.carried], given[block.carried :]
        passes = [np.moveaxis(x, block.axis, 0)[:: -1 if block.reverse else 1] for x in scanned]
        if not block.keeps_samples():
            return tuple(self._one(states, passes, events, statistics))
        parts = []
        for n in range(samples):
            cut = [s[n : n + 1] for s in states], [x[:, n] for x in passes]
            parts.append(self._one(*cut, events, statistics))
        return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))

    def _one(self, states: Sequence[Array], passes: Sequence[Array], events: Events, statistics: int) -> list[Array]:
        """One sample: the last states, then the outputs and kept tensors with the passes along the axis."""
        block, direct, body = self.block, self.direct, self.body
        assert direct is not None
        names, given = body.graph.inputs[: block.carried], body.graph.inputs[block.carried :]
        start, inputs = dict(zip(names, states, strict=True)), dict(zip(given, passes, strict=True))
        made, last, counted = direct.run(Job(inputs, passes[0].shape[0], statistics, start, sequence=True))
        body.count(counted(), events)
        flown = [made[n][:: -1 if block.reverse else 1] for n in (*body.graph.outputs[block.carried :], *body.keep)]
        return [*(last[n] for n in names), *(np.moveaxis(y, 0, block.axis) for y in flown)]
