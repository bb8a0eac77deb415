"""Cases of comparisons, conversions, control, moves steered by data, and elementary functions, against plain loops."""

from __future__ import annotations

import itertools
import math

import numpy as np

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder

RNG = np.random.default_rng(21)
A, B = RNG.integers(-3, 4, (3, 4)).astype(float), RNG.integers(-3, 4, (4,)).astype(float)
FLAGS = np.array([True, False, True, True])
TIES = np.array([-2.5, -1.5, -0.7, -0.5, 0.0, 0.5, 0.7, 1.5, 2.5])
GRID = np.arange(24.0).reshape(2, 3, 4)


def pairwise(function, a=A, b=B):
    """Both operands broadcast by hand, one pair at a time."""
    return np.array([[function(float(x), float(y)) for x, y in zip(row, b)] for row in a])


def singly(function, x):
    return np.array([function(float(v)) for v in x])


def half_even(v):
    low = math.floor(v)
    if v - low == 0.5:
        return float(low + low % 2)
    return float(math.floor(v + 0.5))


def loop_take(x, indices, batch):
    """Axis 1 of x [B, D, S] by indices [B, I] (batch 1), or by indices [I] for all."""
    if batch:
        return np.array([[x[n, i] for i in row] for n, row in enumerate(indices)])
    return np.array([[part[i] for i in indices] for part in x])


