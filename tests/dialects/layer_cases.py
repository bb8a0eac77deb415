"""Random layers (sums of products): convolutions, fully connected layers, products of matrices.

Kinds beyond those of the activations: bare (no bias), int4 (weights; rows: with scales of their own), narrow (16-bit activations with a 32-bit bias), grouped,
hybrid (float activations, 8-bit weights), asymmetric (hybrid, asymmetrically quantized activations).
"""

from __future__ import annotations

import numpy as np
from ai_edge_litert.schema_py_generated import TensorType
from operator_draws import (
    CHANNELS,
    activation,
    bias,
    data,
    fused,
    layer_output,
    of_kinds,
    out_sizes,
    spatial,
    weights,
    window,
)
from operator_models import Case, T, model

TYPES = {  # activations, weights
    "int8": ("int8", "int8"),
    "bare": ("int8", "int8"),
    "grouped": ("int8", "int8"),
    "int4": ("int8", "int4"),
    "int4 rows": ("int8", "int4"),
    "uint8": ("uint8", "uint8"),
    "int16": ("int16", "int8"),
    "grouped16": ("int16", "int8"),
    "narrow": ("int16", "int8"),
    "grouped uint8": ("uint8", "uint8"),
    "grouped int4": ("int8", "int4"),
    "float32": ("float32", "float32"),
    "grouped32": ("float32", "float32"),
    "hybrid": ("float32", "int8"),
    "grouped hybrid": ("float32", "int8"),
    "asymmetric": ("float32", "int8"),
}


def layer_weights(rng, kind, shape, axis, share=0.8):
    """Weights, per channel with this share; 8-bit unsigned ones have one scale and any zero point."""
    w = weights(rng, shape, axis, TYPES[kind][1], "uint8" not in kind and rng.random() < share)
    w.zero = int(rng.integers(0, 256)) if "uint8" in kind else 0
    return w


def layer_bias(rng, kind, x, w, y):
    return bias(rng, x, w, y, "int32" if kind == "narrow" else None)


def bias_type(kind):
    """The option that says how wide a bias is."""
    return {"quantizedBiasType": TensorType.INT32} if kind == "narrow" else {}


def windowed(stride, dilation, padding):
    return {
        "padding": padding,
        "strideH": stride[0],
        "strideW": stride[1],
        "dilationHFactor": dilation[0],
        "dilationWFactor": dilation[1],
    }


def conv2d(kind):
    def draw(rng):
        stride, dilation, padding = window(rng)
        kernel = [int(k) for k in rng.integers(1, 4, 2)]
        given = spatial(rng, kernel, dilation)
        groups = int(rng.integers(2, 5)) if "grouped" in kind else 1
        inner, outputs = int(rng.choice(CHANNELS[:8])), int(rng.choice(CHANNELS)) * groups
        x = activation(rng, (int(rng.integers(1, 3)), *given, inner * groups), TYPES[kind][0])
        w = layer_weights(rng, kind, (outputs, *kernel, inner), 0, 1.0 if kind == "grouped hybrid" else 0.8)
        shape = (x.shape[0], *out_sizes(given, kernel, stride, dilation, padding), outputs)
        y = layer_output(rng, shape, x, w, inner * kernel[0] * kernel[1])
        options = (
            windowed(stride, dilation, padding) | bias_type(kind) | {"fusedActivationFunction": fused(rng, x.type)}
        )
        b = layer_bias(rng, kind, x, w, y)
        listed = [x, w] if kind == "bare" else [x, w, b]
        return Case(model("CONV_2D", ("Conv2DOptions", options), listed, [y]), data(rng, x))

    return draw


def depthwise_conv2d(kind):
    def draw(rng):
        stride, dilation, padding = window(rng)
        kernel = [int(k) for k in rng.integers(1, 4, 2)]
        given = spatial(rng, kernel, dilation)
        inner, multiplier = int(rng.choice(CHANNELS)), int(rng.choice([1, 1, 2, 3]))
        outputs = inner * multiplier
        x = activation(rng, (int(rng.integers(1, 3)), *given, inner), TYPES[kind][0])
        w = layer_weights(rng, kind, (1, *kernel, outputs), 3, 1.0 if kind == "hybrid" else 0.8)
        shape = (x.shape[0], *out_sizes(given, kernel, stride, dilation, padding), outputs)
        y = layer_output(rng, shape, x, w, kernel[0] * kernel[1])
        options = windowed(stride, dilation, padding)
        options |= {"depthMultiplier": multiplier, "fusedActivationFunction": fused(rng, x.type)}
        b = layer_bias(rng, kind, x, w, y)  # TFLite-Micro crashes without one
        return Case(model("DEPTHWISE_CONV_2D", ("DepthwiseConv2DOptions", options), [x, w, b], [y]), data(rng, x))

    return draw


