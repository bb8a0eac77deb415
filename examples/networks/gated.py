"""LSTM and GRU of 32 units that read a digit row by row; the class from the last state."""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as np
import numpy as plain
from training import Array, Data, Weights, adam, digits, sigmoid, uniform
from walk import Example, show, top1

import hwblocks as hb

UNITS, STEPS, INNER, CLASSES = 32, 8, 8, 10
Step = Callable[[Weights, Array, tuple[Array, ...]], tuple[Array, ...]]


def data() -> Data:
    """Digits as 8 steps of 8 pixels."""
    return digits((STEPS, INNER))


def parts(v: Array, count: int) -> list[Array]:
    """The gates of a sum."""
    return [v[:, n * UNITS : (n + 1) * UNITS] for n in range(count)]


def lstm_step(w: Weights, x: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
    """(h, c) after one row."""
    h, c = state
    total = np.dot(x, w["weight_ih_l0"].T) + np.dot(h, w["weight_hh_l0"].T) + w["bias_ih_l0"]
    i, f, g, o = parts(total, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(w: Weights, x: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
    """(h,) after one row."""
    (h,) = state
    x_r, x_z, x_n = parts(np.dot(x, w["weight_ih_l0"].T) + w["bias_ih_l0"], 3)
    h_r, h_z, h_n = parts(np.dot(h, w["weight_hh_l0"].T) + w["bias_hh_l0"], 3)
    z = sigmoid(x_z + h_z)
    n = np.tanh(x_n + sigmoid(x_r + h_r) * h_n)
    return ((1 - z) * n + z * h,)


def forward_of(step: Step, states: int) -> Callable[[Weights, Array], Array]:
    """Logits [N, 10] by the last h."""

    def forward(w: Weights, x: Array) -> Array:
        state = (plain.zeros((len(x), UNITS)),) * states
        for t in range(STEPS):
            state = step(w, x[:, t], state)
        return np.dot(state[0], w["dense"].T) + w["bias"]

    return forward


def train_of(step: Step, gates: int, states: int) -> Callable[[Data], Weights]:
    """Training of a layer of so many gates."""

    def train(data: Data) -> Weights:
        random = plain.random.default_rng(0)
        start = {
            "weight_ih_l0": uniform(random, gates * UNITS, INNER, fan=UNITS),
            "weight_hh_l0": uniform(random, gates * UNITS, UNITS, fan=UNITS),
            "bias_ih_l0": plain.zeros(gates * UNITS),
            "bias_hh_l0": plain.zeros(gates * UNITS),
            "dense": uniform(random, CLASSES, UNITS, fan=UNITS),
            "bias": plain.zeros(CLASSES),
        }
        if step is lstm_step:
            del start["bias_hh_l0"]
        return adam(forward_of(step, states), start, data, epochs=25)

    return train


def network_of(layer: type[hb.LSTM] | type[hb.GRU]) -> Callable[[Weights], hb.Graph]:
    """The graph of a layer's weights."""

    def network(w: Weights) -> hb.Graph:
        build = hb.GraphBuilder(layer.__name__.lower())
        y, *_ = layer(INNER, UNITS, weights=w)(build.input("x", (1, STEPS, INNER)))
        last = hb.Flatten()(hb.Slice((STEPS - 1,), (STEPS,), (1,), (1,))(y))
        return build.build(hb.Softmax()(hb.Linear(weight=w["dense"], bias=w["bias"])(last)))

    return network


LSTM = Example(
    "lstm",
    "LSTM(32) on digit rows",
    data,
    train_of(lstm_step, 4, 2),
    network_of(hb.LSTM),
    top1,
    notes="sums, gates, cell",
)
GRU = Example(
    "gru", "GRU(32) on digit rows", data, train_of(gru_step, 3, 1), network_of(hb.GRU), top1, notes="sums, gates, state"
)

if __name__ == "__main__":
    show(LSTM)
    show(GRU)
