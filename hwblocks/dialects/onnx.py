"""onnx: the formulas of the ONNX standard, as its reference evaluator computes them.

Source: onnx 1.23.2 `onnx/reference/ops` (integer products in binary64, the zero point before rounding).
"""

from __future__ import annotations

from hwblocks.graph.dialect import Dialect, Rule
from hwblocks.graph.site import Site
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.requantize import Requantize

ACCUMULATOR = Accumulator("int32 wrap")
INSIDE = Requantize.parse("float64 half_even zero_point=inside scale_precision=float32")


def layer(site: Site) -> Arithmetic | str | None:
    """Sums in 32 bits, one binary64 multiplication, the zero point added before rounding."""
    return Arithmetic(requantize=INSIDE, accumulator=ACCUMULATOR)


def stated(site: Site) -> Arithmetic | str | None:
    """The block's own formula."""
    return Arithmetic()


def quantize(site: Site) -> Arithmetic | str | None:
    """Divided, half to even, the zero point afterwards; NaN becomes the lowest code."""
    return Arithmetic(edge=EdgeRule(nan="lowest_nan"))


OWN = (
    *("Dequantize", "Relabel", "Rescale", "Add", "Sub", "Mul", "Sigmoid", "Tanh", "LeakyReLU", "Softmax"),
    *("GlobalAvgPool", "AvgPool1d", "AvgPool2d", "ReLU", "ReLU6", "Clip", "ArgMax", "ArgMin"),
)
RULES: dict[str, Rule] = {
    **dict.fromkeys(("Conv1d", "Conv2d", "Linear", "MatMul"), layer),
    **dict.fromkeys(OWN, stated),
    "Quantize": quantize,
}

DIALECT = Dialect(
    name="onnx",
    runtime="the ONNX standard's reference evaluator",
    version="onnx 1.23.2",
    summary="QLinear layers in binary64, zero point before rounding",
    rules=RULES,
)
