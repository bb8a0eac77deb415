"""Requantize: how an accumulator becomes an output code. A record with named presets, and its constants (Epilogue).

Sources: TFLite and gemmlowp (double_round, q16), ruy and Arm rounding shifts (double_round_up), single rounding
build of TFLite, XNNPACK (float32, fixed), LiteRT reference fully connected (float64), power-of-two hardware (shift).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwblocks.errors import FormatError
from hwblocks.numerics.formats import Format
from hwblocks.numerics.gemmlowp import high_product, shift_away, shift_up, wrap
from hwblocks.numerics.multiplier import exact_ratio, quantize_multiplier
from hwblocks.numerics.overflow import Overflow
from hwblocks.numerics.rounding import Rounding, round_ratio, round_real, round_shift

Array = np.ndarray[Any, Any]

PRESETS: dict[str, dict[str, str]] = {
    "shift": {"rounding": "half_up"},
    "double_round": {"rounding": "half_away", "first_rounding": "half_up"},
    "double_round_up": {"rounding": "half_up", "first_rounding": "half_up"},
    "single_round": {"rounding": "half_up"},
    "q16": {"rounding": "half_up"},
    "float32": {"rounding": "half_even"},
    "float64": {"rounding": "half_away"},
    "exact": {"rounding": "half_even"},
    "fixed": {"rounding": "half_up"},
}
PRECISIONS = ("float32", "product32", "float64")
INT32_MAX, INT32_SPAN = (1 << 31) - 1, 1 << 32
HIGH_PRODUCT_SHIFT = 31  # of the first step of double roundings


@dataclass(frozen=True)
class Requantize:
    """How an accumulator in units of scale(x)·scale(w) becomes a code in units of scale(y).

    scheme: shift (power-of-two ratio), single_round, double_round, double_round_up, q16 (integer multipliers),
    float32, float64 (one multiplication), exact (the ratio as a rational number), fixed (multiplier and shift of
    `multiplier_bits` whatever the ratio: half_even(ratio · 2**bits)). The result of q16 wraps in 32 bits.
    rounding: of the last step; first_rounding: of the high multiply of double_round.
    zero_point: added after rounding, or inside it. scale_precision: in which the ratio is computed (product32: the
    product in float32, the division in float64).
    scale_order: "xw/y" ((x·w)/y) or "x/y*w". fma: float schemes add the zero point inside in one rounding.

    >>> Requantize.parse("shift half_even")
    Requantize.parse('shift half_even')
    """

    scheme: str = "single_round"
    multiplier_bits: int = 31
    rounding: Rounding = None  # type: ignore[assignment]  # None: the preset's
    first_rounding: Rounding = Rounding.HALF_UP
    zero_point: str = "after"
    scale_precision: str = ""  # empty: the preset's
    scale_order: str = "xw/y"
    fma: bool = False

    def __post_init__(self) -> None:
        if self.scheme not in PRESETS:
            raise FormatError(f"requantize scheme {self.scheme!r} is not one of {', '.join(PRESETS)}")
        object.__setattr__(self, "rounding", Rounding(self.rounding or PRESETS[self.scheme]["rounding"]))
        if not self.scale_precision:
            object.__setattr__(self, "scale_precision", "float32" if self.scheme == "float32" else "float64")
        object.__setattr__(self, "first_rounding", Rounding(self.first_rounding))
        checks = (
            ("zero_point", ("after", "inside")),
            ("scale_precision", PRECISIONS),
            ("scale_order", ("xw/y", "x/y*w")),
        )
        for name, allowed in checks:
            if getattr(self, name) not in allowed:
                raise FormatError(f"requantize {name} {getattr(self, name)!r} is not one of {', '.join(allowed)}")
        if not 2 <= self.multiplier_bits <= 31:
            raise FormatError(f"requantize multiplier_bits {self.multiplier_bits}: must be 2 to 31")
        if Rounding.STOCHASTIC in (self.rounding, self.first_rounding):
            raise FormatError("requantize: stochastic rounding is not defined for accumulators")

    @classmethod
    def preset(cls, name: str) -> Requantize:
        """The record of a named preset, with its own roundings."""
        if name not in PRESETS:
            raise FormatError(f"requantize preset {name!r} is not one of {', '.join(PRESETS)}")
        return cls(name)

    @classmethod
    def parse(cls, text: str) -> Requantize:
        """Text form: the preset, then a rounding or name=value parts that differ from it."""
        first, *parts = text.split() or [""]
        record = cls.preset(first)
        for part in parts:
            name, _, value = part.partition("=")
            record = record._changed(text, name, value)
        return record

    def _changed(self, text: str, name: str, value: str) -> Requantize:
        if not value and name in set(Rounding):
            return replace(self, rounding=Rounding(name))
        if name == "fma" and not value:
            return replace(self, fma=True)
        if name == "multiplier_bits" and value.isdigit():
            return replace(self, multiplier_bits=int(value))
        if name in ("rounding", "first_rounding", "zero_point", "scale_precision", "scale_order") and value:
            return replace(self, **{name: value})  # type: ignore[arg-type]
        raise FormatError(
            f"requantize {text!r}: {name!r} is not understood; write for example 'single_round half_even'"
        )

    def __str__(self) -> str:
        base = Requantize.preset(self.scheme)
        parts = [self.scheme]
        if self.rounding is not base.rounding:
            parts.append(self.rounding.value)
        for name in ("multiplier_bits", "first_rounding", "zero_point", "scale_precision", "scale_order"):
            if getattr(self, name) != getattr(base, name):
                parts.append(f"{name}={getattr(self, name)}")
        return " ".join([*parts, "fma"] if self.fma else parts)

    def __repr__(self) -> str:
        return f"Requantize.parse({str(self)!r})"

    def epilogue(
        self,
        x_scale: float,
        w_scale: float | Array,
        y_format: Format,
        channels: int,
        *,
        clamp: tuple[int, int] | None = None,
        counts: tuple[bool, bool] = (True, True),
        overflow: Overflow | None = None,
    ) -> Epilogue:
        """The constants for these scales, one set per channel; clamp holds codes, counts says which sides count.

        The output may have one scale per channel too, as sums kept for a later node have.
        Errors: FormatError for `shift` with a ratio that is no power of two, and for multipliers out of range.
        """
        weights, steps = (
            np.broadcast_to(np.asarray(s, dtype=np.float64), (channels,)) for s in (w_scale, y_format.scale)
        )
        zero = int(y_format.zero_point)
        pairs = list(zip(weights.tolist(), steps.tolist(), strict=True))
        distinct = {pair: self._constants(float(x_scale), *pair) for pair in dict.fromkeys(pairs)}
        rows = [distinct[pair] for pair in pairs]
        low, high = clamp or (y_format.lo, y_format.hi)
        return Epilogue(
            self.scheme,
            self.rounding,
            self.first_rounding,
            np.array([r[0] for r in rows], dtype=np.int64),
            np.array([r[1] for r in rows], dtype=np.int64),
            np.array([r[2] for r in rows], dtype=np.float32),
            np.array([r[2] for r in rows], dtype=np.float64),
            np.array([r[3] for r in rows], dtype=object),
            np.array([r[4] for r in rows], dtype=object),
            zero,
            self.zero_point == "inside",
            self.fma,
            y_format.bits,
            y_format.signed,
            y_format.lo,
            y_format.hi,
            low,
            high,
            overflow or Overflow("saturate"),
            counts,
        )

    def multiply(self, values: Array, ratio: float) -> Array:
        """Integers times a ratio, rounded as the scheme says: int64, before any zero point.

        For the steps of algorithms. Values must fit 32 bits (48 bits for q16). Errors: FormatError for other schemes.
        """
        values = np.asarray(values, dtype=np.int64)
        if self.scheme in ("float32", "float64"):
            kind: Any = np.float32 if self.scheme == "float32" else np.float64
            return np.asarray(
                round_real((values.astype(kind) * kind(ratio)).astype(np.float64), self.rounding), np.int64
            )
        if self.scheme in ("shift", "exact"):
            raise FormatError(f"requantize {self.scheme} has no multiplier for a step of an algorithm")
        return self.multiply_fixed(values, *self.multiplier(ratio))

    def multiply_fixed(self, values: Any, m: Any, shift: Any) -> Array:
        """Integers times a multiplier, then the right shift (negative: left), in the scheme's steps.

        values, m, shift: integers or arrays that broadcast.
        """
        if self.scheme in ("double_round", "double_round_up"):
            left, right = np.maximum(np.negative(shift), 0), np.maximum(shift, 0)
            high = high_product(wrap(np.asarray(values, np.int64) << left), m)
            return shift_away(high, right) if self.rounding is Rounding.HALF_AWAY else shift_up(high, right)
        made = np.asarray(round_shift(_products(values, m), np.asarray(shift), self.rounding), dtype=np.int64)
        return wrap(made) if self.scheme == "q16" else made

    def _constants(self, x: float, w: float, y: float) -> tuple[int, int, float, int, int]:
        """(multiplier, right shift, float ratio, numerator, denominator)."""
        num, den = exact_ratio(x, w, y)
        ratio = self.ratio(x, w, y)
        if self.scheme == "shift":
            if num & (num - 1) or den & (den - 1):
                raise FormatError(f"requantize shift: {x!r} · {w!r} / {y!r} is no power of two; use single_round")
            return 1, den.bit_length() - num.bit_length(), ratio, num, den
        if self.scheme in ("float32", "float64", "exact"):
            return 0, 0, ratio, num, den
        return (*self.multiplier(ratio), ratio, num, den)

    def multiplier(self, ratio: float) -> tuple[int, int]:
        """(multiplier, right shift) of an integer scheme for a ratio; of double_round the second step's shift."""
        if self.scheme == "fixed":
            return int(np.rint(ratio * (1 << self.multiplier_bits))), self.multiplier_bits
        m, exponent = quantize_multiplier(ratio, self.multiplier_bits if self.scheme == "single_round" else 31)
        if self.scheme == "q16":
            m = 0x7FFF if m >= 0x7FFF0000 else (m + (1 << 15)) >> 16
            return m, 15 - exponent
        if self.scheme == "single_round":
            return m, self.multiplier_bits - exponent
        return m, -exponent

    def ratio(self, x: float, w: float, y: float) -> float:
        """x · w / y in the record's precision and order."""
        a, b, c = np.float32(x), np.float32(w), np.float32(y)
        if self.scale_precision == "float32":
            return float((a * b) / c if self.scale_order == "xw/y" else (a / c) * b)
        if self.scale_precision == "product32":
            return float(a * b) / y
        return (x * w) / y if self.scale_order == "xw/y" else (x / y) * w


