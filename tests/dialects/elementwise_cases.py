"""Random element-wise operators: of two tensors, of one, and changes of format."""

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
    codes,
    data,
    fused,
    near,
    of_kinds,
    result,
    scale,
    shapes_that_broadcast,
    zero_point,
)
from operator_models import Case, T, model

FUSES = ("AddOptions", "SubOptions", "MulOptions", "DivOptions")


def result_step(operator, a, b):
    """A scale of the output that many outputs fit into."""
    if operator == "MUL":
        return a.scale * b.scale * (9000 if a.type == "int16" else 64)
    if operator == "DIV":
        return a.scale / b.scale / 16
    if operator == "SQUARED_DIFFERENCE":
        return max(a.scale, b.scale) ** 2 * (20000 if a.type == "int16" else 90)
    return max(a.scale, b.scale) * 1.4


def operands(rng, kind):
    """Two tensors that broadcast, with scales not too far from each other."""
    first, second = shapes_that_broadcast(rng)
    a, b = activation(rng, first, kind), activation(rng, second, kind)
    if kind != "float32":
        b.scale = near(rng, a.scale, 3)
    return a, b


def binary_case(rng, operator, options, fields, a, b, y):
    """A case of two operands, sometimes the second a constant."""
    if rng.random() < 0.2:
        (b.data,) = data(rng, b)
    if options in FUSES:
        fields = fields | {"fusedActivationFunction": fused(rng)}
    return Case(model(operator, (options, fields), [a, b], [y]), data(rng, a, *([b] if b.data is None else [])))


def binary(operator, options):
    def of_kind(kind):
        def draw(rng):
            a, b = operands(rng, kind)
            shape = np.broadcast_shapes(a.shape, b.shape)
            y = result(rng, shape, kind, lambda: near(rng, result_step(operator, a, b), 1.5))
            fields = {"potScaleInt16": False} if options in ("AddOptions", "SubOptions") else {}
            return binary_case(rng, operator, options, fields, a, b, y)

        return draw

    return of_kind


def power_scales(operator, options):
    """16-bit operands of power-of-two scales, with the option that asks for shifts."""

    def draw(rng):
        a, b = operands(rng, "int16")
        power = int(rng.integers(-15, -5))
        wide, narrow = 2.0**power, 2.0 ** (power - int(rng.integers(0, 5)))
        a.scale, b.scale = (wide, narrow) if rng.random() < 0.5 else (narrow, wide)
        if operator == "ADD":
            b.shape = a.shape  # LiteRT's kernel aborts on others
        y = T(np.broadcast_shapes(a.shape, b.shape), "int16", wide, 0)
        return binary_case(rng, operator, options, {"potScaleInt16": True}, a, b, y)

    return draw


def divided(kind):
    """Quotients; no divisor is 0."""

    def draw(rng):
        a, b = operands(rng, kind)
        y = result(rng, np.broadcast_shapes(a.shape, b.shape), kind, lambda: near(rng, result_step("DIV", a, b), 1.5))
        above, below = data(rng, a, b)
        if kind != "float32":
            below[below == b.zero] = b.zero - 1 if b.zero == RANGES[kind][1] else b.zero + 1
        fields = {"fusedActivationFunction": fused(rng)}
        return Case(model("DIV", ("DivOptions", fields), [a, b], [y]), [above, below])

    return draw


def same_format(operator, options):
    """Maximum and minimum: one format."""

    def of_kind(kind):
        def draw(rng):
            first, second = shapes_that_broadcast(rng)
            a = activation(rng, first, kind)
            y = alike(a, np.broadcast_shapes(first, second))
            return binary_case(rng, operator, options, {}, a, alike(a, second), y)

        return draw

    return of_kind


def input_of(rng, kind, shape):
    """An input whose reals are of the size that curves bend in."""
    x = activation(rng, shape, kind, -7, -1)
    if kind == "int16":
        x.scale = float(np.float32(2.0 ** rng.uniform(-15, -8)))
        if rng.random() < 0.4:
            x.scale = 2.0 ** int(rng.integers(-15, -9))
    return x