def fully_connected(kind):
    def draw(rng):
        inner, rows = int(rng.choice(CHANNELS)), int(rng.integers(1, 4))
        outputs = int(rng.choice(CHANNELS[1:] if kind == "int4 rows" else CHANNELS))
        keep = bool(rng.random() < 0.3)
        shape = (2, rows, inner) if keep else (rows, inner)
        x = activation(rng, shape, TYPES[kind][0])
        w = layer_weights(rng, kind, (outputs, inner), 0, {"int4": 0.0, "int4 rows": 1.0}.get(kind, 0.5))
        y = layer_output(rng, (*shape[:-1], outputs), x, w, inner)
        options = {"fusedActivationFunction": fused(rng, x.type), "keepNumDims": keep} | bias_type(kind)
        options["asymmetricQuantizeInputs"] = kind == "asymmetric"
        b = layer_bias(rng, kind, x, w, y) if rng.random() < 0.8 or kind == "narrow" else None
        return Case(model("FULLY_CONNECTED", ("FullyConnectedOptions", options), [x, w, b], [y]), data(rng, x))

    return draw


def transpose_conv(kind):
    def draw(rng):
        stride, padding = [int(s) for s in rng.integers(1, 4, 2)], int(rng.integers(2))
        kernel = [int(k) for k in rng.integers(1, 4, 2)]
        given = [int(g) for g in rng.integers(1, 6, 2)]
        inner, outputs = int(rng.choice(CHANNELS[:7])), int(rng.choice(CHANNELS))
        size = [g * s if padding == 0 else (g - 1) * s + k for g, s, k in zip(given, stride, kernel)]
        x = activation(rng, (1, *given, inner), TYPES[kind][0])
        w = layer_weights(rng, kind, (outputs, *kernel, inner), 0, 1.0)
        y = layer_output(rng, (1, *size, outputs), x, w, inner * 2)
        sizes = T((4,), "int32", data=np.array(y.shape))
        options = {"padding": padding, "strideH": stride[0], "strideW": stride[1]} | bias_type(kind)
        listed = [sizes, w, x]
        if rng.random() < 0.5 or kind == "narrow":
            listed.append(layer_bias(rng, kind, x, w, y))
        return Case(model("TRANSPOSE_CONV", ("TransposeConvOptions", options), listed, [y]), data(rng, x))

    return draw


def batch_matmul(kind):
    def draw(rng):
        m, k, n = (int(rng.choice(CHANNELS)) for _ in range(3))
        adj_x, adj_y = bool(rng.integers(2)), bool(rng.integers(2))
        lead = tuple(int(v) for v in rng.integers(1, 3, int(rng.integers(1, 3))))
        a = activation(rng, (*lead, *((k, m) if adj_x else (m, k))), kind)
        b = activation(rng, (*lead, *((n, k) if adj_y else (k, n))), kind)
        if rng.random() < 0.3 and kind == "int8":
            b.zero = 0
        y = layer_output(rng, (*lead, m, n), a, b, k)
        options = {"adjX": adj_x, "adjY": adj_y}
        constant = rng.random() < 0.2
        if constant:
            (b.data,) = data(rng, b)
        return Case(model("BATCH_MATMUL", ("BatchMatMulOptions", options), [a, b], [y]), data(rng, a, *[b][constant:]))

    return draw


CONVOLUTIONS = (
    "int8",
    "bare",
    "grouped",
    "int4",
    "uint8",
    "int16",
    "grouped16",
    "grouped uint8",
    "grouped int4",
    "narrow",
    "float32",
    "grouped32",
    "hybrid",
    "grouped hybrid",
)
LAYER_FAMILIES = {
    "conv2d": of_kinds(conv2d, *CONVOLUTIONS),
    "depthwise_conv2d": of_kinds(depthwise_conv2d, "int8", "int4", "uint8", "int16", "float32", "hybrid"),
    "fully_connected": of_kinds(
        fully_connected, "int8", "int4", "int4 rows", "uint8", "int16", "narrow", "float32", "hybrid", "asymmetric"
    ),
    "transpose_conv": of_kinds(transpose_conv, "int8", "uint8", "int16", "narrow", "float32", "hybrid"),
    "batch_matmul": of_kinds(batch_matmul, "int8", "int16", "float32"),
}
