"""Random cases of operators over their attributes: `FAMILIES[name](rng)` draws a model and inputs."""

from __future__ import annotations

import numpy as np
from operator_models import Case, T, model

INT8, INT16 = (-128, 127), (-32768, 32767)
RANGES = {"int8": INT8, "uint8": (0, 255), "int16": INT16, "int4": (-7, 7)}
CHANNELS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 33)


def scale(rng, low=-9, high=0):
    """A float32 scale, log-uniform in powers of two."""
    return float(np.float32(2.0 ** rng.uniform(low, high)))


def zero_point(rng, kind):
    if kind == "int16":
        return 0
    low, high = RANGES[kind]
    return int(rng.choice([low, high, 0 if kind == "int8" else 128, rng.integers(low, high + 1)]))


def codes(rng, shape, kind):
    """Full-range, one-sided, or narrow data."""
    low, high = RANGES[kind]
    mode = rng.integers(4)
    if mode == 0:
        low = (low + high) // 2
    if mode == 1:
        high = (low + high) // 2
    if mode == 2 and kind != "int4":
        low, high = low // 8 if low else 100, high // 8 if low else 140
    return rng.integers(low, high + 1, shape).astype("int8" if kind == "int4" else kind)


def activation_tensor(rng, shape, kind, **limits):
    return T(tuple(shape), kind, scale(rng, **limits), zero_point(rng, kind))


def runtime(rng, *tensors):
    return [codes(rng, t.shape, t.type) for t in tensors]


def fused(rng):
    return int(rng.choice([0, 0, 1, 2, 3]))  # NONE, RELU, RELU_N1_TO_1, RELU6


def weights(rng, shape, axis, kind="int8", per_channel=True):
    """Constant weights; some channels are zero or have scales far from the others'."""
    data = codes(rng, shape, kind)
    if kind == "int8":
        data = np.maximum(data, -127)
    if not per_channel:
        return T(tuple(shape), kind, scale(rng, -10, -3), 0, 0, data)
    count = shape[axis]
    scales = 2.0 ** rng.uniform(-10, -3, count)
    far = rng.random(count) < 0.1
    scales = np.where(far, 2.0 ** rng.uniform(-30, 3, count), scales).astype(np.float32)
    if rng.random() < 0.2:
        index = [slice(None)] * len(shape)
        index[axis] = rng.integers(count)
        data[tuple(index)] = 0
    return T(tuple(shape), kind, scales, 0, axis, data)


def bias(rng, x, w, count, reach=20000, needed=False):
    """A bias of the width that the activations need, or none."""
    if rng.random() < 0.2 and not needed:
        return None
    kind = "int64" if x.type == "int16" else "int32"
    top = 2**30 if rng.random() < 0.05 else reach
    scales = np.float32(x.scale) * np.asarray(w.scale, np.float32)
    return T((count,), kind, scales, 0, 0, rng.integers(-top, top, count))


def output_scale(rng, x, w, terms):
    """A scale that puts a good part of the outputs inside the range; sometimes a far one."""
    low, high = RANGES[x.type]
    typical = np.median(np.atleast_1d(np.asarray(w.scale))) * float(x.scale) * (high - low) / 4 * 60 * np.sqrt(terms)
    out = typical / (100 if x.type != "int16" else 25000) * 2.0 ** rng.uniform(-1.5, 1.5)
    return float(np.float32(min(max(out, 2.0**-20), 2.0**20)))


def spatial(rng, kernel, dilation):
    """An input size that the dilated kernel fits into."""
    return [int((k - 1) * d + 1 + rng.integers(0, 6)) for k, d in zip(kernel, dilation, strict=True)]


def window(rng, most_dilation=3):
    stride, dilation = rng.integers(1, 4, 2), np.ones(2, int)
    if rng.random() < 0.3 and most_dilation > 1:
        stride, dilation = np.ones(2, int), rng.integers(1, most_dilation + 1, 2)
    padding = int(rng.integers(2))
    return [int(s) for s in stride], [int(d) for d in dilation], padding


