"""Cases of every block: the block, its inputs, and what a plain loop or formula of scalars says they give."""

from __future__ import annotations

import itertools
import math

import numpy as np

import hwblocks as hb

RNG = np.random.default_rng(11)


def normal(*shape):
    return RNG.normal(size=shape)


def loop_conv(x, w, b=None, stride=(1, 1), pads=((0, 0), (0, 0)), dilation=(1, 1), groups=1):
    """Convolution of x [N, H, W, C] by w [O, kH, kW, C / groups], one product at a time."""
    n, height, width, _ = x.shape
    outputs, kh, kw, per = w.shape
    oh = (height + sum(pads[0]) - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (width + sum(pads[1]) - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    y = np.zeros((n, oh, ow, outputs), dtype=object if x.dtype == object else np.result_type(x, w))
    for s, i, j, o in itertools.product(range(n), range(oh), range(ow), range(outputs)):
        total = 0 if b is None else b[o]
        for a, c, k in itertools.product(range(kh), range(kw), range(per)):
            row = i * stride[0] + a * dilation[0] - pads[0][0]
            column = j * stride[1] + c * dilation[1] - pads[1][0]
            if 0 <= row < height and 0 <= column < width:
                total = total + x[s, row, column, (o // (outputs // groups)) * per + k] * w[o, a, c, k]
        y[s, i, j, o] = total
    return y


def loop_pool(x, kernel, stride, pads, reduce, include=None):
    """A pooling of x [N, H, W, C] by a function of the list of elements in each window (padding left out)."""
    n, height, width, channels = x.shape
    oh = (height + 2 * pads - kernel) // stride + 1
    ow = (width + 2 * pads - kernel) // stride + 1
    y = np.zeros((n, oh, ow, channels))
    for s, i, j, c in itertools.product(range(n), range(oh), range(ow), range(channels)):
        cells = itertools.product(
            range(i * stride - pads, i * stride - pads + kernel), range(j * stride - pads, j * stride - pads + kernel)
        )
        values = [x[s, a, b, c] for a, b in cells if 0 <= a < height and 0 <= b < width]
        y[s, i, j, c] = (
            reduce(values) if include is None else sum(values) / (kernel * kernel if include else len(values))
        )
    return y


def scalars(function, x):
    return np.array([function(float(v)) for v in x.ravel()]).reshape(x.shape)


def softmax_rows(x):
    out = []
    for row in x.reshape(-1, x.shape[-1]):
        total = math.fsum(math.exp(v) for v in row)
        out.append([math.exp(v) / total for v in row])
    return np.array(out).reshape(x.shape)


X4, X3, X2 = normal(2, 5, 6, 4), normal(2, 7, 4), normal(3, 4)
W, B, WG = normal(6, 3, 2, 4), normal(6), normal(6, 3, 3, 2)
WD = normal(1, 3, 3, 8)
PAIRS = ((1, 2), (0, 1))
POOLED = {"padding": 1, "stride": 2}
V = np.concatenate([np.linspace(-7, 7, 20), [0.0, 6.0]])

CASES = {
    "Conv2d": [
        (hb.Conv2d(), (X4, W, B), loop_conv(X4, W, B)),
        (hb.Conv2d(stride=(2, 1), padding=PAIRS), (X4, W), loop_conv(X4, W, None, (2, 1), PAIRS)),
        (hb.Conv2d(dilation=(1, 3), padding=2), (X4, W), loop_conv(X4, W, None, (1, 1), ((2, 2), (2, 2)), (1, 3))),
        (hb.Conv2d(groups=2, padding=1), (X4, WG, B), loop_conv(X4, WG, B, pads=((1, 1), (1, 1)), groups=2)),
        (hb.Conv2d(groups=4), (X4, WD), loop_conv(X4, np.moveaxis(WD[0], -1, 0)[..., None], groups=4)),
    ],
    "Conv1d": [
        (
            hb.Conv1d(stride=2, padding=1),
            (X3, W[:, 0]),
            loop_conv(X3[:, None], W[:, :1], None, (1, 2), ((0, 0), (1, 1)))[:, 0],
        ),
    ],
    "Linear": [(hb.Linear(), (X2, normal(5, 4)), None), (hb.Linear(), (X3, normal(5, 4), normal(5)), None)],
    "MatMul": [(hb.MatMul(), (X2, normal(4, 5)), None), (hb.MatMul(), (normal(2, 3, 4), normal(2, 4, 5)), None)],
    "Weight": [(hb.Weight(), (X3, normal(4), normal(4)), None)],
    "MaxPool2d": [(hb.MaxPool2d(3, **POOLED), (X4,), loop_pool(X4, 3, 2, 1, max))],
    "MaxPool1d": [(hb.MaxPool1d(2), (X3,), np.maximum(X3[:, 0:6:2], X3[:, 1:6:2]))],
    "AvgPool2d": [
        (hb.AvgPool2d(3, count_include_pad=True, **POOLED), (X4,), loop_pool(X4, 3, 2, 1, None, True)),
        (hb.AvgPool2d(3, count_include_pad=False, **POOLED), (X4,), loop_pool(X4, 3, 2, 1, None, False)),
    ],
    "AvgPool1d": [(hb.AvgPool1d(2), (X3,), (X3[:, 0:6:2] + X3[:, 1:6:2]) / 2)],
    "GlobalAvgPool": [
        (
            hb.GlobalAvgPool(),
            (X4,),
            np.array([[[[math.fsum(X4[n, :, :, c].ravel()) / 30 for c in range(4)]]] for n in range(2)]),
        )
    ],
    "ReLU": [(hb.ReLU(), (V,), scalars(lambda v: max(v, 0.0), V))],
    "ReLU6": [(hb.ReLU6(), (V,), scalars(lambda v: min(max(v, 0.0), 6.0), V))],
    "Clip": [(hb.Clip(-1.0, 2.5), (V,), scalars(lambda v: min(max(v, -1.0), 2.5), V))],
    "LeakyReLU": [(hb.LeakyReLU(0.1), (V,), scalars(lambda v: v if v >= 0 else 0.1 * v, V))],
    "Sigmoid": [(hb.Sigmoid(), (V,), scalars(lambda v: 1 / (1 + math.exp(-v)), V))],
    "Tanh": [(hb.Tanh(), (V,), scalars(math.tanh, V))],
    "Softmax": [
        (hb.Softmax(), (X3,), softmax_rows(X3)),
        (hb.Softmax(1), (X3,), softmax_rows(X3.transpose(0, 2, 1)).transpose(0, 2, 1)),
    ],
    "Add": [
        (
            hb.Add(),
            (X3, X3[:1]),
            np.array([a + b for a, b in zip(X3.ravel(), np.tile(X3[0].ravel(), 2))]).reshape(X3.shape),
        )
    ],
    "Sub": [(hb.Sub(), (X2, X2[0]), np.array([[a - b for a, b in zip(row, X2[0])] for row in X2]))],
    "Mul": [(hb.Mul(), (X2, X2[0]), np.array([[a * b for a, b in zip(row, X2[0])] for row in X2]))],
    "Concat": [(hb.Concat(1), (X2, X2[:, :2]), np.array([[*row, *row[:2]] for row in X2.tolist()]))],
    "Reshape": [
        (hb.Reshape((0, 2, -1)), (X2,), np.array([[row[:2], row[2:]] for row in X2.tolist()])),
        (hb.Reshape((3, 0), True), (np.zeros((0, 7)),), np.zeros((3, 0))),
    ],
    "Flatten": [(hb.Flatten(), (X3,), np.array([list(itertools.chain(*sample)) for sample in X3.tolist()]))],
    "Squeeze": [(hb.Squeeze(1), (X2[:, None],), X2)],
    "Unsqueeze": [(hb.Unsqueeze(1), (X2,), np.array([[row] for row in X2.tolist()]))],
    "Transpose": [(hb.Transpose((0, 2, 1)), (X3,), np.array([list(zip(*sample)) for sample in X3.tolist()]))],
    "Pad": [(hb.Pad(((0, 0), (1, 2)), 0.5), (X2,), np.array([[0.5, *row, 0.5, 0.5] for row in X2.tolist()]))],
    "Identity": [(hb.Identity(), (X2,), X2)],
    "Dropout": [(hb.Dropout(), (X2,), X2)],
    "BatchNorm": [
        (
            hb.BatchNorm(eps=0.5),
            (X2, np.arange(1.0, 5), np.ones(4), np.arange(4.0), np.arange(4.0) + 1),
            np.array(
                [[(v - c) / math.sqrt(c + 1 + 0.5) * (c + 1) + 1 for c, v in enumerate(row)] for row in X2.tolist()]
            ),
        )
    ],
    "Quantize": [(hb.Quantize(), (X2,), X2)],
    "Dequantize": [(hb.Dequantize(), (X2,), X2)],
    "Rescale": [(hb.Rescale(), (X2,), X2)],
}


def by_scalars(block, inputs):
    """Linear layers by sums of Python floats."""
    x, w, *b = inputs
    name = type(block).__name__
    if name == "Linear":
        rows = x.reshape(-1, x.shape[-1])
        sums = [[math.fsum(p * q for p, q in zip(r, c)) for c in w] for r in rows]
        y = np.array(sums).reshape(*x.shape[:-1], len(w))
    elif name == "MatMul":
        a, m = (x[None], w[None]) if x.ndim == 2 else (x, w)
        y = np.array([[[math.fsum(p * q for p, q in zip(r, c)) for c in n.T] for r in s] for s, n in zip(a, m)])
        y = y[0] if x.ndim == 2 else y
    else:
        y = np.array([[[v * k for v, k in zip(r, w)] for r in s] for s in x])
    return y + b[0] if b else y


BAD = [
    (hb.Conv2d(), ((1, 4, 4, 3), (2, 1, 1, 5)), "check groups=1"),
    (hb.Conv2d(groups=2), ((1, 4, 4, 3), (2, 1, 1, 1)), "groups=2"),
    (hb.Conv2d(groups=3), ((1, 4, 4, 3), (3, 1, 1, 1)), "depthwise"),
    (hb.Conv2d(), ((1, 2, 2, 3), (2, 3, 3, 3)), "no window fits"),
    (hb.Conv2d(), ((1, 4, 4, 3), (2, 1, 1, 3), (3,)), "bias"),
    (hb.Conv1d(), ((1, 4, 4, 3), (2, 1, 3)), "3 axes"),
    (hb.Linear(), ((1, 4), (2, 5)), "same K"),
    (hb.MatMul(), ((1, 4), (5, 2)), "same K"),
    (hb.MatMul(), ((2, 3, 4), (3, 4, 2)), "broadcast"),
    (hb.Weight(), ((1, 4), (5,)), "one entry per channel"),
    (hb.Add(), ((1, 4), (1, 5)), "broadcast"),
    (hb.Concat(1), ((1, 4, 2), (1, 4, 3)), "may differ only"),
    (hb.Reshape((0, 5)), ((1, 4),), "do not fill"),
    (hb.Squeeze(1), ((1, 4),), "not 1"),
    (hb.Transpose((0, 2)), ((1, 4),), "perm"),
    (hb.Pad(((0, 0),)), ((1, 4),), "one pair"),
    (hb.Softmax(2), ((1, 4),), "dim=2"),
    (hb.AvgPool2d(3), ((1, 4, 4),), "4 axes"),
    (hb.BatchNorm(), ((1, 4), (3,), (4,), (4,), (4,)), "one entry per channel"),
    (hb.GlobalAvgPool(), ((1, 4),), "spatial"),
]
