"""A simple recurrent network of 64 units with one dense output that predicts a time series one step ahead."""

from __future__ import annotations

import autograd.numpy as np
import numpy as plain
from training import TRAIN, Array, Data, Weights, adam, squared_error, uniform
from walk import Example, explained, show

import hwblocks as hb

UNITS, STEPS, SAMPLES = 64, 20, 1800


def data() -> Data:
    """Windows [N, 20, 1] of a slow and a fast wave with noise, and the value after each."""
    random = plain.random.default_rng(3)
    t = plain.arange(SAMPLES + STEPS + 1)
    series = 0.6 * plain.sin(t / 7) + 0.3 * plain.sin(t / 2.3 + 1) + random.normal(0, 0.05, t.size)
    windows = plain.lib.stride_tricks.sliding_window_view(series, STEPS + 1)[:SAMPLES]
    windows = windows[random.permutation(SAMPLES)].astype(plain.float32)
    x, y = windows[:, :STEPS, None], windows[:, STEPS:]
    return Data(x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:])


def forward(w: Weights, x: Array) -> Array:
    """The predicted value [N, 1]."""
    h = plain.zeros((len(x), UNITS))
    for step in range(x.shape[1]):
        h = np.tanh(np.dot(x[:, step], w["weight_ih_l0"].T) + np.dot(h, w["weight_hh_l0"].T) + w["bias_ih_l0"])
    return np.dot(h, w["dense"].T) + w["bias"]


def train(data: Data) -> Weights:
    """Weights after 15 epochs."""
    random = plain.random.default_rng(0)
    start = {
        "weight_ih_l0": uniform(random, UNITS, 1, fan=UNITS),
        "weight_hh_l0": uniform(random, UNITS, UNITS, fan=UNITS),
        "bias_ih_l0": plain.zeros(UNITS),
        "dense": uniform(random, 1, UNITS, fan=UNITS),
        "bias": plain.zeros(1),
    }
    return adam(forward, start, data, epochs=15, loss=squared_error, rate=0.003)


def network(w: Weights) -> hb.Graph:
    """The graph of the weights: the last state of the layer, then the dense output."""
    build = hb.GraphBuilder("time_series")
    y, _ = hb.RNN(1, UNITS, weights=w)(build.input("x", (1, STEPS, 1)))
    last = hb.Flatten()(hb.Slice((STEPS - 1,), (STEPS,), (1,), (1,))(y))
    return build.build(hb.Linear(weight=w["dense"], bias=w["bias"])(last))


EXAMPLE = Example(
    "time_series", "SimpleRNN(64) + Dense(1), time series (R²)", data, train, network, explained, notes="sums"
)

if __name__ == "__main__":
    show(EXAMPLE)
