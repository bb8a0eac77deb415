"""Quantizers that stay in float, as QONNX and Brevitas write them: Quant, BipolarQuant, Trunc, FloatQuant.

All arithmetic is float32.
Source: fastmachinelearning/qonnx, `src/qonnx/custom_op/general`; restated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.errors import ShapeError
from hwblocks.graph.block import Algorithm, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.rounding import Rounding, round_real

# QONNX names rounding modes by its own words; HALF_UP rounds ties away from zero, HALF_DOWN toward zero.
MODES = {
    "ROUND": Rounding.HALF_EVEN,
    "HALF_EVEN": Rounding.HALF_EVEN,
    "CEIL": Rounding.CEIL,
    "FLOOR": Rounding.FLOOR,
    "UP": Rounding.AWAY,
    "DOWN": Rounding.TO_ZERO,
    "HALF_UP": Rounding.HALF_AWAY,
    "HALF_DOWN": Rounding.HALF_TO_ZERO,
}


def code_limits(bits: float, signed: bool, narrow: bool) -> tuple[float, float]:
    """(lowest, highest) code of a width."""
    if signed:
        return -(2.0 ** (bits - 1)) + narrow, 2.0 ** (bits - 1) - 1
    return 0.0, 2.0**bits - 1 - narrow


def rounded(v: Array, mode: str) -> Array:
    """float32 values rounded by a QONNX mode."""
    return np.asarray(round_real(v.astype(np.float64), MODES[mode.upper()]), dtype=np.float32)


def single(*arrays: Any) -> list[Array]:
    """Arrays in float32."""
    return [np.asarray(a, dtype=np.float32) for a in arrays]


class Quantizer(Algorithm, abstract=True):
    """A float function whose values lie on a grid; the scale and its companions broadcast to x."""

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "parameter"), output="float")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        for other in shapes[1:]:
            if size(other) != 1 and np.broadcast_shapes(x, other) != tuple(x):
                raise self.fail("scale and zero point must broadcast to x", *shapes)
        return (x,)

    def work(self, *shapes: Shape) -> Work:
        return Work(divisions=size(shapes[0]))


def checked_mode(name: str, mode: str) -> None:
    """Raise ShapeError for a rounding mode that QONNX does not have."""
    if mode.upper() not in MODES:
        raise ShapeError(f"{name}: rounding_mode {mode!r} is not one of {', '.join(MODES)}")


@dataclass(frozen=True)
class Quant(Quantizer):
    """y = (round(clamp(x / scale + zero, lowest, highest)) − zero) · scale. Source: QONNX IntQuant (Quant).

    inputs x, scale, zero, bits; the zero point is added before rounding. 1 bit signed: +1 for v ≥ 0, else −1.

    >>> float(Quant()(np.array([0.7]), np.array(0.5), np.array(0.0), np.array(4.0))[0])
    0.5
    """

    signed: bool = True
    narrow: bool = False
    rounding_mode: str = "ROUND"

    input_names: ClassVar[tuple[str, ...]] = ("x", "scale", "zero", "bits")

    def __post_init__(self) -> None:
        checked_mode("Quant", self.rounding_mode)

    def codes(self, x: Array, scale: Array, zero: Array, bits: Array) -> Array:
        """The codes, in float32."""
        x, scale, zero = single(x, scale, zero)
        v = x / scale + zero
        width = float(np.asarray(bits).ravel()[0])
        if width == 1 and self.signed:
            return np.where(v >= 0, np.float32(1), np.float32(-1))
        low, high = single(*code_limits(width, self.signed, self.narrow))
        return rounded(np.clip(v, low, high), self.rounding_mode)

    def compute(self, x: Array, scale: Array, zero: Array, bits: Array) -> Array:
        scale, zero = single(scale, zero)
        return np.asarray((self.codes(x, scale, zero, bits) - zero) * scale)


@dataclass(frozen=True)
class BipolarQuant(Quantizer):
    """y = scale where x ≥ 0, else −scale. Source: QONNX BipolarQuant.

    >>> BipolarQuant()(np.array([0.0, -2.0]), np.array(0.5))
    array([ 0.5, -0.5], dtype=float32)
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "scale")

    def compute(self, x: Array, scale: Array) -> Array:
        x, scale = single(x, scale)
        return np.asarray(np.where(x >= 0, np.float32(1), np.float32(-1)) * scale)


