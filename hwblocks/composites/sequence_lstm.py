"""SequenceLSTM: one layer of LSTM as runtimes fuse it, its state carried from sample to sample by the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Algorithm, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.nest import Nest
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work

GATES = ("i", "f", "c", "o")
INPUTS = (
    "x",
    *(f"w_{g}" for g in GATES),
    *(f"r_{g}" for g in GATES),
    *(f"p_{g}" for g in "ifo"),
    *(f"b_{g}" for g in GATES),
    "w_proj",
    "b_proj",
    "h",
    "c",
    *(f"n_{g}" for g in GATES),
)


def sigmoid(v: Array) -> Array:
    """1 / (1 + e^−v)."""
    return np.asarray(0.5 * (np.tanh(v / 2) + 1))


@dataclass(frozen=True)
class SequenceLSTM(Algorithm):
    """Long short-term memory over the time axis of x.

    For each step: v_g = x · W_gᵀ + h · R_gᵀ + P_g ∘ c + b_g for the gates g = i, f, c, o (the output gate sees the new
    cell); i, f, o = σ(v), u = tanh(v_c); c ← f ∘ c + i ∘ u; h ← o ∘ tanh(c), or its projection; y_t = h.

    x [N, T, I] (one step: [N, I]), W [U, I], R [U, H], P, b [U], projection [H, U], h [N, H], c [N, U]
    → y [N, T, H], h, c. coupled: no input gate, i = 1 − f. layer_norm: v_g is normalised over its units and scaled by
    n_g before the bias. cell_clip, proj_clip: limits of c and of the projection, 0 for none. time_major: x [T, N, I].
    gate_scales, hidden_scale, hidden_zero: formats inside a quantized file.
    Source: TFLite UNIDIRECTIONAL_SEQUENCE_LSTM.
    """

    coupled: bool = False
    peephole: bool = False
    projection: bool = False
    projection_bias: bool = False
    layer_norm: bool = False
    cell_clip: float = 0.0
    proj_clip: float = 0.0
    time_major: bool = False
    gate_scales: tuple[float, ...] = ()
    hidden_scale: float = 0.0
    hidden_zero: int = 0

    input_names: ClassVar[tuple[str, ...]] = tuple(
        name
        if name in ("x", "h", "c") or (name[:2] in ("w_", "r_", "b_") and name[2:] in ("f", "c", "o"))
        else f"{name}?"
        for name in INPUTS
    )

    @property
    def present(self) -> tuple[str, ...]:
        """The names of the inputs that these attributes ask for, in order."""
        absent = {"w_i", "r_i", "p_i", "b_i", "n_i"} if self.coupled else set()
        absent |= set() if self.peephole else {"p_i", "p_f", "p_o"}
        absent |= set() if self.projection else {"w_proj"}
        absent |= set() if self.projection_bias else {"b_proj"}
        absent |= set() if self.layer_norm else {f"n_{g}" for g in GATES}
        return tuple(name for name in INPUTS if name not in absent)

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates that are computed."""
        return GATES[1:] if self.coupled else GATES

    def named(self, values: Sequence[Any]) -> dict[str, Any]:
        """Inputs that are there, or their shapes, by name."""
        if len(values) != len(self.present):
            raise self.fail(f"{len(values)} inputs given, the attributes ask for {', '.join(self.present)}")
        return dict(zip(self.present, values, strict=True))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        s = self.named(shapes)
        x, units, hidden = s["x"], s["w_f"][0], s["r_f"][1]
        batch = x[1] if self.time_major and len(x) == 3 else x[0]
        if len(x) not in (2, 3) or any(s[f"w_{g}"] != (units, x[-1]) for g in self.gates):
            raise self.fail(f"x [N, T, I] and W [U, I] need the same I, W one shape {s['w_f']}, x {x}")
        if any(s[f"r_{g}"] != (units, hidden) for g in self.gates) or s["c"] != (batch, units):
            raise self.fail(f"R [U, H] {s['r_f']} and c [N, U] {s['c']} do not fit U={units}, N={batch}")
        if s["h"] != (batch, hidden) or (not self.projection and hidden != units):
            raise self.fail(f"h [N, H] {s['h']} does not fit H={hidden}, N={batch}")
        return ((*x[:-1], hidden), s["h"], s["c"])

    def keeps_samples(self, *shapes: Shape) -> bool:
        return not self.time_major

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", *("weight",) * 8, "parameter"))

    def steps(self, x: Array) -> Array:
        """x as [T, N, I]."""
        if x.ndim == 2:
            return x[None]
        return x if self.time_major else x.swapaxes(0, 1)

    def joined(self, outputs: list[Array], x: Array) -> Array:
        """Outputs of the steps in the layout of x."""
        if x.ndim == 2:
            return outputs[0]
        return np.stack(outputs, axis=0 if self.time_major else 1)

    def compute(self, *arrays: Array) -> tuple[Array, Array, Array]:  # type: ignore[override]
        v = self.named(arrays)
        h, c, outputs = v["h"], v["c"], []
        for x in self.steps(v["x"]):
            h, c = self._step(v, x, h, c)
            outputs.append(h)
        return self.joined(outputs, v["x"]), h, c

    def _gate(self, v: dict[str, Array], gate: str, x: Array, h: Array, c: Array) -> Array:
        total = x @ v[f"w_{gate}"].T + h @ v[f"r_{gate}"].T
        if self.peephole and gate != "c":
            total = total + v[f"p_{gate}"] * c
        if self.layer_norm:
            centred = total - total.mean(axis=-1, keepdims=True)
            total = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-8) * v[f"n_{gate}"]
        return np.asarray(total + v[f"b_{gate}"])

    def _step(self, v: dict[str, Array], x: Array, h: Array, c: Array) -> tuple[Array, Array]:
        forget = sigmoid(self._gate(v, "f", x, h, c))
        enter = 1 - forget if self.coupled else sigmoid(self._gate(v, "i", x, h, c))
        cell = forget * c + enter * np.tanh(self._gate(v, "c", x, h, c))
        if self.cell_clip > 0:
            cell = np.clip(cell, -self.cell_clip, self.cell_clip)
        hidden = sigmoid(self._gate(v, "o", x, h, cell)) * np.tanh(cell)
        if self.projection:
            hidden = hidden @ v["w_proj"].T + v.get("b_proj", 0.0)
            if self.proj_clip > 0:
                hidden = np.clip(hidden, -self.proj_clip, self.proj_clip)
        return hidden, cell

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        raise SimulationError(f"{site.where}: has no integer meaning of its own; choose a dialect that has one")

    def nests(self, *shapes: Shape) -> tuple[Nest, ...]:
        """The gates' products with all inputs at once; those with the state, and the projection, one step at a time."""
        s = self.named(shapes)
        rows, units, (batch, hidden) = size(s["x"][:-1]), s["w_f"][0], s["h"]
        gates, steps = len(self.gates) * units, rows // batch
        made = (Nest(rows, s["x"][-1], gates), Nest(batch, hidden, gates, steps))
        return (*made, Nest(batch, units, hidden, steps)) if self.projection else made

    def work(self, *shapes: Shape) -> Work:
        s = self.named(shapes)
        rows = size(s["x"][:-1])
        units, hidden = s["w_f"][0], s["r_f"][1]
        macs = rows * len(self.gates) * units * (s["x"][-1] + hidden)
        macs += rows * units * hidden if self.projection else 0
        gates = len(self.gates)
        muls = rows * units * (3 + (2 if self.peephole and self.coupled else 3 if self.peephole else 0))
        return Work(
            macs=macs,
            macs_valid=macs,
            muls=muls,
            adds=rows * units * (2 * gates + 1),
            lookups=rows * units * (gates + 1),
            requants=rows * units * (2 * gates + 3),
        )
