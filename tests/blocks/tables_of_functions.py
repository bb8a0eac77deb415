"""Cases of functions of elements, bits, and logic that ONNX names, against the math module and plain loops."""

from __future__ import annotations

import math

import numpy as np

import hwblocks as hb

X = np.array([-5.0, -2.5, -1.0, -0.75, -0.5, -0.1, 0.0, 0.2, 0.5, 0.8, 1.0, 2.5, 6.0])
UNIT = np.array([-1.0, -0.9, -0.3, 0.0, 0.4, 1.0])
INSIDE = np.array([-0.9, -0.3, 0.0, 0.4, 0.99])
ABOVE = np.array([1.0, 1.5, 3.0, 40.0])
A = np.array([[200, 7, 0, 129], [1, 255, 64, 3]], dtype=np.uint8)
B = np.array([1, 7, 3, 9], dtype=np.uint8)
SIGNED, PLACES = np.array([-128, -1, 5, 127], dtype=np.int8), np.array([1, 7, 8, 2], dtype=np.int8)
FLAGS, OTHERS = np.array([True, True, False, False]), np.array([True, False, True, False])
ALPHA, GAMMA = 1.67326319217681884765625, 1.05070102214813232421875  # the standard's defaults: float32 numbers
ODD = np.array([0.0, np.nan, np.inf, -np.inf, 1.0])


def singly(function, x=X):
    return np.array([function(float(v)) for v in x])


def paired(function, a=A, b=B):
    """Integers in pairs, by Python's own, cut to the type's bits."""
    width = 8 * a.dtype.itemsize
    rows = [[function(int(p), int(q)) % (1 << width) for p, q in zip(row, b)] for row in np.atleast_2d(a)]
    return np.array(rows).astype(f"uint{width}").view(a.dtype).reshape(a.shape)


def sig(v):
    return 1 / (1 + math.exp(-v))


