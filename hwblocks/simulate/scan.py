"""Scans at run time: all passes of a sample in one call into C where the body is one program, else pass by pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    macs: int = 0

    @property
    def block(self) -> Scan:
        """The scan."""
        block = self.site.node.block
        assert isinstance(block, Scan)
        return block

    def run(self, store: Store, count: int, events: Events, statistics: int) -> None:
        """Run all passes of all samples on the store's arrays; `iterations` counts the passes."""
        given = self.block.spread([store[t.name] for t in self.site.present])
        samples = given[self.block.carried].shape[0] if self.block.keeps_samples() else 1
        made = self._by_program(given, samples, events, statistics) or self._by_passes(given, samples, events, statistics)
        kept = [f"{self.body.name}/{name}" for name in self.body.keep]
        for name, array in zip([*(t.name for t in self.site.outputs), *kept], made, strict=True):
            store[name] = np.ascontiguousarray(array)
        outputs = sum(int(a.size) for a in made[: len(self.site.outputs)])
        steps = self.block.steps(self.site.shapes)
        events.setdefault(self.site.node.name, NodeEvents()).add(
            NodeEvents(outputs=outputs, iterations=steps * samples)
        )

    def _by_passes(self, given: Sequence[Array], samples: int, events: Events, statistics: int) -> tuple[Array, ...]:
        def one_pass(values: Sequence[Array]) -> tuple[Array, ...]:
            return self.body.run(values, events, statistics, samples)

        return self.block.run(one_pass, given)

    def _by_program(
        self, given: Sequence[Array], samples: int, events: Events, statistics: int
    ) -> tuple[Array, ...] | None:
        if self.direct is None:
            return None
        block = self.block
        names = self.body.graph.inputs
        passes = [np.moveaxis(x, block.axis, 0) for x in given[block.carried :]]
        parts = []
        for sample in range(samples):
            cut = [x[:, sample] if block.keeps_samples() else x for x in passes]
            inputs = {n: x[::-1] if block.reverse else x for n, x in zip(names[block.carried :], cut, strict=True)}
            state = {n: s[sample : sample + 1] if block.keeps_samples() else s for n, s in zip(names, given, strict=False)}
            parts.append(self._one(inputs, {n: state[n] for n in names[: block.carried]}, events, statistics))
        return tuple(np.concatenate(arrays) if block.keeps_samples() else arrays[0] for arrays in zip(*parts, strict=True))

    def _one(self, inputs: dict[str, Array], state: dict[str, Array], events: Events, statistics: int) -> list[Array]:
        """One sample: the last states, then the outputs and kept tensors with the passes along the axis."""
        block, direct, body = self.block, self.direct, self.body
        assert direct is not None
        steps = next(iter(inputs.values())).shape[0]
        made, states, counted = direct.run(Job(inputs, steps, statistics, state, sequence=True))
        body.count(counted(), events)
        names = (*body.graph.outputs[block.carried :], *body.keep)
        passes = (made[name][::-1] if block.reverse else made[name] for name in names)
        return [*(states[n] for n in body.graph.inputs[: block.carried]), *(np.moveaxis(p, 0, block.axis) for p in passes)]
