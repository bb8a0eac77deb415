"""Soft against hard attention: one network on digit rows, once with weights of every row, once with one row a head.

Hard gates are trained straight through: forward the gate of the largest score, backward as if it were soft.
"""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as np
import numpy as plain
from autograd.extend import defvjp, primitive
from training import Array, Data, Weights, adam, digits, softmax, uniform
from walk import Example, show, top1

import hwblocks as hb

TOKENS, INNER, WIDTH, HEADS, CLASSES = 8, 8, 32, 4, 10


def data() -> Data:
    """Digits as 8 tokens of 8 pixels."""
    return digits((TOKENS, INNER))


@primitive
def gates(weights: Array) -> Array:
    """1 for the largest weight of a row, 0 for all others."""
    return (plain.arange(weights.shape[-1]) == weights.argmax(axis=-1)[..., None]).astype(float)


defvjp(gates, lambda made, weights: lambda slope: slope)


def forward_of(hard: bool) -> Callable[[Weights, Array], Array]:
    """Logits [N, 10] with soft or hard weights."""

    def forward(w: Weights, x: Array) -> Array:
        h = np.maximum(np.dot(x, w["embed"].T) + w["positions"], 0)
        parts = np.dot(h, w["in_proj_weight"].T).reshape(len(x), TOKENS, 3, HEADS, WIDTH // HEADS)
        q, k, v = (np.transpose(parts[:, :, i], (0, 2, 1, 3)) for i in range(3))
        weights = softmax(np.matmul(q, np.transpose(k, (0, 1, 3, 2))) / np.sqrt(WIDTH // HEADS))
        context = np.matmul(gates(weights) if hard else weights, v)
        joined = np.transpose(context, (0, 2, 1, 3)).reshape(len(x), TOKENS, WIDTH)
        return np.dot(np.dot(joined, w["out_proj.weight"].T).reshape(len(x), -1), w["dense"].T) + w["bias"]

    return forward


def train_of(hard: bool) -> Callable[[Data], Weights]:
    """Training with soft or hard weights."""

    def train(data: Data) -> Weights:
        random = plain.random.default_rng(0)
        start = {
            "embed": uniform(random, WIDTH, INNER, fan=INNER),
            "positions": uniform(random, TOKENS, WIDTH, fan=WIDTH),
            "in_proj_weight": uniform(random, 3 * WIDTH, WIDTH, fan=WIDTH),
            "out_proj.weight": uniform(random, WIDTH, WIDTH, fan=WIDTH),
            "dense": uniform(random, CLASSES, TOKENS * WIDTH, fan=TOKENS * WIDTH),
            "bias": plain.zeros(CLASSES),
        }
        return adam(forward_of(hard), start, data, epochs=15)

    return train


def network_of(mode: str) -> Callable[[Weights], hb.Graph]:
    """The graph of the weights."""

    def network(w: Weights) -> hb.Graph:
        build = hb.GraphBuilder(f"{mode}_attention")
        h = hb.Linear(weight=w["embed"])(build.input("x", (1, TOKENS, INNER)))
        h = hb.ReLU()(hb.PositionalEncoding(TOKENS, weight=w["positions"])(h))
        h = hb.MultiheadAttention(WIDTH, HEADS, mode=mode, weights=w)(h)
        logits = hb.Linear(weight=w["dense"], bias=w["bias"])(hb.Flatten()(h))
        return build.build(hb.Softmax()(logits))

    return network


SOFT = Example("soft", "soft attention", data, train_of(False), network_of("soft"), top1, notes="attention scores")
HARD = Example("hard", "hard attention", data, train_of(True), network_of("hard"), top1, notes="attention scores")

if __name__ == "__main__":
    show(SOFT)
    show(HARD)