def unary(operator, options=None, target=None, reach=2.0, fields=None):
    """An element-wise operator; `target` is the output's (scale, zero point) by kind, else near the input's."""

    def of_kind(kind):
        def draw(rng):
            x = input_of(rng, kind, any_shape(rng, most=9))
            y = result(rng, x.shape, kind, lambda: near(rng, x.scale, reach))
            if target and kind != "float32":
                y.scale, y.zero = target[kind]
            made = fields(rng) if fields else {}
            return Case(model(operator, (options, made) if options else None, [x], [y]), data(rng, x))

        return draw

    return of_kind


def slope(rng):
    return {"alpha": float(np.float32(rng.uniform(0.01, 0.9) * rng.choice([1, 1, 1, -1, 3])))}


def approximate(rng):
    return {"approximate": bool(rng.integers(2))}


def prelu(kind):
    def draw(rng):
        shape = (1, int(rng.integers(1, 5)), int(rng.integers(1, 5)), int(rng.choice(CHANNELS)))
        x = activation(rng, shape, kind)
        alpha = activation(rng, (1, 1, shape[3]), kind, -9, -5)
        (alpha.data,) = data(rng, alpha)
        y = result(rng, shape, kind, lambda: near(rng, x.scale, 1))
        return Case(model("PRELU", None, [x, alpha], [y]), data(rng, x))

    return draw


def exponential(kind):
    """Powers of e; the output's range is that of the inputs', or somewhat less."""

    def draw(rng):
        x = input_of(rng, kind, any_shape(rng))
        if kind == "float32":
            return Case(model("EXP", ("ExpOptions", {}), [x], [T(x.shape, kind)]), data(rng, x))
        low, high = RANGES[kind]
        x.scale = min(x.scale, 8 / (high - x.zero + 1))
        top = np.exp(x.scale * (high - x.zero)) * rng.uniform(0.3, 1.2)
        y = T(x.shape, kind, float(np.float32(top / (high - low))), low if kind == "int8" else 0)
        return Case(model("EXP", ("ExpOptions", {}), [x], [y]), data(rng, x))

    return draw


def positive(rng, kind, shape):
    """An input without negative values, and its data."""
    if kind == "float32":
        return T(shape, kind), (np.abs(rng.normal(0, 3, shape)) + 1e-3).astype(np.float32)
    x = T(shape, kind, scale(rng, -8, 0), -128 if kind == "int8" else 0)
    return x, codes(rng, shape, kind).clip(x.zero, None)


def logarithm(kind):
    def draw(rng):
        x, values = positive(rng, kind, any_shape(rng))
        y = result(rng, x.shape, kind, lambda: near(rng, 8 / RANGES[kind][1], 1))
        return Case(model("LOG", None, [x], [y]), [np.maximum(values, x.zero + 1) if kind != "float32" else values])

    return draw


def rsqrt(kind):
    def draw(rng):
        x, values = positive(rng, kind, any_shape(rng))
        y = T(x.shape, kind)
        if kind != "float32":
            unit = 1 / 8 if kind == "int8" else 1 / 2000
            y.scale, y.zero = float(np.float32(2.0 ** rng.uniform(-6, 0) / np.sqrt(x.scale) * unit)), x.zero
        return Case(model("RSQRT", None, [x], [y]), [values])

    return draw


def square_root(kind):
    def draw(rng):
        x, values = positive(rng, kind, any_shape(rng))
        y = result(rng, x.shape, kind, lambda: near(rng, np.sqrt(x.scale * RANGES[kind][1]) / RANGES[kind][1], 1))
        return Case(model("SQRT", None, [x], [y]), [values])

    return draw


def of_positive(operator, options=None):
    """A float operator of non-negative values."""

    def draw(rng):
        x, values = positive(rng, "float32", any_shape(rng))
        return Case(model(operator, (options, {}) if options else None, [x], [T(x.shape, "float32")]), [values])

    return draw


