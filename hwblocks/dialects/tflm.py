"""tflm: TFLite-Micro's reference kernels, which most microcontroller and NPU vendors match.

Source: tensorflow/tflite-micro @90b983c, `tensorflow/lite/micro/kernels`. Where the source multiplies and divides
scales as floats, the package computes in float64, as SUB, ABS, RELU, RSQRT, and FULLY_CONNECTED and LSTM of 16 bits
show; of SVDF thousands of random cases told no difference, so it stays as the source has it.
"""

from __future__ import annotations

from typing import Any

from hwblocks.dialects import litert_ref
from hwblocks.dialects.litert_ref import (
    bits,
    fixed,
    has_narrow_bias,
    is_hybrid,
    is_uint8,
    record,
    sums,
)
from hwblocks.graph.dialect import Dialect, Rule
from hwblocks.graph.site import Site
from hwblocks.numerics.arithmetic import Arithmetic


def convolution(site: Site) -> Arithmetic | str | None:
    """Double rounding; neither uint8 nor hybrid layers."""
    return refused(site) or sums(site, "double_round")


def transposed(site: Site) -> Arithmetic | str | None:
    """As other convolutions; a 32-bit bias of 16-bit activations is read as if it had 64 bits."""
    if has_narrow_bias(site) and bits(site) > 8:
        return "a 32-bit bias with 16-bit activations is read as 64 bits"
    return convolution(site)


def linear(site: Site) -> Arithmetic | str | None:
    """Double rounding at 8 bits, a 15-bit multiplier at 16."""
    return refused(site) or sums(site, "double_round", "q16")


def refused(site: Site) -> str:
    """Why the runtime does not take a layer, or ""."""
    if is_hybrid(site):
        return "hybrid layers (integer weights, float activations) are not supported"
    return "uint8 activations are not supported" if is_uint8(site) else ""


def logistic(site: Site) -> Arithmetic | str | None:
    """gemmlowp's polynomials at 8 bits, the interpolated table at 16."""
    return record(algorithm="gemmlowp" if bits(site) == 8 else "sigmoid_table")


def softmax(site: Site) -> Arithmetic | str | None:
    """Fixed point at 8 bits, tables built in float32 at 16."""
    if bits(site) == 8:
        return record(algorithm="gemmlowp")
    return record(algorithm="midpoint_table", table="float32")


def missing(site: Site) -> Arithmetic | str | None:
    """Operators that the runtime lacks."""
    return f"{site.node.type_name} is not among its kernels"


def space_to_batch(site: Site) -> Arithmetic | str | None:
    """Moves codes; its padding is a parameter of the kernel that nothing sets (`space_to_batch_nd.cc`)."""
    padded = any(map(any, getattr(site.node.block, "pads", ())))
    return "pads with memory that it never sets" if padded else None


def sliced(site: Site) -> Arithmetic | str | None:
    """Moves codes; two masks of STRIDED_SLICE are not looked at (`strided_slice_common.cc`)."""
    return "ignores ellipsis_mask and new_axis_mask" if "unread_masks" in site.node.attributes else None


def lstm(site: Site) -> Arithmetic | str | None:
    """Plain gates by tables; no other forms."""
    block: Any = site.node.block
    if block.coupled or block.peephole or block.projection or block.layer_norm:
        return "coupled gates, peepholes, projections and layer norm are not supported"
    return record("double_round", algorithm="table_gates")


RULES: dict[str, Rule] = {
    "Conv1d": convolution,
    "Conv2d": convolution,
    "ConvTranspose1d": transposed,
    "ConvTranspose2d": transposed,
    "Linear": linear,
    "MatMul": linear,
    "Add": fixed("double_round", algorithm="aligned_sum"),
    "Sub": fixed("double_round", algorithm="aligned_sum"),
    "Abs": fixed("double_round", algorithm="rescaled_magnitude"),
    "Mul": fixed("double_round", algorithm="scaled_product"),
    "ReLU": fixed("double_round", algorithm="rescale"),
    "ReLU6": fixed(algorithm="clamp_codes"),
    "LeakyReLU": fixed("double_round", algorithm="two_slopes"),
    "PReLU": fixed("double_round", algorithm="two_slopes"),
    "Sigmoid": logistic,
    "Slice": sliced,
    "SpaceToBatch": space_to_batch,
    "Tanh": logistic,
    "ELU": fixed(algorithm="float_table"),
    "GELU": missing,
    "Rsqrt": fixed("double_round", algorithm="gemmlowp"),
    "ReduceSum": fixed("double_round", algorithm="rescaled_sum"),
    "Softmax": softmax,
    "SequenceLSTM": lstm,
    "SVDF": fixed("double_round scale_precision=float32", algorithm="any_state"),
}

DIALECT = Dialect(
    name="tflm",
    runtime="TFLite-Micro reference kernels",
    version="tflite-micro 0.dev20261023182759",
    summary="double rounding everywhere; logistic and tanh by gemmlowp polynomials",
    base=litert_ref.DIALECT,
    rules=RULES,
)
