"""Cases of residual blocks and other joins of branches: every product by scalars."""

from __future__ import annotations

import itertools
import math

import numpy as np

import hwblocks as hb

RNG = np.random.default_rng(43)


def normal(*shape):
    """Numbers that float32 holds exactly."""
    return np.round(RNG.normal(size=shape) * 64) / 64


def dot(a, b):
    return math.fsum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def relu(x):
    return np.where(x > 0, x, 0.0)


IMAGE = normal(2, 4, 5, 3)


def convolved(x, w, stride=1, pad=0, depthwise=False, bias=None):
    """x [N, H, W, C] by w [O, C or 1, kH, kW], one product at a time."""
    outputs, inner, kh, kw = w.shape
    sizes = [(s + 2 * pad - k) // stride + 1 for s, k in zip(x.shape[1:3], (kh, kw))]
    y = np.zeros((len(x), *sizes, outputs))
    for n, i, j, o in itertools.product(*map(range, y.shape)):
        total = [0.0 if bias is None else float(bias[o])]
        for a, b, c in itertools.product(range(kh), range(kw), range(inner)):
            r, s = i * stride + a - pad, j * stride + b - pad
            if 0 <= r < x.shape[1] and 0 <= s < x.shape[2]:
                total.append(float(x[n, r, s, o if depthwise else c]) * float(w[o, c, a, b]))
        y[n, i, j, o] = math.fsum(total)
    return y


def excited(x, w):
    made = x.copy()
    for n in range(len(x)):
        mean = [math.fsum(x[n, ..., c].ravel()) / x[n, ..., c].size for c in range(x.shape[3])]
        inner = [max(dot(row, mean), 0.0) for row in w["fc1.weight"][..., 0, 0]]
        gates = [1 / (1 + math.exp(-dot(row, inner) - b)) for row, b in zip(w["fc2.weight"][..., 0, 0], w["fc2.bias"])]
        made[n] = x[n] * np.array(gates)
    return made


def batch_norm(x, w, name):
    spread = np.sqrt(np.float32(w[f"{name}.running_var"]) + np.float32(1e-5))  # of constants in float32
    gain = np.float32(w[f"{name}.weight"]) / spread
    return (x - w[f"{name}.running_mean"]) * gain + w[f"{name}.bias"]


SE = {"fc1.weight": normal(2, 3, 1, 1), "fc2.weight": normal(3, 2, 1, 1), "fc2.bias": normal(3)}
BOTTLENECK = {
    "conv1.weight": normal(2, 3, 1, 1),
    "conv2.weight": normal(2, 2, 3, 3),
    "conv3.weight": normal(4, 2, 1, 1),
    "downsample.0.weight": normal(4, 3, 1, 1),
    **{f"bn2.{part}": normal(2) + 2 for part in ("weight", "bias", "running_mean", "running_var")},
}
INVERTED = {
    "expand.weight": normal(6, 3, 1, 1),
    "depthwise.weight": normal(6, 1, 3, 3),
    "project.weight": normal(3, 6, 1, 1),
    "se.fc1.weight": normal(2, 6, 1, 1),
    "se.fc2.weight": normal(6, 2, 1, 1),
    "se.fc2.bias": normal(6),
}
SEPARABLE = {
    "depthwise.weight": normal(6, 1, 3, 3),
    "pointwise.weight": normal(2, 6, 1, 1),
    "pointwise.bias": normal(2),
}


def bottleneck(w, x):
    y = relu(convolved(x, w["conv1.weight"]))
    y = convolved(relu(batch_norm(convolved(y, w["conv2.weight"], 2, 1), w, "bn2")), w["conv3.weight"])
    return relu(y + convolved(x, w["downsample.0.weight"], 2))


def inverted(w, x):
    y = np.minimum(relu(convolved(x, w["expand.weight"])), 6)
    y = np.minimum(relu(convolved(y, w["depthwise.weight"], 1, 1, True)), 6)
    y = excited(y, {name.removeprefix("se."): a for name, a in w.items()})
    return x + convolved(y, w["project.weight"])


def separable(w, x):
    """Two outputs of the depthwise layer for every channel."""
    y = convolved(np.repeat(x, 2, axis=3), w["depthwise.weight"], 2, 1, True)
    return convolved(y, w["pointwise.weight"], bias=w["pointwise.bias"])


FLAT, GATE = normal(3, 4), normal(4, 4)
SIGMOIDS = 1 / (1 + np.exp(-np.array([[dot(row, x) + 0.25 for row in GATE] for x in FLAT])))
LINE = {
    "depthwise.weight": SEPARABLE["depthwise.weight"][..., 1],
    "pointwise.weight": SEPARABLE["pointwise.weight"][..., 0],
}
FLAT_KERNEL = np.zeros((6, 1, 3, 3))
FLAT_KERNEL[:, :, 1] = LINE["depthwise.weight"]
CASES = {
    "Residual": [
        (hb.Residual((hb.ReLU(), hb.Neg()), hb.Abs()), (FLAT,), abs(FLAT) - relu(FLAT)),
        (hb.Residual(hb.ReLU(), mode="concat", activation=hb.Neg()), (FLAT,), -np.hstack([relu(FLAT), FLAT])),
        (
            hb.Residual(hb.Abs(), mode="gate", gate_weight=GATE, gate_bias=np.full(4, 0.25)),
            (FLAT,),
            SIGMOIDS * abs(FLAT) + (1 - SIGMOIDS) * FLAT,
        ),
    ],
    "Bottleneck": [(hb.Bottleneck(2, weights=BOTTLENECK), (IMAGE,), bottleneck(BOTTLENECK, IMAGE))],
    "SqueezeExcite": [(hb.SqueezeExcite(weights=SE), (IMAGE,), excited(IMAGE, SE))],
    "InvertedResidual": [(hb.InvertedResidual(weights=INVERTED), (IMAGE,), inverted(INVERTED, IMAGE))],
    "SeparableConv2d": [
        (hb.SeparableConv2d(2, 1, weights=SEPARABLE), (IMAGE,), separable(SEPARABLE, IMAGE)),
    ],
    "SeparableConv1d": [
        (
            hb.SeparableConv1d(padding=1, weights=LINE),
            (IMAGE[:, 0],),
            convolved(
                convolved(np.repeat(IMAGE[:, :1], 2, axis=3), FLAT_KERNEL, 1, 1, True), SEPARABLE["pointwise.weight"]
            )[:, 0],
        )
    ],
}  # fmt: skip

BAD = [
    (hb.Residual(hb.GlobalAvgPool()), ((1, 2, 2, 2),), "one shape"),
    (hb.SeparableConv1d(), ((1, 2, 2, 2),), "spatial axes"),
]
