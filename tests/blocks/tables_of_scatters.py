"""Cases of blocks that pick and scatter by index, and of running products, element by element."""

from __future__ import annotations

import itertools
import math

import numpy as np

import hwblocks as hb

GRID = np.arange(24.0).reshape(2, 3, 4)
TABLE = np.array([[3.0, -1.0, 2.0], [0.5, 4.0, 1.0]])
ROWS = np.array([[1, -2, 0], [0, 1, 1]])
COLUMNS = np.array([[2, 0], [-1, 1]])
SEQUENCES = np.arange(24.0).reshape(4, 3, 2)


def gathered(x, indices, axis):
    made = np.empty(indices.shape)
    for at in np.ndindex(indices.shape):
        place = list(at)
        place[axis] = int(indices[at]) % x.shape[axis]
        made[at] = x[tuple(place)]
    return made


def scattered(x, indices, updates, axis, how=lambda old, new: new):
    made = x.copy()
    for at in np.ndindex(indices.shape):
        place = list(at)
        place[axis] = int(indices[at]) % x.shape[axis]
        made[tuple(place)] = how(made[tuple(place)], updates[at])
    return made


def one_hot(indices, depth, off, on, axis):
    made = np.full((*indices.shape[:axis], depth, *indices.shape[axis:]), float(off))
    for at in np.ndindex(indices.shape):
        index = int(indices[at])
        if -depth <= index < depth:
            made[(*at[:axis], index % depth, *at[axis:])] = on
    return made


def reversed_steps(x, lengths, batch, time):
    made = x.copy()
    for at in np.ndindex(x.shape):
        place, length = list(at), lengths[at[batch]]
        if at[time] < length:
            place[time] = length - 1 - at[time]
        made[at] = x[tuple(place)]
    return made


def triangle(x, upper, k):
    made = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        offset = at[-1] - at[-2]
        if (offset >= k) if upper else (offset <= k):
            made[at] = x[at]
    return made


def written(cache, update, starts, axis):
    made = cache.copy()
    for at in np.ndindex(update.shape):
        place = list(at)
        place[axis] = (starts[at[0]] + at[axis]) % cache.shape[axis]
        made[tuple(place)] = update[at]
    return made


def running(x, axis, exclusive=False, backwards=False):
    made = np.empty_like(x)
    for at in np.ndindex(x.shape):
        others = range(at[axis], x.shape[axis]) if backwards else range(at[axis] + 1)
        factors = [x[(*at[:axis], i, *at[axis + 1 :])] for i in others if not (exclusive and i == at[axis])]
        made[at] = math.prod(factors)
    return made


UPDATES = np.array([[10.0, 20.0], [30.0, 40.0]])
SLICES = np.array([[1.0, 2, 3], [10, 20, 30], [100, 200, 300]])
CACHE = np.arange(24.0).reshape(2, 4, 3)
NEW = -np.arange(12.0).reshape(2, 2, 3) - 1

