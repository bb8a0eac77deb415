"""Activations of Keras: functions, and layers that are one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hwblocks.blocks.activation import Abs, Clip, HardSwish, LeakyReLU, Neg, PReLU, ReLU, ReLU6, Sigmoid, Sqrt, Square
from hwblocks.blocks.activation import Tanh as TanhBlock
from hwblocks.blocks.elementwise import Add, Minimum, Mul, Sub
from hwblocks.blocks.exponential import ELU, GELU, Exp, SiLU, Softplus
from hwblocks.blocks.logic import GreaterEqual
from hwblocks.blocks.selection import Select
from hwblocks.blocks.shape import Identity
from hwblocks.blocks.slicing import Split
from hwblocks.blocks.softmax import LogSoftmax, Softmax
from hwblocks.composites.cells import Activation
from hwblocks.graph.block import Block
from hwblocks.graph.builder import Value
from hwblocks.graph.quant_rule import Preference
from hwblocks.importers.keras_graph import KerasBuilder, Rule, Use, array, block, has_block, of_one
from hwblocks.numerics.formats import Format

Curve = Callable[[Value, str], Value]


def one(make: Callable[[], Block]) -> Curve:
    """A curve that is one block."""
    return lambda x, name: x.builder.add(make(), x, name=name)


def constant(x: Value, name: str, value: float) -> Value:
    """A number as a constant."""
    return x.builder.constant(name, np.array(value, dtype=np.float32))


def log_sigmoid(x: Value, name: str) -> Value:
    """−softplus(−x)."""
    build = x.builder
    curve = build.add(Softplus(), build.add(Neg(), x, name=f"{name}.negated"), name=f"{name}.softplus")
    return build.add(Neg(), curve, name=name)


def tanh_shrink(x: Value, name: str) -> Value:
    """x − tanh x."""
    return x.builder.add(Sub(), x, x.builder.add(TanhBlock(), x, name=f"{name}.tanh"), name=name)


def squareplus(x: Value, name: str) -> Value:
    """(x + √(x² + 4)) / 2."""
    build = x.builder
    square = build.add(Square(), x, name=f"{name}.square")
    root = build.add(Sqrt(), build.add(Add(), square, constant(x, f"{name}.four", 4.0), name=f"{name}.under"))
    total = build.add(Add(), x, root, name=f"{name}.sum")
    return build.add(Mul(), total, constant(x, f"{name}.half", 0.5), name=name)


def sparse_plus(x: Value, name: str) -> Value:
    """0 below −1, (x + 1)² / 4 up to 1, x above: the square of the clipped x, and what exceeds 1."""
    build = x.builder
    clipped = build.add(Clip(-1.0, 1.0), x, name=f"{name}.clipped")
    half = build.add(Mul(), clipped, constant(x, f"{name}.half", 0.5), name=f"{name}.halved")
    shifted = build.add(Add(), half, constant(x, f"{name}.half_more", 0.5), name=f"{name}.shifted")
    above = build.add(ReLU(), build.add(Sub(), x, constant(x, f"{name}.one", 1.0), name=f"{name}.beyond"))
    return build.add(Add(), build.add(Square(), shifted, name=f"{name}.square"), above, name=name)


def glu(x: Value, name: str) -> Value:
    """First half ∘ σ(second half), along the last axis."""
    half = x.shape[-1] // 2
    first, second = x.builder.add_all(Split((half, half), -1), x, name=f"{name}.halves")
    return x.builder.add(Mul(), first, x.builder.add(Sigmoid(), second, name=f"{name}.gate"), name=name)


CURVES: dict[str, Curve] = {
    "celu": one(lambda: block("CELU", 1.0)),
    "elu": one(lambda: ELU(1.0)),
    "exponential": one(Exp),
    "gelu": one(GELU),
    "glu": glu,
    "hard_shrink": one(lambda: block("Shrink", 0.5, 0.0)),
    "hard_sigmoid": one(lambda: block("HardSigmoid", 1 / 6, 0.5)),
    "hard_silu": one(HardSwish),
    "hard_swish": one(HardSwish),
    "hard_tanh": one(lambda: Clip(-1.0, 1.0)),
    "leaky_relu": one(lambda: LeakyReLU(0.2)),
    "linear": one(Identity),
    "log_sigmoid": log_sigmoid,
    "log_softmax": one(LogSoftmax),
    "mish": one(lambda: block("Mish")),
    "relu": one(ReLU),
    "relu6": one(ReLU6),
    "selu": one(lambda: block("SELU")),
    "sigmoid": one(Sigmoid),
    "silu": one(SiLU),
    "soft_shrink": one(lambda: block("Shrink", 0.5, 0.5)),
    "softmax": one(Softmax),
    "softplus": one(Softplus),
    "softsign": one(lambda: block("Softsign")),
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": one(lambda: block("HardSigmoid", 0.5, 0.5)),
    "squareplus": squareplus,
    "swish": one(SiLU),
    "tanh": one(TanhBlock),
    "tanh_shrink": tanh_shrink,
}
NEEDS = {
    "celu": "CELU",
    "hard_shrink": "Shrink",
    "hard_sigmoid": "HardSigmoid",
    "mish": "Mish",
    "selu": "SELU",
    "soft_shrink": "Shrink",
    "softsign": "Softsign",
    "sparse_sigmoid": "HardSigmoid",
}


def curve_name(activation: Any) -> str:
    """The name of an activation function of Keras; "" for layers and functions of one's own."""
    import keras

    name = getattr(activation, "__name__", "")
    return name if name and getattr(keras.activations, name, None) is activation else ""


