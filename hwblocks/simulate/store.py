"""The arrays of one chunk of samples, and what every stage of a plan does with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from hwblocks.graph.graph import Graph
from hwblocks.simulate.trace import NodeEvents

Array = np.ndarray[Any, Any]
Events = dict[str, NodeEvents]


class Store:
    """The arrays of one chunk by tensor name. A view is read from the tensor whose memory it uses."""

    def __init__(self, graph: Graph, owners: Mapping[str, str], arrays: dict[str, Array]) -> None:
        self.graph, self.owners, self.arrays = graph, owners, arrays

    def __getitem__(self, name: str) -> Array:
        if name not in self.graph.tensors:
            return self.arrays[name]  # inside a scan, which kept it
        tensor = self.graph.tensors[name]
        if tensor.value is not None:
            return tensor.value
        owner = self.owners.get(name, name)
        array = self.arrays[owner]
        if owner == name:
            return array
        whole = self.graph.tensors[owner].shape
        leading = array.shape[0] // max(whole[0], 1) if array.ndim and whole else 1
        return array.reshape(leading * tensor.shape[0], *tensor.shape[1:]) if tensor.shape else array.reshape(())

    def __setitem__(self, name: str, array: Array) -> None:
        self.arrays[name] = array


class Stage(Protocol):
    """A part of a plan: adds its outputs for `count` samples to the store, and its counts to `events`."""

    def run(self, store: Store, count: int, events: Events, statistics: int) -> None: ...
