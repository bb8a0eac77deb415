"""Families of dense cases, `DENSE[family][kind](rng)`: few models, of very many elements, on scales full of ties.

Small random cases do not see a difference that one element in a million shows.
"""

from __future__ import annotations

import numpy as np
from dense_draws import codes, every_code, pair_codes, pair_shapes, quantized, related, tied
from elementwise_cases import FUSES, approximate, slope
from layer_cases import TYPES, bias_type, layer_bias, windowed
from operator_draws import RANGES, SIGNED_UNIT, UNIT, fused, integers, of_kinds, out_sizes, resize_options
from operator_models import Case, T, model

FAR = 0.15  # share of cases whose outputs are of a scale far from the others'


def pair_step(rng, operator, a, b):
    """A scale of the output in a dyadic ratio to those of the operands; sometimes far too fine, so that sums saturate."""
    ratio = 2.0 ** int(rng.integers(-9, 2)) if rng.random() < 0.2 else 1.0
    if operator == "MUL":
        return related(rng, a.scale * b.scale * (2.0**14 if a.type == "int16" else 64)) * ratio
    if operator == "SQUARED_DIFFERENCE":
        return related(rng, max(a.scale, b.scale) ** 2 * (2.0**14 if a.type == "int16" else 64)) * ratio
    return related(rng, max(a.scale, b.scale), 1.5) * ratio


def pair(operator, options):
    """Every pair of codes; a million pairs of 16-bit codes."""

    def of_kind(kind):
        def draw(rng):
            first, second = pair_shapes(rng, kind)
            a = quantized(rng, first, kind, tied(rng))
            b = quantized(rng, second, kind, related(rng, a.scale, 12.0 if rng.random() < 0.2 else 3.0))
            y = quantized(rng, np.broadcast_shapes(first, second), kind, pair_step(rng, operator, a, b))
            fields = {"potScaleInt16": False} if operator in ("ADD", "SUB") else {}
            if options in FUSES:
                fields["fusedActivationFunction"] = fused(rng)
            return Case(model(operator, (options, fields), [a, b], [y]), pair_codes(rng, a, b))

        return draw

    return of_kind


def prelu(kind):
    """Every pair of an input code and a slope."""

    def draw(rng):
        tail = int(rng.integers(0, 17))
        x = quantized(rng, (1, 1, 256, 256 + tail), kind, tied(rng))
        alpha = quantized(rng, (1, 1, 256 + tail), kind, tied(rng, -9, -5))
        y = quantized(rng, x.shape, kind, related(rng, x.scale))
        alpha.data = every_code(rng, kind, tail).reshape(alpha.shape)
        values = np.broadcast_to(every_code(rng, kind)[:, None], x.shape)
        return Case(model("PRELU", None, [x, alpha], [y]), [np.ascontiguousarray(values)])

    return draw


def unary(operator, options=None, target=None, fields=None, low=-10, high=0):
    """Every code; `target` is the output's (scale, zero point) by kind."""

    def of_kind(kind):
        def draw(rng):
            values = every_code(rng, kind, int(rng.integers(0, 40)))
            wide = kind == "int16"
            x = quantized(rng, values.shape, kind, tied(rng, *((-16, -8) if wide else (low, high))))
            y = quantized(rng, x.shape, kind, related(rng, x.scale, 11.0 if rng.random() < FAR else 3.0))
            if target:
                y.scale, y.zero = target[kind]
            made = fields(rng) if fields else {}
            return Case(model(operator, (options, made) if options else None, [x], [y]), [values])

        return draw

    return of_kind


def of_positive(operator, step):
    """Every code that is not negative; `step(rng, x)` is the output's scale."""

    def of_kind(kind):
        def draw(rng):
            zero = RANGES[kind][0] if kind != "int16" else 0
            values = np.maximum(every_code(rng, kind), zero + (operator in ("LOG", "RSQRT")))
            x = quantized(rng, values.shape, kind, tied(rng, -12 if kind == "int16" else -8, 0), zero)
            y = quantized(rng, values.shape, kind, step(rng, x), zero if operator in ("RSQRT", "SQRT") else None)
            return Case(model(operator, None, [x], [y]), [values])

        return draw

    return of_kind