def refuse_curve(activation: Any) -> str:
    """Why an activation cannot be imported; "" when it can."""
    if activation is None or type(activation).__name__ in LAYERS:
        return ""
    name = curve_name(activation)
    if name not in CURVES:
        return f"activation {name or getattr(activation, '__name__', activation)!r}"
    return f"activation {name!r} needs the block {NEEDS[name]}" if not has_block(NEEDS.get(name, "ReLU")) else ""


def refuse_activation(layer: Any) -> str:
    """The same for a layer's activation."""
    return refuse_curve(getattr(layer, "activation", None))


def is_linear(activation: Any) -> bool:
    """True where an activation changes nothing."""
    return activation is None or curve_name(activation) == "linear"


def before(activation: Any, name: str) -> str:
    """The name of what goes into a layer's activation: the layer's own where nothing follows."""
    return name if is_linear(activation) else f"{name}.sums"


def activated(build: KerasBuilder, activation: Any, x: Value, name: str) -> Value:
    """x after a layer's activation, with the layer's name."""
    if is_linear(activation):
        return x
    rule = LAYERS.get(type(activation).__name__)
    if rule is not None:
        made: Value = rule.build(build, Use(activation, (x,), {}, name))
        return made
    return CURVES[curve_name(activation)](x, name)


def of_cell(activation: Any) -> Activation:
    """An activation within a recurrent cell, its output with the cell's preferred format."""

    def apply(x: Value, name: str, preference: Preference | None) -> Value:
        made = CURVES[curve_name(activation)](x, name) if not is_linear(activation) else x
        last = x.builder.nodes[-1]
        if made is not x and preference is not None:
            x.builder.nodes[-1] = last.replace(preference=preference)
        return made

    return apply


