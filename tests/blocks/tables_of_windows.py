"""Cases of poolings and of resizing, element by element, with positions and weights as fractions."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np

import hwblocks as hb

RNG = np.random.default_rng(43)
HALF = Fraction(1, 2)


def normal(*shape):
    return RNG.normal(size=shape)


def output_size(n, k, s, before, after, d, ceil):
    room = n + before + after - d * (k - 1) - 1
    count = (math.ceil(room / s) if ceil else room // s) + 1
    return count - 1 if ceil and (count - 1) * s >= n + before else count


def pool(x, kernel, stride, pads, dilation, formula, ceil=False):
    """formula(values in the window, their positions, taps on declared padding) at every output element."""
    spatial, axes = x.shape[1:-1], len(kernel)
    made = [output_size(n, k, s, *p, d, ceil) for n, k, s, p, d in zip(spatial, kernel, stride, pads, dilation)]
    y = np.zeros((x.shape[0], *made, x.shape[-1]))
    for n, *at, c in np.ndindex(y.shape):
        values, places, padded = [], [], 0
        for tap in itertools.product(*map(range, kernel)):
            p = [at[a] * stride[a] - pads[a][0] + tap[a] * dilation[a] for a in range(axes)]
            if all(0 <= p[a] < spatial[a] for a in range(axes)):
                values.append(float(x[(n, *p, c)]))
                places.append(tuple(p))
            padded += all(-pads[a][0] <= p[a] < spatial[a] + pads[a][1] for a in range(axes))
        y[(n, *at, c)] = formula(values, places, padded)
    return y


def largest(values, places, padded):
    return max(values)


def mean(values, places, padded):
    return math.fsum(values) / len(values)


def mean_with_padding(values, places, padded):
    return math.fsum(values) / padded


def power(p):
    return lambda values, *_: math.fsum(abs(v) ** p for v in values) ** (1 / p)


def place_of(spatial, order="row"):
    """The index of the first largest element."""

    def formula(values, places, padded):
        at = places[values.index(max(values))]
        axes = range(len(at)) if order == "row" else reversed(range(len(at)))
        index = 0
        for a in axes:
            index = index * spatial[a] + at[a]
        return index

    return formula


def adaptive(x, sizes, formula):
    y = np.zeros((x.shape[0], *sizes, x.shape[-1]))
    for n, *at, c in np.ndindex(y.shape):
        spans = [
            range(math.floor(Fraction(i * s, m)), math.ceil(Fraction((i + 1) * s, m)))
            for i, s, m in zip(at, x.shape[1:-1], sizes)
        ]
        y[(n, *at, c)] = formula([float(x[(n, *p, c)]) for p in itertools.product(*spans)], None, None)
    return y


def unpooled(x, indices, sizes, inner):
    y = np.zeros((x.shape[0], *sizes, x.shape[-1]))
    for n, *at, c in np.ndindex(x.shape):
        rest, place = int(indices[(n, *at, c)]) % math.prod(inner), []
        for size in reversed(inner):
            rest, p = divmod(rest, size)
            place.insert(0, p)
        y[(n, *place, c)] = x[(n, *at, c)]
    return y


def hat(d, a):
    return max(1 - abs(d), 0)


def keys(d, a):
    d = abs(d)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0


def along(x, axis, places, kernel, a=Fraction(-3, 4), squeeze=Fraction(1), exclude=False, normal=False):
    """One axis resampled: Σ kernel(distance) · element, over all elements from far before to far behind."""
    n = x.shape[axis]
    y = np.zeros([len(places) if i == axis else s for i, s in enumerate(x.shape)])
    for index in np.ndindex(y.shape):
        place, total, weights = places[index[axis]], Fraction(0), Fraction(0)
        for i in range(-8, n + 8):
            weight = kernel((i - place) * squeeze, a)
            if not weight or (exclude and not 0 <= i < n):
                continue
            element = (*index[:axis], min(max(i, 0), n - 1), *index[axis + 1 :])
            total, weights = total + weight * Fraction(float(x[element])), weights + weight
        y[index] = float(total / weights) if exclude or normal else float(total)
    return y


def halves(n, m, scale=None):
    scale = Fraction(m, n) if scale is None else Fraction(scale)
    return [(y + HALF) / scale - HALF for y in range(m)]


X3, X4, X5 = normal(2, 7, 3), normal(2, 5, 6, 2), normal(1, 4, 5, 4, 2)
ROUNDED = np.round(X4)  # ties
ONE = ((3,), (2,), ((1, 0),), (2,))
TWO = ((2, 3), (2, 1), ((1, 0), (0, 2)), (2, 1))
THREE = ((2, 3, 2), (1, 2, 1), ((1, 0), (1, 1), (0, 0)), (1, 1, 2))


def settings(numbers):
    return dict(zip(("kernel_size", "stride", "padding", "dilation"), numbers))


UNPOOLED_X, UNPOOLED_I = normal(1, 2, 2, 1), np.array([5, 7, 13, 8]).reshape(1, 2, 2, 1)
PLACES = pool(ROUNDED, *TWO, place_of((5, 6)))
SHEETS = np.arange(2 * 2).reshape(2, 1, 1, 2) * 30
CROP = [y * (Fraction(1, 2) * 4) / 5 + Fraction(3, 5) * 4 for y in range(6)]

CASES = {
    "MaxPool3d": [
        (hb.MaxPool3d(**settings(THREE)), (X5,), pool(X5, *THREE, largest)),
        (
            hb.MaxPool3d(3, 2, 1, ceil_mode=True),
            (X5,),
            pool(X5, (3,) * 3, (2,) * 3, ((1, 1),) * 3, (1,) * 3, largest, True),
        ),
    ],
    "AvgPool3d": [
        (hb.AvgPool3d(**settings(THREE)), (X5,), pool(X5, *THREE, mean_with_padding)),
        (hb.AvgPool3d(**settings(THREE), count_include_pad=False), (X5,), pool(X5, *THREE, mean)),
    ],
    "GlobalMaxPool": [(hb.GlobalMaxPool(), (X4,), adaptive(X4, (1, 1), largest))],
    "MaxPoolWithIndices": [
        (hb.MaxPoolWithIndices(**settings(TWO)), (ROUNDED,), (pool(ROUNDED, *TWO, largest), PLACES)),
        (
            hb.MaxPoolWithIndices(**settings(TWO), space="tensor"),
            (ROUNDED,),
            (pool(ROUNDED, *TWO, largest), PLACES + SHEETS),
        ),
        (
            hb.MaxPoolWithIndices(**settings(TWO), order="column", ceil_mode=True),
            (X4,),
            (pool(X4, *TWO, largest, True), pool(X4, *TWO, place_of((5, 6), "column"), True)),
        ),
        (
            hb.MaxPoolWithIndices(**settings(ONE)),
            (X3,),
            (pool(X3, *ONE, largest), pool(X3, *ONE, place_of((7,)))),
        ),
    ],
    "MaxUnpool": [
        (hb.MaxUnpool(), (UNPOOLED_X, UNPOOLED_I), unpooled(UNPOOLED_X, UNPOOLED_I, (4, 4), (4, 4))),
        (
            hb.MaxUnpool((2, 2), output_size=(5, 6)),
            (UNPOOLED_X, UNPOOLED_I + 16),
            unpooled(UNPOOLED_X, UNPOOLED_I, (5, 6), (4, 4)),
        ),
    ],
    "LpPool1d": [(hb.LpPool1d(**settings(ONE), p=3), (X3,), pool(X3, *ONE, power(3)))],
    "LpPool2d": [
        (hb.LpPool2d(**settings(TWO)), (X4,), pool(X4, *TWO, power(2))),
        (
            hb.LpPool2d(2, 3, ceil_mode=True, p=1),
            (X4,),
            pool(X4, (2, 2), (3, 3), ((0, 0),) * 2, (1, 1), power(1), True),
        ),
    ],
    "LpPool3d": [(hb.LpPool3d(**settings(THREE), p=4), (X5,), pool(X5, *THREE, power(4)))],
    "GlobalLpPool": [(hb.GlobalLpPool(3), (X4,), adaptive(X4, (1, 1), power(3)))],
    "AdaptiveAvgPool1d": [(hb.AdaptiveAvgPool1d(3), (X3,), adaptive(X3, (3,), mean))],
    "AdaptiveAvgPool2d": [
        (hb.AdaptiveAvgPool2d((4, 7)), (X4,), adaptive(X4, (4, 7), mean)),
        (hb.AdaptiveAvgPool2d((None, 2)), (X4,), adaptive(X4, (5, 2), mean)),
    ],
    "AdaptiveAvgPool3d": [(hb.AdaptiveAvgPool3d((3, 2, 5)), (X5,), adaptive(X5, (3, 2, 5), mean))],
    "AdaptiveMaxPool1d": [(hb.AdaptiveMaxPool1d(4), (X3,), adaptive(X3, (4,), largest))],
    "AdaptiveMaxPool2d": [(hb.AdaptiveMaxPool2d((3, 4)), (X4,), adaptive(X4, (3, 4), largest))],
    "AdaptiveMaxPool3d": [(hb.AdaptiveMaxPool3d(3), (X5,), adaptive(X5, (3, 3, 3), largest))],
    "NearestResize": [
        (hb.NearestResize((10, 3)), (X4,), X4[:, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]][:, :, [0, 2, 4]]),
        (
            hb.NearestResize((10,), axes=(1,), nearest_mode="round_prefer_ceil"),
            (X4,),
            X4[:, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]],
        ),
        (
            hb.NearestResize((2,), (0.4,), (-3,), "asymmetric", nearest_mode="ceil"),
            (X4,),
            X4[:, [0, math.ceil(1 / Fraction(0.4))]],
        ),
        (
            hb.NearestResize((3,), axes=(1,), coordinate_transformation_mode="align_corners", nearest_mode="floor"),
            (X4,),
            X4[:, [0, 2, 4]],
        ),
        (
            hb.NearestResize((6,), (), (1,), "tf_crop_and_resize", ((0.5, 1.25),), -7.0),
            (X4,),
            np.concatenate([X4[:, [2, 3, 3, 4]], np.full((2, 2, 6, 2), -7.0)], 1),
        ),
    ],
    "Resize": [
        (hb.Resize((8, 4)), (X4,), along(along(X4, 1, halves(5, 8), hat), 2, halves(6, 4), hat)),
        (hb.Resize((9,), mode="cubic", cubic_coeff_a=-0.5), (X3,), along(X3, 1, halves(7, 9), keys, -HALF)),
        (hb.Resize((3,), mode="cubic", exclude_outside=True), (X3,), along(X3, 1, halves(7, 3), keys, exclude=True)),
        (
            hb.Resize((3,), antialias=True),
            (X3,),
            along(X3, 1, halves(7, 3), hat, squeeze=Fraction(3, 7), normal=True),
        ),
        (
            hb.Resize(scale_factor=(0.7,), mode="cubic", antialias=True),
            (X3,),
            along(X3, 1, halves(7, 4, 0.7), keys, squeeze=Fraction(0.7), normal=True),
        ),
        (
            hb.Resize((5,), coordinate_transformation_mode="align_corners"),
            (X3,),
            along(X3, 1, [Fraction(3 * y, 2) for y in range(5)], hat),
        ),
        (
            hb.Resize((4,), (0.65,), coordinate_transformation_mode="half_pixel_symmetric"),
            (X3,),
            along(X3, 1, [p + Fraction(7, 2) * (1 - 4 / (7 * Fraction(0.65))) for p in halves(7, 4, 0.65)], hat),
        ),
        (
            hb.Resize((1,), coordinate_transformation_mode="pytorch_half_pixel"),
            (X3,),
            X3[:, :1],
        ),
        (
            hb.Resize((6,), (), (2,), "tf_crop_and_resize", ((0.6, 1.1),), 3.0),
            (X3[..., :1].swapaxes(1, 2)[..., :5],),
            np.where(
                np.array(
                    [p > 4 for p in [y * (Fraction(1.1) - Fraction(0.6)) * 4 / 5 + Fraction(0.6) * 4 for y in range(6)]]
                ),
                3.0,
                along(X3[..., :1].swapaxes(1, 2)[..., :5], 2, CROP, hat),
            ),
        ),
        (hb.Resize((3, 2), axes=(0, -1)), (X3,), along(along(X3, 0, halves(2, 3), hat), 2, halves(3, 2), hat)),
    ],
}

BAD = [
    (hb.MaxPool3d(5), ((1, 4, 4, 4, 1),), "no window fits"),
    (hb.AvgPool3d(2), ((1, 4, 4, 1),), "5 axes"),
    (hb.AvgPool3d(2, padding=2, count_include_pad=False), ((1, 4, 4, 4, 1),), "nothing that counts"),
    (hb.GlobalMaxPool(), ((1, 4),), "spatial axes"),
    (hb.MaxPoolWithIndices(space="file"), ((1, 4, 4, 1),), "space='file'"),
    (hb.MaxUnpool(), ((1, 2, 2, 1), (1, 2, 2, 2)), "one shape"),
    (hb.MaxUnpool(output_size=(3, 4)), ((1, 2, 2, 1), (1, 2, 2, 1)), "at least"),
    (hb.LpPool2d(2, p=0), ((1, 4, 4, 1),), "p=0"),
    (hb.GlobalLpPool(), ((1, 4),), "spatial axes"),
    (hb.AdaptiveAvgPool2d((2, 2, 2)), ((1, 4, 4, 1),), "output_size"),
    (hb.AdaptiveMaxPool1d(0), ((1, 4, 1),), "at least 1"),
    (hb.Resize((4,)), ((1, 4, 4, 1),), "one entry for each of 2 axes"),
    (hb.Resize(), ((1, 4, 1),), "size or scale_factor"),
    (hb.Resize((0,)), ((1, 4, 1),), "above 0"),
    (hb.Resize((4,), mode="nearest"), ((1, 4, 1),), "NearestResize"),
    (hb.Resize((4,), axes=(5,)), ((1, 4, 1),), "axes=(5,)"),
    (hb.NearestResize((4,), nearest_mode="up"), ((1, 4, 1),), "nearest_mode"),
    (hb.NearestResize((4,), coordinate_transformation_mode="corner"), ((1, 4, 1),), "half_pixel"),
]
