"""LSTM with 8-bit weights and activations quantized at run time.

Source: com.microsoft DynamicQuantizeLSTM, restated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.blocks.dynamic import PLAIN, Dynamic, products, quantized
from hwblocks.composites.sequence_lstm import sigmoid
from hwblocks.graph.block import size
from hwblocks.graph.contraction import Array
from hwblocks.graph.nest import Nest
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.accumulator import Accumulator

DIRECTIONS = ("forward", "reverse", "bidirectional")


@dataclass(frozen=True)
class DynamicQuantizeLSTM(Dynamic):
    """LSTM whose products run on uint8 activations: x is quantized once for all steps, h once for each step.

    x [T, N, I], w [D, I, 4H] and r [D, H, 4H] codes in the gate order i, o, f, c, scales [D] or [D, 4H], zero points
    alike; bias [D, 8H], h and c [D, N, H] as the flags say → y [T, D, N, H], h, c. Gates and cell are float32.
    Flags has_bias, has_h, has_c name the optional inputs that are there, in that order after the zero points.

    >>> DynamicQuantizeLSTM().shape((5, 1, 2), (1, 2, 12), (1, 3, 12), (1,), (1,), (1,), (1,))
    ((5, 1, 1, 3), (1, 1, 3), (1, 1, 3))
    """

    direction: str = "forward"
    has_bias: bool = False
    has_h: bool = False
    has_c: bool = False

    input_names: ClassVar[tuple[str, ...]] = (
        *("x", "w", "r", "w_scale", "w_zero", "r_scale", "r_zero"),
        *("bias?", "h?", "c?"),
    )

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, w, r = shapes[:3]
        if len(x) != 3 or w[1] != x[2] or w[0] != r[0] or w[2] != r[2] or r[2] != 4 * r[1]:
            raise self.fail("x [T, N, I], w [D, I, 4H] and r [D, H, 4H] do not fit", *shapes[:3])
        if self.direction not in DIRECTIONS or w[0] != 1 + (self.direction == "bidirectional"):
            raise self.fail(f"direction {self.direction!r} does not fit {w[0]} directions", *shapes[:3])
        state = (w[0], x[1], r[1])
        return ((x[0], w[0], x[1], r[1]), state, state)

    def compute(self, *arrays: Array) -> Any:
        return self.accumulated(PLAIN, *arrays)

    def accumulated(self, accumulator: Accumulator, *arrays: Array) -> Any:
        """The formula with its sums in an accumulator."""
        x, w, r, w_scale, w_zero, r_scale, r_zero, *rest = arrays
        left, count = list(rest), w.shape[0]
        bias = left.pop(0) if self.has_bias else np.zeros((count, 2 * w.shape[2]))
        state = (count, x.shape[1], r.shape[1])
        h = left.pop(0) if self.has_h else np.zeros(state)
        c = left.pop(0) if self.has_c else np.zeros(state)
        made = []
        for d in range(count):
            backward = self.direction == "reverse" or d == 1
            layer = _Layer(w[d], r[d], w_scale[d], w_zero[d], r_scale[d], r_zero[d], bias[d], accumulator)
            made.append(layer.run(x[::-1] if backward else x, h[d], c[d], backward))
        y, last_h, last_c = (np.stack([m[i] for m in made], axis=1 if i == 0 else 0) for i in range(3))
        return y, last_h, last_c

    def nests(self, *shapes: Shape) -> tuple[Nest, ...]:
        x, w, r = shapes[:3]
        steps, batch = x[:2]
        return Nest(steps * batch, w[1], w[2], w[0]), Nest(batch, r[1], r[2], r[0] * steps)

    def work(self, *shapes: Shape) -> Work:
        x, w, r = shapes[:3]
        macs = x[0] * x[1] * (size(w) + size(r))
        units = x[0] * x[1] * w[0] * r[1]
        return Work(macs=macs, macs_valid=macs, muls=3 * units, adds=9 * units, lookups=5 * units)


@dataclass(frozen=True, eq=False)
class _Layer:
    """One direction."""

    w: Array
    r: Array
    w_scale: Array
    w_zero: Array
    r_scale: Array
    r_zero: Array
    bias: Array
    accumulator: Accumulator

    def product(self, x: Array, codes: Array, scale: Array, zero: Array) -> Array:
        """x · weights in float32, x quantized as a whole."""
        given, step, origin = quantized(x)
        sums = products(given, codes.astype(np.int64) - np.asarray(zero, np.int64), origin, self.accumulator)
        return np.asarray(sums.astype(np.float32) * (step * np.asarray(scale, np.float32)))

    def run(self, x: Array, h: Array, c: Array, backward: bool) -> tuple[Array, Array, Array]:
        steps, batch, inner = x.shape
        fed = self.product(x.reshape(-1, inner), self.w, self.w_scale, self.w_zero).reshape(steps, batch, -1)
        both = (self.bias[: fed.shape[2]] + self.bias[fed.shape[2] :]).astype(np.float32)
        h, c, outputs = h.astype(np.float32), c.astype(np.float32), []
        for step in fed:
            gates = step + both
            if h.any():
                gates = gates + self.product(h, self.r, self.r_scale, self.r_zero)
            enter, output, forget, candidate = np.split(gates.astype(np.float64), 4, axis=1)
            c = (sigmoid(forget) * c + sigmoid(enter) * np.tanh(candidate)).astype(np.float32)
            h = (sigmoid(output) * np.tanh(c)).astype(np.float32)
            outputs.append(h)
        return np.stack(outputs[::-1] if backward else outputs), h, c
