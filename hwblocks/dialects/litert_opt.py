"""litert-opt: LiteRT's optimised kernels on x86 without a delegate (ruy, and NEON code run through SSE).

Source: google-ai-edge/LiteRT @f674577, `tflite/kernels/internal/optimized`.
"""

from __future__ import annotations

from math import prod
from typing import Any

from hwblocks.dialects import litert_ref
from hwblocks.dialects.litert_ref import (
    ACCUMULATOR_32,
    RESCALE_32,
    bits,
    fixed,
    hybrid,
    is_hybrid,
    is_uint8,
    product_precision,
    record,
    sums,
)
from hwblocks.graph.dialect import Dialect, Rule
from hwblocks.graph.rows import Rows, rows_of
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.formats import Format
from hwblocks.numerics.interpolation import power_of_two
from hwblocks.numerics.requantize import Requantize

SIXTEEN_BITS = 1 << 15
LAYER_LANES, FLAT_LANES, RESCALE_LANES, EDGE_LANES = 8, 16, 16, 8
DOUBLE_ROUND = Requantize.preset("double_round")


def convolution(site: Site) -> Arithmetic | str | None:
    """Ties up in the last step at 8 bits; grouped convolutions run the reference kernel."""
    if is_hybrid(site):
        return hybrid(site)
    if is_grouped(site):
        return litert_ref.convolution(site)
    scheme = "double_round_up" + (product_precision(site) if is_uint8(site) else "")
    if is_depthwise(site) and is_uint8(site):
        return litert_ref.convolution(site)
    if is_depthwise(site):
        return sums(site, scheme, tail=DOUBLE_ROUND, lanes=LAYER_LANES)
    return sums(site, scheme)


def is_grouped(site: Site) -> bool:
    """True for a CONV_2D of several groups (a DEPTHWISE_CONV_2D is none)."""
    block: Any = site.node.block
    return bool(block.groups > 1 and not is_depthwise(site))


def is_depthwise(site: Site) -> bool:
    """True for a DEPTHWISE_CONV_2D, also of one input channel."""
    return site.node.attributes.get("operator") == "DEPTHWISE_CONV_2D"


def transposed(site: Site) -> Arithmetic | str | None:
    """Ties up for whole groups of eight channels (unsigned: of 16 outputs), away from zero for the rest."""
    if is_hybrid(site):
        return hybrid(site)
    if is_uint8(site):
        scheme = "double_round_up scale_precision=product32"
        return record(scheme, algorithm="flat_lanes", tail=DOUBLE_ROUND, lanes=FLAT_LANES)
    return sums(site, "double_round_up", tail=DOUBLE_ROUND, lanes=LAYER_LANES)


def linear(site: Site) -> Arithmetic | str | None:
    """Ties up at 8 bits and without a 64-bit bias, else one float64 multiplication."""
    if is_hybrid(site):
        return hybrid(site)
    scheme = "double_round_up" + product_precision(site)
    return sums(site, scheme, "float64") if site.has(2) else record(scheme, accumulator=ACCUMULATOR_32)


def logistic(accepted: tuple[int, ...]) -> Rule:
    """A float table at 8 bits; at 16 gemmlowp for accepted powers of two (of scale · 2**12), else the table."""

    def rule(site: Site) -> Arithmetic | str | None:
        if bits(site) == 8:
            return record(algorithm="float_table")
        scale: Any = site.input(0).format.scale
        power = power_of_two(scale)
        exact = power is not None and 12 + power in accepted
        return record(algorithm="gemmlowp16" if exact else "sigmoid_table")

    return rule


def softmax(site: Site) -> Arithmetic | str | None:
    """A float table at 8 bits, 16-bit tables built in float64."""
    if bits(site) == 8:
        return record(algorithm="float_table")
    return record(algorithm="midpoint_table", table="float64")


def mean(site: Site) -> Arithmetic | str | None:
    """8-bit means over height and width have a kernel of their own."""
    block: Any = site.node.block
    rank = len(site.input(0).shape)
    spatial = rank == 4 and sorted(d % rank for d in block.dims) == [1, 2] and block.keepdim
    if bits(site) == 8 and spatial:
        return record(algorithm="spatial_mean")
    return record("double_round", algorithm="folded_mean")


