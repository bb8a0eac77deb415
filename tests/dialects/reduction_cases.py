"""Random operators over axes and windows: softmax, reductions, pooling, norms, resizing."""

from __future__ import annotations

import numpy as np
from operator_draws import (
    CHANNELS,
    RANGES,
    SIGNED_UNIT,
    UNIT,
    activation,
    alike,
    any_shape,
    data,
    fused,
    integers,
    near,
    of_kinds,
    out_sizes,
    resize_options,
    result,
    scale,
    spatial,
    window,
    zero_point,
)
from operator_models import Case, T, model


def softmax(source, target=None):
    def draw(rng):
        kind = target or source
        shape = (*any_shape(rng, 1, 3, 4), int(rng.choice([1, 2, 3, 5, 10, 33, 100])))
        x, y = T(shape, source), T(shape, kind)
        if source != "float32":
            x = T(shape, source, scale(rng, *((-15, -9) if source == "int16" else (-8, 0))), zero_point(rng, source))
            y = T(shape, kind, *(UNIT[kind] if target is None else (1 / 65536, -32768)))
        options = {"beta": float(np.float32(rng.choice([1.0, 1.0, 0.5, 2.0])))}
        return Case(model("SOFTMAX", ("SoftmaxOptions", options), [x], [y]), data(rng, x))

    return draw


def log_softmax(kind):
    def draw(rng):
        x = activation(rng, (*any_shape(rng, 1, 3, 4), int(rng.choice([1, 2, 3, 5, 10, 33]))), kind, -8, 0)
        y = T(x.shape, kind) if kind == "float32" else T(x.shape, kind, 16 / 256, RANGES[kind][1])
        return Case(model("LOG_SOFTMAX", ("LogSoftmaxOptions", {}), [x], [y]), data(rng, x))

    return draw


def reduced(rng, most_axes=None):
    """(shape, axes, keep dims, reduced shape)."""
    rank = int(rng.integers(2, 5))
    shape = tuple(int(v) for v in rng.choice([1, 2, 3, 5, 8, 17], rank))
    axes = sorted(int(a) for a in rng.choice(rank, int(rng.integers(1, rank)), replace=False))[:most_axes]
    if rank == 4 and rng.random() < 0.4 and most_axes is None:
        axes = [1, 2]
    keep = bool(rng.integers(2))
    kept = [1 if i in axes else s for i, s in enumerate(shape) if keep or i not in axes]
    return shape, axes, keep, kept


def reduction(operator, grows=None):
    """`grows(count, x)` is a scale for the output, None where it has the input's format."""

    def of_kind(kind):
        def draw(rng):
            shape, axes, keep, made = reduced(rng)
            x = activation(rng, shape, kind)
            count = int(np.prod([shape[a] for a in axes]))
            y = alike(x, made) if grows is None else result(rng, made, kind, lambda: near(rng, grows(count, x), 1))
            given = [a if rng.random() < 0.5 else a - len(shape) for a in axes]
            return Case(
                model(operator, ("ReducerOptions", {"keepDims": keep}), [x, integers(given)], [y]), data(rng, x)
            )

        return draw

    return of_kind


def reduced_product(kind):
    """Products of a few elements, of reals around 1."""

    def draw(rng):
        shape, axes, keep, made = reduced(rng, 1)
        shape = tuple(min(s, 4) if i in axes else s for i, s in enumerate(shape))
        x = activation(rng, shape, kind, *((-15, -12) if kind == "int16" else (-7, -5)))
        y = result(rng, made, kind, lambda: near(rng, x.scale, 2))
        fields = {"keepDims": keep}
        return Case(model("REDUCE_PROD", ("ReducerOptions", fields), [x, integers(axes)], [y]), data(rng, x))

    return draw


def position(operator, options):
    def of_kind(kind):
        def draw(rng):
            x = activation(rng, any_shape(rng, 1, 4, 7), kind)
            axis = int(rng.integers(len(x.shape)))
            y = T(tuple(s for i, s in enumerate(x.shape) if i != axis), "int32")
            given = integers(axis - len(x.shape) * int(rng.integers(2)))
            fields = {"outputType": 2}  # int32
            return Case(model(operator, (options, fields), [x, given], [y]), data(rng, x))

        return draw

    return of_kind


def pool(operator):
    def of_kind(kind):
        def draw(rng):
            stride, _, padding = window(rng)
            kernel = [int(k) for k in rng.integers(1, 5, 2)]
            given = spatial(rng, kernel, (1, 1))
            x = activation(rng, (int(rng.integers(1, 3)), *given, int(rng.choice(CHANNELS))), kind)
            y = alike(x, (x.shape[0], *out_sizes(given, kernel, stride, (1, 1), padding), x.shape[3]))
            options = {
                "padding": padding,
                "strideH": stride[0],
                "strideW": stride[1],
                "filterHeight": kernel[0],
                "filterWidth": kernel[1],
                "fusedActivationFunction": fused(rng),
            }
            return Case(model(operator, ("Pool2DOptions", options), [x], [y]), data(rng, x))

        return draw

    return of_kind


def l2_normalization(kind):
    def draw(rng):
        x = activation(rng, (*any_shape(rng, 1, 3, 4), int(rng.choice(CHANNELS))), kind)
        y = T(x.shape, kind) if kind == "float32" else T(x.shape, kind, *SIGNED_UNIT[kind])
        return Case(model("L2_NORMALIZATION", ("L2NormOptions", {}), [x], [y]), data(rng, x))

    return draw


def resize(operator, options):
    def of_kind(kind):
        def draw(rng):
            given, size = ([int(v) for v in rng.integers(1, 9, 2)] for _ in range(2))
            fields = resize_options(rng)
            x = activation(rng, (1, *given, int(rng.choice(CHANNELS))), kind)
            y = alike(x, (1, *size, x.shape[3]))
            return Case(model(operator, (options, fields), [x, integers(size)], [y]), data(rng, x))

        return draw

    return of_kind


FOUR = ("int8", "uint8", "int16", "float32")
REDUCTION_FAMILIES = {
    "softmax": of_kinds(softmax, *FOUR) | {"int8 to int16": softmax("int8", "int16")},
    "log_softmax": of_kinds(log_softmax, "int8", "uint8", "float32"),
    "mean": of_kinds(reduction("MEAN", lambda count, x: x.scale / np.sqrt(count)), *FOUR),
    "sum": of_kinds(reduction("SUM", lambda count, x: x.scale * np.sqrt(count)), *FOUR),
    "reduce_max": of_kinds(reduction("REDUCE_MAX"), *FOUR),
    "reduce_min": of_kinds(reduction("REDUCE_MIN"), *FOUR),
    "reduce_prod": of_kinds(reduced_product, "int8", "int16", "float32"),
    "arg_max": of_kinds(position("ARG_MAX", "ArgMaxOptions"), "int8", "uint8", "float32"),
    "arg_min": of_kinds(position("ARG_MIN", "ArgMinOptions"), "int8", "uint8", "float32"),
    "average_pool2d": of_kinds(pool("AVERAGE_POOL_2D"), *FOUR),
    "max_pool2d": of_kinds(pool("MAX_POOL_2D"), *FOUR),
    "l2_normalization": of_kinds(l2_normalization, "int8", "uint8", "float32"),
    "resize_bilinear": of_kinds(resize("RESIZE_BILINEAR", "ResizeBilinearOptions"), *FOUR),
    "resize_nearest": of_kinds(resize("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"), *FOUR),
}
