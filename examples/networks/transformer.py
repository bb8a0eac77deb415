"""A transformer encoder layer on digit rows as tokens: embedding, learned positions, attention, feed-forward."""

from __future__ import annotations

import autograd.numpy as np
import numpy as plain
from training import Array, Data, Weights, adam, digits, softmax, uniform
from walk import Example, show, top1

import hwblocks as hb

TOKENS, INNER, WIDTH, HEADS, FORWARD, CLASSES = 8, 8, 32, 4, 64, 10


def data() -> Data:
    """Digits as 8 tokens of 8 pixels."""
    return digits((TOKENS, INNER))


def linear(w: Weights, name: str, x: Array) -> Array:
    """x·Wᵀ + b."""
    return np.dot(x, w[f"{name}.weight"].T) + w[f"{name}.bias"]


def norm(w: Weights, name: str, x: Array) -> Array:
    """Layer normalization of the last axis."""
    centred = x - np.mean(x, axis=-1, keepdims=True)
    spread = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / np.sqrt(spread + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def attention(w: Weights, x: Array) -> Array:
    """Self-attention of HEADS heads: x [N, T, E] → [N, T, E]."""
    joined = np.dot(x, w["self_attn.in_proj_weight"].T) + w["self_attn.in_proj_bias"]
    parts = joined.reshape(len(x), TOKENS, 3, HEADS, WIDTH // HEADS)
    q, k, v = (np.transpose(parts[:, :, i], (0, 2, 1, 3)) for i in range(3))
    scores = np.matmul(q, np.transpose(k, (0, 1, 3, 2))) / np.sqrt(WIDTH // HEADS)
    context = np.transpose(np.matmul(softmax(scores), v), (0, 2, 1, 3)).reshape(len(x), TOKENS, WIDTH)
    return linear(w, "self_attn.out_proj", context)


def forward(w: Weights, x: Array) -> Array:
    """Logits [N, 10]."""
    h = linear(w, "embed", x) + w["positions"]
    h = norm(w, "norm1", h + attention(w, h))
    h = norm(w, "norm2", h + linear(w, "linear2", np.maximum(linear(w, "linear1", h), 0)))
    return linear(w, "dense", h.reshape(len(x), -1))


def train(data: Data) -> Weights:
    """Weights after 15 epochs."""
    random = plain.random.default_rng(0)
    shapes = {
        "embed": (WIDTH, INNER),
        "self_attn.out_proj": (WIDTH, WIDTH),
        "linear1": (FORWARD, WIDTH),
        "linear2": (WIDTH, FORWARD),
        "dense": (CLASSES, TOKENS * WIDTH),
    }
    start = {f"{name}.weight": uniform(random, *shape, fan=shape[1]) for name, shape in shapes.items()}
    start |= {f"{name}.bias": plain.zeros(shape[0]) for name, shape in shapes.items()}
    start["self_attn.in_proj_weight"] = uniform(random, 3 * WIDTH, WIDTH, fan=WIDTH)
    start["self_attn.in_proj_bias"] = plain.zeros(3 * WIDTH)
    start["positions"] = uniform(random, TOKENS, WIDTH, fan=WIDTH)
    for name in ("norm1", "norm2"):
        start |= {f"{name}.weight": plain.ones(WIDTH), f"{name}.bias": plain.zeros(WIDTH)}
    return adam(forward, start, data, epochs=15, rate=0.003)


def network(w: Weights) -> hb.Graph:
    """The graph of the weights."""
    build = hb.GraphBuilder("transformer")
    h = hb.Linear(weight=w["embed.weight"], bias=w["embed.bias"])(build.input("x", (1, TOKENS, INNER)))
    h = hb.PositionalEncoding(TOKENS, weight=w["positions"])(h)
    h = hb.TransformerEncoderLayer(WIDTH, HEADS, weights=w)(h)
    logits = hb.Linear(weight=w["dense.weight"], bias=w["dense.bias"])(hb.Flatten()(h))
    return build.build(hb.Softmax()(logits))


EXAMPLE = Example(
    "transformer", "transformer encoder on digit rows", data, train, network, top1, notes="attention scores"
)

if __name__ == "__main__":
    show(EXAMPLE)
