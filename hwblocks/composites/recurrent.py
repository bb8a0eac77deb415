"""Recurrent layers: RNN, LSTM and GRU over a sequence; stacked, in both directions, of any lengths, streaming."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.blocks.activation import ReLU
from hwblocks.blocks.logic import Less
from hwblocks.blocks.scan import Scan
from hwblocks.blocks.selection import Select
from hwblocks.blocks.shape import Concat, Reshape
from hwblocks.blocks.slicing import Slice
from hwblocks.composites.cells import TANH, Cell, GatedCell, LongCell, PlainCell, by_block, fed, zeros
from hwblocks.errors import GraphError
from hwblocks.graph.block import parameter
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.composite import Composite
from hwblocks.graph.contraction import Array
from hwblocks.numerics.formats import Format

Weights = Mapping[str, Array]


def layer(
    build: GraphBuilder, x: Value, cell: Cell, initial: Sequence[Value] | None = None, lengths: Value | None = None,
    reverse: bool = False, streaming: bool = False,
) -> tuple[Value, tuple[Value, ...]]:  # fmt: skip
    """(outputs [N, T, H], last states [N, H]) of one direction of one layer over x [N, T, I].

    lengths [N, 1]: steps after them leave the states as they are and give 0. streaming: the states are the graph's.
    """
    start = list(initial) if initial else zeros(build, cell.sizes)
    if streaming:
        start = [build.state(build.fresh(build._path(f"state{i}")), np.zeros((1, n))) for i, n in enumerate(cell.sizes)]
    scanned = [fed(build, x, cell)]
    if lengths is not None:
        scanned.append(_mask(build, lengths, x.shape[1]))
    body = _body(cell, scanned)
    block = Scan(body, len(start), len(scanned), axis=1, reverse=reverse)
    made = build.add_all(block, *start, *scanned, name="steps")
    last = made[: len(start)]
    if streaming:
        for state, value in zip(start, last, strict=True):
            build.becomes(state, value)
    return made[-1], last


def _mask(build: GraphBuilder, lengths: Value, steps: int) -> Value:
    """[N, T, 1]: true for the steps before a sequence's length."""
    places = build.constant("places", np.arange(steps)[None, :, None], lengths.tensor.format)
    given = build.add(Reshape((0, 1, 1)), lengths, name="lengths")
    return build.add(Less(), places, given, name="within", formats=(Format("bool"),))


def _body(cell: Cell, scanned: Sequence[Value]) -> Any:
    """The graph of one step: (states, x·Wᵀ, mask?) → (states, y)."""
    step = GraphBuilder("step")
    states = [step.input(name, (1, size)) for name, size in zip("hc", cell.sizes, strict=False)]
    given = [step.input(n, (1, v.shape[-1]), v.tensor.format) for n, v in zip(("fed", "within"), scanned, strict=False)]
    made = cell.step(given[0], *states)
    if len(given) == 1:
        return step.build(*made, made[0])
    nothing = step.constant("nothing", np.zeros((1, 1)))
    kept = [
        step.add(Select(), given[1], new, old, name=f"{old.name}_kept") for new, old in zip(made, states, strict=True)
    ]
    return step.build(*kept, step.add(Select(), given[1], made[0], nothing, name="output_kept"))


