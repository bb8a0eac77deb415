"""A feed-forward network 784-128-10 with softmax, on digits enlarged to 28×28 pixels."""

from __future__ import annotations

import autograd.numpy as np
import numpy as plain
from training import Array, Data, Weights, adam, digits, uniform
from walk import Example, show, top1

import hwblocks as hb

INPUTS, HIDDEN, CLASSES = 784, 128, 10


def data() -> Data:
    """Digits as rows of 784 pixels."""
    return digits((INPUTS,), enlarge=3, border=2)


def forward(w: Weights, x: Array) -> Array:
    """Logits [N, 10]."""
    hidden = np.maximum(np.dot(x, w["w1"].T) + w["b1"], 0)
    return np.dot(hidden, w["w2"].T) + w["b2"]


def train(data: Data) -> Weights:
    """Weights after 8 epochs."""
    random = plain.random.default_rng(0)
    start = {
        "w1": uniform(random, HIDDEN, INPUTS, fan=INPUTS),
        "b1": plain.zeros(HIDDEN),
        "w2": uniform(random, CLASSES, HIDDEN, fan=HIDDEN),
        "b2": plain.zeros(CLASSES),
    }
    return adam(forward, start, data, epochs=8, rate=0.003)


def network(w: Weights) -> hb.Graph:
    """The graph of the weights."""
    chain = hb.Sequential(
        hb.Linear(weight=w["w1"], bias=w["b1"]),
        hb.ReLU(),
        hb.Linear(weight=w["w2"], bias=w["b2"]),
        hb.Softmax(),
        input_shape=(INPUTS,),
        name="feed_forward",
    )
    return chain.graph()


EXAMPLE = Example("feed_forward", "feed-forward 784-128-10", data, train, network, top1)

if __name__ == "__main__":
    show(EXAMPLE)
