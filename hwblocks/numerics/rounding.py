"""Rounding: each mode defined by what it does between codes and on ties, on exact integers and ratios.

Source of the modes and their integer forms: ap_fixed (AMD UG1399), IEEE 754, and this table:

    mode          1.2  -1.2  1.5  2.5  -1.5  -2.5
    floor           1    -2    1    2    -2    -3
    ceil            2    -1    2    3    -1    -2
    to_zero         1    -1    1    2    -1    -2
    away            2    -2    2    3    -2    -3
    half_even       1    -1    2    2    -2    -2
    half_up         1    -1    2    3    -1    -2
    half_down       1    -1    1    2    -2    -3
    half_away       1    -1    2    3    -2    -3
    half_to_zero    1    -1    1    2    -1    -2
    half_odd        1    -1    1    3    -1    -3
    stochastic    up with the probability of the fraction
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np

from hwblocks.errors import FormatError

Integers = Any  # int, int64 array, or object array of Python ints


class Rounding(StrEnum):
    """The named rounding modes; `ties` shows the table above for one mode.

    >>> Rounding("half_even").ties
    {1.5: 2, 2.5: 2, -1.5: -2, -2.5: -2}
    """

    FLOOR = "floor"
    CEIL = "ceil"
    TO_ZERO = "to_zero"
    AWAY = "away"
    HALF_EVEN = "half_even"
    HALF_UP = "half_up"
    HALF_DOWN = "half_down"
    HALF_AWAY = "half_away"
    HALF_TO_ZERO = "half_to_zero"
    HALF_ODD = "half_odd"
    STOCHASTIC = "stochastic"

    @classmethod
    def _missing_(cls, value: object) -> Rounding:
        raise FormatError(f"rounding {value!r} is not known; use one of {', '.join(m.value for m in cls)}")

    @property
    def ties(self) -> dict[float, int]:
        """What the mode does with ties; stochastic has no table."""
        if self is Rounding.STOCHASTIC:
            return {}
        return {n / 2: int(round_ratio(n, 2, self)) for n in (3, 5, -3, -5)}

    @classmethod
    def from_foreign(cls, name: str) -> Rounding:
        """The mode that another tool calls `name`, for example "AP_RND" or "qonnx:HALF_UP".

        Names are never reused: QONNX's HALF_UP is half_away here.
        """
        key = name.strip()
        if key not in FOREIGN:
            raise FormatError(f"rounding name {name!r} is not known; known foreign names: {', '.join(FOREIGN)}")
        return cls(FOREIGN[key])


_AP = {
    "TRN": "floor",
    "TRN_ZERO": "to_zero",
    "RND": "half_up",
    "RND_ZERO": "half_to_zero",
    "RND_MIN_INF": "half_down",
    "RND_INF": "half_away",
    "RND_CONV": "half_even",
}
_QONNX = {
    "ROUND": "half_even",
    "HALF_EVEN": "half_even",
    "CEIL": "ceil",
    "FLOOR": "floor",
    "UP": "away",
    "DOWN": "to_zero",
    "HALF_UP": "half_away",
    "HALF_DOWN": "half_to_zero",
}
_MATLAB = {
    "Floor": "floor",
    "Ceiling": "ceil",
    "Zero": "to_zero",
    "Convergent": "half_even",
    "Round": "half_away",
}
FOREIGN: dict[str, str] = {
    **{f"{prefix}_{k}": v for prefix in ("AP", "SC") for k, v in _AP.items()},
    **{f"qonnx:{k}": v for k, v in _QONNX.items()},
    **{f"matlab:{k}": v for k, v in _MATLAB.items()},
    "matlab:Nearest": "half_up",
    "vhdl:fixed_round": "half_even",
    "vhdl:fixed_truncate": "floor",
}


def round_shift(v: Integers, shift: Integers, rounding: Rounding, noise: Integers = None) -> Integers:
    """v / 2**shift, rounded. shift may be an array; a negative shift is an exact left shift.

    noise (stochastic only): random numbers, of which the lowest `shift` bits are used.

    >>> round_shift(-5, 1, Rounding.HALF_UP), round_shift(3, -2, Rounding.FLOOR)
    (-2, 12)
    """
    shift = _exact(shift)
    v = _exact(v)
    if _leaves_int64(v, shift):
        v = v.astype(object)
    if not np.any(np.asarray(shift) > 0):
        return v << -shift
    right = np.maximum(shift, 0) if isinstance(shift, np.ndarray) else shift
    whole = v >> right
    rest = v - (whole << right)
    up = _rounds_up(whole, rest * 2, 1 << _wide(right, v), rounding, v < 0, rest, noise)
    rounded = whole + up
    if not isinstance(shift, np.ndarray) or not (shift < 0).any():
        return rounded
    return np.where(shift < 0, v << np.maximum(-shift, 0), rounded)


def _leaves_int64(v: Integers, shift: Integers) -> bool:
    """True when 64 bits might not hold a left shift, or twice what a right shift drops."""
    if not isinstance(v, np.ndarray) or v.dtype == object or not v.size:
        return False
    right, left = int(np.max(shift)), int(np.max(-np.asarray(shift)))
    return right >= 62 or (left > 0 and _peak(v) << left >= 1 << 62)


def _wide(shift: Integers, v: Integers) -> Integers:
    """The shift in a type whose powers of two fit: objects where v is of objects."""
    return shift.astype(object) if isinstance(shift, np.ndarray) and _is_object(v) else shift


def round_ratio(num: Integers, den: Integers, rounding: Rounding, noise: Integers = None) -> Integers:
    """num / den, rounded; den > 0. Exact for integers of any size.

    noise (stochastic only): random numbers u; the result is floor((num + u mod den) / den).

    >>> [round_ratio(n, 2, Rounding.HALF_EVEN) for n in (1, 3, 5)]
    [0, 2, 2]
    """
    num, den = _exact(num), _exact(den)
    if _overflows_double(num, den):
        num, den = _objects(num), _objects(den)
    whole = num // den
    rest = num - whole * den
    return whole + _rounds_up(whole, rest * 2, den, rounding, num < 0, rest, noise)


def _rounds_up(
    whole: Integers,
    twice: Integers,
    den: Integers,
    rounding: Rounding,
    negative: Integers,
    rest: Integers,
    noise: Any,
) -> Integers:
    """1 where the value floor + rest/den goes up to floor + 1, else 0. twice = 2·rest."""
    up = _direction(whole, twice, den, rounding, negative, rest, noise)
    if isinstance(up, np.ndarray):
        return up.astype(object if _is_object(rest) else np.int64) * 1
    return int(up)


def _direction(
    whole: Integers,
    twice: Integers,
    den: Integers,
    rounding: Rounding,
    negative: Integers,
    rest: Integers,
    noise: Any,
) -> Any:
    above, tie = twice > den, twice == den
    odd = (whole & 1) == 1
    if rounding is Rounding.FLOOR:
        return rest < 0
    if rounding is Rounding.CEIL:
        return rest > 0
    if rounding is Rounding.TO_ZERO:
        return (rest > 0) & negative
    if rounding is Rounding.AWAY:
        return (rest > 0) & _not(negative)
    if rounding is Rounding.HALF_EVEN:
        return above | (tie & odd)
    if rounding is Rounding.HALF_ODD:
        return above | (tie & _not(odd))
    if rounding is Rounding.HALF_UP:
        return above | tie
    if rounding is Rounding.HALF_DOWN:
        return above
    if rounding is Rounding.HALF_AWAY:
        return above | (tie & _not(negative))
    if rounding is Rounding.HALF_TO_ZERO:
        return above | (tie & negative)
    if noise is None:
        raise FormatError("stochastic rounding needs its noise: pass numbers from stochastic_noise")
    return _exact(noise) % den >= den - rest


def _not(flag: Any) -> Any:
    return ~flag if isinstance(flag, np.ndarray) else not flag


def _exact(v: Integers) -> Integers:
    """Integers as int64 or object arrays, or as Python ints."""
    if isinstance(v, np.ndarray):
        if v.dtype == object or v.dtype == np.int64:
            return v if v.ndim else v[()]
        if v.dtype == np.uint64:
            return v.astype(object)
        return v.astype(np.int64)
    return int(v)


def _objects(v: Integers) -> Integers:
    return v.astype(object) if isinstance(v, np.ndarray) else v


def _is_object(v: Integers) -> bool:
    return isinstance(v, np.ndarray) and v.dtype == object


def _overflows_double(num: Integers, den: Integers) -> bool:
    """True when doubling a remainder could leave 64 bits, so that Python integers must be used."""
    if _is_object(num) or _is_object(den):
        return True
    if not isinstance(num, np.ndarray) and not isinstance(den, np.ndarray):
        return False
    largest = max(_peak(num), _peak(den))
    return largest >= 1 << 62


def _peak(v: Integers) -> int:
    if not isinstance(v, np.ndarray):
        return abs(int(v))
    return max(abs(int(v.min(initial=0))), abs(int(v.max(initial=0))))


def round_real(x: Any, rounding: Rounding, noise: Any = None) -> Any:
    """Real numbers (float64) to float64 integers.

    noise (stochastic only): numbers in [0, 1).

    >>> float(round_real(2.5, Rounding.HALF_AWAY))
    3.0
    """
    x = np.asarray(x, dtype=np.float64)
    whole = np.floor(x)
    nearest = np.rint(x)
    rest = x - nearest  # exact, unlike x − whole just below 0
    odd = np.mod(whole, 2.0) == 1.0
    negative = x < 0
    if rounding is Rounding.STOCHASTIC:
        if noise is None:
            raise FormatError("stochastic rounding needs its noise: pass numbers in [0, 1)")
        return whole + (x - whole + np.asarray(noise) >= 1)
    tie = np.abs(rest) == 0.5
    above = (nearest > whole) & ~tie
    up = {
        Rounding.FLOOR: rest != rest,
        Rounding.CEIL: rest != 0,
        Rounding.TO_ZERO: (rest != 0) & negative,
        Rounding.AWAY: (rest != 0) & ~negative,
        Rounding.HALF_EVEN: above | (tie & odd),
        Rounding.HALF_ODD: above | (tie & ~odd),
        Rounding.HALF_UP: above | tie,
        Rounding.HALF_DOWN: above,
        Rounding.HALF_AWAY: above | (tie & ~negative),
        Rounding.HALF_TO_ZERO: above | (tie & negative),
    }[rounding]
    return whole + up


_MIX = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_STEP = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def _mixed(z: Any) -> Any:
    """One round of 64-bit mixing (the finalizer of SplitMix64, Steele et al. 2014)."""
    z = z ^ (z >> np.uint64(30))
    z = z * np.uint64(_MIX[0])
    z = z ^ (z >> np.uint64(27))
    z = z * np.uint64(_MIX[1])
    return z ^ (z >> np.uint64(31))


def stochastic_noise(seed: int, node: int, sample: Any, element: Any, step: Any = 0, bits: int = 32) -> Any:
    """Random integers in [0, 2**bits) that depend only on the arguments: the same for any batch or thread.

    sample, element and step may be arrays that broadcast.
    """
    state = np.asarray((seed * _STEP + 0x1234567) & _MASK, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for part in (node, sample, element, step):
            state = _mixed(state + np.asarray(part).astype(np.uint64) * np.uint64(_STEP) + np.uint64(_STEP))
        return (state >> np.uint64(64 - bits)).astype(np.int64)
