"""Cells of recurrent layers: what one time step computes, as a graph of blocks with a format for every tensor.

Formats in integers, unless a recipe says otherwise: x·Wᵀ and h·Rᵀ are each cast to 16 bits at 2⁻¹² and added there,
saturating; gates have 16 bits at 2⁻¹⁵; cell, products and GRU's state 16 bits with a calibrated scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from hwblocks.blocks.activation import Clip, Sigmoid, Tanh
from hwblocks.blocks.elementwise import Add, Mul, Sub
from hwblocks.blocks.linear import Linear, Weight
from hwblocks.blocks.slicing import Split
from hwblocks.graph.block import Block
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import Preference

SUMS = Preference(16, 2.0**-12)
GATES = Preference(16, 2.0**-15)
WIDE = Preference(16)

LONG_NAMES = {"i": "input", "f": "forget", "o": "output"}

Activation = Callable[[Value, str, "Preference | None"], Value]


def by_block(block: Block) -> Activation:
    """An activation that is one block."""

    def apply(x: Value, name: str, preference: Preference | None) -> Value:
        return x.builder.add(block, x, name=name, preference=preference)

    return apply


SIGMOID, TANH = by_block(Sigmoid()), by_block(Tanh())


def add(name: str, a: Value, b: Value, preference: Preference = SUMS) -> Value:
    """a + b as a node of this name."""
    return a.builder.add(Add(), a, b, name=name, preference=preference)


def mul(name: str, a: Value, b: Value, preference: Preference | None = WIDE) -> Value:
    """a ∘ b as a node of this name."""
    return a.builder.add(Mul(), a, b, name=name, preference=preference)


def one_minus(name: str, a: Value) -> Value:
    """1 − a, for gates."""
    one = a.builder.constant(f"{name}.one", np.ones(()))
    return a.builder.add(Sub(), one, a, name=name, preference=GATES)


@dataclass(frozen=True, eq=False)
class Cell:
    """One direction of one layer: weights [gates · H, I], [gates · H, H] and biases [gates · H] of both products.

    clip: bound of what activations get; 0 for none. gates: how many, in the order of the rows of the weights.
    """

    w: Array
    r: Array
    w_bias: Array | None = None
    r_bias: Array | None = None
    clip: float = 0.0
    activations: tuple[Activation, ...] = ()

    states: ClassVar[int] = 1  # states that a step hands on; the first one is h

    @property
    def gates(self) -> int:
        """How many gates the rows of the weights belong to."""
        return 1

    @property
    def hidden(self) -> int:
        """H, the units of the layer."""
        return int(self.w.shape[0]) // self.gates

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of the states."""
        return tuple([self.hidden] * self.states)

    @property
    def bias(self) -> Array | None:
        """The bias that the product with x takes: both, where nothing stands between them."""
        given = [b for b in (self.w_bias, self.r_bias) if b is not None]
        return np.sum(given, axis=0) if given else None

    def recurrent(self, h: Value, bias: Array | None = None, rows: slice = slice(None), name: str = "hidden") -> Value:
        """h·Rᵀ for some gates."""
        block = Linear(weight=self.r[rows], bias=bias)
        return h.builder.add(block, h, name=name, preference=SUMS)

    def bounded(self, total: Value, name: str) -> Value:
        """What an activation gets: a sum, within ±clip."""
        if not self.clip:
            return total
        return total.builder.add(Clip(-self.clip, self.clip), total, name=f"{name}_clip", preference=SUMS)

    def gate(self, number: int, total: Value, name: str, preference: Preference | None = GATES) -> Value:
        """Activation `number` of a sum."""
        return self.activations[number](self.bounded(total, name), name, preference)

    def split(self, x: Value, parts: int, name: str) -> tuple[Value, ...]:
        """The gates of a sum, each [N, H]."""
        return x.builder.add_all(Split((x.shape[-1] // parts,) * parts), x, name=name)

    def step(self, fed: Value, *states: Value) -> tuple[Value, ...]:
        """The next states from x·Wᵀ + bias and the states."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class PlainCell(Cell):
    """h ← f(x·Wᵀ + h·Rᵀ + b). Source: ONNX RNN."""

    activations: tuple[Activation, ...] = (TANH,)

    def step(self, fed: Value, *states: Value) -> tuple[Value, ...]:
        total = add("sum", fed, self.recurrent(states[0]))
        return (self.gate(0, total, "state", None),)


@dataclass(frozen=True, eq=False)
class GatedCell(Cell):
    """GRU: r, z = f(x·Wᵀ + h·Rᵀ + b); n = g(x·Wₙᵀ + …); h ← (1 − z)∘n + z∘h. Gates in the order r, z, n.

    reset_after: n = g(x·Wₙᵀ + bₙ + r∘(h·Rₙᵀ + cₙ)) (PyTorch, Keras); else n = g(x·Wₙᵀ + bₙ + cₙ + (r∘h)·Rₙᵀ).
    Source: ONNX GRU, torch.nn.GRU.
    """

    activations: tuple[Activation, ...] = (SIGMOID, TANH)
    reset_after: bool = True

    @property
    def gates(self) -> int:
        return 3

    @property
    def bias(self) -> Array | None:
        if not self.reset_after or self.r_bias is None:
            return super().bias
        first = np.zeros(3 * self.hidden) if self.w_bias is None else np.array(self.w_bias, dtype=np.float64)
        first[: 2 * self.hidden] += self.r_bias[: 2 * self.hidden]
        return first

    def step(self, fed: Value, *states: Value) -> tuple[Value, ...]:
        (h,), size = states, self.hidden
        x_r, x_z, x_n = self.split(fed, 3, "gates")
        if self.reset_after:
            bias = None if self.r_bias is None else np.concatenate([np.zeros(2 * size), self.r_bias[2 * size :]])
            h_r, h_z, h_n = self.split(self.recurrent(h, bias), 3, "hidden_gates")
        else:
            h_r, h_z = self.split(self.recurrent(h, rows=slice(0, 2 * size)), 2, "hidden_gates")
        r = self.gate(0, add("reset_sum", x_r, h_r), "reset")
        z = self.gate(0, add("update_sum", x_z, h_z), "update")
        if self.reset_after:
            inner = mul("reset_product", r, h_n, SUMS)
        else:
            inner = self.recurrent(mul("reset_state", r, h), rows=slice(2 * size, None), name="candidate_product")
        n = self.gate(1, add("candidate_sum", x_n, inner), "candidate")
        return (add("state", mul("new", one_minus("keep", z), n), mul("old", z, h), WIDE),)


@dataclass(frozen=True, eq=False)
class LongCell(Cell):
    """LSTM: i, f, o = f(x·Wᵀ + h·Rᵀ + p∘c + b); g alike without p; c ← f∘c + i∘g(g); h ← o∘k(c). Gates i, f, g, o.

    peephole: p [3 · H] of i, f and o (which sees the new c). coupled: the gate that has no rows of its own, "f" for
    f = 1 − i or "i" for i = 1 − f. projection: h ← (o∘k(c))·Pᵀ with
    P [P, H]. cell_clip: bound of c, 0 for none. Source: ONNX LSTM, torch.nn.LSTM.
    """

    activations: tuple[Activation, ...] = (SIGMOID, TANH, TANH)
    peephole: Array | None = None
    projection: Array | None = field(default=None)
    coupled: str = ""
    cell_clip: float = 0.0

    states: ClassVar[int] = 2

    @property
    def names(self) -> tuple[str, ...]:
        """The gates with rows of their own, in order."""
        return tuple(g for g in "ifgo" if g != self.coupled)

    @property
    def gates(self) -> int:
        return len(self.names)

    @property
    def sizes(self) -> tuple[int, ...]:
        projected = self.hidden if self.projection is None else int(self.projection.shape[0])
        return projected, self.hidden

    def _open(self, gate: str, total: Value, c: Value) -> Value:
        """Gate i, f or o of its sum, which may see the cell."""
        if self.peephole is not None:
            weight = self.peephole[slice(*("ifo".index(gate) * self.hidden + n for n in (0, self.hidden)))]
            seen = c.builder.add(Weight(weight=weight), c, name=f"peephole_{gate}", preference=SUMS)
            total = add(f"peephole_{gate}_sum", total, seen)
        return self.gate(0, total, LONG_NAMES[gate])

    def _enter_and_forget(self, sums: dict[str, Value], c: Value) -> tuple[Value, Value]:
        """Gates i and f."""
        made = {g: self._open(g, sums[g], c) for g in "if" if g in sums}
        if self.coupled:
            (other,) = made.values()
            made[self.coupled] = one_minus(LONG_NAMES[self.coupled], other)
        return made["i"], made["f"]

    def step(self, fed: Value, *states: Value) -> tuple[Value, ...]:
        h, c = states
        total = add("sum", fed, self.recurrent(h))
        sums = dict(zip(self.names, self.split(total, self.gates, "gates"), strict=True))
        enter, forget = self._enter_and_forget(sums, c)
        candidate = self.gate(1, sums["g"], "candidate")
        cell = add("cell", mul("kept", forget, c), mul("entered", enter, candidate), WIDE)
        if self.cell_clip:
            bounds = Clip(-self.cell_clip, self.cell_clip)
            cell = cell.builder.add(bounds, cell, name="cell_clip", preference=WIDE)
        output = self._open("o", sums["o"], cell)
        hidden = mul("state", output, self.activations[2](cell, "cell_curve", GATES), None)
        if self.projection is not None:
            hidden = hidden.builder.add(Linear(weight=self.projection), hidden, name="projection")
        return hidden, cell


def fed(build: GraphBuilder, x: Value, cell: Cell) -> Value:
    """x·Wᵀ + b of all steps [N, T, gates · H]."""
    return build.add(Linear(weight=cell.w, bias=cell.bias), x, name="inputs", preference=SUMS)


def zeros(build: GraphBuilder, sizes: Sequence[int]) -> list[Value]:
    """States that start from 0."""
    return [build.constant(f"initial{i}", np.zeros((1, size))) for i, size in enumerate(sizes)]
