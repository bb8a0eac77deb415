"""What random operators are drawn from: scales, zero points, codes, weights, biases, windows, shapes.

Kinds: int8, uint8, int16, int4 (weights only), float32.
"""

from __future__ import annotations

import numpy as np
from operator_models import T

RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int4": (-7, 7)}
CHANNELS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 33)
UNIT = {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)}
SIGNED_UNIT = {"int8": (1 / 128, 0), "uint8": (1 / 128, 128), "int16": (1 / 32768, 0)}


def scale(rng, low=-9, high=0):
    """A float32 scale, log-uniform in powers of two."""
    return float(np.float32(2.0 ** rng.uniform(low, high)))


def near(rng, reference, reach=2.0):
    """A float32 scale within this many powers of two of another."""
    return float(np.float32(reference * 2.0 ** rng.uniform(-reach, reach)))


def zero_point(rng, kind):
    """Extreme, central or any zero point; 16-bit codes have none."""
    if kind == "int16":
        return 0
    low, high = RANGES[kind]
    return int(rng.choice([low, high, 0 if kind == "int8" else 128, rng.integers(low, high + 1)]))


def codes(rng, shape, kind):
    """Full-range, one-sided, or narrow data."""
    if kind == "float32":
        values = rng.normal(0, 2.0 ** rng.uniform(-2, 2), shape).astype(np.float32)
        return np.abs(values) if rng.random() < 0.2 else values
    low, high = RANGES[kind]
    mode = rng.integers(4)
    if mode == 0:
        low = (low + high) // 2
    if mode == 1:
        high = (low + high) // 2
    if mode == 2 and kind != "int4":
        low, high = low // 8 if low else 100, high // 8 if low else 140
    return rng.integers(low, high + 1, shape).astype("int8" if kind == "int4" else kind)


def activation(rng, shape, kind, low=-9, high=0):
    """A tensor of activations with any scale and zero point."""
    shape = tuple(int(s) for s in shape)
    return T(shape, kind) if kind == "float32" else T(shape, kind, scale(rng, low, high), zero_point(rng, kind))


def alike(x, shape):
    """A tensor of another shape in the format of x."""
    return T(tuple(int(s) for s in shape), x.type, x.scale, x.zero)


def result(rng, shape, kind, step):
    """A tensor of outputs with about this scale."""
    shape = tuple(int(s) for s in shape)
    return T(shape, kind) if kind == "float32" else T(shape, kind, float(np.float32(step())), zero_point(rng, kind))


def data(rng, *tensors):
    """Run-time data of tensors."""
    return [codes(rng, t.shape, t.type) for t in tensors]


def fused(rng, kind=None):
    """A fused activation function: NONE, RELU, RELU_N1_TO_1, RELU6; those that keep the largest of float sums."""
    return int(rng.choice([0, 0, 1, 2, 3] if kind != "float32" else [0, 1]))


def weights(rng, shape, axis, kind="int8", per_channel=True):
    """Constant weights; some channels are zero or have scales far from the others'."""
    values = codes(rng, shape, kind)
    if kind == "float32":
        return T(tuple(shape), kind, data=values)
    if kind == "int8":
        values = np.maximum(values, -127)
    if not per_channel:
        return T(tuple(shape), kind, scale(rng, -10, -3), 0, 0, values)
    count = shape[axis]
    far = rng.random(count) < 0.1
    scales = np.where(far, 2.0 ** rng.uniform(-30, 3, count), 2.0 ** rng.uniform(-10, -3, count)).astype(np.float32)
    if rng.random() < 0.2:
        index = [slice(None)] * len(shape)
        index[axis] = rng.integers(count)
        values[tuple(index)] = 0
    return T(tuple(shape), kind, scales, 0, axis, values)


def bias(rng, x, w, y, kind=None):
    """A bias of the width that the activations need (or of a kind).

    Some reach 2³⁰; scaled to the output they stay in 32 bits, beyond which the processor decides what a float becomes.
    """
    count = y.shape[-1]
    if x.type == "float32":
        return T((count,), "float32", data=rng.normal(0, 1, count).astype(np.float32))
    kind = kind or ("int64" if x.type == "int16" else "int32")
    scales = np.float32(x.scale) * np.asarray(w.scale, np.float32)
    top = np.minimum(2.0**30 if rng.random() < 0.05 else 20000, 2.0**30 * y.scale / scales).astype(np.int64)
    return T((count,), kind, scales, 0, 0, rng.integers(-top, top + 1, count))


def layer_output(rng, shape, x, w, terms):
    """Outputs of a sum of products, a good part of them inside the range; sometimes a far scale."""
    if x.type == "float32":
        return T(tuple(shape), "float32")
    low, high = RANGES[x.type]
    typical = np.median(np.atleast_1d(np.asarray(w.scale))) * x.scale * (high - low) / 4 * 60 * np.sqrt(terms)
    step = typical / (100 if x.type != "int16" else 25000) * 2.0 ** rng.uniform(-1.5, 1.5)
    return T(tuple(shape), x.type, float(np.float32(np.clip(step, 2.0**-20, 2.0**20))), zero_point(rng, x.type))


def spatial(rng, kernel, dilation):
    """An input size that the dilated kernel fits into."""
    return [int((k - 1) * d + 1 + rng.integers(0, 6)) for k, d in zip(kernel, dilation)]


def window(rng):
    """(stride, dilation, padding): either, sometimes both, above 1."""
    stride, dilation = rng.integers(1, 4, 2), np.ones(2, int)
    if rng.random() < 0.4:
        dilation = rng.integers(1, 4, 2)
        stride = stride if rng.random() < 0.5 else np.ones(2, int)
    return [int(s) for s in stride], [int(d) for d in dilation], int(rng.integers(2))


def out_size(given, kernel, stride, dilation, padding):
    """Output size of one axis; padding 0 is SAME."""
    reach = (kernel - 1) * dilation + 1
    return -(-given // stride) if padding == 0 else (given + stride - reach) // stride


def out_sizes(given, kernel, stride, dilation, padding):
    """Output sizes of both axes."""
    return [out_size(g, k, s, d, padding) for g, k, s, d in zip(given, kernel, stride, dilation)]


def any_shape(rng, low=1, high=4, most=6):
    """A shape of low … high axes."""
    return tuple(int(v) for v in rng.integers(1, most, int(rng.integers(low, high + 1))))


def shapes_that_broadcast(rng):
    """Two shapes that fit each other."""
    rank = int(rng.integers(1, 5))
    full = [int(v) for v in rng.choice([1, 2, 3, 5, 8, 17], rank)]
    other = [s if rng.random() < 0.7 else 1 for s in full][int(rng.integers(rank)) if rng.random() < 0.3 else 0 :]
    return (tuple(full), tuple(other)) if rng.random() < 0.5 else (tuple(other), tuple(full))


def integers(values):
    """A constant of 32-bit integers."""
    values = np.atleast_1d(np.asarray(values))
    return T(values.shape, "int32", data=values)


def resize_options(rng):
    """Corner alignment, or half-pixel centres, or neither."""
    align = bool(rng.integers(2))
    return {"alignCorners": align, "halfPixelCenters": bool(rng.integers(2)) and not align}


def of_kinds(make, *kinds):
    """{kind: make(kind)}."""
    return {kind: make(kind) for kind in kinds}
