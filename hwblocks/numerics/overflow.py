"""Overflow: what happens to a code outside its format's range.

Source of the wrap modes with saturated bits: ap_fixed (AMD UG1399 and its C++ headers).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from hwblocks.errors import FormatError

Integers = Any


class OverflowMode(StrEnum):
    """saturate: nearest bound. saturate_symmetric: the same with −max as lower bound. saturate_to_zero: 0.
    wrap: modulo 2**bits, optionally with saturated top bits. wrap_sign_magnitude: the sign bit is kept.
    trap: wrap, and the run stops with the first event."""

    SATURATE = "saturate"
    SATURATE_SYMMETRIC = "saturate_symmetric"
    SATURATE_TO_ZERO = "saturate_to_zero"
    WRAP = "wrap"
    WRAP_SIGN_MAGNITUDE = "wrap_sign_magnitude"
    TRAP = "trap"

    @classmethod
    def _missing_(cls, value: object) -> OverflowMode:
        raise FormatError(f"overflow {value!r} is not known; use one of {', '.join(m.value for m in cls)}")


@dataclass(frozen=True, init=False)
class Overflow:
    """An overflow mode; both wraps may keep `saturated_bits` top bits saturated (the N of AP_WRAP).

    >>> Overflow("wrap:1")
    Overflow("wrap:1")
    >>> Overflow("saturate").apply(np.array([300, -5]), 8, True)
    (array([127,  -5]), array([ True, False]))
    """

    mode: OverflowMode
    saturated_bits: int

    def __init__(self, mode: str = "saturate", saturated_bits: int = 0) -> None:
        name, _, count = str(mode).partition(":")
        if count:
            if not count.isdigit():
                raise FormatError(f"overflow {mode!r}: saturated bits must be a number, as in 'wrap:1'")
            saturated_bits = int(count)
        object.__setattr__(self, "mode", OverflowMode(name))
        object.__setattr__(self, "saturated_bits", int(saturated_bits))
        if self.saturated_bits < 0 or (self.saturated_bits and not self.is_wrap):
            raise FormatError(f"overflow {mode!r}: only wrap and wrap_sign_magnitude take saturated bits (0 or more)")

    @classmethod
    def parse(cls, text: str) -> Overflow:
        """The overflow of a text form, for example "wrap:3"."""
        return cls(text)

    def __str__(self) -> str:
        return f"{self.mode.value}:{self.saturated_bits}" if self.saturated_bits else self.mode.value

    def __repr__(self) -> str:
        return f'Overflow("{self}")'

    @property
    def is_wrap(self) -> bool:
        """True for the two wraps."""
        return self.mode in (OverflowMode.WRAP, OverflowMode.WRAP_SIGN_MAGNITUDE)

    @property
    def is_plain_wrap(self) -> bool:
        """True for wrap without saturated bits: additions modulo 2**bits, in any order."""
        return self.mode is OverflowMode.WRAP and not self.saturated_bits

    def apply(
        self, codes: Integers, bits: int, signed: bool, narrow: bool = False, floored: Integers = None
    ) -> tuple[Integers, Any]:
        """(codes brought into range, mask of those that were outside).

        floored: the value before rounding's increment, which wrap_sign_magnitude without saturated bits looks at.
        """
        codes = codes if isinstance(codes, np.ndarray) else np.asarray(codes)
        low, high = code_range(bits, signed, narrow)
        if self.mode is OverflowMode.SATURATE_SYMMETRIC and signed:
            low = -high
        outside = (codes < low) | (codes > high)
        if not outside.any():
            return codes, outside.astype(bool)
        wide = codes.astype(object) if bits > 62 else codes
        fixed = self._bring(wide, bits, signed, low, high, floored)
        held = np.where(outside, fixed, wide)
        fits = signed or bits < 64
        return held.astype(codes.dtype) if fits else held, outside.astype(bool)

    def _bring(self, v: Any, bits: int, signed: bool, low: int, high: int, floored: Integers) -> Any:
        if self.mode in (OverflowMode.SATURATE, OverflowMode.SATURATE_SYMMETRIC):
            return np.where(v < low, low, high)
        if self.mode is OverflowMode.SATURATE_TO_ZERO:
            return np.zeros_like(v)
        if self.mode is OverflowMode.WRAP_SIGN_MAGNITUDE:
            if not signed:
                raise FormatError("overflow wrap_sign_magnitude needs a signed format")
            return _sign_magnitude(v, bits, self.saturated_bits, v if floored is None else floored)
        return _wrapped(v, bits, signed, self.saturated_bits)


def code_range(bits: int, signed: bool, narrow: bool = False) -> tuple[int, int]:
    """(lowest, highest) code of a width.

    >>> code_range(8, True), code_range(8, True, narrow=True), code_range(4, False)
    ((-128, 127), (-127, 127), (0, 15))
    """
    if not signed:
        return 0, (1 << bits) - 1 - (1 if narrow else 0)
    return -(1 << (bits - 1)) + (1 if narrow else 0), (1 << (bits - 1)) - 1


def _raw(v: Any, bits: int) -> Any:
    """The lowest bits, as an unsigned number."""
    return v & ((1 << bits) - 1)


def signed_code(raw: Any, bits: int) -> Any:
    """An unsigned bit pattern read as two's complement."""
    return raw - ((raw >> (bits - 1)) << bits)


def _wrapped(v: Any, bits: int, signed: bool, saturated: int) -> Any:
    raw = _raw(v, bits)
    if not signed:
        if not saturated:
            return raw
        top = min(saturated, bits)
        return raw | (((1 << top) - 1) << (bits - top))
    if not saturated:
        return signed_code(raw, bits)
    negative = (v < 0) * 1
    kept = max(bits - saturated, 0)
    fill = np.where(negative == 1, 0, (1 << (bits - 1 - kept)) - 1 if kept < bits - 1 else 0)
    low = raw & ((1 << min(kept, bits - 1)) - 1)
    return signed_code(low | (fill << kept) | (negative << (bits - 1)), bits)


def _sign_magnitude(v: Any, bits: int, saturated: int, floored: Any) -> Any:
    raw, ones = _raw(v, bits), (1 << bits) - 1
    negative = (v < 0) * 1
    sign = 1 << (bits - 1)
    if saturated == 0:
        dropped = (floored >> bits) & 1
        flipped = np.where(dropped != (raw >> (bits - 1)), raw ^ ones, raw)
        return signed_code((flipped & (sign - 1)) | (dropped << (bits - 1)), bits)
    if saturated == 1:
        flipped = np.where(negative != (raw >> (bits - 1)), raw ^ ones, raw)
        return signed_code((flipped & (sign - 1)) | (negative << (bits - 1)), bits)
    kept = bits - saturated
    flipped = np.where(((raw >> kept) & 1) == negative, raw ^ ones, raw)
    fill = np.where(negative == 1, 0, (1 << (saturated - 1)) - 1)
    low = flipped & ((1 << kept) - 1)
    return signed_code(low | (fill << kept) | (negative << (bits - 1)), bits)