def requantize(source, target):
    def draw(rng):
        shape = any_shape(rng, most=9)
        x = activation(rng, shape, source)
        ratio = 2.0 ** rng.uniform(-2, 2) * {("int8", "int16"): 1 / 256, ("int16", "int8"): 256}.get(
            (source, target), 1
        )
        y = T(shape, target, float(np.float32(x.scale * ratio)), zero_point(rng, target))
        if {source, target} == {"int8", "uint8"} and rng.random() < 0.5:
            y = T(shape, target, x.scale, x.zero + (128 if target == "uint8" else -128))
        return Case(model("QUANTIZE", ("QuantizeOptions", {}), [x], [y]), data(rng, x))

    return draw


def quantize(kind):
    def draw(rng):
        shape = any_shape(rng, most=9)
        y = activation(rng, shape, kind)
        low, high = RANGES[kind]
        reals = (rng.integers(2 * low, 2 * high, shape) / 2 - y.zero) * np.float32(y.scale)  # many ties
        return Case(model("QUANTIZE", ("QuantizeOptions", {}), [T(shape, "float32")], [y]), [reals.astype(np.float32)])

    return draw


def dequantize(kind):
    def draw(rng):
        x = activation(rng, any_shape(rng, most=9), kind)
        return Case(model("DEQUANTIZE", ("DequantizeOptions", {}), [x], [T(x.shape, "float32")]), data(rng, x))

    return draw


FOUR = ("int8", "uint8", "int16", "float32")
ELEMENTWISE_FAMILIES = {
    "add": of_kinds(binary("ADD", "AddOptions"), *FOUR) | {"power": power_scales("ADD", "AddOptions")},
    "sub": of_kinds(binary("SUB", "SubOptions"), *FOUR) | {"power": power_scales("SUB", "SubOptions")},
    "mul": of_kinds(binary("MUL", "MulOptions"), *FOUR),
    "div": of_kinds(divided, "int8", "uint8", "float32"),
    "squared_difference": of_kinds(
        binary("SQUARED_DIFFERENCE", "SquaredDifferenceOptions"), "int8", "int16", "float32"
    ),
    "maximum": of_kinds(same_format("MAXIMUM", "MaximumMinimumOptions"), *FOUR),
    "minimum": of_kinds(same_format("MINIMUM", "MaximumMinimumOptions"), *FOUR),
    "relu": of_kinds(unary("RELU"), *FOUR),
    "relu6": of_kinds(unary("RELU6"), *FOUR),
    "relu_n1_to_1": of_kinds(unary("RELU_N1_TO_1"), "int8", "uint8", "float32"),
    "leaky_relu": of_kinds(unary("LEAKY_RELU", "LeakyReluOptions", fields=slope), *FOUR),
    "prelu": of_kinds(prelu, "int8", "uint8", "float32"),
    "hard_swish": of_kinds(unary("HARD_SWISH", reach=1.0), "int8", "uint8", "float32"),
    "logistic": of_kinds(unary("LOGISTIC", target=UNIT), *FOUR),
    "tanh": of_kinds(unary("TANH", target=SIGNED_UNIT), *FOUR),
    "elu": of_kinds(unary("ELU"), "int8", "float32"),
    "gelu": of_kinds(unary("GELU", "GeluOptions", fields=approximate), *FOUR),
    "exp": of_kinds(exponential, "int8", "int16", "float32"),
    "log": of_kinds(logarithm, "int8", "int16", "float32"),
    "rsqrt": of_kinds(rsqrt, "int8", "int16", "float32"),
    "neg": of_kinds(unary("NEG"), "int8", "int16", "float32"),
    "abs": of_kinds(unary("ABS"), "int8", "int16", "float32"),
    "sqrt": of_kinds(square_root, "int8", "int16", "float32"),
    "square": {"float32": of_positive("SQUARE")},
    "requantize": {f"{a} to {b}": requantize(a, b) for a in RANGES for b in RANGES if "int4" not in (a, b)},
    "quantize": of_kinds(quantize, "int8", "uint8", "int16"),
    "dequantize": of_kinds(dequantize, "int8", "uint8", "int16"),
}
