"""Cases of folding and of sampling at places that data state, element by element."""

from __future__ import annotations

import itertools
import math

import numpy as np

import hwblocks as hb

RNG = np.random.default_rng(53)


def normal(*shape):
    return RNG.normal(size=shape)


def rows_of(x, kernel, stride, pad, dilation):
    """(window number, tap number, position) of every tap, outside included."""
    spatial = x if isinstance(x, tuple) else x.shape[1:-1]
    made = [(n + 2 * pad - dilation * (k - 1) - 1) // stride + 1 for n, k in zip(spatial, kernel)]
    for w, at in enumerate(itertools.product(*map(range, made))):
        for t, tap in enumerate(itertools.product(*map(range, kernel))):
            yield w, t, tuple(i * stride + j * dilation - pad for i, j in zip(at, tap)), math.prod(made)


def inside(place, spatial):
    return all(0 <= p < n for p, n in zip(place, spatial))


def unfolded(x, kernel, stride=1, pad=0, dilation=1):
    taps = list(rows_of(x, kernel, stride, pad, dilation))
    y = np.zeros((x.shape[0], taps[0][3], math.prod(kernel), x.shape[-1]))
    for n, (w, t, place, _) in itertools.product(range(x.shape[0]), taps):
        if inside(place, x.shape[1:-1]):
            y[n, w, t] = [x[(n, *place, c)] for c in range(x.shape[-1])]
    return y.reshape(y.shape[0], y.shape[1], -1)


def folded(x, size, kernel, stride=1, pad=0, dilation=1):
    channels = x.shape[2] // math.prod(kernel)
    y = np.zeros((x.shape[0], *size, channels))
    for n, (w, t, place, _) in itertools.product(range(x.shape[0]), rows_of(size, kernel, stride, pad, dilation)):
        if inside(place, size):
            for c in range(channels):
                y[(n, *place, c)] += x[n, w, t * channels + c]
    return y


def mirrored(p, low, high):
    while p < low or p > high:
        p = 2 * low - p if p < low else 2 * high - p
    return p


def weights_of(p, mode):
    """{element: weight} around a place on a line without ends."""
    if mode == "nearest":
        return {round(p): 1.0}
    first = math.floor(p)
    if mode == "linear":
        return {first: 1 - (p - first), first + 1: p - first}
    a, made = -0.75, {}
    for i in range(first - 1, first + 3):
        d = abs(i - p)
        made[i] = (a + 2) * d**3 - (a + 3) * d**2 + 1 if d <= 1 else a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return made


def sampled(x, grid, mode="linear", padding="zeros", aligned=False):
    spatial = x.shape[1:-1]
    y = np.zeros((*grid.shape[:-1], x.shape[-1]))
    for n, *at in np.ndindex(grid.shape[:-1]):
        lines = []
        for axis, length in enumerate(spatial):
            g = float(grid[(n, *at, len(spatial) - 1 - axis)])
            p = (g + 1) / 2 * (length - 1) if aligned else ((g + 1) * length - 1) / 2
            low, high = (0, length - 1) if aligned else (-0.5, length - 0.5)
            p = float(round(p)) if mode == "nearest" else p
            if not low <= p <= high:
                p = (
                    min(max(p, 0), length - 1)
                    if padding == "border"
                    else mirrored(p, low, high)
                    if padding == "reflection"
                    else p
                )
            line = []
            for i, w in weights_of(p, mode).items():
                if 0 <= i < length or padding == "border":
                    line.append((min(max(i, 0), length - 1), w))
                elif padding == "reflection":
                    line.append((int(mirrored(i, low, high)), w))
            lines.append(line)
        for taps in itertools.product(*lines):
            weight = math.prod(w for _, w in taps)
            for c in range(x.shape[-1]):
                y[(n, *at, c)] += weight * x[(n, *(i for i, _ in taps), c)]
    return y


def affine(theta, size, aligned):
    y = np.zeros((theta.shape[0], *size, len(size)))
    for n, *at, i in np.ndindex(y.shape):
        ends = [2 * p / max(s - 1, 1) - 1 if aligned else (2 * p + 1) / s - 1 for p, s in zip(at, size)]
        y[(n, *at, i)] = math.fsum(t * v for t, v in zip(theta[n, i], [*ends[::-1], 1.0]))
    return y


X3, X4, X5 = normal(2, 7, 3), normal(2, 4, 5, 2), normal(1, 3, 2, 4, 2)
ROWS, MORE = normal(2, 12, 8), normal(1, 5, 6)
G3, G4, G5 = normal(2, 6, 1), normal(2, 3, 2, 2), normal(1, 2, 2, 2, 3)
T2, T3 = normal(2, 2, 3), normal(1, 3, 4)

CASES = {
    "Unfold": [
        (hb.Unfold((2, 2)), (X4,), unfolded(X4, (2, 2))),
        (hb.Unfold((2, 3), 2, 1), (X4,), unfolded(X4, (2, 3), 2, 1)),
        (hb.Unfold((3,), dilation=2), (X3,), unfolded(X3, (3,), dilation=2)),
    ],
    "Fold": [
        (hb.Fold((2, 2), output_size=(4, 5)), (ROWS,), folded(ROWS, (4, 5), (2, 2))),
        (hb.Fold((3,), 2, 1, 2, (11,)), (MORE,), folded(MORE, (11,), (3,), 2, 1, 2)),
    ],
    "GridSample": [
        (hb.GridSample(mode, padding, aligned), (X4, G4), sampled(X4, G4, mode, padding, aligned))
        for mode, padding, aligned in itertools.product(
            ("nearest", "linear", "cubic"), ("zeros", "border", "reflection"), (False, True)
        )
    ]
    + [
        (hb.GridSample(), (X3, G3), sampled(X3, G3)),
        (hb.GridSample("linear", "reflection"), (X5, G5), sampled(X5, G5, "linear", "reflection")),
    ],
    "AffineGrid": [
        (hb.AffineGrid((3, 4)), (T2,), affine(T2, (3, 4), False)),
        (hb.AffineGrid((2, 2, 3), True), (T3,), affine(T3, (2, 2, 3), True)),
    ],
}

BAD = [
    (hb.Unfold((2, 2)), ((1, 4, 1),), "2 spatial axes"),
    (hb.Unfold((5,)), ((1, 4, 1),), "no window fits"),
    (hb.Fold((2, 2), output_size=(3, 3)), ((1, 5, 4),), "4 windows, x holds 5"),
    (hb.Fold((2, 2), output_size=(3, 3)), ((1, 4, 3),), "multiple of 4"),
    (hb.GridSample(), ((1, 4, 4, 1), (1, 2, 2, 3)), "do not fit"),
    (hb.GridSample("spline"), ((1, 4, 4, 1), (1, 2, 2, 2)), "mode='spline'"),
    (hb.GridSample("cubic"), ((1, 4, 1), (1, 2, 1)), "two axes"),
    (hb.AffineGrid((2, 2)), ((1, 3, 4),), "theta [N, 2, 3]"),
]
