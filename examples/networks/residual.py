"""A residual bottleneck network on digits: 1×1, 3×3 and 1×1 convolutions beside a bypass, twice."""

from __future__ import annotations

import autograd.numpy as np
import numpy as plain
from training import Array, Data, Weights, adam, digits, uniform
from walk import Example, show, top1

import hwblocks as hb

CHANNELS, NARROW, CLASSES, BLOCKS, SIDE = 16, 8, 10, 2, 4


def neighbours(x: Array) -> Array:
    """x [N, H, W, C] → [N, H, W, 9 · C]: the 3×3 neighbourhood of every pixel, zeros outside."""
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "constant")
    taps = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.concatenate(taps, axis=-1)


def forward(w: Weights, x: Array) -> Array:
    """Logits [N, 10] of images [N, 8, 8, 1]."""
    h = np.maximum(np.dot(neighbours(x), w["stem"]) + w["stem_bias"], 0)
    h = np.max(np.max(h.reshape(len(x), SIDE, 2, SIDE, 2, CHANNELS), axis=4), axis=2)
    for block in range(BLOCKS):
        narrow = np.maximum(np.dot(h, w[f"down{block}"]) + w[f"down_bias{block}"], 0)
        narrow = np.maximum(np.dot(neighbours(narrow), w[f"mix{block}"]) + w[f"mix_bias{block}"], 0)
        h = np.maximum(h + np.dot(narrow, w[f"up{block}"]) + w[f"up_bias{block}"], 0)
    return np.dot(h.reshape(len(x), -1), w["dense"]) + w["bias"]


def train(data: Data) -> Weights:
    """Weights after 12 epochs; matrices are [inputs, outputs]."""
    random = plain.random.default_rng(0)
    shapes = {"stem": (9, CHANNELS), "dense": (SIDE * SIDE * CHANNELS, CLASSES)}
    for block in range(BLOCKS):
        shapes |= {f"down{block}": (CHANNELS, NARROW), f"mix{block}": (9 * NARROW, NARROW)}
        shapes |= {f"up{block}": (NARROW, CHANNELS)}
    start = {name: uniform(random, *shape, fan=shape[0] / 3) for name, shape in shapes.items()}
    start |= {"stem_bias": plain.zeros(CHANNELS), "bias": plain.zeros(CLASSES)}
    for block in range(BLOCKS):
        start |= {f"{part}_bias{block}": plain.zeros(NARROW) for part in ("down", "mix")}
        start[f"up_bias{block}"] = plain.zeros(CHANNELS)
    return adam(forward, start, data, epochs=8)


def convolution(matrix: Array, bias: Array, inputs: int) -> hb.Conv2d:
    """A convolution whose taps and inputs are the rows of a matrix."""
    side = 3 if len(matrix) == 9 * inputs else 1
    kernel = matrix.reshape(side, side, inputs, -1).transpose(3, 0, 1, 2)
    return hb.Conv2d(padding=side // 2, weight=kernel, bias=bias)


def network(w: Weights) -> hb.Graph:
    """The graph of the weights."""
    build = hb.GraphBuilder("residual")
    h = hb.ReLU()(convolution(w["stem"], w["stem_bias"], 1)(build.input("x", (1, 8, 8, 1))))
    h = hb.MaxPool2d(2)(h)
    for block in range(BLOCKS):
        narrow = hb.ReLU()(convolution(w[f"down{block}"], w[f"down_bias{block}"], CHANNELS)(h))
        narrow = hb.ReLU()(convolution(w[f"mix{block}"], w[f"mix_bias{block}"], NARROW)(narrow))
        h = hb.ReLU()(hb.Add()(h, convolution(w[f"up{block}"], w[f"up_bias{block}"], NARROW)(narrow)))
    return build.build(hb.Softmax()(hb.Linear(weight=w["dense"].T, bias=w["bias"])(hb.Flatten()(h))))


EXAMPLE = Example("residual", "residual bottlenecks", digits, train, network, top1)

if __name__ == "__main__":
    show(EXAMPLE)
