"""Cases of normalizations, of Hardmax and of reductions to norms and logarithms, by plain loops over scalars."""

from __future__ import annotations

import itertools
import math

import numpy as np

import hwblocks as hb

RNG = np.random.default_rng(41)


def normal(*shape):
    return RNG.normal(size=shape)


def by_groups(x, key, formula):
    """Every element by a formula of (its value, the list of all values whose index has the same key)."""
    groups = {}
    for index, value in np.ndenumerate(x):
        groups.setdefault(key(index), []).append(float(value))
    return np.array([formula(float(v), groups[key(i)]) for i, v in np.ndenumerate(x)]).reshape(x.shape)


def standardized(eps, outside=0.0):
    def formula(value, group):
        mean = math.fsum(group) / len(group)
        variance = math.fsum((v - mean) ** 2 for v in group) / len(group)
        return (value - mean) / (math.sqrt(variance + eps) + outside)

    return formula


def by_rms(eps):
    return lambda value, group: value / math.sqrt(math.fsum(v * v for v in group) / len(group) + eps)


def local_response(x, size, alpha, beta, k):
    y = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        *place, c = index
        near = range(max(c - (size - 1) // 2, 0), min(c + math.ceil((size - 1) / 2), x.shape[-1] - 1) + 1)
        squares = math.fsum(float(x[(*place, n)]) ** 2 for n in near)
        y[index] = x[index] / (k + alpha / size * squares) ** beta
    return y


def reduced(x, axes, keep, formula):
    """A formula of the list of all elements that meet in one output element."""
    kept = [a for a in range(x.ndim) if a not in axes]
    made = np.zeros([x.shape[a] for a in kept])
    for index in np.ndindex(made.shape):
        places = itertools.product(*(range(s) if a in axes else [index[kept.index(a)]] for a, s in enumerate(x.shape)))
        made[index] = formula([float(x[p]) for p in places])
    return made.reshape([1 if a in axes else s for a, s in enumerate(x.shape)]) if keep else made


X2, X3, X4 = normal(3, 5), normal(2, 3, 4), normal(2, 3, 2, 6)
W5, B5, W6, B6, W34 = normal(5), normal(5), normal(6), normal(6), normal(3, 4)
POSITIVE = abs(X3) + 0.1
ZERO = np.array([[0.0, 0.0], [3.0, -4.0]])
TIES = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 1.0]])

CASES = {
    "LayerNorm": [
        (hb.LayerNorm(), (X2,), by_groups(X2, lambda i: i[0], standardized(1e-5))),
        (hb.LayerNorm(), (X2, W5, B5), by_groups(X2, lambda i: i[0], standardized(1e-5)) * W5 + B5),
        (hb.LayerNorm(2, eps=0.5), (X3, W34), by_groups(X3, lambda i: i[0], standardized(0.5)) * W34),
        (hb.LayerNorm(3), (X3,), by_groups(X3, lambda i: 0, standardized(1e-5))),
    ],
    "RMSNorm": [
        (hb.RMSNorm(), (X2, W5), by_groups(X2, lambda i: i[0], by_rms(1e-5)) * W5),
        (hb.RMSNorm(2, eps=0.1), (X3,), by_groups(X3, lambda i: i[0], by_rms(0.1))),
    ],
    "GroupNorm": [
        (hb.GroupNorm(3), (X4, W6, B6), by_groups(X4, lambda i: (i[0], i[3] // 2), standardized(1e-5)) * W6 + B6),
        (hb.GroupNorm(1, eps=0.2), (X2,), by_groups(X2, lambda i: i[0], standardized(0.2))),
    ],
    "InstanceNorm": [
        (hb.InstanceNorm(), (X4, W6, B6), by_groups(X4, lambda i: (i[0], i[3]), standardized(1e-5)) * W6 + B6),
    ],
    "MeanVarianceNorm": [
        (hb.MeanVarianceNorm(), (X4,), by_groups(X4, lambda i: i[3], standardized(0.0, 1e-9))),
        (hb.MeanVarianceNorm((-1,), eps=0.5), (X2,), by_groups(X2, lambda i: i[0], standardized(0.0, 0.5))),
    ],
    "LpNorm": [
        (hb.LpNorm(), (X2,), by_groups(X2, lambda i: i[0], lambda v, g: v / math.sqrt(math.fsum(u * u for u in g)))),
        (hb.LpNorm(1, 1), (X3,), by_groups(X3, lambda i: (i[0], i[2]), lambda v, g: v / math.fsum(map(abs, g)))),
        (hb.LpNorm(), (ZERO,), np.array([[0.0, 0.0], [0.6, -0.8]])),
    ],
    "LocalResponseNorm": [
        (hb.LocalResponseNorm(3, 0.5, 0.75, 2.0), (X4,), local_response(X4, 3, 0.5, 0.75, 2.0)),
        (hb.LocalResponseNorm(4, 0.9, 0.5, 1.0), (X4,), local_response(X4, 4, 0.9, 0.5, 1.0)),
    ],
    "Hardmax": [
        (hb.Hardmax(), (TIES,), np.array([[0.0, 1, 0], [1, 0, 0]])),
        (hb.Hardmax(0), (TIES,), np.array([[0.0, 1, 1], [1, 0, 0]])),
    ],
    "ReduceL1": [
        (hb.ReduceL1((0, -1)), (X3,), reduced(X3, (0, 2), True, lambda v: math.fsum(map(abs, v)))),
        (hb.ReduceL1((), False), (X2,), np.array([[abs(v) for v in row] for row in X2])),
    ],
    "ReduceL2": [
        (hb.ReduceL2((1,), False), (X3,), reduced(X3, (1,), False, lambda v: math.sqrt(math.fsum(u * u for u in v)))),
    ],
    "ReduceSumSquare": [
        (hb.ReduceSumSquare((1, 2)), (X3,), reduced(X3, (1, 2), True, lambda v: math.fsum(u * u for u in v))),
    ],
    "ReduceLogSum": [
        (hb.ReduceLogSum((1,)), (POSITIVE,), reduced(POSITIVE, (1,), True, lambda v: math.log(math.fsum(v)))),
    ],
    "ReduceLogSumExp": [
        (
            hb.ReduceLogSumExp((0, 2), False),
            (X3,),
            reduced(X3, (0, 2), False, lambda v: math.log(math.fsum(map(math.exp, v)))),
        ),
    ],
}

BAD = [
    (hb.LayerNorm(3), ((1, 4),), "dims=3"),
    (hb.LayerNorm(variant="table"), ((1, 4),), "variant='table'"),
    (hb.LayerNorm(fraction_bits=0), ((1, 4),), "fraction_bits=0"),
    (hb.LayerNorm(), ((1, 4), (3,)), "broadcast"),
    (hb.RMSNorm(0), ((1, 4),), "dims=0"),
    (hb.GroupNorm(3), ((1, 2, 4),), "num_groups=3"),
    (hb.InstanceNorm(), ((1, 4),), "spatial"),
    (hb.MeanVarianceNorm((3,)), ((1, 4),), "axes=(3,)"),
    (hb.LpNorm(3), ((1, 4),), "p=3"),
    (hb.LocalResponseNorm(0), ((1, 4),), "not 0"),
    (hb.Hardmax(2), ((1, 4),), "dim=2"),
    (hb.ReduceL1((2,)), ((1, 4),), "dims=(2,)"),
]
