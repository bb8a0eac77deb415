"""What the examples share: scikit-learn's digits, Adam, cross entropy. Gradients by autograd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd.numpy as np
import numpy as plain
from autograd import grad
from sklearn.datasets import load_digits

Array = Any
Weights = dict[str, Array]
TRAIN, CALIBRATION = 1200, 200  # samples; calibration takes some of those trained on, the rest are for the test


@dataclass(frozen=True)
class Data:
    """Samples [N, …] and labels [N] (or values to be predicted), to train and to test with."""

    x: Array
    y: Array
    test_x: Array
    test_y: Array

    @property
    def calibration(self) -> Array:
        """Samples from which ranges are taken."""
        return self.x[:CALIBRATION]


def digits(shape: tuple[int, ...] = (8, 8, 1), enlarge: int = 1, border: int = 0) -> Data:
    """1797 digits of 8×8 pixels from 0 to 1, shuffled, every sample in this shape.

    enlarge: pixels that stand for one along each axis. border: empty pixels around.
    """
    loaded = load_digits()
    order = plain.random.default_rng(7).permutation(len(loaded.target))
    images = plain.kron(loaded.images / 16, plain.ones((1, enlarge, enlarge)))
    images = plain.pad(images, ((0, 0), (border, border), (border, border)))
    x, y = images[order].reshape(-1, *shape).astype(plain.float32), loaded.target[order]
    return Data(x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:])


def uniform(random: plain.random.Generator, *shape: int, fan: int) -> Array:
    """Initial weights within ±1/√fan."""
    return random.uniform(-1, 1, shape) / plain.sqrt(fan)


def sigmoid(v: Array) -> Array:
    """1 / (1 + e^−v)."""
    return 0.5 * (np.tanh(v / 2) + 1)


def softmax(v: Array) -> Array:
    """Shares along the last axis."""
    powers = np.exp(v - np.max(v, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True)


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Mean of −log of the share of the right class."""
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    right = shifted[plain.arange(len(labels)), labels]
    return np.mean(np.log(np.sum(np.exp(shifted), axis=1)) - right)


def squared_error(values: Array, wanted: Array) -> Array:
    """Mean of squares of the differences."""
    return np.mean((values - wanted) ** 2)


def adam(
    forward: Callable[[Weights, Array], Array],
    weights: Weights,
    data: Data,
    epochs: int,
    loss: Callable[[Array, Array], Array] = cross_entropy,
    batch: int = 50,
    rate: float = 0.01,
) -> Weights:
    """The weights after some epochs of Adam whose rate falls to nothing; the same for every run.

    Source: Kingma and Ba, "Adam", ICLR 2015.
    """
    gradient = grad(lambda w, x, y: loss(forward(w, x), y))
    random = plain.random.default_rng(1)
    mean = {name: plain.zeros_like(w) for name, w in weights.items()}
    square = {name: plain.zeros_like(w) for name, w in weights.items()}
    steps, step = epochs * (len(data.x) // batch), 0
    for _ in range(epochs):
        order = random.permutation(len(data.x))
        for start in range(0, len(order) - batch + 1, batch):
            chosen, step = order[start : start + batch], step + 1
            slopes = gradient(weights, data.x[chosen], data.y[chosen])
            for name, slope in slopes.items():
                mean[name] = 0.9 * mean[name] + 0.1 * slope
                square[name] = 0.99 * square[name] + 0.01 * slope**2
                ahead = mean[name] / (1 - 0.9**step) / (plain.sqrt(square[name] / (1 - 0.99**step)) + 1e-8)
                weights[name] = weights[name] - rate * (1 - step / (steps + 1)) * ahead
    return weights