CASES = {
    "GatherElements": [
        (hb.GatherElements(0), (TABLE, ROWS), gathered(TABLE, ROWS, 0)),
        (hb.GatherElements(-1), (TABLE, COLUMNS), gathered(TABLE, COLUMNS, 1)),
        (hb.GatherElements(1), (GRID, np.array([[[0, 2], [1, 1]]])), gathered(GRID, np.array([[[0, 2], [1, 1]]]), 1)),
    ],
    "OneHot": [
        (
            hb.OneHot(3),
            (np.array([[2, -1], [7, 0]]), np.array([5.0, 9.0])),
            one_hot(np.array([[2, -1], [7, 0]]), 3, 5, 9, 2),
        ),
        (
            hb.OneHot(4, 0),
            (np.array([3.0, -5.0, 1.0]), np.array([0.0, 1.0])),
            one_hot(np.array([3, -5, 1]), 4, 0, 1, 0),
        ),
    ],
    "ReverseSequence": [
        (hb.ReverseSequence(1, 0), (SEQUENCES, np.array([4, 0, 3])), reversed_steps(SEQUENCES, [4, 0, 3], 1, 0)),
        (hb.ReverseSequence(0, 1), (SEQUENCES, np.array([1, 2, 3, 0])), reversed_steps(SEQUENCES, [1, 2, 3, 0], 0, 1)),
    ],
    "Trilu": [
        (hb.Trilu(upper, k), (GRID + 1,), triangle(GRID + 1, upper, k))
        for upper, k in itertools.product((True, False), (-5, -1, 0, 2))
    ],
    "ScatterElements": [
        (hb.ScatterElements(1), (TABLE, COLUMNS, UPDATES), scattered(TABLE, COLUMNS, UPDATES, 1)),
        (hb.ScatterElements(0), (TABLE, ROWS, 7 * TABLE), scattered(TABLE, ROWS, 7 * TABLE, 0)),
    ],
    "ScatterElementsReduce": [
        (
            hb.ScatterElementsReduce(0, "add"),
            (TABLE, ROWS, TABLE),
            scattered(TABLE, ROWS, TABLE, 0, lambda a, b: a + b),
        ),
        (
            hb.ScatterElementsReduce(0, "mul"),
            (TABLE, ROWS, TABLE),
            scattered(TABLE, ROWS, TABLE, 0, lambda a, b: a * b),
        ),
        (hb.ScatterElementsReduce(-2, "max"), (TABLE, ROWS, -TABLE), scattered(TABLE, ROWS, -TABLE, 0, max)),
        (hb.ScatterElementsReduce(1, "min"), (TABLE, COLUMNS, UPDATES), scattered(TABLE, COLUMNS, UPDATES, 1, min)),
    ],
    "ScatterNDUpdate": [
        (hb.ScatterNDUpdate(), (TABLE, np.array([[-1]]), SLICES[:1]), np.array([[3.0, -1, 2], [1, 2, 3]])),
        (
            hb.ScatterNDUpdate(),
            (TABLE, np.array([[0, 2], [1, -3]]), np.array([8.0, 9.0])),
            np.array([[3.0, -1, 8], [9, 4, 1]]),
        ),
    ],
    "ScatterNDReduce": [
        (
            hb.ScatterNDReduce("add"),
            (TABLE, np.array([[1], [0], [1]]), SLICES),
            np.array([[13.0, 19, 32], [101.5, 206, 304]]),
        ),
        (hb.ScatterNDReduce("mul"), (TABLE, np.array([[1], [1]]), SLICES[:2]), np.array([[3.0, -1, 2], [5, 160, 90]])),
        (
            hb.ScatterNDReduce("max"),
            (TABLE, np.array([[0, 0], [0, 1]]), np.array([1.0, 5.0])),
            np.array([[3.0, 5, 2], [0.5, 4, 1]]),
        ),
        (
            hb.ScatterNDReduce("min"),
            (TABLE, np.array([[0, 0], [0, 1]]), np.array([1.0, 5.0])),
            np.array([[1.0, -1, 2], [0.5, 4, 1]]),
        ),
    ],
    "TensorScatter": [
        (hb.TensorScatter(), (CACHE, NEW, np.array([2, 0])), written(CACHE, NEW, [2, 0], 1)),
        (hb.TensorScatter(1, "circular"), (CACHE, NEW, np.array([3, 1])), written(CACHE, NEW, [3, 1], 1)),
        (hb.TensorScatter(-1), (CACHE, NEW[:, :1].repeat(4, 1)), written(CACHE, NEW[:, :1].repeat(4, 1), [0, 0], 2)),
    ],
    "CumProd": [
        (hb.CumProd(1), (TABLE,), running(TABLE, 1)),
        (hb.CumProd(-1, True), (TABLE,), running(TABLE, 1, True)),
        (hb.CumProd(0, False, True), (TABLE,), running(TABLE, 0, False, True)),
        (hb.CumProd(1, True, True), (GRID + 1,), running(GRID + 1, 1, True, True)),
    ],
}

BAD = [
    (hb.GatherElements(2), ((2, 3), (2, 3)), "dim=2"),
    (hb.GatherElements(0), ((2, 3), (2, 4)), "longer than x"),
    (hb.OneHot(3), ((2, 3), (3,)), "not two"),
    (hb.OneHot(3, 4), ((2, 3), (2,)), "dim=4"),
    (hb.ReverseSequence(0, 0), ((2, 3), (2,)), "two axes"),
    (hb.ReverseSequence(0, 1), ((2, 3), (3,)), "one number for each of 2"),
    (hb.Trilu(), ((3,),), "two axes"),
    (hb.ScatterElements(0), ((2, 3), (2, 3), (1, 3)), "one shape"),
    (hb.ScatterElementsReduce(0), ((2, 3), (2, 4), (2, 4)), "longer than x"),
    (hb.ScatterNDUpdate(), ((2, 3), (1, 3), (1,)), "do not fit"),
    (hb.ScatterNDReduce(), ((2, 3), (1, 1), (1, 2)), "do not fit"),
    (hb.TensorScatter(0), ((2, 3), (2, 1)), "after the first"),
    (hb.TensorScatter(1), ((2, 3), (2, 4)), "differ from x only"),
    (hb.TensorScatter(1), ((2, 3), (2, 1), (3,)), "one number for each of 2"),
    (hb.CumProd(3), ((1, 3),), "dim=3"),
]
