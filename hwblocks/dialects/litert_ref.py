"""litert-ref: LiteRT's reference kernels on the desktop (BUILTIN_REF).

Source: google-ai-edge/LiteRT @f674577, `tflite/kernels` and `kernels/internal/reference`.
"""

from __future__ import annotations

from typing import Any

from hwblocks.graph.dialect import Dialect, Rule
from hwblocks.graph.site import Site
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.requantize import Requantize

EDGE = EdgeRule.parse("divide half_away wrap_far")
ACCUMULATOR_32, ACCUMULATOR_64 = Accumulator("int32 wrap"), Accumulator("int64 wrap")


def record(requantize: str | None = None, **more: Any) -> Arithmetic:
    """An arithmetic with TFLite's edge rule."""
    return Arithmetic(requantize=Requantize.parse(requantize) if requantize else None, edge=EDGE, **more)


def fixed(requantize: str | None = None, **more: Any) -> Rule:
    """A rule that is the same for every site."""
    made = record(requantize, **more)
    return lambda site: made


def bits(site: Site) -> int:
    """Width of the first input."""
    return site.input(0).format.bits


def is_uint8(site: Site) -> bool:
    """True for the older unsigned quantization."""
    return not site.input(0).format.signed


def is_hybrid(site: Site) -> bool:
    """True for integer weights under float activations."""
    return site.input(0).format.is_float


def has_narrow_bias(site: Site) -> bool:
    """True for 16-bit activations with a 32-bit bias: their sums are 32 bits wide."""
    return site.has(2) and site.input(2).format.bits == 32


def sums(site: Site, eight_bits: str, sixteen_bits: str = "q16", **more: Any) -> Arithmetic:
    """The arithmetic of a sum of products, by the width of its activations."""
    if bits(site) == 8 or has_narrow_bias(site):
        return record(eight_bits, accumulator=ACCUMULATOR_32, **more)
    return record(sixteen_bits, accumulator=ACCUMULATOR_64)


def product_precision(site: Site) -> str:
    """The effective scale's precision of layers with one weight scale: the product in float32."""
    return "" if isinstance(site.input(1).format.scale, tuple) else " scale_precision=product32"


def hybrid(site: Site) -> Arithmetic:
    """Integer weights under float activations: dynamic quantization of each row."""
    return record(algorithm="hybrid")


def convolution(site: Site) -> Arithmetic | str | None:
    """Double rounding; uint8 computes its scale product in float32."""
    if is_hybrid(site):
        return hybrid(site)
    return sums(site, "double_round" + (product_precision(site) if is_uint8(site) else ""))


def linear(site: Site) -> Arithmetic | str | None:
    """One float64 multiplication, ties away from zero, for every width."""
    if is_hybrid(site):
        return hybrid(site)
    return sums(site, "float64", "float64")


def matmul(site: Site) -> Arithmetic | str | None:
    """Double rounding, the scale product in float32."""
    if is_hybrid(site):
        return hybrid(site)
    if isinstance(site.input(1).format.scale, tuple):
        return record(algorithm="no_scale")
    return sums(site, "double_round scale_precision=product32", "q16 scale_precision=product32")


def lstm(site: Site) -> Arithmetic | str | None:
    """Gates of 8-bit activations."""
    if bits(site) != 8:
        return "16-bit activations are not supported; tflm has them"
    return record("double_round", algorithm="integer_gates")


def add(site: Site) -> Arithmetic | str | None:
    """Both operands aligned; power-of-two 16-bit scales are shifted where the model asks for it."""
    if site.node.attributes.get("pot_scale_int16") == "1" and has_power_scales(site):
        return record(algorithm="shifted_sum")
    return record("double_round", algorithm="aligned_sum")


def has_power_scales(site: Site) -> bool:
    """True when all three formats are fixed point."""
    return all(t.format.is_fixed_point for t in (*site.present, site.output))


def logistic(site: Site) -> Arithmetic | str | None:
    """A float table at 8 bits, the interpolated table at 16."""
    return record(algorithm="float_table" if bits(site) == 8 else "sigmoid_table")


def curve(site: Site) -> Arithmetic | str | None:
    """A float table at 8 bits, 513 entries at 16."""
    return record(algorithm="float_table" if bits(site) == 8 else "midpoint_table")