@dataclass(frozen=True)
class Recurrent(Composite, abstract=True):
    """What RNN, LSTM and GRU share: layers, directions, states, PyTorch's names of weights.

    weights: arrays as in the module's state_dict: weight_ih_l0 [gates · H, I], weight_hh_l0 [gates · H, H],
    bias_ih_l0 and bias_hh_l0 [gates · H], the same with _l1, … for further layers and with the suffix _reverse for the
    other direction. Sequences are [N, T, I] (batch_first). The optional input `lengths` [N, 1] holds how many steps of
    each sequence count; initial states are [N, layers · directions, H].
    streaming: the states are the graph's, carried from run to run and from sample to sample (state="carry").
    """

    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    streaming: bool = False
    weights: Weights | None = parameter()

    input_names: ClassVar[tuple[str, ...]] = ("x", "h?", "lengths?")
    gates: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.streaming and self.bidirectional:
            raise GraphError(f"{type(self).__name__}: streaming=True needs one direction; the other starts at the end")

    def cell(self, suffix: str) -> Cell:
        """The cell of the weights whose names end so."""
        raise NotImplementedError

    def array(self, name: str) -> Array:
        """A weight. Errors: GraphError with the names that are there."""
        if self.weights is None or name not in self.weights:
            there = ", ".join(self.weights or ()) or "none"
            raise GraphError(f"{type(self).__name__}: weights[{name!r}] is missing; there are {there}")
        return np.asarray(self.weights[name])

    def optional(self, name: str) -> Array | None:
        """A weight that may be absent."""
        return np.asarray(self.weights[name]) if self.weights and name in self.weights else None

    def arrays(self, suffix: str) -> dict[str, Array | None]:
        """The arrays every cell has."""
        return {
            "w": self.array(f"weight_ih_{suffix}"),
            "r": self.array(f"weight_hh_{suffix}"),
            "w_bias": self.optional(f"bias_ih_{suffix}"),
            "r_bias": self.optional(f"bias_hh_{suffix}"),
        }

    def expand(self, build: GraphBuilder, *inputs: Any) -> tuple[Value, ...]:
        x, *given = inputs
        if len(x.shape) != 3 or x.shape[-1] != self.input_size:
            raise self.fail(f"x must be [N, T, {self.input_size}]", x.shape)
        lengths = given[-1] if len(given) > self.state_inputs else None
        lasts: list[tuple[Value, ...]] = []
        for number in range(self.num_layers):
            made = []
            for direction in range(1 + self.bidirectional):
                start = self._initial(build, given[: self.state_inputs], len(lasts))
                suffix = f"l{number}{'_reverse' if direction else ''}"
                with build.group(suffix, f"{type(self).__name__} layer"):
                    cell = self.cell(suffix)
                    y, last = layer(build, x, cell, start, lengths, bool(direction), self.streaming)
                made.append(y)
                lasts.append(last)
            x = build.add(Concat(-1), *made, name=f"both_l{number}") if len(made) > 1 else made[0]
        return (x, *(self._joined(build, [last[i] for last in lasts], "hc"[i]) for i in range(len(lasts[0]))))

    @property
    def state_inputs(self) -> int:
        """How many inputs are initial states."""
        return len(self.input_names) - 2

    def _initial(self, build: GraphBuilder, given: Sequence[Value | None], number: int) -> list[Value] | None:
        """The initial states of one layer and direction, [N, H] each."""
        states = [v for v in given if v is not None]
        if not states:
            return None
        cut = [
            build.add(Slice((number,), (number + 1,), (1,), (1,)), v, name=f"initial_{number}_{i}")
            for i, v in enumerate(states)
        ]
        return [build.add(Reshape((0, v.shape[-1])), v, name=f"initial_{number}_{i}_row") for i, v in enumerate(cut)]

    def _joined(self, build: GraphBuilder, states: Sequence[Value], name: str) -> Value:
        """Last states as [N, layers · directions, H]."""
        rows = [build.add(Reshape((0, 1, v.shape[-1])), v, name=f"last_{name}{i}") for i, v in enumerate(states)]
        return build.add(Concat(1), *rows, name=f"last_{name}") if len(rows) > 1 else rows[0]


