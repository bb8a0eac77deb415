"""hls: ap_fixed everywhere, with its defaults: products exact, every assignment truncates and wraps.

Source: Xilinx/HLS_arbitrary_Precision_Types 200a9ae (AP_TRN, AP_WRAP).
"""

from __future__ import annotations

from hwblocks.graph.dialect import Dialect, Rule
from hwblocks.graph.site import Site
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.overflow import Overflow
from hwblocks.numerics.requantize import Requantize
from hwblocks.numerics.rounding import Rounding

WRAP = Overflow("wrap")
FLOOR = EdgeRule.parse("floor")


def fixed_point(site: Site) -> str:
    """Why a site is not ap_fixed, or ""."""
    for tensor in (*site.present, site.output):
        if tensor.format.is_quantized and not tensor.format.is_fixed_point:
            return f"tensor {tensor.name!r} is {tensor.format!r}, no power-of-two scale with zero point 0"
    return ""


def layer(site: Site) -> Arithmetic | str | None:
    """Exact sums, then truncated and wrapped to the output type."""
    return fixed_point(site) or Arithmetic(
        rounding=Rounding.FLOOR,
        overflow=WRAP,
        requantize=Requantize.parse("shift floor"),
        accumulator=Accumulator("int64 wrap"),
        edge=FLOOR,
    )


def assigned(site: Site) -> Arithmetic | str | None:
    """The exact value, truncated and wrapped."""
    return fixed_point(site) or Arithmetic(rounding=Rounding.FLOOR, overflow=WRAP, edge=FLOOR)


ELEMENTS = (
    *("Quantize", "Dequantize", "Rescale", "Add", "Sub", "Mul", "Div", "Maximum", "Minimum", "SquaredDifference"),
    *("ReLU", "ReLU6", "Clip", "LeakyReLU", "PReLU", "Sigmoid", "Tanh", "HardSwish", "ELU", "GELU", "Exp", "Log"),
    *("Rsqrt", "Sqrt", "Abs", "Neg", "Square", "Softmax", "GlobalAvgPool", "AvgPool1d", "AvgPool2d", "ReduceMean"),
    *("ReduceSum", "ArgMax", "ArgMin"),
)
RULES: dict[str, Rule] = {
    **dict.fromkeys(("Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d", "Linear", "MatMul", "Weight"), layer),
    **dict.fromkeys(ELEMENTS, assigned),
}

DIALECT = Dialect(
    name="hls",
    runtime="ap_fixed of Vitis HLS",
    version="HLS_arbitrary_Precision_Types 200a9ae",
    summary="power-of-two formats, truncation and wrapping at every assignment",
    rules=RULES,
)
