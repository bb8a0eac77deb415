"""PyTorch operators of single elements: activations, arithmetic of two tensors, comparisons, selection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import hwblocks.blocks.activation as activation
import hwblocks.blocks.elementary as elementary
import hwblocks.blocks.elementwise as elementwise
import hwblocks.blocks.exponential as exponential
import hwblocks.blocks.logic as logic
from hwblocks.blocks.selection import Select
from hwblocks.blocks.shape import Dropout
from hwblocks.blocks.slicing import Split
from hwblocks.graph.block import Block
from hwblocks.graph.builder import Value
from hwblocks.importers.onnx_elements import operand
from hwblocks.importers.onnx_graph import FILE, LAST, Importer
from hwblocks.importers.torch_graph import Ref, Rule, TorchNode, along, block, passing, scalar, unary
from hwblocks.numerics.formats import Format

BOOL = Format("bool")


def operands(build: Importer, node: TorchNode, given: tuple[Any, ...]) -> tuple[list[Value], str]:
    """Tensors and numbers as values of one layout: channels last where one of them is and the ranks allow it."""
    names: list[str] = []
    for i, one in enumerate(given):
        names.append(str(one) if isinstance(one, Ref) else f"{node.name}.number{i}")
        if not isinstance(one, Ref):
            build.constants[names[-1]] = np.array(float(one), dtype=np.float32)
    rank = max(len(build.shape(n)) for n in names)
    running = [n for n in names if not build.is_constant(n)]
    last = any(build.has_last(n) for n in running) and all(len(build.shape(n)) == rank for n in running)
    layout = LAST if last and rank > 2 else FILE
    return [operand(build, n, layout, rank) for n in names], layout


def _pair(cls: Callable[[], Block], *names: str, swapped: bool = False) -> Rule:
    """An operator of two tensors; `alpha` scales the second one."""

    def build_pair(build: Importer, node: TorchNode) -> None:
        first, second = (node.given[n] for n in names or ("self", "other"))
        values, layout = operands(build, node, (second, first) if swapped else (first, second))
        alpha = node.get("alpha", 1)
        if alpha != 1:
            at = 0 if swapped else 1
            factor = scalar(build, node, "alpha", alpha)
            values[at] = build.add(node, elementwise.Mul(), [values[at], factor], layout, part="scaled")
        build.add(node, cls(), values, layout)

    return Rule(build_pair)


def _divide(build: Importer, node: TorchNode) -> None:
    values, layout = operands(build, node, (node.given["self"], node.given["other"]))
    build.add(node, elementary.FloorDiv() if node.get("rounding_mode") else elementwise.Div(), values, layout)


def _refuse_divide(node: TorchNode) -> str:
    mode = node.get("rounding_mode")
    return "" if mode in (None, "floor") else f"rounding_mode={mode}"


def _compare(cls: Callable[[], Block]) -> Rule:
    def build_compare(build: Importer, node: TorchNode) -> None:
        values, layout = operands(build, node, (node.given["self"], node.given["other"]))
        build.add(node, cls(), values, layout, formats=(BOOL,))

    return Rule(build_compare)


def _select(build: Importer, node: TorchNode, condition: Any, a: Any, b: Any) -> None:
    if build.is_constant(condition):
        name = f"{node.name}.condition"
        chosen = build.builder.constant(name, build.constant(condition).astype(bool), BOOL)
        values, _ = operands(build, node, (a, b))
        values = [build.value(one) if isinstance(one, Ref) else v for one, v in zip((a, b), values, strict=True)]
        build.add(node, Select(), [chosen, *values])
        return
    values, layout = operands(build, node, (condition, a, b))
    build.add(node, Select(), values, layout)


def _where(build: Importer, node: TorchNode) -> None:
    _select(build, node, node.given["condition"], node.given["self"], node.given["other"])


def _masked_fill(build: Importer, node: TorchNode) -> None:
    _select(build, node, node.given["mask"], node.given["value"], node.given["self"])


def _clamp(build: Importer, node: TorchNode) -> None:
    low, high = (
        float(node.get("min", node.get("min_val", -np.inf))),
        float(node.get("max", node.get("max_val", np.inf))),
    )
    x, layout = passing(build, node.x)
    build.add(node, activation.ReLU6() if (low, high) == (0.0, 6.0) else activation.Clip(low, high), [x], layout)


def _power(build: Importer, node: TorchNode) -> None:
    exponent = node.given["exponent"]
    if isinstance(exponent, Ref) or isinstance(node.given["self"], (int, float)):
        values, layout = operands(build, node, (node.given["self"], exponent))
        build.add(node, elementary.Pow(), values, layout)
        return
    x, layout = passing(build, node.x)
    known = {2.0: activation.Square, 0.5: activation.Sqrt, -1.0: activation.Reciprocal, -0.5: activation.Rsqrt}
    if float(exponent) in known:
        build.add(node, known[float(exponent)](), [x], layout)
        return
    build.add(node, elementary.Pow(), [x, scalar(build, node, "exponent", exponent)], layout)


def _softplus(build: Importer, node: TorchNode) -> None:
    """log(1 + e^(beta · x)) / beta."""
    x, layout = passing(build, node.x)
    beta = float(node.get("beta", 1.0))
    if beta == 1.0:
        build.add(node, exponential.Softplus(), [x], layout)
        return
    inner = build.add(node, elementwise.Mul(), [x, scalar(build, node, "beta", beta)], layout, part="scaled")
    curve = build.add(node, exponential.Softplus(), [inner], layout, part="curve")
    build.add(node, elementwise.Mul(), [curve, scalar(build, node, "share", 1 / beta)], layout)


def _refuse_elu(node: TorchNode) -> str:
    return "" if node.get("scale", 1) == node.get("input_scale", 1) == 1 else "with scales"


def _log_sigmoid(build: Importer, node: TorchNode) -> None:
    """−softplus(−x)."""
    x, layout = passing(build, node.x)
    turned = build.add(node, activation.Neg(), [x], layout, part="negated")
    curve = build.add(node, exponential.Softplus(), [turned], layout, part="curve")
    build.add(node, activation.Neg(), [curve], layout)


def _glu(build: Importer, node: TorchNode) -> None:
    x, layout, dim = along(build, node, int(node.get("dim", -1)))
    half = x.shape[dim] // 2
    first, second = build.builder.add_all(Split((half, half), dim), x, name=f"{node.name}.halves")
    gate = build.add(node, activation.Sigmoid(), [second], layout, part="gate")
    build.add(node, elementwise.Mul(), [first, gate], layout)


def _prelu(build: Importer, node: TorchNode) -> None:
    name = node.given["self"]
    last = len(build.shape(name)) > 2
    slope = build.constant(node.given["weight"]).astype(np.float32)
    x = build.value(name, LAST if last else FILE)
    values = build.builder.constant(node.given["weight"], slope)
    build.add(node, activation.PReLU(), [x, values], LAST if last else FILE)


def _same(build: Importer, node: TorchNode) -> None:
    """A tensor as it is, or as floats."""
    x, layout = passing(build, node.x)
    build.alias(node, x, layout)


def _refuse_conversion(node: TorchNode) -> str:
    dtype = str(node.get("dtype", "torch.float32"))
    return "" if dtype in ("torch.float32", "torch.float64") else f"to {dtype}"


def _dropout(build: Importer, node: TorchNode) -> None:
    x, layout = passing(build, node.x)
    build.add(node, Dropout(float(node.get("p", 0.5))), [x], layout)


def _refuse_dropout(node: TorchNode) -> str:
    return "in training mode" if node.get("train", False) else ""


RULES: dict[str, Rule] = {
    **dict.fromkeys(("alias", "clone", "contiguous", "detach", "lift_fresh_copy"), Rule(_same)),
    **dict.fromkeys(("to", "_to_copy", "type_as"), Rule(_same, _refuse_conversion)),
    **dict.fromkeys(("alpha_dropout", "dropout", "feature_dropout"), Rule(_dropout, _refuse_dropout)),
    "abs": unary(lambda node: activation.Abs()),
    "add": _pair(elementwise.Add),
    "ceil": unary(lambda node: elementary.Ceil()),
    "celu": unary(lambda node: block("CELU", float(node.get("alpha", 1.0))), "CELU"),
    "clamp": Rule(_clamp),
    "clamp_min": Rule(_clamp),
    "cos": unary(lambda node: elementary.Cos()),
    "div": Rule(_divide, _refuse_divide),
    "elu": Rule(unary(lambda node: exponential.ELU(float(node.get("alpha", 1.0)))).build, _refuse_elu),
    "eq": _compare(logic.Equal),
    "erf": unary(lambda node: exponential.Erf()),
    "exp": unary(lambda node: exponential.Exp()),
    "floor": unary(lambda node: elementary.Floor()),
    "ge": _compare(logic.GreaterEqual),
    "gelu": unary(lambda node: exponential.GELU(node.get("approximate", "none"))),
    "glu": Rule(_glu),
    "gt": _compare(logic.Greater),
    "hardshrink": unary(lambda node: block("Shrink", float(node.get("lambd", 0.5)), 0.0), "Shrink"),
    "hardsigmoid": unary(lambda node: block("HardSigmoid", 1 / 6, 0.5), "HardSigmoid"),
    "hardswish": unary(lambda node: activation.HardSwish()),
    "hardtanh": Rule(_clamp),
    "le": _compare(logic.LessEqual),
    "leaky_relu": unary(lambda node: activation.LeakyReLU(float(node.get("negative_slope", 0.01)))),
    "log": unary(lambda node: exponential.Log()),
    "log_sigmoid": Rule(_log_sigmoid),
    "lt": _compare(logic.Less),
    "masked_fill": Rule(_masked_fill),
    "maximum": _pair(elementwise.Maximum),
    "minimum": _pair(elementwise.Minimum),
    "mish": unary(lambda node: block("Mish"), "Mish"),
    "mul": _pair(elementwise.Mul),
    "ne": _compare(logic.NotEqual),
    "neg": unary(lambda node: activation.Neg()),
    "pow": Rule(_power),
    "prelu": Rule(_prelu),
    "reciprocal": unary(lambda node: activation.Reciprocal()),
    "relu": unary(lambda node: activation.ReLU()),
    "relu6": unary(lambda node: activation.ReLU6()),
    "rsqrt": unary(lambda node: activation.Rsqrt()),
    "rsub": _pair(elementwise.Sub, swapped=True),
    "selu": unary(lambda node: block("SELU"), "SELU"),
    "sigmoid": unary(lambda node: activation.Sigmoid()),
    "sign": unary(lambda node: block("Sign"), "Sign"),
    "silu": unary(lambda node: exponential.SiLU()),
    "sin": unary(lambda node: elementary.Sin()),
    "softplus": Rule(_softplus),
    "softshrink": unary(lambda node: block("Shrink", *(float(node.get("lambd", 0.5)),) * 2), "Shrink"),
    "softsign": unary(lambda node: block("Softsign"), "Softsign"),
    "sqrt": unary(lambda node: activation.Sqrt()),
    "square": unary(lambda node: activation.Square()),
    "sub": _pair(elementwise.Sub),
    "tanh": unary(lambda node: activation.Tanh()),
    "where": Rule(_where),
}
