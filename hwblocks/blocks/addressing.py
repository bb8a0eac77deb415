"""Reads and writes of memories by addresses that are known at run time only: MemoryRead, MemoryWrite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Call, Move, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.pick_calls import pick_call, write_call
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.kernels.gather import GatherCall

REASON = "addresses come at run time"


class Addressed(Move, abstract=True):
    """A memory [N, B, S, *W] of B banks with S rows, and addresses [N, B, P] of the P ports of every bank."""

    def check(self, *shapes: Shape) -> None:
        """Raise ShapeError where memory and addresses do not fit."""
        memory, address = shapes[:2]
        if len(memory) < 3 or len(address) != 3 or address[1] != memory[1] or address[0] not in (1, memory[0]):
            raise self.fail("memory [N, B, S, *W] and address [N, B, P] do not fit", *shapes)

    def rows(self, address: Array, memory: Shape) -> Array:
        """Addresses as whole numbers, for every sample. Errors: SimulationError outside [0, S)."""
        wide = np.broadcast_to(address.astype(np.int64), (memory[0], *address.shape[1:]))
        if ((wide < 0) | (wide >= memory[2]) | (wide != address)).any():
            raise SimulationError(f"{type(self).__name__}: an address is no row from 0 to {memory[2] - 1}")
        return wide

    def kernel(self, site: Site) -> Call | str:
        given = [t for i, t in enumerate(site.present) if i not in self.steering]
        address = site.constant(1)
        if address is None or site.has(3) or any(t.is_constant for t in given):
            return self.steered(site)
        ends = np.cumsum([t.elements for t in given])
        numbers = [
            np.arange(end - t.elements, end, dtype=np.int64).reshape(t.shape)
            for t, end in zip(given, ends, strict=True)
        ]
        index = self.move(numbers[0], address, *numbers[1:], zero=0, lowest=0)
        counts = tuple(t.elements for t in given)
        return GatherCall(site.output.format.dtype.name, counts, np.ascontiguousarray(index).ravel(), 0)

    def steered(self, site: Site) -> Call | str:
        """The call where addresses or what enables them come at run time."""
        return REASON


@dataclass(frozen=True)
class MemoryRead(Addressed):
    """Rows of a memory: memory [N, B, S, *W], address [N, B, P] → [N, B, P, *W]. Work: one word read for each element.

    Errors: SimulationError for an address outside [0, S).

    >>> MemoryRead()(np.array([[[[5], [6], [7]]]]), np.array([[[2, 0]]]))[0, 0, :, 0]
    array([7, 5])
    """

    input_names: ClassVar[tuple[str, ...]] = ("memory", "address")
    steering: ClassVar[frozenset[int]] = frozenset({1})

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        self.check(*shapes)
        memory, address = shapes
        return ((*memory[:2], address[2], *memory[3:]),)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        memory, address = arrays
        rows = self.rows(address, memory.shape)
        samples, banks = np.ogrid[: memory.shape[0], : memory.shape[1]]
        return np.asarray(memory[samples[..., None], banks[..., None], rows])

    def work(self, *shapes: Shape) -> Work:
        return Work(reads=size(self.shape(*shapes)[0]))

    def steered(self, site: Site) -> Call | str:
        memory, address = site.input(0), site.input(1)
        if address.shape[0] != memory.shape[0]:
            return REASON
        return pick_call(site, memory, address, axis=2, batch=2, from_end=False)


@dataclass(frozen=True)
class MemoryWrite(Addressed):
    """The memory after writes: memory [N, B, S, *W], address [N, B, P], data [N, B, P, *W], enable [N, B, P].

    Ports write in order, so that of several to one row the last one stays. enable: truth values; absent: all write.
    Work: one word written for each element of data; with `enable`, `active` of a node's events counts the rows written.
    Errors: SimulationError for an address outside [0, S), also of a port that does not write.

    >>> MemoryWrite()(np.zeros((1, 1, 3, 1)), np.array([[[2]]]), np.ones((1, 1, 1, 1)))[0, 0, :, 0]
    array([0., 0., 1.])
    """

    counts_active: ClassVar[bool] = True
    input_names: ClassVar[tuple[str, ...]] = ("memory", "address", "data", "enable?")
    steering: ClassVar[frozenset[int]] = frozenset({1, 3})

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        self.check(*shapes)
        memory, address, data = shapes[:3]
        if data != (*memory[:2], address[2], *memory[3:]) or any(s[1:] != address[1:] for s in shapes[3:]):
            raise self.fail("data [N, B, P, *W] and enable [N, B, P] do not fit", *shapes)
        return (memory,)

    def move(self, *arrays: Array, zero: Any, lowest: Any) -> Array:
        memory, address, data, *enable = arrays
        made, rows = memory.copy(), self.rows(address, memory.shape)
        allowed = np.broadcast_to(enable[0] != 0 if enable else True, rows.shape)
        for n, b, p in np.argwhere(allowed):
            made[n, b, rows[n, b, p]] = data[n, b, p]
        return made

    def active(self, inputs: Sequence[Array], outputs: Sequence[Array], site: Site) -> int:
        return int(np.count_nonzero(inputs[3])) if len(inputs) > 3 else 0

    def work(self, *shapes: Shape) -> Work:
        return Work(writes=size(shapes[2]))

    def steered(self, site: Site) -> Call | str:
        return write_call(site)