def softmax(site: Site) -> Arithmetic | str | None:
    """Fixed point at 8 bits, tables built in float64 at 16."""
    if bits(site) == 8:
        return record(algorithm="gemmlowp")
    return record(algorithm="midpoint_table", table="float64")


def mean(site: Site) -> Arithmetic | str | None:
    """1 / n folded into the multiplier."""
    return record("double_round", algorithm="folded_mean")


def not_in_reference(site: Site) -> Arithmetic | str | None:
    """Operators without a reference kernel."""
    return f"{site.node.type_name} is not among the reference kernels"


def rescale(site: Site) -> Arithmetic | str | None:
    """Changes of format, exact where only the zero point moves; parts of a concatenation in float32."""
    if site.node.attributes.get("operator") == "CONCATENATION":
        return record(algorithm="float_affine")
    return record("double_round", algorithm="rescale")


def rsqrt(site: Site) -> Arithmetic | str | None:
    """Newton steps on integers at 8 bits, 513 entries at 16."""
    return record(RESCALE_32, algorithm="gemmlowp") if bits(site) == 8 else record(algorithm="midpoint_table")


def total(site: Site) -> Arithmetic | str | None:
    """Bytes are summed, whatever the width: 16-bit sums are left half unwritten."""
    if bits(site) > 8:
        return "16-bit sums are read and written as bytes, half of them not at all"
    return record("double_round", algorithm="unsigned_sum")


def resized(site: Site) -> Arithmetic | str | None:
    """Weights of ten bits; unsigned codes in float32."""
    return record(algorithm="pixels_first" if is_uint8(site) else "ten_bit_weights")


RESCALE_32 = "double_round scale_precision=float32"
COMPARISON = fixed("double_round", algorithm="scaled_comparison")
RULES: dict[str, Rule] = {
    "Quantize": fixed(),
    "Dequantize": fixed(),
    "Rescale": rescale,
    "Conv1d": convolution,
    "Conv2d": convolution,
    "ConvTranspose1d": convolution,
    "ConvTranspose2d": convolution,
    "Linear": linear,
    "MatMul": matmul,
    "Add": add,
    "Sub": add,
    "Mul": fixed("double_round scale_precision=float32", algorithm="scaled_product"),
    "Div": fixed("double_round", algorithm="reciprocal_quotient"),
    "SquaredDifference": fixed("double_round", algorithm="aligned_square"),
    "Maximum": fixed(),
    "Minimum": fixed(),
    "ReLU": fixed(RESCALE_32, algorithm="rescale"),
    "ReLU6": fixed(RESCALE_32, algorithm="rescale"),
    "Clip": fixed(RESCALE_32, algorithm="rescale"),
    "LeakyReLU": fixed(RESCALE_32, algorithm="two_slopes"),
    "PReLU": fixed(RESCALE_32, algorithm="two_slopes"),
    "HardSwish": fixed(algorithm="hard_swish16"),
    "Sigmoid": logistic,
    "Tanh": logistic,
    "ELU": not_in_reference,
    "GELU": curve,
    "Exp": curve,
    "Log": curve,
    "Rsqrt": rsqrt,
    "Sqrt": fixed(algorithm="truncated_root"),
    "Abs": fixed(RESCALE_32, algorithm="rescaled_magnitude"),
    "Neg": fixed(algorithm="negated_codes"),
    "Softmax": softmax,
    "LogSoftmax": fixed(algorithm="gemmlowp"),
    "AvgPool1d": fixed(algorithm="truncated_average"),
    "AvgPool2d": fixed(algorithm="truncated_average"),
    "ReduceMean": mean,
    "GlobalAvgPool": mean,
    "ReduceSum": total,
    "ReduceProd": fixed("q16", algorithm="rescaled_product"),
    "ArgMax": fixed(),
    "ArgMin": fixed(),
    "ConvertType": fixed(),
    **dict.fromkeys(("Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual"), COMPARISON),
    "L2Norm": fixed("double_round", algorithm="integer_root"),
    "ResizeBilinear": resized,
    "SequenceLSTM": lstm,
    "SVDF": fixed("double_round scale_precision=float32", algorithm="int16_state"),
}

DIALECT = Dialect(
    name="litert-ref",
    runtime="LiteRT reference kernels",
    version="ai-edge-litert 2.3.0",
    summary="double rounding; fully connected by one float64 multiplication",
    rules=RULES,
)