CASES = {
    "Tan": [(hb.Tan(), (X,), singly(lambda v: math.sin(v) / math.cos(v)))],
    "Asin": [(hb.Asin(), (UNIT,), singly(math.asin, UNIT)), (hb.Asin(), (np.array([2.0]),), np.array([np.nan]))],
    "Acos": [(hb.Acos(), (UNIT,), singly(lambda v: math.pi / 2 - math.asin(v), UNIT))],
    "Atan": [(hb.Atan(), (X,), singly(lambda v: math.atan2(v, 1.0)))],
    "Sinh": [(hb.Sinh(), (X,), singly(lambda v: (math.exp(v) - math.exp(-v)) / 2))],
    "Cosh": [(hb.Cosh(), (X,), singly(lambda v: (math.exp(v) + math.exp(-v)) / 2))],
    "Asinh": [(hb.Asinh(), (X,), singly(lambda v: math.copysign(math.log(abs(v) + math.hypot(v, 1)), v)))],
    "Acosh": [(hb.Acosh(), (ABOVE,), singly(lambda v: math.log(v + math.sqrt(v * v - 1)), ABOVE))],
    "Atanh": [(hb.Atanh(), (INSIDE,), singly(lambda v: math.log((1 + v) / (1 - v)) / 2, INSIDE))],
    "Sign": [(hb.Sign(), (X,), singly(lambda v: (v > 0) - (v < 0)))],
    "SELU": [
        (hb.SELU(), (X,), singly(lambda v: GAMMA * (v if v > 0 else ALPHA * math.expm1(v)))),
        (hb.SELU(2.0, 3.0), (X,), singly(lambda v: 3 * v if v > 0 else 6 * (math.exp(v) - 1))),
    ],
    "CELU": [(hb.CELU(2.0), (X,), singly(lambda v: v if v > 0 else 2 * (math.exp(v / 2) - 1)))],
    "HardSigmoid": [
        (hb.HardSigmoid(), (X,), singly(lambda v: 0 if v < -2.5 else 1 if v > 2.5 else v / 5 + 0.5)),
        (hb.HardSigmoid(0.5, 0.6), (X,), singly(lambda v: sorted((0.0, v / 2 + 0.6, 1.0))[1])),
    ],
    "HardTanh": [
        (hb.HardTanh(), (X,), singly(lambda v: sorted((-1.0, v, 1.0))[1])),
        (hb.HardTanh(-0.5, 4.0), (X,), singly(lambda v: sorted((-0.5, v, 4.0))[1])),
    ],
    "Mish": [(hb.Mish(), (X,), singly(lambda v: v * math.tanh(math.log(1 + math.exp(v)))))],
    "Softsign": [(hb.Softsign(), (X,), singly(lambda v: v / (1 + abs(v))))],
    "Swish": [(hb.Swish(1.5), (X,), singly(lambda v: v * sig(1.5 * v)))],
    "ThresholdedReLU": [(hb.ThresholdedReLU(0.5), (X,), singly(lambda v: v if v > 0.5 else 0.0))],
    "Shrink": [
        (hb.Shrink(0.5, 0.1), (X,), singly(lambda v: v + 0.1 if v < -0.5 else v - 0.1 if v > 0.5 else 0.0)),
    ],
    "TruncMod": [
        (
            hb.TruncMod(),
            (X[:, None], np.array([1.5, -0.7])),
            np.array([[math.fmod(v, w) for w in (1.5, -0.7)] for v in X]),
        ),
        (hb.TruncMod(), (np.array([7, -7, 7, -7]), np.array([4, 4, -4, -4])), np.array([3, -3, 3, -3])),
    ],
    "BitwiseAnd": [(hb.BitwiseAnd(), (A, B), paired(lambda p, q: p & q))],
    "BitwiseOr": [(hb.BitwiseOr(), (A, B), paired(lambda p, q: p | q))],
    "BitwiseXor": [(hb.BitwiseXor(), (A, B), paired(lambda p, q: p + q - 2 * (p & q)))],
    "BitwiseNot": [
        (hb.BitwiseNot(), (A,), 255 - A),
        (hb.BitwiseNot(), (SIGNED,), np.array([127, 0, -6, -128], dtype=np.int8)),
    ],
    "BitShift": [
        (hb.BitShift("left"), (A, B), paired(lambda p, q: p * 2**q)),
        (hb.BitShift("right"), (A, B), paired(lambda p, q: p // 2**q)),
        (hb.BitShift("left"), (SIGNED, PLACES), paired(lambda p, q: p * 2**q, SIGNED, PLACES)),
        (hb.BitShift("right"), (SIGNED, PLACES), paired(lambda p, q: p // 2**q, SIGNED, PLACES)),
    ],
    "BitCast": [
        (hb.BitCast("uint16"), (np.array([1.0, -2.0], np.float16),), np.array([0x3C00, 0xC000], dtype=np.uint16)),
        (hb.BitCast("int8"), (np.array([200, 5], np.uint8),), np.array([-56, 5], dtype=np.int8)),
    ],
    "LogicalXor": [(hb.LogicalXor(), (FLAGS, OTHERS), np.array([False, True, True, False]))],
    "IsNaN": [(hb.IsNaN(), (ODD,), np.array([False, True, False, False, False]))],
    "IsInf": [
        (hb.IsInf(), (ODD,), np.array([False, False, True, True, False])),
        (hb.IsInf(True, False), (ODD,), np.array([False, False, False, True, False])),
        (hb.IsInf(False, True), (ODD,), np.array([False, False, True, False, False])),
    ],
    "AddN": [
        (hb.AddN(), (X, X, X), 3 * X),
        (hb.AddN(), (X[:, None], np.array([1.0, 2.0])), np.array([[v + 1, v + 2] for v in X])),
    ],
    "MeanN": [(hb.MeanN(), (X, np.array([7.0]), X), singly(lambda v: (2 * v + 7) / 3))],
}

BAD = [
    (hb.AddN(), ((3,), (4,)), "do not broadcast"),
    (hb.MeanN(), ((3,), (4,)), "do not broadcast"),
    (hb.BitwiseAnd(), ((3,), (4,)), "do not broadcast"),
    (hb.LogicalXor(), ((3,), (4,)), "do not broadcast"),
    (hb.TruncMod(), ((3,), (4,)), "do not broadcast"),
]