def loop_conv3(x, w, b, stride, pad):
    """Products of three axes, one at a time."""
    n, *space, channels = x.shape
    outputs, *taps, _ = w.shape
    size = [(s + 2 * pad - k) // stride + 1 for s, k in zip(space, taps)]
    y = np.zeros((n, *size, outputs)) + b
    for at in itertools.product(range(n), *map(range, size), range(outputs)):
        for tap in itertools.product(*map(range, taps)):
            place = [p * stride + t - pad for p, t in zip(at[1:4], tap)]
            if all(0 <= p < s for p, s in zip(place, space)):
                y[at] += sum(x[at[0], *place, c] * w[at[4], *tap, c] for c in range(channels))
    return y


def loop_to_batch(x, block, pads):
    """Sample b·N + n, element by element."""
    n, h, w = x.shape
    (top, bottom), (left, right) = pads
    big = np.zeros((n, h + top + bottom, w + left + right))
    big[:, top : top + h, left : left + w] = x
    rows, columns = block
    y = np.zeros((rows * columns * n, big.shape[1] // rows, big.shape[2] // columns))
    for r, c, s, i, j in itertools.product(*map(range, (rows, columns, n, y.shape[1], y.shape[2]))):
        y[(r * columns + c) * n + s, i, j] = big[s, i * rows + r, j * columns + c]
    return y


def graph(build, name, inputs):
    """A graph of blocks on inputs of these shapes."""
    builder = GraphBuilder(name)
    values = [builder.input(f"x{i}", shape) for i, shape in enumerate(inputs)]
    return builder.build(*build(*values))


COUNT = graph(lambda i, x: [hb.Less()(i, 4.0)], "cond", ((), (2,)))
DOUBLE = graph(lambda i, x: [hb.Add()(i, 1.0), hb.Mul()(x, 2.0)], "body", ((), (2,)))
THEN, ELSE = graph(lambda x: [hb.Neg()(x)], "then", ((2,),)), graph(lambda x: [hb.Abs()(x)], "else", ((2,),))
X5, W5 = RNG.normal(size=(1, 3, 4, 3, 2)), RNG.normal(size=(3, 2, 3, 1, 2))
MAP = np.arange(1.0, 13.0).reshape(2, 2, 3)

CASES = {
    "Equal": [(hb.Equal(), (A, B), pairwise(lambda a, b: a == b))],
    "NotEqual": [(hb.NotEqual(), (A, B), pairwise(lambda a, b: a != b))],
    "Less": [(hb.Less(), (A, B), pairwise(lambda a, b: a < b))],
    "LessEqual": [(hb.LessEqual(), (A, B), pairwise(lambda a, b: not a > b))],
    "Greater": [(hb.Greater(), (A, B), pairwise(lambda a, b: b < a))],
    "GreaterEqual": [(hb.GreaterEqual(), (A, B), pairwise(lambda a, b: not a < b))],
    "LogicalAnd": [(hb.LogicalAnd(), (FLAGS, FLAGS[::-1]), np.array([True, False, False, True]))],
    "LogicalOr": [(hb.LogicalOr(), (FLAGS, np.array(False)), FLAGS)],
    "LogicalNot": [(hb.LogicalNot(), (FLAGS,), np.array([False, True, False, False]))],
    "ConvertType": [
        (hb.ConvertType("int32"), (TIES,), np.array([-2, -1, 0, 0, 0, 0, 0, 1, 2])),
        (hb.ConvertType("uint8"), (np.array([-5.0, 255.9, 256.0, np.nan]),), np.array([0, 255, 255, 255])),
        (hb.ConvertType("int8"), (np.array([128, -129, 255]),), np.array([-128, 127, -1])),
        (hb.ConvertType("int64"), (np.array([1e30, -1e30]),), np.array([2**63 - 1, -(2**63)])),
        (hb.ConvertType("bool"), (TIES,), TIES != 0),
        (hb.ConvertType("int4"), (np.array([-9.9, -8, 7.9, 8, 17]),), np.array([7, -8, 7, -8, 1])),
        (hb.ConvertType("uint4"), (np.array([-1, 15, 16, 300]),), np.array([15, 15, 0, 12])),
        (hb.ConvertType("int2"), (np.array([-3, -2, 1, 2], np.int8),), np.array([1, -2, 1, -2])),
        (hb.ConvertType("float32"), (np.array([1, 2**24 + 1]),), np.array([1.0, 2.0**24])),
    ],
    "Floor": [(hb.Floor(), (TIES,), singly(math.floor, TIES))],
    "Ceil": [(hb.Ceil(), (TIES,), singly(math.ceil, TIES))],
    "Round": [(hb.Round(), (TIES,), singly(half_even, TIES))],
    "Sin": [(hb.Sin(), (TIES,), singly(math.sin, TIES))],
    "Cos": [(hb.Cos(), (TIES,), singly(math.cos, TIES))],
    "Pow": [
        (hb.Pow(), (np.abs(A) + 1, B), pairwise(math.pow, np.abs(A) + 1)),
        (hb.Pow(), (np.array([2, -3]), np.array([5, 3])), np.array([32, -27])),
    ],
    "FloorDiv": [
        (hb.FloorDiv(), (A, np.abs(B) - 4.5), pairwise(lambda a, b: math.floor(a / b), A, np.abs(B) - 4.5)),
        (hb.FloorDiv(), (np.array([7, -7]), np.array([2, 2])), np.array([3, -4])),
    ],
    "FloorMod": [
        (hb.FloorMod(), (A, np.abs(B) + 1.5), pairwise(lambda a, b: a - math.floor(a / b) * b, A, np.abs(B) + 1.5)),
        (hb.FloorMod(), (np.array([7, -7]), np.array([-4, 4])), np.array([-1, 1])),
    ],
    "Conv3d": [
        (hb.Conv3d(), (X5, W5), loop_conv3(X5, W5, 0.0, 1, 0)),
        (hb.Conv3d(stride=2, padding=1), (X5, W5, np.arange(3.0)), loop_conv3(X5, W5, np.arange(3.0), 2, 1)),
    ],
    "Select": [(hb.Select(), (FLAGS, A, B), np.where(FLAGS, A, np.tile(B, (3, 1))))],
    "Take": [
        (hb.Take(1), (GRID, np.array([2, 0])), loop_take(GRID, [2, 0], 0)),
        (hb.Take(1, 1), (GRID, np.array([[2, 2], [0, 1]])), loop_take(GRID, [[2, 2], [0, 1]], 1)),
        (hb.Take(1, from_end=True), (GRID, np.array([-1, 0])), loop_take(GRID, [2, 0], 0)),
    ],
    "GatherND": [
        (hb.GatherND(), (GRID, np.array([[1, 2], [0, 0]])), np.array([GRID[1, 2], GRID[0, 0]])),
        (hb.GatherND(), (GRID, np.array([[[1, 2, 3]]])), np.array([[23.0]])),
        (hb.GatherND(1), (GRID, np.array([[2], [0]])), np.array([GRID[0, 2], GRID[1, 0]])),
        (hb.GatherND(1, True), (GRID, np.array([[[2, -1]], [[0, 1]]])), np.array([[GRID[0, 2, 3]], [GRID[1, 0, 1]]])),
        (hb.GatherND(2), (GRID, np.array([[[1], [2], [3]]] * 2)), np.array([[1.0, 6, 11], [13, 18, 23]])),
    ],
    "DynamicSlice": [
        (hb.DynamicSlice((1, 2, 2)), (GRID, np.array([1, 0, -2])), GRID[1:2, 0:2, 2:4]),
        (
            hb.DynamicSlice((2, 1, 2), (1, 1, -2), (0, None, None)),
            (GRID, np.array([9, 1, 3])),
            GRID[:, 1:2, [3, 1]],
        ),
    ],
    "DynamicUpdateSlice": [
        (
            hb.DynamicUpdateSlice(),
            (np.arange(5.0), np.array([-1.0, -2.0]), np.array([9])),
            np.array([0.0, 1, 2, -1, -2]),
        )
    ],
    "TopK": [
        (
            hb.TopK(3),
            (np.array([[1.0, 5.0, 5.0, -2.0], [0.0, 0.0, 0.0, 7.0]]),),
            (np.array([[5.0, 5, 1], [7, 0, 0]]), np.array([[1, 2, 0], [3, 0, 1]])),
        ),
        (
            hb.TopK(2, -1, False),
            (np.array([[1.0, 5.0, -2.0, -2.0]]),),
            (np.array([[-2.0, -2.0]]), np.array([[2, 3]])),
        ),
        (hb.TopK(1, 0), (np.array([[1.0, 5.0], [3.0, 5.0]]),), (np.array([[3.0, 5.0]]), np.array([[1, 0]]))),
    ],
    "SpaceToBatch": [
        (hb.SpaceToBatch((2, 3), ((1, 0), (0, 2))), (GRID,), loop_to_batch(GRID, (2, 3), ((1, 0), (0, 2)))),
    ],
    "BatchToSpace": [
        (
            hb.BatchToSpace((2, 3), ((1, 0), (0, 2))),
            (loop_to_batch(GRID, (2, 3), ((1, 0), (0, 2))),),
            GRID,
        )
    ],
    "CumSum": [
        (hb.CumSum(1), (A,), np.array([[math.fsum(r[: i + 1]) for i in range(4)] for r in A])),
        (hb.CumSum(1, True), (A,), np.array([[math.fsum(r[:i]) for i in range(4)] for r in A])),
        (hb.CumSum(-1, True, True), (A,), np.array([[math.fsum(r[i + 1 :]) for i in range(4)] for r in A])),
    ],
    "ScatterND": [
        (
            hb.ScatterND((2, 3)),
            (np.array([[1], [0], [1]]), np.array([[1.0, 2, 3], [4, 5, 6], [10, 20, 30]])),
            np.array([[4.0, 5, 6], [11, 22, 33]]),
        )
    ],
    "While": [
        (hb.While(COUNT, DOUBLE), (np.array(1.0), np.array([1.0, -3.0])), (np.array(4.0), np.array([8.0, -24.0])))
    ],
    "If": [
        (hb.If(THEN, ELSE), (np.array([True]), np.array([2.0, -3.0])), (np.array([-2.0, 3.0]),)),
        (hb.If(THEN, ELSE), (np.array(0.0), np.array([2.0, -3.0])), (np.array([2.0, 3.0]),)),
    ],
}

BAD = [
    (hb.Less(), ((3,), (4,)), "do not broadcast"),
    (hb.Select(), ((3,), (4,), (1,)), "do not broadcast"),
    (hb.Pow(), ((3,), (4,)), "do not broadcast"),
    (hb.Take(2), ((3,), (4,)), "dim=2"),
    (hb.Take(1, 1), ((3, 2), (4, 2)), "must agree"),
    (hb.GatherND(), ((3,), (4, 2)), "at most the axes"),
    (hb.DynamicSlice((4,)), ((3,), (1,)), "more than there is"),
    (hb.DynamicSlice((4,)), ((3, 3), (2,)), "one entry per axis"),
    (hb.DynamicUpdateSlice(), ((3,), (4,), (1,)), "must fit"),
    (hb.TopK(4), ((3,),), "k=4"),
    (hb.TopK(1, 1), ((3,),), "dim=1"),
    (hb.GatherND(1), ((3, 2), (2, 1)), "must agree"),
    (hb.SpaceToBatch((2,), ((0, 0),)), ((1, 3),), "not multiples"),
    (hb.BatchToSpace((2,), ((0, 0),)), ((1, 3),), "more than there is"),
    (hb.CumSum(3), ((1, 3),), "dim=3"),
    (hb.ScatterND((3,)), ((1, 2), (1,)), "do not fit"),
    (hb.Conv3d(), ((1, 2, 2, 2), (1, 2, 2, 2, 2)), "5 axes"),
    (hb.While(COUNT, DOUBLE), ((), (3,)), "takes"),
    (hb.If(THEN, ELSE), ((2,), (2,)), "one element"),
]