def exponential(kind):
    def draw(rng):
        values = every_code(rng, kind)
        low, high = RANGES[kind]
        x = quantized(
            rng, values.shape, kind, tied(rng, -16 if kind == "int16" else -10, -12 if kind == "int16" else -4)
        )
        x.scale = min(x.scale, 8 / (high - x.zero + 1))
        top = np.exp(x.scale * (high - x.zero))
        y = quantized(rng, x.shape, kind, related(rng, top / (high - low), 1.0), low if kind == "int8" else 0)
        return Case(model("EXP", ("ExpOptions", {}), [x], [y]), [values])

    return draw


def requantize(source, target):
    """Every code, ratios from far below one to far above."""

    def draw(rng):
        values = every_code(rng, source, int(rng.integers(0, 40)))
        size = {"int16": 256}
        x = quantized(rng, values.shape, source, tied(rng))
        reach = 12.0 if rng.random() < FAR else 4.0
        y = quantized(rng, x.shape, target, related(rng, x.scale * size.get(source, 1) / size.get(target, 1), reach))
        return Case(model("QUANTIZE", ("QuantizeOptions", {}), [x], [y]), [values])

    return draw


def quantize(kind):
    """Ties, the floats beside them, and far floats."""

    def draw(rng):
        low, high = RANGES[kind]
        y = quantized(rng, (4 * (high - low) + int(rng.integers(1, 17)),), kind, tied(rng))
        steps = (rng.integers(2 * low - 9, 2 * high + 10, y.shape) / 2 - y.zero).astype(np.float32)
        reals = steps * np.float32(y.scale)
        side = rng.integers(0, 3, y.shape)
        reals = np.where(side == 1, np.nextafter(reals, np.float32(np.inf)), reals)
        reals = np.where(side == 2, np.nextafter(reals, np.float32(-np.inf)), reals)
        far = rng.random(y.shape) < 0.02
        reals[far] = (2.0 ** rng.uniform(8, 36, int(far.sum())) * rng.choice([-1, 1], int(far.sum()))) * y.scale
        return Case(
            model("QUANTIZE", ("QuantizeOptions", {}), [T(y.shape, "float32")], [y]), [reals.astype(np.float32)]
        )

    return draw


def dequantize(kind):
    def draw(rng):
        values = every_code(rng, kind, int(rng.integers(0, 9)))
        x = quantized(rng, values.shape, kind, tied(rng))
        return Case(model("DEQUANTIZE", ("DequantizeOptions", {}), [x], [T(x.shape, "float32")]), [values])

    return draw