def product(site: Site) -> Arithmetic | str | None:
    """Axes of one element are copied, the rest multiplied as by the reference."""
    block: Any = site.node.block
    shape = site.input(0).shape
    if all(shape[d] == 1 for d in block.dims):
        return record(algorithm="kept_codes")
    return litert_ref.RULES["ReduceProd"](site)


def rescale(site: Site) -> Arithmetic | str | None:
    """8 bits to 8 bits in vectors of 16, ties up; the rest, other widths, and concatenations as the reference."""
    if site.node.attributes.get("operator") == "CONCATENATION":
        return litert_ref.rescale(site)
    if bits(site) == 8 and site.output.format.bits == 8:
        return record("double_round_up", algorithm="rescale", tail=DOUBLE_ROUND, lanes=RESCALE_LANES)
    return litert_ref.rescale(site)


def add(site: Site) -> Arithmetic | str | None:
    """Vectors of 8 or 16 elements in each row; broadcast 16-bit codes, and power-of-two scales, as the reference."""
    rows, plain = rows_of(site.input(0).shape, site.input(1).shape), litert_ref.add(site)
    shifted = isinstance(plain, Arithmetic) and plain.algorithm == "shifted_sum"
    if rows is None or shifted or (bits(site) > 8 and rows != Rows(site.output.elements)):
        return plain
    lanes = 8 if is_uint8(site) or rows.repeated else 16
    return record("double_round", algorithm="vector_sum", lanes=lanes)


def multiply(site: Site) -> Arithmetic | str | None:
    """As the reference, but for 8-bit products that leave the 16 bits which they pass in vectors."""
    rows, y = rows_of(site.input(0).shape, site.input(1).shape), site.output.format
    scale: Any = y.scale
    steps = prod(largest_real(site.input(i).format) for i in (0, 1)) / scale
    if rows is None or bits(site) > 8 or steps + y.hi - y.lo < SIXTEEN_BITS:
        return litert_ref.RULES["Mul"](site)
    return record(RESCALE_32, algorithm="vector_product", lanes=8 if is_uint8(site) else 16)


def largest_real(format: Format) -> float:
    """The largest magnitude that the codes of a format stand for."""
    zero, scale = scalar_zero_point(format), scalar_scale(format)
    return scale * max(format.hi - zero, zero - format.lo)


def resized(site: Site) -> Arithmetic | str | None:
    """Weights of ten bits; unsigned codes in float32, products of weights first."""
    return record(algorithm="weights_first") if is_uint8(site) else litert_ref.resized(site)


def quantize(site: Site) -> Arithmetic | str | None:
    """Vectors of 8 times the reciprocal, half to even; the rest divided in float64, ties away."""
    edge, tail = EdgeRule.parse("reciprocal half_even wrap_far"), EdgeRule.parse("divide64 half_away wrap_far")
    return Arithmetic(edge=edge, tail_edge=tail, lanes=EDGE_LANES)


def dequantize(site: Site) -> Arithmetic | str | None:
    """Vectors of 8 multiply and add; the rest subtract first."""
    edge, tail = EdgeRule.parse("half_away affine"), EdgeRule.parse("half_away")
    return Arithmetic(edge=edge, tail_edge=tail, lanes=EDGE_LANES)


RULES: dict[str, Rule] = {
    "Add": add,
    "Mul": multiply,
    "Quantize": quantize,
    "Dequantize": dequantize,
    "Rescale": rescale,
    "Conv1d": convolution,
    "Conv2d": convolution,
    "ConvTranspose1d": transposed,
    "ConvTranspose2d": transposed,
    "Linear": linear,
    "Sigmoid": logistic((0,)),
    "Tanh": logistic((0, 1)),
    "ELU": fixed(algorithm="float_table"),
    "Softmax": softmax,
    "ReduceMean": mean,
    "LogSoftmax": fixed(algorithm="float_table"),
    "ReduceSum": fixed(algorithm="float_sum"),
    "ReduceProd": product,
    "ResizeBilinear": resized,
}

DIALECT = Dialect(
    name="litert-opt",
    runtime="LiteRT optimised kernels, x86, no delegate",
    version="ai-edge-litert 2.3.0",
    summary="ties up in the second rounding of layers; float table for 8-bit softmax",
    base=litert_ref.DIALECT,
    rules=RULES,
)
