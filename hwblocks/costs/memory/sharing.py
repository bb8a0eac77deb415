"""Shared memory: results written over an input that ends there, and joined tensors made in their part of the whole.

What may share is said by the blocks (`overwrites`, `joins`); views share always, see graph/memory.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from hwblocks.graph.block import Move
from hwblocks.graph.graph import Graph
from hwblocks.graph.memory import Buffer, is_view, live_ranges, liveness_bound, storage_names
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Tensor


@dataclass(frozen=True)
class Shared:
    """Buffers of a graph, and where each tensor that owns memory lies: the buffer's id and the first byte in it."""

    buffers: tuple[Buffer, ...]
    places: dict[str, tuple[str, int]]

    def tensors(self, buffer: str) -> tuple[str, ...]:
        """The tensors in a buffer."""
        return tuple(name for name, (root, _) in self.places.items() if root == buffer)


def shared_buffers(graph: Graph, in_place: bool = False, concat_in_place: bool = False) -> Shared:
    """The buffers of one sample, those that may share memory merged.

    in_place: a node whose block `overwrites` an input writes over it where nothing needs that any more and its result
    takes no more bytes. concat_in_place: the inputs of a join along the outermost axis of a sample are made in their
    part of the result, which then lives from the first of them on. A merge that raises the bound is left out.
    """
    sharing = _Sharing(graph)
    for step, node in enumerate(graph.nodes):
        site = graph.site(node)
        if in_place and _may_overwrite(site):
            sharing.overwrite(step, site)
        if concat_in_place and _joins_memory(site):
            sharing.join(site)
    return Shared(tuple(sharing.buffers.values()), sharing.places)


def _may_overwrite(site: Site) -> bool:
    return bool(site.node.block.overwrites) and len(site.outputs) == 1 and not is_view(site)


def _joins_memory(site: Site) -> bool:
    """True when the stored codes of the inputs, one after the other, are the output."""
    block = site.node.block
    if not isinstance(block, Move) or not block.joins or site.node.clamp is not None:
        return False
    shape = site.output.shape
    axis = block.dim % len(shape)  # type: ignore[attr-defined]
    alike = all(t.format == site.output.format and not t.is_constant for t in site.present)
    return alike and math.prod(shape[:axis]) == 1


@dataclass
class _Sharing:
    """Buffers as merged so far."""

    graph: Graph
    buffers: dict[str, Buffer] = field(init=False)
    places: dict[str, tuple[str, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.buffers = {b.id: b for b in live_ranges(self.graph)}
        self.places = {name: (name, 0) for name in self.buffers}
        self.storage = storage_names(self.graph)
        kept = (*self.graph.sinks, *(s.tensor for s in self.graph.states))
        self.lasting = {self.storage[name] for name in kept if name in self.storage}

    def root(self, tensor: Tensor) -> Buffer:
        """The buffer that holds a run-time tensor."""
        return self.buffers[self.places[self.storage[tensor.name]][0]]

    def lasts(self, buffer: Buffer) -> bool:
        """True when something in the buffer is needed after the last node."""
        return any(self.places[name][0] == buffer.id for name in self.lasting)

    def overwrite(self, step: int, site: Site) -> None:
        """Let the output take over the memory of an input that ends at this step."""
        output = site.output
        for position in site.node.block.overwrites:
            tensor = site.inputs[position] if position < len(site.inputs) else None
            if tensor is None or tensor.is_constant or not self._ends_here(step, site, tensor):
                continue
            if tensor.elements != output.elements or output.stored_bytes > tensor.stored_bytes:
                continue
            if self._merge(self.root(tensor).id, {output.name: self.places[self.storage[tensor.name]][1]}):
                return

    def _ends_here(self, step: int, site: Site, tensor: Tensor) -> bool:
        """True when nothing in the tensor's buffer is needed later, nor by another input of the node."""
        root = self.root(tensor)
        others = [t for t in site.present if not t.is_constant and t.name != tensor.name]
        return root.upper == step + 1 and not self.lasts(root) and all(self.root(t).id != root.id for t in others)

    def join(self, site: Site) -> None:
        """Put the inputs of a join into their parts of the output."""
        offset, parts = 0, {}
        for tensor in site.present:
            root = self.root(tensor)
            if root.size != tensor.stored_bytes or root.id in parts or self._is_state(root):
                return
            parts[root.id] = offset
            offset += tensor.stored_bytes
        self._merge(self.root(site.output).id, parts)

    def _is_state(self, root: Buffer) -> bool:
        return any(self.places[self.storage[state.tensor]][0] == root.id for state in self.graph.states)

    def _merge(self, root: str, parts: dict[str, int]) -> bool:
        """Move whole buffers into another at offsets, unless the bound would rise."""
        group = [self.buffers[root], *(self.buffers[name] for name in parts)]
        lower, upper = min(b.lower for b in group), max(b.upper for b in group)
        merged = Buffer(root, lower, upper, self.buffers[root].size)
        rest = [b for name, b in self.buffers.items() if name != root and name not in parts]
        if _raises(group, merged) and liveness_bound([*rest, merged]) > liveness_bound([*rest, *group]):
            return False
        self.buffers[root] = merged
        for name in parts:
            del self.buffers[name]
        for tensor, (owner, at) in self.places.items():
            if owner in parts:
                self.places[tensor] = (root, parts[owner] + at)
        return True


def _raises(group: Iterable[Buffer], merged: Buffer) -> bool:
    """True when the merged buffer takes more bytes than its parts at some step."""
    parts = list(group)
    steps = {b.lower for b in parts} | {b.upper for b in parts if b.upper < merged.upper}
    return any(merged.size > sum(b.size for b in parts if b.lower <= s < b.upper) for s in steps)
