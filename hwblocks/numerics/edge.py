"""EdgeRule: how a real number becomes a code where the float world ends, and how a code becomes a float again.

Sources: ONNX QuantizeLinear and ONNX Runtime (divide, half_even, zero point after), LiteRT (divide, half_away),
XNNPACK (reciprocal, half_even), QONNX Quant (divide, zero point inside).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from hwblocks.errors import FormatError, InputError
from hwblocks.numerics.formats import Format
from hwblocks.numerics.gemmlowp import wrap
from hwblocks.numerics.rounding import Rounding, round_real

Array = np.ndarray[Any, Any]

FAR = 2.0**31
CHOICES = {
    "scaling": ("divide", "reciprocal", "divide64"),
    "zero_point": ("after", "inside"),
    "back": ("centre", "affine"),
    "nan": ("refuse_nan", "lowest_nan"),
    "far": ("limit_far", "wrap_far"),
}


@dataclass(frozen=True)
class EdgeRule:
    """code = saturate(round(x scaled by 1 / scale) + zero point), in float32 unless said.

    scaling: x / scale, x · (1 / scale), or x / scale in float64 (divide64). rounding: of the quotient.
    zero_point: added after rounding, or inside it.
    back: float32(scale · (code − zero point)) rounded once, or float32(code · scale) + float32(−zero point · scale).
    nan: refused, or the lowest code, as ONNX Runtime gives.
    far: quotients beyond 32 bits are limited as all are, or become −2**31, to which the zero point is added in 32 bits
    (wrap_far: how x86 converts floats to integers).

    >>> EdgeRule.parse("divide half_away").codes(np.array([0.5, 1.5]), Format("int8"))[0].tolist()
    [1, 2]
    """

    scaling: str = "divide"
    rounding: Rounding = Rounding.HALF_EVEN
    zero_point: str = "after"
    back: str = "centre"
    nan: str = "refuse_nan"
    far: str = "limit_far"

    def __post_init__(self) -> None:
        object.__setattr__(self, "rounding", Rounding(self.rounding))
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise FormatError(f"edge {name} {getattr(self, name)!r} is not one of {', '.join(allowed)}")

    @classmethod
    def parse(cls, text: str) -> EdgeRule:
        """Text form: the values that differ from the defaults, in any order: "reciprocal half_away"."""
        rule = cls()
        for word in text.split():
            name = next((n for n, allowed in CHOICES.items() if word in allowed), "")
            if not name and word not in set(Rounding):
                raise FormatError(
                    f"edge rule {text!r}: {word!r} is not understood; write for example 'divide half_away'"
                )
            rule = replace(rule, **{name or "rounding": word})  # type: ignore[arg-type]
        return rule

    def __str__(self) -> str:
        return (
            " ".join(str(getattr(self, f.name)) for f in fields(self) if getattr(self, f.name) != f.default) or "divide"
        )

    def codes(self, x: Any, format: Format) -> tuple[Array, Array]:
        """(codes as int64, mask of values that left the format) of real values.

        Errors: InputError for NaN, unless the rule gives it a code.
        """
        x = np.asarray(x, dtype=np.float32)
        missing = np.isnan(x)
        if missing.any():
            if self.nan == "refuse_nan":
                raise InputError("NaN cannot be quantized; clean the data")
            x = np.where(missing, np.float32(-np.inf), x)
        zero = format.zero_points(x.ndim)
        with np.errstate(over="ignore"):
            scaled = self._scaled(x, format.scales(x.ndim))
            if self.zero_point == "inside":
                scaled, zero = scaled + zero.astype(scaled.dtype), np.zeros_like(zero)
        bounded = np.clip(scaled.astype(np.float64), -(2.0**62), 2.0**62)
        whole = round_real(bounded, self.rounding)
        outside = (whole < format.lo - zero) | (whole > format.hi - zero)
        if self.far == "wrap_far":
            held = np.where(np.abs(whole) < FAR, whole, -FAR).astype(np.int64)
            return np.clip(wrap(held + zero), format.lo, format.hi), outside
        return np.clip(whole, format.lo - zero, format.hi - zero).astype(np.int64) + zero, outside

    def _scaled(self, x: Array, scales: Array) -> Array:
        if self.scaling == "divide64":
            return np.asarray(x.astype(np.float64) / scales)
        single = scales.astype(np.float32)
        return np.asarray(x / single if self.scaling == "divide" else x * (np.float32(1) / single))

    def code(self, real: float, format: Format) -> int:
        """The code of one real bound; infinite bounds are the ends of the format."""
        return int(self.codes(np.float32(real), format)[0])

    def reals(self, codes: Array, format: Format) -> Array:
        """Stored codes as float32."""
        scales, zero = format.scales(codes.ndim), format.zero_points(codes.ndim)
        wide = codes.astype(np.int64)
        if self.back == "affine":
            scale = scales.astype(np.float32)
            return np.asarray(wide.astype(np.float32) * scale + (-zero).astype(np.float32) * scale, dtype=np.float32)
        return np.asarray((wide - zero) * scales, dtype=np.float32)
