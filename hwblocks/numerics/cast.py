"""Cast: how a value becomes a code of a format. Round once, add the zero point, handle overflow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from hwblocks.errors import FormatError
from hwblocks.numerics.formats import Format
from hwblocks.numerics.overflow import Overflow, OverflowMode
from hwblocks.numerics.rounding import Rounding, round_ratio, round_real, round_shift

Array = np.ndarray[Any, Any]

_MODES = re.compile(r"((?:ap_|sc_)?u?fixed<\s*\d+\s*,\s*-?\d+\s*),([^>]*)>$")
_OVERFLOW = {
    "SAT": "saturate",
    "SAT_SYM": "saturate_symmetric",
    "SAT_ZERO": "saturate_to_zero",
    "WRAP": "wrap",
    "WRAP_SM": "wrap_sign_magnitude",
}


@dataclass(frozen=True, init=False)
class Cast:
    """A format with the rounding and overflow that bring a value to it.

    The notation of ap_fixed states all three; its defaults are AP_TRN (floor) and AP_WRAP.

    >>> Cast("ap_fixed<6,4,AP_RND,AP_SAT>")
    Cast(Format('ap_fixed<6,4>'), 'half_up', 'saturate')
    >>> Cast("ap_fixed<6,4,AP_RND,AP_SAT>").real(np.array([1.125, 99.0]))
    (array([ 5, 31]), array([False,  True]))
    """

    format: Format
    rounding: Rounding
    overflow: Overflow

    def __init__(
        self, format: Format | str, rounding: str | None = None, overflow: str | Overflow | None = None
    ) -> None:
        read_rounding, read_overflow = "half_even", "saturate"
        if isinstance(format, str):
            format, read_rounding, read_overflow = _read_ap_fixed(format)
        object.__setattr__(self, "format", format)
        object.__setattr__(self, "rounding", Rounding(rounding or read_rounding))
        chosen = overflow if overflow is not None else read_overflow
        object.__setattr__(self, "overflow", chosen if isinstance(chosen, Overflow) else Overflow(chosen))

    def __repr__(self) -> str:
        return f"Cast({self.format!r}, {self.rounding.value!r}, '{self.overflow}')"

    def real(self, x: Any, noise: Any = None) -> tuple[Array, Array]:
        """(codes, mask of overflows) of float64 values, exactly: x / scale is rounded as a rational number."""
        x = np.asarray(x, dtype=np.float64)
        if not np.isfinite(x).all():
            raise FormatError("only finite values can be cast; clean the data")
        if self.rounding is Rounding.STOCHASTIC or self.overflow.mode is OverflowMode.WRAP_SIGN_MAGNITUDE:
            return self.ratio(*_ratios(x), noise)
        return self._real(x)

    def _real(self, x: Array) -> tuple[Array, Array]:
        """Float64 quotients where they decide the rounding beyond doubt, exact ratios for the rest."""
        scales = np.broadcast_to(self.format.scales(x.ndim), x.shape)
        quotient = x / scales
        doubled = quotient * 2
        clear = (np.abs(doubled - np.rint(doubled)) > 1e-6) & (np.abs(quotient) < 1e6)
        whole = np.where(clear | (x == 0), round_real(np.where(clear, quotient, 0.0), self.rounding), 0.0)
        codes = whole.astype(np.int64).astype(object)
        rest = ~(clear | (x == 0))
        if rest.any():
            num, den = _ratios(x[rest])
            ratio = np.frompyfunc(lambda s: Fraction(float(s)), 1, 1)(scales[rest])
            codes[rest] = round_ratio(num * _denominator(ratio), den * _numerator(ratio), self.rounding)
        return self._finish(codes, codes)

    def ratio(self, num: Any, den: Any, noise: Any = None) -> tuple[Array, Array]:
        """(codes, mask) of the exact real values num / den (den > 0)."""
        num, den = np.asarray(num, dtype=object), np.asarray(den, dtype=object)
        scales = self._scales(np.broadcast(num, den).ndim)
        top = np.asarray(num * _denominator(scales), dtype=object)
        bottom = np.asarray(den * _numerator(scales), dtype=object)
        rounded = round_ratio(top, bottom, self.rounding, noise)
        floored = round_ratio(top, bottom, Rounding.FLOOR)
        return self._finish(rounded, floored)

    def units(self, v: Any, shift: int, noise: Any = None) -> tuple[Array, Array]:
        """(codes, mask) of fixed-point values v · 2**−shift, for a fixed-point format (assignment of ap_fixed)."""
        fraction = self.format.frac_bits
        if fraction is None:
            raise FormatError(f"{self.format!r} is not fixed point; use ratio or real")
        v = np.asarray(v, dtype=object)
        return self._finish(
            round_shift(v, shift - fraction, self.rounding, noise),
            round_shift(v, shift - fraction, Rounding.FLOOR),
        )

    def _finish(self, rounded: Any, floored: Any) -> tuple[Array, Array]:
        zero = self.format.zero_points(np.ndim(rounded))
        codes, outside = self.overflow.apply(
            np.asarray(rounded, dtype=object) + zero.astype(object),
            self.format.bits,
            self.format.signed,
            self.format.narrow,
            np.asarray(floored, dtype=object) + zero.astype(object),
        )
        wide = self.format.bits == 64 and not self.format.signed
        return np.asarray(codes, dtype=np.uint64 if wide else np.int64), outside

    def _scales(self, ndim: int) -> Any:
        fractions = np.frompyfunc(lambda s: Fraction(float(s)), 1, 1)
        return fractions(self.format.scales(ndim))


_numerator = np.frompyfunc(lambda f: f.numerator, 1, 1)
_denominator = np.frompyfunc(lambda f: f.denominator, 1, 1)


def _ratios(x: Array) -> tuple[Array, Array]:
    pairs = np.frompyfunc(lambda v: v.as_integer_ratio(), 1, 1)(x.astype(object))
    first, second = np.frompyfunc(lambda p: p[0], 1, 1), np.frompyfunc(lambda p: p[1], 1, 1)
    return np.asarray(first(pairs), dtype=object), np.asarray(second(pairs), dtype=object)


def _read_ap_fixed(text: str) -> tuple[Format, str, str]:
    """Format, rounding and overflow of an ap_fixed notation, whose defaults are AP_TRN and AP_WRAP."""
    match = _MODES.match(text.strip())
    if not match:
        plain = Format(text)
        is_ap = "fixed<" in text
        return plain, "floor" if is_ap else "half_even", "wrap" if is_ap else "saturate"
    modes = [part.strip() for part in match[2].split(",")]
    if len(modes) > 3:
        raise FormatError(f"{text!r}: at most rounding, overflow and saturated bits may follow the widths")
    rounding = Rounding.from_foreign(modes[0]).value
    name = (modes[1] if len(modes) > 1 else "AP_WRAP").removeprefix("AP_").removeprefix("SC_")
    if name not in _OVERFLOW:
        raise FormatError(f"{text!r}: overflow {modes[1]!r} is not one of AP_{', AP_'.join(_OVERFLOW)}")
    bits = modes[2] if len(modes) > 2 else "0"
    return Format(match[1] + ">"), rounding, _OVERFLOW[name] + ("" if bits == "0" else f":{bits}")