def _activation(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    if is_linear(layer.activation):
        return build.add(Identity(), x, name=name)
    return activated(build, layer.activation, x, name)


def rectified(x: Value, name: str, slope: float, limit: float | None, threshold: float) -> Value:
    """limit where x ≥ limit, x where x ≥ threshold, else slope · (x − threshold)."""
    build = x.builder
    if threshold == 0.0 and slope == 0.0:
        block: Block = ReLU() if limit is None else ReLU6() if limit == 6.0 else Clip(0.0, limit)
        return build.add(block, x, name=name)
    inner = name if limit is None else f"{name}.unlimited"
    if threshold == 0.0:
        made = build.add(LeakyReLU(slope), x, name=inner)
    else:
        made = _thresholded(x, inner, slope, threshold)
    return made if limit is None else build.add(Minimum(), made, constant(x, f"{name}.limit", limit), name=name)


def _thresholded(x: Value, name: str, slope: float, threshold: float) -> Value:
    """x where x ≥ threshold, else slope · (x − threshold)."""
    build = x.builder
    level = constant(x, f"{name}.threshold", threshold)
    above = build.add(GreaterEqual(), x, level, name=f"{name}.above", formats=(Format("bool"),))
    below = build.add(Sub(), x, level, name=f"{name}.below")
    sloped = build.add(Mul(), below, constant(x, f"{name}.slope", slope), name=f"{name}.sloped")
    return build.add(Select(), above, x, sloped, name=name)


def _relu(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    limit = None if layer.max_value is None else float(layer.max_value)
    return rectified(x, name, float(layer.negative_slope or 0.0), limit, float(layer.threshold or 0.0))


def _prelu(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    slope = array(layer.alpha)
    while slope.ndim > 1 and slope.shape[0] == 1:
        slope = slope[0]
    return build.add(PReLU(), x, build.constant(f"{name}.alpha", slope), name=name)


def _softmax(build: KerasBuilder, use: Use) -> Value:
    axis = use.layer.axis
    return build.add(Softmax(axis if isinstance(axis, int) else axis[0]), use.only, name=use.name)


def _refuse_softmax(layer: Any) -> str:
    return "" if isinstance(layer.axis, int) or len(layer.axis) == 1 else "over several axes"


def plain(make: Callable[[Any], Block]) -> Rule:
    """A layer that is one block of one tensor."""
    return Rule(of_one(lambda build, layer, x, name: build.add(make(layer), x, name=name)))


LAYERS: dict[str, Rule] = {
    "Activation": Rule(of_one(_activation), refuse_activation),
    "ELU": plain(lambda layer: ELU(float(layer.alpha))),
    "LeakyReLU": plain(lambda layer: LeakyReLU(float(layer.negative_slope))),
    "PReLU": Rule(of_one(_prelu)),
    "ReLU": Rule(of_one(_relu)),
    "Softmax": Rule(_softmax, _refuse_softmax),
}


def _operation(curve: str, **defaults: Any) -> Rule:
    """An operation of keras.ops with these attributes only."""

    def refuse(operation: Any) -> str:
        wrong = [n for n, v in defaults.items() if getattr(operation, n, v) != v]
        return f"{wrong[0]}={getattr(operation, wrong[0])}" if wrong else ""

    needs = (NEEDS[curve],) if curve in NEEDS else ()
    return Rule(lambda build, use: CURVES[curve](use.x, use.name), refuse, needs)


OPERATIONS: dict[str, Rule] = {
    "Absolute": plain(lambda operation: Abs()),
    "Elu": plain(lambda operation: ELU(float(operation.alpha))),
    "Exp": _operation("exponential"),
    "Gelu": plain(lambda operation: GELU("tanh" if operation.approximate else "none")),
    "HardSigmoid": _operation("hard_sigmoid"),
    "HardSilu": _operation("hard_silu"),
    "LeakyRelu": plain(lambda operation: LeakyReLU(float(operation.negative_slope))),
    "LogSigmoid": _operation("log_sigmoid"),
    "LogSoftmax": plain(lambda operation: LogSoftmax(operation.axis)),
    "Mish": _operation("mish"),
    "Negative": plain(lambda operation: Neg()),
    "Relu": _operation("relu"),
    "Relu6": _operation("relu6"),
    "Selu": _operation("selu"),
    "Sigmoid": _operation("sigmoid"),
    "Silu": _operation("silu"),
    "Softmax": plain(lambda operation: Softmax(operation.axis)),
    "Softplus": _operation("softplus"),
    "Softsign": _operation("softsign"),
    "Sqrt": plain(lambda operation: Sqrt()),
    "Square": plain(lambda operation: Square()),
    "Tanh": _operation("tanh"),
}