@dataclass(frozen=True)
class RNN(Recurrent):
    """h_t = f(x_t·Wᵀ + b + h_{t−1}·Rᵀ + c), f = tanh or ReLU: x [N, T, I], h [N, L, H] → y [N, T, H], h [N, L, H].

    See `Recurrent` for layers, directions and the names of weights. Source: torch.nn.RNN.

    >>> weights = {"weight_ih_l0": np.eye(2), "weight_hh_l0": np.eye(2)}
    >>> y, h = RNN(2, 2, nonlinearity="relu", weights=weights)(np.ones((1, 3, 2)))
    >>> h.tolist()
    [[[3.0, 3.0]]]
    """

    nonlinearity: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nonlinearity not in ("tanh", "relu"):
            raise GraphError(f'RNN: nonlinearity {self.nonlinearity!r}; use "tanh" or "relu"')

    def cell(self, suffix: str) -> Cell:
        curve = TANH if self.nonlinearity == "tanh" else by_block(ReLU())
        return PlainCell(**self.arrays(suffix), activations=(curve,))  # type: ignore[arg-type]


@dataclass(frozen=True)
class GRU(Recurrent):
    """Gated recurrent unit: x [N, T, I], h [N, L, H] → y [N, T, H], h [N, L, H]. Rows of weights: r, z, n.

    r, z = σ(x·Wᵀ + b + h·Rᵀ + c); n = tanh(x·Wₙᵀ + bₙ + r∘(h·Rₙᵀ + cₙ)); h ← (1 − z)∘n + z∘h.
    reset_after=False: n = tanh(x·Wₙᵀ + bₙ + cₙ + (r∘h)·Rₙᵀ). Source: torch.nn.GRU; ONNX GRU (linear_before_reset).

    >>> weights = {"weight_ih_l0": np.zeros((6, 1)), "weight_hh_l0": np.zeros((6, 2))}
    >>> y, h = GRU(1, 2, weights=weights)(np.ones((1, 3, 1)), np.ones((1, 1, 2)))
    >>> h.tolist()
    [[[0.125, 0.125]]]
    """

    reset_after: bool = True

    def cell(self, suffix: str) -> Cell:
        return GatedCell(**self.arrays(suffix), reset_after=self.reset_after)  # type: ignore[arg-type]


@dataclass(frozen=True)
class LSTM(Recurrent):
    """Long short-term memory: x [N, T, I], h [N, L, P], c [N, L, H] → y [N, T, P], h, c. Rows of weights: i, f, g, o.

    i, f, o = σ(x·Wᵀ + b + h·Rᵀ + c); g = tanh of the same; c ← f∘c + i∘g; h ← o∘tanh c.
    proj_size: h ← (o∘tanh c)·Pᵀ with weight_hr_l0 [P, H]. peephole: i, f and o also see p∘c, o the new c, with
    weight_ci_l0, weight_cf_l0, weight_co_l0 [H]. coupled: f = 1 − i, and weights have the rows of i, g, o
    only. cell_clip: bound of c, 0 for none.
    Source: torch.nn.LSTM; ONNX LSTM; peepholes: Gers and Schmidhuber 2000.

    >>> weights = {"weight_ih_l0": np.zeros((8, 1)), "weight_hh_l0": np.zeros((8, 2))}
    >>> y, h, c = LSTM(1, 2, weights=weights)(np.ones((1, 3, 1)), np.ones((1, 1, 2)), np.ones((1, 1, 2)))
    >>> c.tolist()
    [[[0.125, 0.125]]]
    """

    proj_size: int = 0
    peephole: bool = False
    coupled: bool = False
    cell_clip: float = 0.0

    input_names: ClassVar[tuple[str, ...]] = ("x", "h?", "c?", "lengths?")

    def cell(self, suffix: str) -> Cell:
        peephole = [self.array(f"weight_c{gate}_{suffix}") for gate in "ifo"] if self.peephole else None
        return LongCell(
            **self.arrays(suffix),  # type: ignore[arg-type]
            peephole=None if peephole is None else np.concatenate(peephole),
            projection=self.array(f"weight_hr_{suffix}") if self.proj_size else None,
            coupled="f" if self.coupled else "",
            cell_clip=self.cell_clip,
        )
