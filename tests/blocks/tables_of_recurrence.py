"""Cases of scans and recurrent layers: every step and unit by scalars, as the formulas are written."""

from __future__ import annotations

import math

import numpy as np

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder

RNG = np.random.default_rng(31)
INNER, UNITS, STEPS, SAMPLES = 3, 2, 4, 2


def normal(*shape):
    """Numbers that float32 holds exactly, and their sums."""
    return np.round(RNG.normal(size=shape) * 64) / 64


def sigmoid(v):
    return 1 / (1 + math.exp(-v))


X = normal(SAMPLES, STEPS, INNER)


def weights(gates, suffixes=("l0",), inner=INNER, hidden=UNITS, out=UNITS):
    made = {}
    for suffix in suffixes:
        size = inner if suffix.startswith("l0") else out * (2 if "l0_reverse" in suffixes else 1)
        made |= {
            f"weight_ih_{suffix}": normal(gates * hidden, size),
            f"weight_hh_{suffix}": normal(gates * hidden, out),
            f"bias_ih_{suffix}": normal(gates * hidden),
            f"bias_hh_{suffix}": normal(gates * hidden),
        }
    return made


def dot(row, vector):
    return math.fsum(a * b for a, b in zip(row, vector, strict=True))


def sums(w, suffix, x, h, unit):
    """(x·w + b, h·r + c) of one row."""
    first = dot(w[f"weight_ih_{suffix}"][unit], x) + w[f"bias_ih_{suffix}"][unit]
    return first, dot(w[f"weight_hh_{suffix}"][unit], h) + w[f"bias_hh_{suffix}"][unit]


def rnn_step(w, suffix, x, h, relu=False):
    totals = [sum(sums(w, suffix, x, h, u)) for u in range(UNITS)]
    return [max(t, 0.0) if relu else math.tanh(t) for t in totals]


def gru_step(w, suffix, x, h, after=True):
    both = [sums(w, suffix, x, h, u) for u in range(3 * UNITS)]
    r = [sigmoid(sum(both[u])) for u in range(UNITS)]
    z = [sigmoid(sum(both[UNITS + u])) for u in range(UNITS)]
    made = []
    for u in range(UNITS):
        row = 2 * UNITS + u
        if after:
            inner = r[u] * both[row][1]
        else:
            reset = [a * b for a, b in zip(r, h, strict=True)]
            inner = dot(w[f"weight_hh_{suffix}"][row], reset) + w[f"bias_hh_{suffix}"][row]
        n = math.tanh(both[row][0] + inner)
        made.append((1 - z[u]) * n + z[u] * h[u])
    return made


def lstm_step(w, suffix, x, h, c, clip=0.0):
    order = "ifgo" if f"weight_ih_{suffix}" in w and len(w[f"weight_ih_{suffix}"]) == 4 * UNITS else "igo"
    total = {g: [sum(sums(w, suffix, x, h, k * UNITS + u)) for u in range(UNITS)] for k, g in enumerate(order)}
    see = {g: w.get(f"weight_c{g}_{suffix}", np.zeros(UNITS)) for g in "ifo"}
    hidden, cells = [], []
    for u in range(UNITS):
        i = sigmoid(total["i"][u] + see["i"][u] * c[u])
        f = sigmoid(total["f"][u] + see["f"][u] * c[u]) if "f" in total else 1 - i
        cell = f * c[u] + i * math.tanh(total["g"][u])
        cell = min(max(cell, -clip), clip) if clip else cell
        cells.append(cell)
        hidden.append(sigmoid(total["o"][u] + see["o"][u] * cell) * math.tanh(cell))
    if f"weight_hr_{suffix}" in w:
        hidden = [dot(row, hidden) for row in w[f"weight_hr_{suffix}"]]
    return hidden, cells


def over_steps(step, x, states, backward=False, length=None):
    """(y, last states) of one sample; steps beyond the length count for nothing."""
    y = [[0.0] * len(states[0])] * len(x)
    places = range(len(x) if length is None else length)
    for t in reversed(places) if backward else places:
        states = step(x[t], *states)
        y[t] = states[0]
    return y, states


def direction(step, states, backward=False, lengths=None, x=X):
    made = [
        over_steps(step, x[n], [s[n] for s in states], backward, None if lengths is None else lengths[n])
        for n in range(SAMPLES)
    ]
    y = np.array([m[0] for m in made])
    return y, [np.array([m[1][i] for m in made]) for i in range(len(states))]


def zeros(count=1, size=UNITS):
    return [np.zeros((SAMPLES, size)) for _ in range(count)]


W1, W2 = weights(1), weights(1, ("l0", "l0_reverse", "l1", "l1_reverse"))
WG, WL = weights(3), weights(4)
WP = {
    **weights(4, out=1),
    "weight_hr_l0": normal(1, UNITS),
    **{f"weight_c{g}_l0": normal(UNITS) for g in "ifo"},
}
WC = weights(3)
START = normal(SAMPLES, UNITS)
LENGTHS = np.array([[3.0], [1.0]])


