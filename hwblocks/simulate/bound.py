"""Bound simulators: arrays of inputs and outputs that stay in place; a run is hardly more than the call into C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hwblocks.simulate.direct import Direct, Job
from hwblocks.simulate.failures import FOUND, failure
from hwblocks.simulate.stages import program_events
from hwblocks.simulate.trace import NodeEvents

if TYPE_CHECKING:
    from hwblocks.simulate.simulator import Simulator

Array = np.ndarray[Any, Any]


class Bound:
    """A simulator bound to `count` samples in arrays that the caller fills and reads in place.

    inputs: [count, *shape] by name, to be filled with stored codes (or floats at float inputs) before each run.
    outputs: [count, *shape] by name, overwritten by each run. Codes are not checked: they must fit the inputs' formats.
    The simulator's threads share the samples, or the layers of a single one.
    States go on from run to run; reset() takes them back to their initial values.
    """

    def __init__(self, simulator: Simulator, count: int, direct: Direct | None, statistics: int) -> None:
        graph = simulator.graph
        self.simulator, self.count, self.statistics, self._direct = simulator, count, statistics, direct
        self.inputs: dict[str, Array] = {n: _zeros(graph.tensors[n], count) for n in graph.inputs}
        self._events: dict[str, NodeEvents] = {}
        self._initial = {s.name: s.initial for s in graph.states}
        self._state: Any = self._initial
        if direct is None:
            self.outputs = {n: _zeros(graph.tensors[n], count) for n in graph.outputs}
            return
        job = Job(self.inputs, count, statistics, self._initial, bool(graph.states), simulator.threads)
        self._direct = direct = direct.serving(job.sequence)
        self._slots = direct.slots(job)
        self._call = direct.prepared(job, self._slots)
        self.outputs = direct.outputs(self._slots, job)

    def run(self) -> None:
        """Compute the outputs from what the inputs hold now."""
        if self._direct is not None:
            try:
                self._call.run(0, self.count)
            except FOUND as error:
                raise failure(error) from None
            return
        made = self.simulator.run(self.inputs, state=self._state or "reset")
        self._state = made.state
        for name, array in made.outputs.items():
            self.outputs[name][...] = array.reshape(self.outputs[name].shape)
        for name, events in made.events.items():
            self._events.setdefault(name, NodeEvents()).add(events)

    @property
    def events(self) -> dict[str, NodeEvents]:
        """Counts by node name over all runs since the last reset; `outputs` those of one run."""
        if self._direct is None:
            return self._events
        return program_events(self._direct.stage, self._call.packed_counts(), self.count, self.statistics)

    def reset(self) -> None:
        """Forget what was counted, and take states back to their initial values."""
        self._events, self._state = {}, self._initial
        if self._direct is not None:
            self._call.reset()
            for state in self._direct.states:
                array = self._slots[state.slot]
                array[...] = self._initial[state.name].reshape(array.shape)


def _zeros(tensor: Any, count: int) -> Array:
    """Real zeros of `count` samples, as stored."""
    array = np.zeros((count, *tensor.shape), tensor.format.dtype)
    if tensor.format.is_quantized:
        array[...] = tensor.format.code_of(0.0)
    return array
