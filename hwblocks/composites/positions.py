"""Positions in sequences: sinusoid tables, learned ones, and rotary embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.blocks.elementwise import Add, Mul
from hwblocks.blocks.push import Push
from hwblocks.blocks.shape import Reshape
from hwblocks.blocks.slicing import Gather, Slice
from hwblocks.errors import GraphError
from hwblocks.graph.block import parameter
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.composite import Composite
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import Preference

WIDE = Preference(16)
ANGLES = Preference(16, 2.0**-14)  # cos and sin


def sinusoid(positions: int, channels: int, base: float = 10000.0) -> Array:
    """Table [P, C]: sin(p / base^(2i / C)) in channel 2i, its cosine in channel 2i + 1. Source: Vaswani et al. 2017.

    >>> sinusoid(2, 2)[0].tolist()
    [0.0, 1.0]
    """
    angle = np.arange(positions)[:, None] / base ** (np.arange(0, channels, 2) / channels)[None]
    table = np.zeros((positions, channels))
    table[:, 0::2] = np.sin(angle)
    table[:, 1::2] = np.cos(angle)[:, : channels // 2]
    return table


def rows(build: GraphBuilder, table: Array, steps: int, name: str, streaming: bool = False) -> Value:
    """The first `steps` rows of a table [P, …] as [1, steps, …].

    streaming: those of the next positions in every sample; the table is a ring that starts again after P positions.
    """
    if steps > len(table):
        raise GraphError(f"positions: the table {name!r} has {len(table)} rows for {steps} steps")
    if not streaming:
        return build.constant(name, table[None, :steps])
    state = build.state(build.fresh(build._path(name)), table[None])
    taken = build.add(Slice((0,), (steps,), (1,), (1,)), state, name=f"{name}_rows", preference=ANGLES)
    build.becomes(state, build.add(Push(1), state, taken, name=f"{name}_turned"))
    return taken


@dataclass(frozen=True)
class PositionalEncoding(Composite):
    """y = x + table[position]: x [N, T, C]; the table is the sinusoid one, or learned with weight [P, C].

    streaming: positions go on from sample to sample (state="carry") and start again after max_length.
    Source: Vaswani et al. 2017; learned: torch.nn.Embedding of the positions.

    >>> PositionalEncoding(max_length=4)(np.zeros((1, 1, 2))).tolist()
    [[[0.0, 1.0]]]
    """

    max_length: int = 512
    base: float = 10000.0
    streaming: bool = False
    weight: Array | None = parameter()

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value:
        (x,) = inputs
        if len(x.shape) != 3:
            raise self.fail("x must be [N, T, C]", x.shape)
        table = sinusoid(self.max_length, x.shape[2], self.base) if self.weight is None else np.asarray(self.weight)
        if table.shape[1:] != x.shape[2:]:
            raise self.fail(f"weight {table.shape} must be [P, {x.shape[2]}]", x.shape)
        return build.add(Add(), x, rows(build, table, x.shape[1], "positions", self.streaming), name="placed")


def rotation(positions: int, dims: int, base: float = 10000.0) -> tuple[Array, Array]:
    """(cos, sin) of p / base^(2i / D), each [P, D / 2]."""
    angle = np.arange(positions)[:, None] / base ** (np.arange(0, dims, 2) / dims)[None]
    return np.cos(angle), np.sin(angle)


def pairing(dims: int, rotary: int, interleaved: bool) -> tuple[Array, Array, Array]:
    """(partner, angle, sign) of each of D elements: which one it is rotated with, which angle, and the sine's sign.

    Pairs are (2i, 2i + 1) where interleaved, else (i, i + rotary / 2); elements from `rotary` on are left alone.
    """
    partner, angle, sign = np.arange(dims), np.zeros(dims, int), np.zeros(dims)
    for i in range(rotary // 2):
        first, second = (2 * i, 2 * i + 1) if interleaved else (i, i + rotary // 2)
        partner[[first, second]] = second, first
        angle[[first, second]] = i
        sign[[first, second]] = -1, 1
    return partner, angle, sign


def spread_table(cos: Array, sin: Array, dims: int, rotary: int, interleaved: bool) -> tuple[Array, Array]:
    """Tables [P, D] of what multiplies an element and its partner, from cos and sin [P, rotary / 2]."""
    _, angle, sign = pairing(dims, rotary, interleaved)
    own = np.where(sign == 0, 1.0, cos[..., angle])
    return own, sign * sin[..., angle]


def rotate(build: GraphBuilder, x: Value, own: Value, other: Value, partner: Array) -> Value:
    """own ∘ x + other ∘ x[..., partner]: tables that broadcast to x [..., D]."""
    turned = build.add(Gather(tuple(int(p) for p in partner), len(x.shape) - 1), x, name="partners")
    first = build.add(Mul(), x, own, name="turned_own", preference=WIDE)
    second = build.add(Mul(), turned, other, name="turned_other", preference=WIDE)
    return build.add(Add(), first, second, name="turned")


@dataclass(frozen=True)
class RotaryEmbedding(Composite):
    """Pairs of elements of every head turned by angles that grow with the position: x [N, T, H, D] → [N, T, H, D].

    (a, b) → (a·cos − b·sin, a·sin + b·cos) with the angle p / base^(2i / R) of pair i at position p. rotary_dim R: how
    many elements turn, 0 for all. Pairs: (2i, 2i + 1) where interleaved, else (i, i + R / 2).
    num_heads: x is [N, T, H · D]. streaming: positions go on and start again after max_length.
    Source: Su et al. 2021; ONNX RotaryEmbedding.

    >>> RotaryEmbedding(max_length=2)(np.ones((1, 2, 1, 2))).round(4)[0, :, 0].tolist()
    [[1.0, 1.0], [-0.3012, 1.3818]]
    """

    max_length: int = 2048
    base: float = 10000.0
    rotary_dim: int = 0
    interleaved: bool = False
    num_heads: int = 0
    streaming: bool = False

    input_names: ClassVar[tuple[str, ...]] = ("x",)

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value:
        (x,) = inputs
        if len(x.shape) == 3 and self.num_heads and x.shape[2] % self.num_heads == 0:
            heads = build.add(Reshape((0, 0, self.num_heads, -1)), x, name="heads")
            return build.add(Reshape((0, 0, -1)), self.turned(build, heads, self.streaming), name="joined")
        if len(x.shape) != 4:
            raise self.fail(f"x must be [N, T, H, D], or [N, T, H · D] with num_heads={self.num_heads}", x.shape)
        return self.turned(build, x, self.streaming)

    def turned(self, build: GraphBuilder, x: Value, streaming: bool) -> Value:
        """x [N, T, H, D] turned."""
        steps, _, dims = x.shape[1:]
        rotary = self.rotary_dim or dims
        if rotary % 2 or rotary > dims:
            raise self.fail(f"rotary_dim={rotary} must be even and at most D", x.shape)
        partner = pairing(dims, rotary, self.interleaved)[0]
        tables = spread_table(*rotation(self.max_length, rotary, self.base), dims, rotary, self.interleaved)
        own, other = (
            rows(build, table[:, None], steps, name, streaming)
            for table, name in zip(tables, ("cos", "sin"), strict=True)
        )
        return rotate(build, x, own, other, partner)