def stacked(y, *lasts):
    return (y, *(last[:, None] for last in lasts))


def rnn(w, suffix="l0", **more):
    return lambda x, h: (rnn_step(w, suffix, x, h, **more),)


def gru(w, **more):
    return lambda x, h: (gru_step(w, "l0", x, h, **more),)


def expected(result):
    y, lasts = result
    return stacked(y, *lasts)


def two_layers():
    first = [direction(rnn(W2, s), zeros(), "reverse" in s) for s in ("l0", "l0_reverse")]
    x = np.concatenate([y for y, _ in first], axis=-1)
    second = [direction(rnn(W2, s), zeros(), "reverse" in s, x=x) for s in ("l1", "l1_reverse")]
    lasts = np.stack([last[0] for _, last in (*first, *second)], axis=1)
    return np.concatenate([y for y, _ in second], axis=-1), lasts


def running(axis, reverse):
    """A scan of sums and what a loop says of it."""
    build = GraphBuilder("step")
    state, x = build.input("s", (1, 2)), build.input("x", (1, 2))
    total = hb.Add()(state, x)
    return hb.Scan(build.build(total, hb.Mul()(total, 2.0)), 1, 1, axis, reverse)


def loop_sums(x, reverse):
    total, made = np.array(x[:, 0] * 0), np.zeros_like(x)
    for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
        total = total + x[:, t]
        made[:, t] = 2 * total
    return total, made


SCANNED = normal(3, 5, 2)

CASES = {
    "Scan": [
        (running(1, False), (np.zeros((3, 2)), SCANNED), loop_sums(SCANNED, False)),
        (running(1, True), (np.zeros((3, 2)), SCANNED), loop_sums(SCANNED, True)),
    ],
}
CASES["RNN"] = [
    (hb.RNN(INNER, UNITS, weights=W1), (X,), expected(direction(rnn(W1), zeros()))),
    (
        hb.RNN(INNER, UNITS, nonlinearity="relu", weights=W1),
        (X, START[:, None]),
        expected(direction(rnn(W1, relu=True), [START])),
    ),
    (hb.RNN(INNER, UNITS, num_layers=2, bidirectional=True, weights=W2), (X,), two_layers()),
]
CASES["GRU"] = [
    (hb.GRU(INNER, UNITS, weights=WG), (X, START[:, None]), expected(direction(gru(WG), [START]))),
    (
        hb.GRU(INNER, UNITS, reset_after=False, weights=WG),
        (X,),
        expected(direction(gru(WG, after=False), zeros())),
    ),
    (
        hb.GRU(INNER, UNITS, weights=WG),
        (X, START[:, None], LENGTHS),
        expected(direction(gru(WG), [START], lengths=[3, 1])),
    ),
]
CASES["LSTM"] = [
    (
        hb.LSTM(INNER, UNITS, weights=WL),
        (X, START[:, None], START[:, None]),
        expected(direction(lambda x, h, c: lstm_step(WL, "l0", x, h, c), [START, START])),
    ),
    (
        hb.LSTM(INNER, UNITS, proj_size=1, peephole=True, cell_clip=0.5, weights=WP),
        (X,),
        expected(direction(lambda x, h, c: lstm_step(WP, "l0", x, h, c, 0.5), [*zeros(1, 1), *zeros()])),
    ),
    (
        hb.LSTM(INNER, UNITS, coupled=True, weights=WC),
        (X,),
        expected(direction(lambda x, h, c: lstm_step(WC, "l0", x, h, c), zeros(2))),
    ),
]

CASES["Neuron"] = [
    (
        hb.Neuron("Tanh", weight=SCANNED[0, 0], bias=np.array(0.25)),
        (SCANNED[:, 0],),
        np.array([[math.tanh(dot(row, SCANNED[0, 0]) + 0.25)] for row in SCANNED[:, 0]]),
    ),
    (
        hb.Neuron(hb.LeakyReLU(0.5), weight=SCANNED[1, :3]),
        (SCANNED[:, 0],),
        np.array([[max(v, 0.5 * v) for v in (dot(row, w) for w in SCANNED[1, :3])] for row in SCANNED[:, 0]]),
    ),
    (
        hb.Neuron(None, weight=SCANNED[0, 0]),
        (SCANNED[:, 0],),
        np.array([[dot(row, SCANNED[0, 0])] for row in SCANNED[:, 0]]),
    ),
]

BAD = [
    (running(1, False), ((1, 2), (1, 4, 3)), "in each pass"),
    (running(3, False), ((1, 2), (1, 4, 2)), "axis=3"),
    (hb.RNN(INNER, UNITS, weights=W1), ((1, 4, 5),), "must be [N, T, 3]"),
]