@dataclass(frozen=True)
class Trunc(Quantizer):
    """Low bits of a quantized value dropped. Source: QONNX Trunc, versions 1 and 2.

    version 1, inputs x, scale, zero, in_bits, out_bits: codes rounded, divided by 2**(in_bits − out_bits), rounded by
    the mode. version 2, inputs x, scale, zero, in_bits, out_scale, out_bits: divided by the power of two nearest to
    out_scale / scale, limited to out_bits.

    >>> Trunc()(np.array([5.0]), np.array(1.0), np.array(0.0), np.array(4.0), np.array(3.0))
    array([2.], dtype=float32)
    """

    rounding_mode: str = "FLOOR"
    version: int = 1
    signed: bool = True
    narrow: bool = False

    input_names: ClassVar[tuple[str, ...]] = ("x", "scale", "zero", "in_bits", "out_scale_or_bits", "out_bits?")

    def __post_init__(self) -> None:
        checked_mode("Trunc", self.rounding_mode)

    def compute(self, x: Array, scale: Array, zero: Array, in_bits: Array, *rest: Array) -> Array:
        x, scale, zero = single(x, scale, zero)
        codes = np.rint(x / scale + zero)
        if self.version == 1:
            divisor = np.float32(2.0 ** float(np.ravel(in_bits)[0] - np.ravel(rest[0])[0]))
            return np.asarray((rounded(codes / divisor, self.rounding_mode) - zero) * scale)
        (out_scale,) = single(rest[0])
        step = np.exp2(np.rint(np.log2(out_scale / scale))).astype(np.float32)
        low, high = single(*code_limits(float(np.ravel(rest[1])[0]), self.signed, self.narrow))
        kept = rounded(np.clip(codes / step, low, high), self.rounding_mode)
        return np.asarray((kept - zero / step) * out_scale)


@dataclass(frozen=True)
class FloatQuant(Quantizer):
    """x rounded to a small float format. Source: QONNX FloatQuant.

    inputs x, scale, exponent_bits, mantissa_bits, exponent_bias, max_value. The exponent is exact (frexp).
    has_subnormal is kept for exporters; as in QONNX it changes no value.

    >>> FloatQuant()(np.array([1.3]), *(np.array(v) for v in (1.0, 4.0, 3.0, 7.0, 240.0)))
    array([1.25], dtype=float32)
    """

    has_inf: bool = False
    has_nan: bool = False
    has_subnormal: bool = True
    saturation: bool = True
    rounding_mode: str = "ROUND"

    input_names: ClassVar[tuple[str, ...]] = (
        "x",
        "scale",
        "exponent_bits",
        "mantissa_bits",
        "exponent_bias",
        "max_value",
    )

    def __post_init__(self) -> None:
        checked_mode("FloatQuant", self.rounding_mode)

    def compute(self, x: Array, scale: Array, exponent: Array, mantissa: Array, bias: Array, largest: Array) -> Array:
        x, scale = single(x, scale)
        width, fraction, offset, limit = (float(np.ravel(v)[0]) for v in (exponent, mantissa, bias, largest))
        u = (x / scale).astype(np.float64)
        power = np.where(u == 0, -1e9, np.frexp(u)[1] - 1.0)
        step = 2.0 ** np.maximum(power - fraction, 1 - offset - fraction)
        made = rounded(u / step, self.rounding_mode).astype(np.float64) * step
        top = min(limit, (2 - 2.0**-fraction) * 2.0 ** (2.0**width - 1 - offset))
        beyond = np.abs(made) > top
        if self.saturation:
            made = np.clip(made, -top, top)
        elif self.has_inf:
            made = np.where(beyond, np.copysign(np.inf, made), made)
        else:
            made = np.where(beyond, np.nan if self.has_nan else np.copysign(top, made), made)
        return np.asarray(made.astype(np.float32) * scale)
