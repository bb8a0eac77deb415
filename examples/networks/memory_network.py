"""A memory network: the value of a pixel addresses a table, its rows make a key, the key reads a memory by content.

The first memory holds 17 rows, one for each value of a pixel; it is read at 64 addresses. The second one holds 24 rows
of 16 numbers; it is read by the similarity of its rows to the key.
"""

from __future__ import annotations

import autograd.numpy as np
import numpy as plain
from training import Array, Data, Weights, adam, digits, softmax, uniform
from walk import Example, show, top1

import hwblocks as hb

PIXELS, VALUES, ROW, SLOTS, WIDTH, CLASSES = 64, 17, 3, 24, 16, 10


def data() -> Data:
    """Digits as 64 addresses from 0 to 16."""
    loaded = digits((1, PIXELS))
    return Data(*(plain.rint(a * 16).astype(plain.int64) if a.ndim == 3 else a for a in vars(loaded).values()))


def forward(w: Weights, x: Array) -> Array:
    """Logits [N, 10] of addresses [N, 1, 64]."""
    found = w["table"][x[:, 0]].reshape(len(x), PIXELS * ROW)
    key = np.tanh(np.dot(found, w["key"].T) + w["key_bias"])
    read = np.dot(softmax(np.dot(key, w["slots"].T)), w["slots"])
    return np.dot(np.concatenate([key, read], axis=1), w["dense"].T) + w["bias"]


def train(data: Data) -> Weights:
    """Weights after 12 epochs."""
    random = plain.random.default_rng(0)
    start = {
        "table": uniform(random, VALUES, ROW, fan=ROW),
        "key": uniform(random, WIDTH, PIXELS * ROW, fan=PIXELS * ROW),
        "key_bias": plain.zeros(WIDTH),
        "slots": uniform(random, SLOTS, WIDTH, fan=1),
        "dense": uniform(random, CLASSES, 2 * WIDTH, fan=2 * WIDTH),
        "bias": plain.zeros(CLASSES),
    }
    return adam(forward, start, data, epochs=12)


def network(w: Weights) -> hb.Graph:
    """The graph of the weights; both memories are states that start from them."""
    build = hb.GraphBuilder("memory_network")
    addresses = build.input("x", (1, 1, PIXELS), hb.Format(kind="raw", bits=64))
    found = hb.Memory(VALUES, ROW, initial=w["table"][None])(addresses)
    key = hb.Tanh()(hb.Linear(weight=w["key"], bias=w["key_bias"])(hb.Reshape((0, PIXELS * ROW))(found)))
    read, _ = hb.ContentMemory(SLOTS, WIDTH, initial=w["slots"])(hb.Reshape((0, 1, WIDTH))(key))
    both = hb.Concat(1)(key, hb.Reshape((0, WIDTH))(read))
    return build.build(hb.Softmax()(hb.Linear(weight=w["dense"], bias=w["bias"])(both)))


EXAMPLE = Example(
    "memory_network", "memory network, addressed and by content", data, train, network, top1, notes="similarities"
)

if __name__ == "__main__":
    show(EXAMPLE)