def softmax(source, target=None):
    """Long rows, of sums below 512: above, the kernels of 8-bit codes abort."""

    def draw(rng):
        kind, length = target or source, int(rng.choice([2, 37, 1000, 1001, 4095]))
        shape = (max(1, (1 << 17) // length), length)
        x = quantized(
            rng, shape, source, tied(rng, *((-16, -9) if source == "int16" else (int(np.log2(length)) - 13, 0)))
        )
        y = T(shape, kind, *(UNIT[kind] if target is None else (1 / 65536, -32768)))
        values = codes(rng, shape, source)
        if rng.random() < 0.5:
            low, high = RANGES[source]
            values = np.clip(rng.normal((low + high) / 2, (high - low) / 16, shape), low, high).astype(source)
        options = {"beta": float(np.float32(rng.choice([1.0, 1.0, 0.5, 0.7])))}
        return Case(model("SOFTMAX", ("SoftmaxOptions", options), [x], [y]), [values])

    return draw


def log_softmax(kind):
    def draw(rng):
        length = int(rng.choice([2, 37, 1000, 3001]))
        x = quantized(rng, (max(1, (1 << 17) // length), length), kind, tied(rng, -9, 0))
        y = T(x.shape, kind, 16 / 256, RANGES[kind][1])
        return Case(model("LOG_SOFTMAX", ("LogSoftmaxOptions", {}), [x], [y]), [codes(rng, x.shape, kind)])

    return draw


def reduction(operator):
    """Many sums over few or very many elements."""

    def of_kind(kind):
        def draw(rng):
            channels = int(rng.integers(1, 71))
            shape, axes = [
                ((200, 4, 8, channels), [1, 2]),
                ((1, 64, 64, channels), [1, 2]),
                ((3000, 6, channels), [1]),
                ((1, 20000, 17), [1]),
                ((50, 77, 40), [0, 2]),
                ((5000, 37), [-1]),
            ][int(rng.integers(6))]
            keep = bool(rng.random() < 0.7)
            at = [a % len(shape) for a in axes]
            made = [1 if i in at else s for i, s in enumerate(shape) if keep or i not in at]
            count = float(np.prod([shape[a] for a in axes]))
            x = quantized(rng, shape, kind, tied(rng))
            grows = 2.0 ** np.round(np.log2(np.sqrt(count)))
            step = (
                x.scale / grows
                if operator == "MEAN"
                else x.scale * grows * (count / grows / 8 if rng.random() < 0.3 else 1)
            )
            y = quantized(rng, made, kind, related(rng, step, 2.0))
            if rng.random() < 0.2 and operator == "MEAN":
                y = quantized(rng, made, kind, x.scale, x.zero)
            options = ("ReducerOptions", {"keepDims": keep})
            return Case(model(operator, options, [x, integers(axes)], [y]), [codes(rng, shape, kind)])

        return draw

    return of_kind


def pool(operator):
    def of_kind(kind):
        def draw(rng):
            kernel = [int(k) for k in rng.integers(1, 12, 2)]
            stride, padding = [int(s) for s in rng.integers(1, 4, 2)], int(rng.integers(2))
            given = [int(k + g) for k, g in zip(kernel, rng.integers(0, 30, 2))]
            x = quantized(rng, (2, *given, int(rng.integers(1, 71))), kind, tied(rng))
            shape = (2, *out_sizes(given, kernel, stride, [1, 1], padding), x.shape[3])
            y = T(shape, kind, x.scale, x.zero)
            options = {
                "padding": padding,
                "strideH": stride[0],
                "strideW": stride[1],
                "filterHeight": kernel[0],
                "filterWidth": kernel[1],
                "fusedActivationFunction": fused(rng),
            }
            return Case(model(operator, ("Pool2DOptions", options), [x], [y]), [codes(rng, x.shape, kind)])

        return draw

    return of_kind


def l2_normalization(kind):
    def draw(rng):
        depth = int(rng.choice([1, 2, 3, 70, 1000, 3001]))
        x = quantized(rng, (max(1, 100000 // depth), depth), kind, tied(rng))
        y = T(x.shape, kind, *SIGNED_UNIT[kind])
        return Case(model("L2_NORMALIZATION", ("L2NormOptions", {}), [x], [y]), [codes(rng, x.shape, kind)])

    return draw


def resize(operator, options):
    def of_kind(kind):
        def draw(rng):
            given, size = ([int(v) for v in rng.integers(1, 60, 2)] for _ in range(2))
            fields = resize_options(rng)
            x = quantized(rng, (1, *given, int(rng.integers(1, 71))), kind, tied(rng))
            y = T((1, *size, x.shape[3]), kind, x.scale, x.zero)
            return Case(model(operator, (options, fields), [x, integers(size)], [y]), [codes(rng, x.shape, kind)])

        return draw

    return of_kind


def tied_weights(rng, kind, shape, axis, per_channel):
    """Constant weights whose scales are in dyadic ratios."""
    values = codes(rng, shape, TYPES[kind][1])
    if TYPES[kind][1] == "int8":
        values = np.maximum(values, -127)
    first = tied(rng, -10, -3)
    if not per_channel or kind == "uint8":
        return T(tuple(shape), TYPES[kind][1], first, int(rng.integers(0, 256)) if kind == "uint8" else 0, 0, values)
    scales = np.array([related(rng, first, 4.0) for _ in range(shape[axis])], np.float32)
    return T(tuple(shape), TYPES[kind][1], scales, 0, axis, values)


def tied_output(rng, shape, x, w, terms):
    """An output in a dyadic ratio to the products, so coarse that most of them fit it."""
    low, high = RANGES[x.type]
    unit = float(np.median(np.atleast_1d(np.asarray(w.scale))) * x.scale)
    typical = (high - low) / 4 * 60 * np.sqrt(terms) / (100 if x.type != "int16" else 25000)
    step = unit * 2.0 ** (np.round(np.log2(typical)) + int(rng.integers(-2, 2)))
    step *= 2.0 ** -int(rng.integers(4, 12)) if rng.random() < FAR else 1.0  # most sums far outside the output
    return quantized(rng, shape, x.type, related(rng, step, 1.0))


def fully_connected(kind):
    """Sums of up to 20 000 products."""

    def draw(rng):
        inner = int(rng.choice([1, 3, 16, 64, 333, 2048, 20000]))
        outputs, rows = int(rng.integers(1, 71)), max(1, min(400, 1_000_000 // inner))
        x = quantized(rng, (rows, inner), TYPES[kind][0], tied(rng))
        w = tied_weights(rng, kind, (outputs, inner), 0, rng.random() < 0.5 and kind != "int4")
        y = tied_output(rng, (rows, outputs), x, w, inner)
        options = {"fusedActivationFunction": fused(rng)} | bias_type(kind)
        b = layer_bias(rng, kind, x, w, y) if rng.random() < 0.7 or kind == "narrow" else None
        return Case(
            model("FULLY_CONNECTED", ("FullyConnectedOptions", options), [x, w, b], [y]), [codes(rng, x.shape, x.type)]
        )

    return draw


def convolution(kind, depthwise=False):
    """Images of whole models, 1 to 70 channels."""

    def draw(rng):
        kernel = [int(k) for k in rng.choice([1, 3, 3, 5], 2)]
        stride, padding = [int(rng.integers(1, 3))] * 2, int(rng.integers(2))
        given = [int(v) for v in rng.integers(8, 33, 2)]
        inner, outputs = int(rng.integers(1, 71)), int(rng.integers(1, 71))
        x = quantized(rng, (1, *given, inner), TYPES[kind][0], tied(rng))
        outputs = inner if depthwise else outputs
        shape, axis = ((1, *kernel, outputs), 3) if depthwise else ((outputs, *kernel, inner), 0)
        w = tied_weights(rng, kind, shape, axis, rng.random() < 0.8)
        made = (1, *out_sizes(given, kernel, stride, [1, 1], padding), outputs)
        y = tied_output(rng, made, x, w, kernel[0] * kernel[1] * (1 if depthwise else inner))
        options = windowed(stride, [1, 1], padding) | {"fusedActivationFunction": fused(rng)}
        name, table = ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions") if depthwise else ("CONV_2D", "Conv2DOptions")
        options |= {"depthMultiplier": 1} if depthwise else bias_type(kind)
        listed = [x, w, layer_bias(rng, kind, x, w, y)]
        return Case(model(name, (table, options), listed, [y]), [codes(rng, x.shape, x.type)])

    return draw


def transpose_conv(kind):
    def draw(rng):
        stride, padding = [int(s) for s in rng.integers(1, 4, 2)], int(rng.integers(2))
        kernel, given = [int(k) for k in rng.integers(1, 5, 2)], [int(g) for g in rng.integers(4, 20, 2)]
        inner, outputs = int(rng.integers(1, 71)), int(rng.integers(1, 71))
        size = [g * s if padding == 0 else (g - 1) * s + k for g, s, k in zip(given, stride, kernel)]
        x = quantized(rng, (1, *given, inner), TYPES[kind][0], tied(rng))
        w = tied_weights(rng, kind, (outputs, *kernel, inner), 0, True)
        y = tied_output(rng, (1, *size, outputs), x, w, inner * 2)
        options = {"padding": padding, "strideH": stride[0], "strideW": stride[1]}
        listed = [integers(y.shape), w, x, *([layer_bias(rng, kind, x, w, y)] if rng.random() < 0.5 else [])]
        return Case(
            model("TRANSPOSE_CONV", ("TransposeConvOptions", options), listed, [y]), [codes(rng, x.shape, x.type)]
        )

    return draw


def batch_matmul(kind):
    def draw(rng):
        k = int(rng.choice([1, 5, 64, 333, 4000]))
        m, n = int(rng.integers(1, 71)), int(rng.integers(1, 71))
        a, b = quantized(rng, (2, m, k), kind, tied(rng)), quantized(rng, (2, k, n), kind, tied(rng))
        if rng.random() < 0.5 and kind == "int8":
            b.zero = 0
        y = tied_output(rng, (2, m, n), a, b, k)
        return Case(
            model("BATCH_MATMUL", ("BatchMatMulOptions", {}), [a, b], [y]), [codes(rng, t.shape, kind) for t in (a, b)]
        )

    return draw


EIGHT, THREE = ("int8", "uint8"), ("int8", "uint8", "int16")
DENSE = {
    "add": of_kinds(pair("ADD", "AddOptions"), *THREE),
    "sub": of_kinds(pair("SUB", "SubOptions"), *THREE),
    "mul": of_kinds(pair("MUL", "MulOptions"), *THREE),
    "squared_difference": of_kinds(pair("SQUARED_DIFFERENCE", "SquaredDifferenceOptions"), "int8", "int16"),
    "prelu": of_kinds(prelu, *EIGHT),
    "relu": of_kinds(unary("RELU"), *THREE),
    "relu6": of_kinds(unary("RELU6"), *THREE),
    "relu_n1_to_1": of_kinds(unary("RELU_N1_TO_1"), *EIGHT),
    "leaky_relu": of_kinds(unary("LEAKY_RELU", "LeakyReluOptions", fields=slope), *THREE),
    "hard_swish": of_kinds(unary("HARD_SWISH", low=-9, high=-2), *EIGHT),
    "logistic": of_kinds(unary("LOGISTIC", target=UNIT, low=-8), *THREE),
    "tanh": of_kinds(unary("TANH", target=SIGNED_UNIT, low=-8), *THREE),
    "elu": of_kinds(unary("ELU", low=-8), "int8"),
    "gelu": of_kinds(unary("GELU", "GeluOptions", fields=approximate, low=-8), *THREE),
    "exp": of_kinds(exponential, "int8", "int16"),
    "log": of_kinds(of_positive("LOG", lambda rng, x: related(rng, 8 / RANGES[x.type][1], 1.0)), "int8", "int16"),
    "rsqrt": of_kinds(
        of_positive("RSQRT", lambda rng, x: related(rng, x.scale**-0.5 / (8 if x.type == "int8" else 2000), 2.0)),
        "int8",
        "int16",
    ),
    "sqrt": of_kinds(
        of_positive("SQRT", lambda rng, x: related(rng, (x.scale / RANGES[x.type][1]) ** 0.5, 1.0)), "int8", "int16"
    ),
    "abs": of_kinds(unary("ABS"), "int8", "int16"),
    "requantize": {f"{a} to {b}": requantize(a, b) for a in THREE for b in THREE},
    "quantize": of_kinds(quantize, *THREE),
    "dequantize": of_kinds(dequantize, *THREE),
    "softmax": of_kinds(softmax, *THREE) | {"int8 to int16": softmax("int8", "int16")},
    "log_softmax": of_kinds(log_softmax, *EIGHT),
    "mean": of_kinds(reduction("MEAN"), *THREE),
    "sum": of_kinds(reduction("SUM"), *THREE),
    "average_pool2d": of_kinds(pool("AVERAGE_POOL_2D"), *THREE),
    "max_pool2d": of_kinds(pool("MAX_POOL_2D"), *THREE),
    "l2_normalization": of_kinds(l2_normalization, *EIGHT),
    "resize_bilinear": of_kinds(resize("RESIZE_BILINEAR", "ResizeBilinearOptions"), *THREE),
    "resize_nearest": of_kinds(resize("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"), *THREE),
    "conv2d": of_kinds(convolution, "int8", "uint8", "int16", "int4"),
    "depthwise_conv2d": of_kinds(lambda kind: convolution(kind, True), *THREE),
    "fully_connected": of_kinds(fully_connected, "int8", "uint8", "int16", "int4"),
    "transpose_conv": of_kinds(transpose_conv, *THREE),
    "batch_matmul": of_kinds(batch_matmul, "int8", "int16"),
}