def out_size(given, kernel, stride, dilation, padding):
    reach = (kernel - 1) * dilation + 1
    return -(-given // stride) if padding == 0 else (given + stride - reach) // stride


def conv2d(rng):
    kind = str(rng.choice(["int8", "int8", "int16", "uint8", "int4"]))
    x_kind, w_kind = ("int8", "int4") if kind == "int4" else (kind, "uint8" if kind == "uint8" else "int8")
    stride, dilation, padding = window(rng)
    kernel = [int(k) for k in rng.integers(1, 4, 2)]
    height, width = spatial(rng, kernel, dilation)
    groups = int(rng.choice([1, 1, 1, 2, 3])) if kind == "int8" else 1
    inner = int(rng.choice(CHANNELS[:8]))
    outputs = int(rng.choice(CHANNELS)) * groups
    x = activation_tensor(rng, (int(rng.integers(1, 3)), height, width, inner * groups), x_kind)
    w = weights(rng, (outputs, *kernel, inner), 0, w_kind, per_channel=kind != "uint8" and rng.random() < 0.8)
    if kind == "uint8":
        w.zero = int(rng.integers(0, 256))
    y = T(
        (
            x.shape[0],
            *(out_size(g, k, s, d, padding) for g, k, s, d in zip((height, width), kernel, stride, dilation)),
            outputs,
        ),
        x_kind,
        output_scale(rng, x, w, inner * kernel[0] * kernel[1]),
        zero_point(rng, x_kind),
    )
    options = {
        "padding": padding,
        "strideH": stride[0],
        "strideW": stride[1],
        "dilationHFactor": dilation[0],
        "dilationWFactor": dilation[1],
        "fusedActivationFunction": fused(rng),
    }
    return Case(model("CONV_2D", ("Conv2DOptions", options), [x, w, bias(rng, x, w, outputs)], [y]), runtime(rng, x))


def depthwise_conv2d(rng):
    kind = str(rng.choice(["int8", "int8", "int16"]))
    stride, dilation, padding = window(rng)
    kernel = [int(k) for k in rng.integers(1, 4, 2)]
    height, width = spatial(rng, kernel, dilation)
    inner, multiplier = int(rng.choice(CHANNELS)), int(rng.choice([1, 1, 2, 3]))
    x = activation_tensor(rng, (int(rng.integers(1, 3)), height, width, inner), kind)
    w = weights(rng, (1, *kernel, inner * multiplier), 3, "int8", rng.random() < 0.8)
    y = T(
        (
            x.shape[0],
            *(out_size(g, k, s, d, padding) for g, k, s, d in zip((height, width), kernel, stride, dilation)),
            inner * multiplier,
        ),
        kind,
        output_scale(rng, x, w, kernel[0] * kernel[1]),
        zero_point(rng, kind),
    )
    options = {
        "padding": padding,
        "strideH": stride[0],
        "strideW": stride[1],
        "dilationHFactor": dilation[0],
        "dilationWFactor": dilation[1],
        "depthMultiplier": multiplier,
        "fusedActivationFunction": fused(rng),
    }
    b = bias(rng, x, w, inner * multiplier, needed=True)  # TFLite-Micro crashes without one
    return Case(model("DEPTHWISE_CONV_2D", ("DepthwiseConv2DOptions", options), [x, w, b], [y]), runtime(rng, x))


def fully_connected(rng):
    kind = str(rng.choice(["int8", "int8", "int16", "int4"]))
    x_kind = "int8" if kind == "int4" else kind
    inner, outputs, rows = (int(v) for v in (rng.choice(CHANNELS), rng.choice(CHANNELS), rng.integers(1, 4)))
    keep = bool(rng.random() < 0.3)
    shape = (2, rows, inner) if keep else (rows, inner)
    x = activation_tensor(rng, shape, x_kind)
    w = weights(rng, (outputs, inner), 0, "int4" if kind == "int4" else "int8", rng.random() < 0.5)
    y = T((*shape[:-1], outputs), x_kind, output_scale(rng, x, w, inner), zero_point(rng, x_kind))
    options = {"fusedActivationFunction": fused(rng), "keepNumDims": keep}
    b = bias(rng, x, w, outputs)
    return Case(model("FULLY_CONNECTED", ("FullyConnectedOptions", options), [x, w, b], [y]), runtime(rng, x))


def transpose_conv(rng):
    kind = str(rng.choice(["int8", "int8", "int16"]))
    stride, padding = [int(s) for s in rng.integers(1, 4, 2)], int(rng.integers(2))
    kernel = [int(k) for k in rng.integers(1, 4, 2)]
    given = [int(g) for g in rng.integers(1, 6, 2)]
    inner, outputs = int(rng.choice(CHANNELS[:7])), int(rng.choice(CHANNELS))
    size = [g * s if padding == 0 else (g - 1) * s + k for g, s, k in zip(given, stride, kernel)]
    x = activation_tensor(rng, (1, *given, inner), kind)
    w = weights(rng, (outputs, *kernel, inner), 0, "int8", True)
    y = T((1, *size, outputs), kind, output_scale(rng, x, w, inner * 2), zero_point(rng, kind))
    sizes = T((4,), "int32", data=np.array(y.shape))
    options = {"padding": padding, "strideH": stride[0], "strideW": stride[1]}
    return Case(model("TRANSPOSE_CONV", ("TransposeConvOptions", options), [sizes, w, x], [y]), runtime(rng, x))


def batch_matmul(rng):
    kind = str(rng.choice(["int8", "int8", "int16"]))
    m, k, n = (int(rng.choice(CHANNELS)) for _ in range(3))
    adj_x, adj_y = bool(rng.integers(2)), bool(rng.integers(2))
    lead = tuple(int(v) for v in rng.integers(1, 3, int(rng.integers(1, 3))))
    a = activation_tensor(rng, (*lead, *((k, m) if adj_x else (m, k))), kind)
    b = activation_tensor(rng, (*lead, *((n, k) if adj_y else (k, n))), kind)
    y = T((*lead, m, n), kind, output_scale(rng, a, b, k), zero_point(rng, kind))
    options = {"adjX": adj_x, "adjY": adj_y}
    return Case(model("BATCH_MATMUL", ("BatchMatMulOptions", options), [a, b], [y]), runtime(rng, a, b))


def shapes_that_broadcast(rng):
    rank = int(rng.integers(1, 5))
    full = [int(v) for v in rng.choice([1, 2, 3, 5, 8, 17], rank)]
    other = [s if rng.random() < 0.7 else 1 for s in full][int(rng.integers(rank)) if rng.random() < 0.3 else 0 :]
    return (tuple(full), tuple(other)) if rng.random() < 0.5 else (tuple(other), tuple(full))


def binary(operator, options, kinds=("int8", "int8", "int16"), spread=3):
    def draw(rng):
        kind = str(rng.choice(kinds))
        first, second = shapes_that_broadcast(rng)
        a = activation_tensor(rng, first, kind)
        b = T(second, kind, float(np.float32(a.scale * 2.0 ** rng.uniform(-spread, spread))), zero_point(rng, kind))
        y = T(tuple(np.broadcast_shapes(first, second)), kind, None, zero_point(rng, kind))
        base = (
            a.scale * b.scale * (64 if kind == "int8" else 9000) if operator == "MUL" else max(a.scale, b.scale) * 1.4
        )
        if operator == "SQUARED_DIFFERENCE":
            base = max(a.scale, b.scale) ** 2 * 90
        y.scale = float(np.float32(base * 2.0 ** rng.uniform(-1.5, 1.5)))
        fields = (
            {"fusedActivationFunction": fused(rng)} if options in ("AddOptions", "SubOptions", "MulOptions") else {}
        )
        constant = rng.random() < 0.2
        if constant:
            b.data = codes(rng, b.shape, kind)
        given = [a] if constant else [a, b]
        return Case(model(operator, (options, fields), [a, b], [y]), runtime(rng, *given))

    return draw


def same_format(operator, options):
    """Maximum and minimum: one format."""

    def draw(rng):
        kind = str(rng.choice(["int8", "int16"]))
        first, second = shapes_that_broadcast(rng)
        a = activation_tensor(rng, first, kind)
        b = T(second, kind, a.scale, a.zero)
        y = T(tuple(np.broadcast_shapes(first, second)), kind, a.scale, a.zero)
        return Case(model(operator, (options, {}), [a, b], [y]), runtime(rng, a, b))

    return draw


def unary(operator, options=None, kinds=("int8",), target=None, near=2.0):
    """An element-wise operator; `target` is the output's (scale, zero point) by type, else near the input's."""

    def draw(rng):
        kind = str(rng.choice(kinds))
        shape = tuple(int(v) for v in rng.integers(1, 9, int(rng.integers(1, 5))))
        x = activation_tensor(rng, shape, kind, low=-7, high=-1)
        if kind == "int16":
            x.scale = float(np.float32(2.0 ** rng.uniform(-15, -8)))
            if rng.random() < 0.4:
                x.scale = 2.0 ** int(rng.integers(-15, -9))
        y = T(
            shape,
            kind,
            *(
                target[kind]
                if target
                else (float(np.float32(x.scale * 2.0 ** rng.uniform(-near, near))), zero_point(rng, kind))
            ),
        )
        fields = {"alpha": float(np.float32(rng.uniform(0.01, 0.9)))} if operator == "LEAKY_RELU" else {}
        return Case(model(operator, (options, fields) if options else None, [x], [y]), runtime(rng, x))

    return draw


UNIT = {"int8": (1 / 256, -128), "int16": (1 / 32768, 0)}
SIGNED_UNIT = {"int8": (1 / 128, 0), "int16": (1 / 32768, 0)}


def prelu(rng):
    shape = (1, int(rng.integers(1, 5)), int(rng.integers(1, 5)), int(rng.choice(CHANNELS)))
    x = activation_tensor(rng, shape, "int8")
    alpha = T(
        (1, 1, shape[3]), "int8", scale(rng, -9, -5), zero_point(rng, "int8"), 0, codes(rng, (1, 1, shape[3]), "int8")
    )
    y = T(shape, "int8", float(np.float32(x.scale * 2.0 ** rng.uniform(-1, 1))), zero_point(rng, "int8"))
    return Case(model("PRELU", None, [x, alpha], [y]), runtime(rng, x))


def softmax(rng):
    source, target = str(rng.choice(["int8", "int8", "int16"])), "int8"
    target = "int16" if source == "int16" else "int8"
    shape = (int(rng.integers(1, 4)), int(rng.choice([1, 2, 3, 5, 10, 33, 100])))
    x = T(shape, source, scale(rng, -8, 0) if source == "int8" else scale(rng, -15, -9), 0)
    if source == "int8":
        x.zero = zero_point(rng, "int8")
    y = T(shape, target, *UNIT[target])
    options = {"beta": float(np.float32(rng.choice([1.0, 1.0, 0.5, 2.0])))}
    return Case(model("SOFTMAX", ("SoftmaxOptions", options), [x], [y]), runtime(rng, x))


def reduction(operator, same=False):
    def draw(rng):
        kind = str(rng.choice(["int8", "int8", "int16"])) if operator != "SUM" else "int8"
        rank = int(rng.integers(2, 5))
        shape = tuple(int(v) for v in rng.choice([1, 2, 3, 5, 8, 17], rank))
        axes = sorted(int(a) for a in rng.choice(rank, int(rng.integers(1, rank)), replace=False))
        if rank == 4 and rng.random() < 0.4:
            axes = [1, 2]
        keep = bool(rng.integers(2))
        x = activation_tensor(rng, shape, kind)
        made = (
            tuple(1 if i in axes else s for i, s in enumerate(shape))
            if keep
            else tuple(s for i, s in enumerate(shape) if i not in axes)
        )
        count = int(np.prod([shape[a] for a in axes]))
        factor = np.sqrt(count) if operator == "SUM" else 1 / np.sqrt(count)
        y = T(made, kind, x.scale, x.zero)
        if not same:
            y = T(made, kind, float(np.float32(x.scale * factor * 2.0 ** rng.uniform(-1, 1))), zero_point(rng, kind))
        which = T((len(axes),), "int32", data=np.array(axes))
        return Case(model(operator, ("ReducerOptions", {"keepDims": keep}), [x, which], [y]), runtime(rng, x))

    return draw


def pool(operator):
    def draw(rng):
        kind = str(rng.choice(["int8", "int8", "int16"]))
        stride, _, padding = window(rng, 1)
        kernel = [int(k) for k in rng.integers(1, 5, 2)]
        height, width = spatial(rng, kernel, (1, 1))
        x = activation_tensor(rng, (int(rng.integers(1, 3)), height, width, int(rng.choice(CHANNELS))), kind)
        size = [out_size(g, k, s, 1, padding) for g, k, s in zip((height, width), kernel, stride)]
        y = T((x.shape[0], *size, x.shape[3]), kind, x.scale, x.zero)
        options = {
            "padding": padding,
            "strideH": stride[0],
            "strideW": stride[1],
            "filterHeight": kernel[0],
            "filterWidth": kernel[1],
            "fusedActivationFunction": fused(rng),
        }
        return Case(model(operator, ("Pool2DOptions", options), [x], [y]), runtime(rng, x))

    return draw


def l2_normalization(rng):
    shape = (int(rng.integers(1, 4)), int(rng.choice(CHANNELS)))
    x = activation_tensor(rng, shape, "int8")
    return Case(model("L2_NORMALIZATION", ("L2NormOptions", {}), [x], [T(shape, "int8", 1 / 128, 0)]), runtime(rng, x))


def rsqrt(rng):
    shape = (int(rng.integers(1, 9)), 4)
    x = T(shape, "int8", scale(rng, -8, 0), -128)
    y = T(shape, "int8", float(np.float32(2.0 ** rng.uniform(-6, 0) / np.sqrt(x.scale) / 8)), -128)
    return Case(model("RSQRT", None, [x], [y]), runtime(rng, x))


def requantize(rng):
    source, target = [
        ("int8", "int8"),
        ("int16", "int8"),
        ("int8", "int16"),
        ("int16", "int16"),
        ("uint8", "int8"),
        ("int8", "uint8"),
    ][int(rng.integers(6))]
    shape = (int(rng.integers(1, 9)), 5)
    x = activation_tensor(rng, shape, source)
    ratio = 2.0 ** rng.uniform(-2, 2) * {("int8", "int16"): 1 / 256, ("int16", "int8"): 256}.get((source, target), 1)
    y = T(shape, target, float(np.float32(x.scale * ratio)), zero_point(rng, target))
    if "uint8" in (source, target):
        y = T(shape, target, x.scale, x.zero + (128 if target == "uint8" else -128))
    return Case(model("QUANTIZE", ("QuantizeOptions", {}), [x], [y]), runtime(rng, x))


def quantize(rng):
    kind = str(rng.choice(["int8", "uint8", "int16"]))
    shape = (int(rng.integers(1, 9)), 5)
    y = activation_tensor(rng, shape, kind)
    low, high = RANGES[kind]
    reals = (rng.integers(2 * low, 2 * high, shape) / 2 - y.zero) * np.float32(y.scale)  # many ties
    return Case(model("QUANTIZE", ("QuantizeOptions", {}), [T(shape, "float32")], [y]), [reals.astype(np.float32)])


def dequantize(rng):
    kind = str(rng.choice(["int8", "uint8", "int16"]))
    shape = (int(rng.integers(1, 9)), 5)
    x = activation_tensor(rng, shape, kind)
    return Case(model("DEQUANTIZE", ("DequantizeOptions", {}), [x], [T(shape, "float32")]), runtime(rng, x))


def resize(operator, options):
    def draw(rng):
        kind = str(rng.choice(["int8", "int8", "int16"]))
        given, size = ([int(v) for v in rng.integers(1, 9, 2)] for _ in range(2))
        align = bool(rng.integers(2))
        half = bool(rng.integers(2)) and not align
        x = activation_tensor(rng, (1, *given, int(rng.choice(CHANNELS))), kind)
        y = T((1, *size, x.shape[3]), kind, x.scale, x.zero)
        which = T((2,), "int32", data=np.array(size))
        fields = {"alignCorners": align, "halfPixelCenters": half}
        return Case(model(operator, (options, fields), [x, which], [y]), runtime(rng, x))

    return draw


def concatenation(rng):
    kind = str(rng.choice(["int8", "int16"]))
    shape = [int(v) for v in rng.integers(1, 5, int(rng.integers(1, 5)))]
    axis, first = int(rng.integers(len(shape))), activation_tensor(rng, shape, kind)
    parts = [first]
    for _ in range(int(rng.integers(1, 4))):
        other = list(shape)
        other[axis] = int(rng.integers(1, 5))
        parts.append(T(tuple(other), kind, first.scale, first.zero))
    made = list(shape)
    made[axis] = sum(p.shape[axis] for p in parts)
    y = T(tuple(made), kind, first.scale, first.zero)
    given = axis if rng.random() < 0.5 else axis - len(shape)
    return Case(model("CONCATENATION", ("ConcatenationOptions", {"axis": given}), parts, [y]), runtime(rng, *parts))


def moved(operator, options, build):
    """A move: `build(rng, x)` gives (more inputs, output shape, option fields)."""

    def draw(rng):
        kind = str(rng.choice(["int8", "int16"]))
        shape = tuple(int(v) for v in rng.integers(1, 6, int(rng.integers(2, 5))))
        x = activation_tensor(rng, shape, kind)
        more, made, fields = build(rng, x)
        y = T(tuple(int(v) for v in made), kind, x.scale, x.zero)
        return Case(model(operator, (options, fields) if options else None, [x, *more], [y]), runtime(rng, x))

    return draw


def integers(*values):
    data = np.array(values).reshape(-1) if np.ndim(values[0]) == 0 else np.array(values[0])
    return T(data.shape, "int32", data=data)


def pad(rng, x):
    pads = rng.integers(0, 4, (len(x.shape), 2))
    return [integers(pads)], np.array(x.shape) + pads.sum(axis=1), {}


def mirror_pad(rng, x):
    mode = int(rng.integers(2))
    most = np.array(x.shape) - (mode == 0)
    pads = np.stack([rng.integers(0, most + 1), rng.integers(0, most + 1)], axis=1)
    return [integers(pads)], np.array(x.shape) + pads.sum(axis=1), {"mode": mode}


def strided_slice(rng, x):
    shape, rank = np.array(x.shape), len(x.shape)
    begin, end = rng.integers(-shape, shape), rng.integers(-shape, shape + 1)
    step = np.where(rng.random(rank) < 0.3, -1, rng.integers(1, 3, rank))
    begin_mask, end_mask, shrink = (int(rng.integers(1 << rank)) for _ in range(3))
    shrink &= int(rng.integers(1 << rank))
    made = []
    for i, size in enumerate(x.shape):
        if shrink >> i & 1:
            begin[i], step[i] = rng.integers(size), 1
            begin_mask &= ~(1 << i)
            continue
        cut = slice(
            None if begin_mask >> i & 1 else int(begin[i]), None if end_mask >> i & 1 else int(end[i]), int(step[i])
        )
        count = len(range(*cut.indices(size)))
        if count == 0:
            begin_mask, end_mask, count = begin_mask | 1 << i, end_mask | 1 << i, -(-size // abs(int(step[i])))
        made.append(count)
    masks = {"beginMask": begin_mask, "endMask": end_mask, "shrinkAxisMask": shrink}
    return [integers(begin), integers(end), integers(step)], made, masks


def sliced(rng, x):
    begin = rng.integers(0, x.shape)
    size = np.array([int(rng.integers(1, s - b + 1)) for s, b in zip(x.shape, begin)])
    return [integers(begin), integers(size)], size, {}


def transpose(rng, x):
    perm = rng.permutation(len(x.shape))
    return [integers(perm)], np.array(x.shape)[perm], {}


def tile(rng, x):
    repeats = rng.integers(1, 4, len(x.shape))
    return [integers(repeats)], np.array(x.shape) * repeats, {}


def gather(rng, x):
    axis = int(rng.integers(len(x.shape)))
    picked = rng.integers(0, x.shape[axis], int(rng.integers(1, 5)))
    return [integers(picked)], (*x.shape[:axis], len(picked), *x.shape[axis + 1 :]), {"axis": axis}


def reshape(rng, x):
    return [integers([int(np.prod(x.shape)), 1])], (int(np.prod(x.shape)), 1), {}


FAMILIES = {
    "conv2d": conv2d,
    "depthwise_conv2d": depthwise_conv2d,
    "fully_connected": fully_connected,
    "transpose_conv": transpose_conv,
    "batch_matmul": batch_matmul,
    "add": binary("ADD", "AddOptions"),
    "sub": binary("SUB", "SubOptions"),
    "mul": binary("MUL", "MulOptions"),
    "squared_difference": binary("SQUARED_DIFFERENCE", "SquaredDifferenceOptions", ("int8",)),
    "maximum": same_format("MAXIMUM", "MaximumMinimumOptions"),
    "minimum": same_format("MINIMUM", "MaximumMinimumOptions"),
    "relu": unary("RELU", kinds=("int8", "int16")),
    "relu6": unary("RELU6", kinds=("int8",)),
    "leaky_relu": unary("LEAKY_RELU", "LeakyReluOptions", ("int8", "int8", "int16")),
    "prelu": prelu,
    "hard_swish": unary("HARD_SWISH", near=1.0),
    "logistic": unary("LOGISTIC", kinds=("int8", "int16"), target=UNIT),
    "tanh": unary("TANH", kinds=("int8", "int16"), target=SIGNED_UNIT),
    "elu": unary("ELU"),
    "gelu": unary("GELU", "GeluOptions"),
    "softmax": softmax,
    "mean": reduction("MEAN"),
    "sum": reduction("SUM"),
    "reduce_max": reduction("REDUCE_MAX", same=True),
    "reduce_min": reduction("REDUCE_MIN", same=True),
    "average_pool2d": pool("AVERAGE_POOL_2D"),
    "max_pool2d": pool("MAX_POOL_2D"),
    "l2_normalization": l2_normalization,
    "rsqrt": rsqrt,
    "requantize": requantize,
    "quantize": quantize,
    "dequantize": dequantize,
    "resize_bilinear": resize("RESIZE_BILINEAR", "ResizeBilinearOptions"),
    "resize_nearest": resize("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
    "concatenation": concatenation,
    "pad": moved("PAD", "PadOptions", pad),
    "mirror_pad": moved("MIRROR_PAD", "MirrorPadOptions", mirror_pad),
    "strided_slice": moved("STRIDED_SLICE", "StridedSliceOptions", strided_slice),
    "slice": moved("SLICE", "SliceOptions", sliced),
    "transpose": moved("TRANSPOSE", "TransposeOptions", transpose),
    "tile": moved("TILE", "TileOptions", tile),
    "gather": moved("GATHER", "GatherOptions", gather),
    "reshape": moved("RESHAPE", None, reshape),
}