@dataclass(frozen=True, eq=False)
class Epilogue:
    """The constants of one requantization; arrays have one entry per output channel.

    shift: right shift in bits after the multiplication (negative: left). double_round: shift is the second step's,
    after a high multiply by `multiplier`. lo, hi: codes of the output format; clamp_lo, clamp_hi: the fused clamp.
    counts: whether values below lo and above hi count as saturated; False on a side that a fused clamp bounds.
    """

    scheme: str
    rounding: Rounding
    first_rounding: Rounding
    multiplier: Array
    shift: Array
    scale32: Array
    scale64: Array
    numerator: Array
    denominator: Array
    zero_point: int
    zero_inside: bool
    fma: bool
    bits: int
    signed: bool
    lo: int
    hi: int
    clamp_lo: int
    clamp_hi: int
    overflow: Overflow
    counts: tuple[bool, bool] = (True, True)

    @property
    def slopes(self) -> Array:
        """What one unit of a sum adds to the output of each channel, before rounding, in float64."""
        if self.scheme == "exact":
            ratios = zip(self.numerator, self.denominator, strict=True)
            return np.array([n / d for n, d in ratios], dtype=np.float64)
        if self.scheme in ("float32", "float64"):
            return np.asarray(self.scale32 if self.scheme == "float32" else self.scale64, dtype=np.float64)
        first = HIGH_PRODUCT_SHIFT if self.scheme.startswith("double_round") else 0
        return np.asarray(np.ldexp(self.multiplier.astype(np.float64), -(self.shift + first)))

    def apply(self, accumulator: Array) -> tuple[Array, Array]:
        """(codes, mask of values that left the format) of accumulators [..., C].

        The zero point is added after rounding; the overflow acts on the format's range, then the clamp limits
        (a value beyond a bound of the clamp is not counted).
        """
        wide = np.asarray(self.scaled(accumulator), dtype=object)
        if not self.zero_inside:
            wide = wide + self.zero_point
        narrow = self.signed and self.lo == -self.hi and self.bits > 1
        codes, _ = self.overflow.apply(wide, self.bits, self.signed, narrow)
        outside = counted_outside(wide, self.lo, self.hi, self.counts)
        return np.clip(codes.astype(np.int64), self.clamp_lo, self.clamp_hi), outside

    def scaled(self, acc: Array) -> Array:
        """Accumulators after multiplication and rounding, before the zero point (unless it is inside) and limits."""
        if self.scheme in ("float32", "float64"):
            return self._float(acc)
        exact = np.asarray(acc, dtype=object)
        if self.scheme == "exact":
            zero = self.zero_point if self.zero_inside else 0
            return np.asarray(
                round_ratio(exact * self.numerator + zero * self.denominator, self.denominator, self.rounding)
            )
        if self.scheme in ("double_round", "double_round_up"):
            return self._double(exact)
        product, shift = exact * self.multiplier.astype(object), np.broadcast_to(self.shift, exact.shape)
        if self.zero_inside:
            product, shift = self._with_zero(product, shift)
        made = round_shift(product, shift, self.rounding)
        return _wrap32(made) if self.scheme == "q16" else made  # type: ignore[no-any-return]

    def _with_zero(self, product: Array, shift: Array) -> tuple[Array, Array]:
        """The zero point added before the last rounding: at the product's scale, or after an exact left shift."""
        left = np.maximum(-shift, 0).astype(object)
        right = np.maximum(shift, 0)
        return (product << left) + (self.zero_point << right.astype(object)), right

    def _double(self, acc: Array) -> Array:
        """High multiply with the left shift before it wrapping in 32 bits, then a rounding right shift."""
        left, right = np.maximum(-self.shift, 0), np.maximum(self.shift, 0)
        shifted = _wrap32(acc << left.astype(object))
        high = round_shift(shifted * self.multiplier.astype(object), HIGH_PRODUCT_SHIFT, self.first_rounding)
        high = np.minimum(high, INT32_MAX)
        if self.zero_inside:
            high = high + (self.zero_point << right.astype(object))
        return round_shift(high, np.broadcast_to(right, high.shape), self.rounding)  # type: ignore[no-any-return]

    def _float(self, acc: Array) -> Array:
        """One multiplication in float32 or float64, limited before rounding so that every integer fits."""
        kind, scale = (np.float32, self.scale32) if self.scheme == "float32" else (np.float64, self.scale64)
        value = _to_float(acc, kind) * scale
        if self.zero_inside:
            exact = _to_float(acc, kind).astype(np.float64) * scale.astype(np.float64)  # binary32 factors: exact
            value = (exact + self.zero_point).astype(kind) if self.fma else value + kind(self.zero_point)
        edge = float(1 << 30) * 4
        rounded = round_real(np.clip(value.astype(np.float64), -edge * 1e6, edge * 1e6), self.rounding)
        return np.asarray(rounded.astype(np.int64), dtype=object)


def counted_outside(values: Array, lo: int, hi: int, counts: tuple[bool, bool]) -> Array:
    """Mask of values below lo or above hi, on the sides that count."""
    below = (values < lo) if counts[0] else np.zeros(values.shape, bool)
    above = (values > hi) if counts[1] else np.zeros(values.shape, bool)
    return np.asarray(below | above, dtype=bool)


def _products(values: Any, m: Any) -> Any:
    """values · m, in Python's integers where 64 bits may not hold them."""
    largest = [int(np.abs(np.asarray(v)).max(initial=0)) for v in (values, m)]
    return values * m if largest[0] * largest[1] < 1 << 63 else np.asarray(values, dtype=object) * m


def _wrap32(v: Array) -> Array:
    return np.asarray((v + (1 << 31)) % INT32_SPAN - (1 << 31), dtype=object)


def _to_float(acc: Array, kind: Any) -> Array:
    """Integers to floats with one rounding."""
    return np.asarray(acc, dtype=np.int64).astype(kind)
