"""Notations of number formats: int8, ap_fixed<16,6>, sfix16_En10, fixdt(1,16,12), Q1.7, read into plain fields."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from hwblocks.errors import FormatError

FLOATS = {"float16": 16, "float32": 32, "float64": 64}


class Fields(NamedTuple):
    """What a notation says: kind, bits, signed, and the scale and zero point if it fixes them."""

    kind: str
    bits: int
    signed: bool
    scale: float = 1.0
    zero_point: int = 0


_INT = re.compile(r"(u?)int(\d+)$")
_AP = re.compile(r"(?:ap_|sc_)?(u?)fixed<\s*(\d+)\s*,\s*(-?\d+)\s*(,.*)?>$")
_FIX = re.compile(r"([su])fix(\d+)(?:_(En?)(\d+))?(?:_r\dw\d)?$")
_SLOPE = re.compile(r"([su])fix(\d+)_S(\w+?)(?:_B(\w+))?$")
_FIXDT = re.compile(r"fixdt\(\s*([01])\s*,\s*(\d+)\s*(?:,\s*(-?\d+)\s*)?\)$")
_Q = re.compile(r"(U?)Q(-?\d+)(?:\.(-?\d+))?$")


def read_notation(text: str, q_convention: str | None = None) -> Fields:
    """The fields of a notation.

    q_convention: "arm" (m counts the sign, Q1.7 has 8 bits) or "ti" (it does not, Q0.7 has 8 bits).
    Errors: FormatError for unknown or ambiguous notations, and for those that state rounding or overflow modes.
    """
    text = text.strip()
    for reader in (_named, _integer, _ap_fixed, _simulink, _slope, _fixdt):
        try:
            fields = reader(text)
        except OverflowError:
            raise FormatError(f"format {text!r}: its scale is no binary64 number") from None
        if fields is not None:
            return fields
    match = _Q.match(text)
    if match:
        return _q_format(text, match, q_convention)
    raise FormatError(
        f"format {text!r} is not a known notation; write int8, uint4, ap_fixed<16,6>, sfix16_En10, fixdt(1,16,12) "
        'or Q1.7 with q_convention="arm" or "ti"'
    )


def _named(text: str) -> Fields | None:
    if text in FLOATS:
        return Fields(text, FLOATS[text], True)
    return {"bool": Fields("bool", 1, False), "bipolar": Fields("bipolar", 1, True)}.get(text)


def _integer(text: str) -> Fields | None:
    match = _INT.match(text)
    return Fields("int", int(match[2]), not match[1]) if match else None


def _ap_fixed(text: str) -> Fields | None:
    match = _AP.match(text)
    if not match:
        return None
    if match[4]:
        raise FormatError(f"format {text!r} states modes; a format is only the meaning of codes: use Cast({text!r})")
    bits, whole = int(match[2]), int(match[3])
    return Fields("int", bits, not match[1], 2.0 ** (whole - bits))


def _simulink(text: str) -> Fields | None:
    match = _FIX.match(text)
    if not match:
        return None
    exponent = int(match[4] or 0) * (-1 if match[3] == "En" else 1)
    return Fields("int", int(match[2]), match[1] == "s", 2.0**exponent)


def _slope(text: str) -> Fields | None:
    match = _SLOPE.match(text)
    if not match:
        return None
    slope, bias = (_number(part) if part else 0.0 for part in (match[3], match[4]))
    if slope <= 0 or (bias / slope) % 1:
        raise FormatError(f"format {text!r}: the bias must be a whole number of slopes, and the slope above 0")
    return Fields("int", int(match[2]), match[1] == "s", slope, -int(bias / slope))


def _number(text: str) -> float:
    """A Simulink number: p is the decimal point, n the minus sign, e the exponent."""
    try:
        return float(text.replace("p", ".").replace("n", "-"))
    except ValueError:
        raise FormatError(f"{text!r} is not a number of a Simulink format name (p is the point, n the minus)") from None


def _fixdt(text: str) -> Fields | None:
    match = _FIXDT.match(text)
    return Fields("int", int(match[2]), match[1] == "1", 2.0 ** -int(match[3] or 0)) if match else None


def _q_format(text: str, match: Any, convention: str | None) -> Fields:
    signed = not match[1]
    if match[3] is None:
        raise FormatError(f"format {text!r} gives no word size; write both numbers, for example Q1.15")
    whole, fraction = int(match[2]), int(match[3])
    if not signed:
        return Fields("int", whole + fraction, False, 2.0**-fraction)
    if convention not in ("arm", "ti"):
        raise FormatError(
            f'format {text!r} is ambiguous: pass q_convention="arm" ({whole + fraction} bits, the sign counts) '
            f'or "ti" ({whole + fraction + 1} bits, it does not)'
        )
    bits = whole + fraction + (convention == "ti")
    return Fields("int", bits, True, 2.0**-fraction)
