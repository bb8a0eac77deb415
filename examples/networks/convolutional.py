"""A convolutional network: 32 filters of 3×3, 2×2 maxima, flatten, dense softmax; on digits."""

from __future__ import annotations

import autograd.numpy as np
import numpy as plain
from training import Array, Data, Weights, adam, digits, uniform
from walk import Example, show, top1

import hwblocks as hb

FILTERS, CLASSES, SIDE = 32, 10, 3  # the pooled side: 8 − 2 = 6 pixels, by twos


def forward(w: Weights, x: Array) -> Array:
    """Logits [N, 10] of images [N, 8, 8, 1]."""
    taps = [x[:, i : i + 6, j : j + 6, 0] for i in range(3) for j in range(3)]
    maps = np.dot(np.stack(taps, axis=-1), w["filters"].reshape(FILTERS, 9).T) + w["b1"]
    blocks = np.maximum(maps, 0).reshape(len(x), SIDE, 2, SIDE, 2, FILTERS)
    pooled = np.max(np.max(blocks, axis=4), axis=2)
    return np.dot(pooled.reshape(len(x), -1), w["w2"].T) + w["b2"]


def train(data: Data) -> Weights:
    """Weights after 15 epochs."""
    random, flat = plain.random.default_rng(0), SIDE * SIDE * FILTERS
    start = {
        "filters": uniform(random, FILTERS, 3, 3, 1, fan=9),
        "b1": plain.zeros(FILTERS),
        "w2": uniform(random, CLASSES, flat, fan=flat),
        "b2": plain.zeros(CLASSES),
    }
    return adam(forward, start, data, epochs=15)


def network(w: Weights) -> hb.Graph:
    """The graph of the weights."""
    chain = hb.Sequential(
        hb.Conv2d(weight=w["filters"], bias=w["b1"]),
        hb.ReLU(),
        hb.MaxPool2d(2),
        hb.Flatten(),
        hb.Linear(weight=w["w2"], bias=w["b2"]),
        hb.Softmax(),
        input_shape=(8, 8, 1),
        name="convolutional",
    )
    return chain.graph()


EXAMPLE = Example("convolutional", "CNN, 32 filters 3×3", digits, train, network, top1)

if __name__ == "__main__":
    show(EXAMPLE)
