"""Memories that keep their contents from sample to sample: addressed tables, content-addressed ones, ring buffers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.blocks.addressing import MemoryRead, MemoryWrite
from hwblocks.blocks.elementary import FloorMod
from hwblocks.blocks.elementwise import Add, Mul, Sub
from hwblocks.blocks.feature_norm import LpNorm
from hwblocks.blocks.linear import MatMul
from hwblocks.blocks.push import Push
from hwblocks.blocks.shape import Reshape, Transpose
from hwblocks.blocks.slicing import Slice
from hwblocks.composites.attention_core import Core, weigh
from hwblocks.errors import GraphError
from hwblocks.graph.block import parameter
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.composite import Composite
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import Preference
from hwblocks.numerics.formats import Format

WIDE, GATES = Preference(16), Preference(16, 2.0**-15)
COUNTER = Format(kind="raw", bits=64)
Width = int | tuple[int, ...]


@dataclass(frozen=True)
class Kept(Composite, abstract=True):
    """A memory of `banks` tables with `size` rows of `width` elements (a number, or the dimensions of a row).

    The contents are a state of the graph [1, banks, size, *width]: they start from `initial` (that shape without the
    leading 1, zeros where it is absent) and go on from sample to sample (state="carry").
    """

    size: int = 1
    width: Width = 1
    banks: int = 1
    initial: Array | None = parameter()

    @property
    def dims(self) -> tuple[int, ...]:
        """[banks, size, *width]."""
        return (self.banks, self.size, *((self.width,) if isinstance(self.width, int) else tuple(self.width)))

    def contents(self, build: GraphBuilder) -> Value:
        """The state. Errors: GraphError where sizes are not positive or `initial` has another shape."""
        start = np.zeros(self.dims) if self.initial is None else np.asarray(self.initial)
        if min(self.dims) < 1 or start.shape != self.dims:
            kind = type(self).__name__
            raise GraphError(f"{kind}: initial {start.shape} must be {self.dims}, and its sizes positive")
        return build.state(build.fresh(build._path("contents")), start[None])


@dataclass(frozen=True)
class Memory(Kept):
    """An addressed memory: every sample reads rows, then writes rows (write_first: the other way round).

    read [1, B, R] addresses → [1, B, R, *W]; read absent: everything, [1, B, S, *W]. write [1, B, P] addresses, data
    [1, B, P, *W], enable [1, B, P] truth values; write absent with data [1, B, S, *W]: everything is written, enable
    [1, B, S] by row. Without data nothing is written. An address outside [0, S) is an error.

    >>> memory = Memory(4, 2, initial=np.arange(8.0).reshape(1, 4, 2))
    >>> memory(np.array([[[3, 0]]]))[0, 0].tolist()
    [[6.0, 7.0], [0.0, 1.0]]
    """

    write_first: bool = False

    input_names: ClassVar[tuple[str, ...]] = ("read?", "write?", "data?", "enable?")

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value:
        read, write, data, enable = (*inputs, None, None, None, None)[:4]
        before = self.contents(build)
        after = before if data is None else self._written(build, before, write, data, enable)
        build.becomes(before, after)
        source = after if self.write_first else before
        if read is not None:
            return build.add(MemoryRead(), source, read, name="read")
        every = build.constant("every_row", np.broadcast_to(np.arange(self.size), (1, self.banks, self.size)))
        return build.add(MemoryRead(), source, every, name="read_all")

    def _written(
        self, build: GraphBuilder, before: Value, write: Value | None, data: Value, enable: Value | None
    ) -> Value:
        rows = self.size if write is None else write.shape[2]
        if data.shape[1:] != (self.banks, rows, *self.dims[2:]):
            raise self.fail(f"data must be [1, {self.banks}, {rows}, *{self.dims[2:]}]", data.shape)
        if write is None:
            write = build.constant("all_rows", np.broadcast_to(np.arange(self.size), (1, self.banks, self.size)))
        return build.add(MemoryWrite(), before, write, data, enable, name="write")


@dataclass(frozen=True)
class RingBuffer(Kept):
    """The last `size` rows that were written: x [1, T, *W] → [1, size, *W].

    ordered: the oldest first, as a shift register shows them. Else as they lie in the ring, with the position of the
    next write [1, 1] as second output. Work: T rows are written; reading the outputs is counted by their readers.

    >>> RingBuffer(3)(np.ones((1, 2, 1)))[0, :, 0].tolist()
    [0.0, 1.0, 1.0]
    """

    ordered: bool = True

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value | tuple[Value, ...]:
        (x,) = inputs
        if self.banks != 1 or x.shape[2:] != self.dims[2:] or not 1 <= x.shape[1] <= self.size:
            raise self.fail(f"x must be [1, up to {self.size}, *{self.dims[2:]}], banks 1", x.shape)
        before = self.contents(build)
        data = build.add(Reshape((0, 1, *x.shape[1:])), x, name="data")
        position = None if self.ordered else self._position(build, x.shape[1])
        if position is None:
            after = build.add(Push(2), before, data, name="pushed")
        else:
            after = build.add(MemoryWrite(), before, position[0], data, name="write")
        build.becomes(before, after)
        shown = build.add(Reshape((0, self.size, *self.dims[2:])), after, name="window")
        return shown if position is None else (shown, position[1])

    def _position(self, build: GraphBuilder, rows: int) -> tuple[Value, Value]:
        """(addresses [1, 1, T] of the rows to write, the next position [1, 1])."""
        state = build.state(build.fresh(build._path("position")), np.zeros((1, 1)), COUNTER)
        steps = build.constant("steps", np.arange(rows + 1)[None], COUNTER)
        length = build.constant("length", np.array(self.size), COUNTER)
        places = build.add(FloorMod(), build.add(Add(), state, steps, name="ahead"), length, name="places")
        following = build.add(Slice((rows,), (rows + 1,), (1,), (1,)), places, name="next_position")
        build.becomes(state, following)
        taken = build.add(Slice((0,), (rows,), (1,), (1,)), places, name="taken")
        return build.add(Reshape((0, 1, rows)), taken, name="addresses"), following


@dataclass(frozen=True)
class ContentMemory(Composite):
    """A memory M [S, W] read and written by content: key [1, H, W] of H heads → read [1, H, W], weights [1, H, S].

    w = softmax(strength · similarity(key, M)), read = w·M of the contents before the write. With write_key [1, P, W],
    erase [1, P, W] and add [1, P, W] then M ← M ∘ Π_p (1 − w_p·e_pᵀ) + Σ_p w_p·a_pᵀ; the weights w_p of the write keys
    are those of the contents before. erase and add may be absent. strength: a number, or an input [1, H, 1] that the
    scores of the read heads are multiplied with first. similarity: "dot", or "cosine" of the key and each row.
    mode, threshold, reduce: soft or hard weights, see attention_core.Core. initial: M at the start.
    Source: Graves et al. 2014 (neural Turing machine).

    >>> memory = ContentMemory(2, 2, initial=np.eye(2) * 50.0)
    >>> memory(np.array([[[0.0, 1.0]]]))[0].round(6).tolist()
    [[[0.0, 50.0]]]
    """

    size: int = 1
    width: int = 1
    similarity: str = "dot"
    strength: float = 1.0
    mode: str = "soft"
    threshold: float | None = None
    reduce: str = "mean"
    initial: Array | None = parameter()

    input_names: ClassVar[tuple[str, ...]] = ("key", "write_key?", "erase?", "add?", "strength?")

    def __post_init__(self) -> None:
        if self.similarity not in ("dot", "cosine"):
            raise GraphError(f'ContentMemory: similarity {self.similarity!r} must be "dot" or "cosine"')
        if self.initial is not None and np.shape(self.initial) != (self.size, self.width):
            raise GraphError(f"ContentMemory: initial {np.shape(self.initial)} must be {(self.size, self.width)}")

    def expand(self, build: GraphBuilder, *inputs: Any) -> tuple[Value, ...]:
        key, write_key, erase, add, strength = (*inputs, None, None, None, None)[:5]
        for given in (key, write_key, erase, add):
            if given is not None and (len(given.shape) != 3 or given.shape[2] != self.width):
                raise self.fail(f"keys, erase and add must be [1, heads, {self.width}]", given.shape)
        if (erase is not None or add is not None) and write_key is None:
            raise GraphError("ContentMemory: erase and add need write_key")
        start = np.zeros((self.size, self.width)) if self.initial is None else np.asarray(self.initial)
        before = build.state(build.fresh(build._path("contents")), start[None])
        weights = self._weights(build, before, key, "read", strength)
        read = build.add(MatMul(), weights, before, name="read")
        after = before if write_key is None else self._written(build, before, write_key, erase, add)
        build.becomes(before, after)
        return read, weights

    def _weights(self, build: GraphBuilder, rows: Value, key: Value, name: str, strength: Value | None = None) -> Value:
        """[1, H, S]."""
        with build.group(f"{name}_weights", "content addressing"):
            if self.similarity == "cosine":
                key, rows = (build.add(LpNorm(), x, name=f"unit_{n}") for x, n in ((key, "key"), (rows, "rows")))
            columns = build.add(Transpose((0, 2, 1)), rows, name="columns")
            scores = build.add(MatMul(), key, columns, name="scores", preference=WIDE)
            if strength is not None:
                scores = build.add(Mul(), scores, strength, name="sharpened", preference=WIDE)
            core = Core(self.strength, 0.0, self.mode, self.threshold, self.reduce)
            return weigh(build, scores, None, core, self.strength)

    def _written(self, build: GraphBuilder, before: Value, key: Value, erase: Value | None, add: Value | None) -> Value:
        """The contents after erasing by each head, then adding by all."""
        weights = build.add(Transpose((0, 2, 1)), self._weights(build, before, key, "write"), name="write_columns")
        made = before
        for head in range(key.shape[1] if erase is not None else 0):
            column = build.add(Slice((head,), (head + 1,), (1,), (2,)), weights, name=f"column{head}")
            row = build.add(Slice((head,), (head + 1,), (1,), (1,)), erase, name=f"erase{head}")
            share = build.add(MatMul(), column, row, name=f"erased{head}", preference=GATES)
            one = build.constant(f"one{head}", np.ones(()))
            keep = build.add(Sub(), one, share, name=f"kept_share{head}", preference=GATES)
            made = build.add(Mul(), made, keep, name=f"kept{head}")
        if add is None:
            return made
        return build.add(Add(), made, build.add(MatMul(), weights, add, name="added", preference=WIDE), name="written")
