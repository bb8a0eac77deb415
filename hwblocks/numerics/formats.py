"""Format: what a stored code means. real = scale · (code − zero point)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hwblocks.errors import FormatError, InputError
from hwblocks.numerics.notation import FLOATS, read_notation
from hwblocks.numerics.overflow import code_range

Array = np.ndarray[Any, Any]
KINDS = ("int", "float16", "float32", "float64", "bool", "bipolar", "raw")


class Format:
    """What stored codes mean, and nothing else: no rounding, no overflow (that is a Cast).

    kind: int, float16, float32, float64, bool, bipolar (codes 0 and 1 mean −1 and +1), raw (codes without a scale).
    bits: 1 to 64. signed, narrow: the code range; narrow leaves out one end so that it is symmetric.
    scale: one float, a tuple along `axis`, or nested tuples of groups of `group` elements. zero_point: int or tuple.

    A power-of-two scale with zero point 0 is fixed point; `frac_bits` is then the number of fraction bits.

    >>> Format("ap_fixed<16,6>") == Format("sfix16_En10")
    True
    >>> Format("int8", scale=0.5, zero_point=3)
    Format('int8', scale=0.5, zero_point=3)
    >>> Format("Q1.7", q_convention="arm").frac_bits
    7
    """

    __slots__ = ("_key", "axis", "bits", "group", "kind", "narrow", "scale", "signed", "zero_point")
    kind: str
    bits: int
    signed: bool
    narrow: bool
    scale: Any
    zero_point: Any
    axis: int | None
    group: int | None
    _key: tuple[Any, ...]

    def __init__(
        self,
        notation: str | Format | None = None,
        *,
        kind: str | None = None,
        bits: int | None = None,
        signed: bool | None = None,
        narrow: bool = False,
        scale: Any = None,
        zero_point: Any = None,
        axis: int | None = None,
        group: int | None = None,
        q_convention: str | None = None,
    ) -> None:
        if isinstance(notation, Format):
            raise FormatError("Format of a Format: use format.replace(...) to change fields")
        read = read_notation(notation, q_convention) if notation is not None else None
        self._set("kind", kind or (read.kind if read else "int"))
        self._set("bits", int(bits if bits is not None else read.bits if read else FLOATS.get(self.kind, 8)))
        self._set("signed", bool(signed if signed is not None else read.signed if read else True))
        self._set("narrow", bool(narrow))
        self._set("scale", self._clean_scale(scale if scale is not None else read.scale if read else 1.0))
        self._set(
            "zero_point",
            _clean_zero(zero_point if zero_point is not None else read.zero_point if read else 0),
        )
        self._set("axis", None if axis is None else int(axis))
        self._set("group", None if group is None else int(group))
        self._check()
        self._set("_key", tuple(getattr(self, name) for name in _FIELDS))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Format is frozen; use replace({name}=...)")

    def _clean_scale(self, scale: Any) -> Any:
        if self.kind != "int":
            return None if self.kind == "raw" else 1.0
        return _clean_scale(scale)

    def _check(self) -> None:
        if self.kind not in KINDS:
            raise FormatError(f"format kind {self.kind!r} is not one of {', '.join(KINDS)}")
        if not 1 <= self.bits <= 64:
            raise FormatError(f"format width {self.bits}: bits must be 1 to 64")
        if self.narrow and self.bits < 2:
            raise FormatError("a narrow format needs at least 2 bits")
        per_axis = isinstance(self.scale, tuple) or isinstance(self.zero_point, tuple)
        if per_axis and self.axis is None:
            raise FormatError("a format with one scale per channel needs axis=, the axis that counts the channels")
        for value in _leaves(self.scale):
            if value is not None and not (0 < value < math.inf):
                raise FormatError(f"scale {value!r}: a scale must be a finite number above 0")
        if self.kind == "int":
            low, high = code_range(self.bits, self.signed)
            for zero in _leaves(self.zero_point):
                if not low <= zero <= high:
                    raise FormatError(f"zero point {zero} is outside the codes [{low}, {high}] of {self.name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Format) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __reduce__(self) -> tuple[Any, ...]:
        return Format.from_dict, (self.to_dict(),)

    @property
    def name(self) -> str:
        """The canonical notation of width and sign, without the scale: "int8", "uint4", "float32"."""
        return ("int" if self.signed else "uint") + str(self.bits) if self.kind in ("int", "raw") else self.kind

    def __repr__(self) -> str:
        if self.kind not in ("int", "raw"):
            return f"Format({self.name!r})"
        if self.is_fixed_point and self.scale != 1.0 and not self.narrow:
            return f"Format('{self.fixed_point_name}')"
        parts = [repr(self.name)]
        if self.kind == "raw":
            parts.append("kind='raw'")
        if self.narrow:
            parts.append("narrow=True")
        if self.scale not in (1.0, None):
            parts.append(f"scale={self.scale!r}")
        if self.zero_point:
            parts.append(f"zero_point={self.zero_point!r}")
        parts += [f"{n}={getattr(self, n)}" for n in ("axis", "group") if getattr(self, n) is not None]
        return f"Format({', '.join(parts)})"

    __str__ = __repr__

    @property
    def fixed_point_name(self) -> str:
        """ap_fixed<W,I> of a fixed-point format."""
        prefix = "ap_fixed" if self.signed else "ap_ufixed"
        return f"{prefix}<{self.bits},{self.bits - (self.frac_bits or 0)}>"

    @property
    def is_float(self) -> bool:
        """True for float16, float32 and float64."""
        return self.kind in FLOATS

    @property
    def is_quantized(self) -> bool:
        """True for integer codes with a scale."""
        return self.kind == "int"

    @property
    def frac_bits(self) -> int | None:
        """Number of fraction bits, or None when the scale is not one power of two or the zero point is not 0."""
        if self.kind != "int" or not isinstance(self.scale, float) or self.zero_point != 0:
            return None
        mantissa, exponent = math.frexp(self.scale)
        return 1 - exponent if mantissa == 0.5 else None

    @property
    def is_fixed_point(self) -> bool:
        """True for a power-of-two scale with zero point 0."""
        return self.frac_bits is not None

    @property
    def lo(self) -> int:
        """The lowest code."""
        if self.kind == "bipolar":
            return 0
        return code_range(self.bits, self.signed, self.narrow)[0]

    @property
    def hi(self) -> int:
        """The highest code."""
        if self.kind == "bipolar":
            return 1
        return code_range(self.bits, self.signed, self.narrow)[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy type that stores the codes: the smallest that holds `bits`."""
        if self.is_float:
            return np.dtype(self.kind)
        if self.kind == "bool":
            return np.dtype(np.bool_)
        width = next(w for w in (8, 16, 32, 64) if w >= self.bits)
        return np.dtype(f"{'int' if self.signed else 'uint'}{width}")

    def stored_bytes(self, count: int) -> int:
        """Bytes of `count` elements, each in whole bytes of the storage type."""
        return count * self.dtype.itemsize

    def packed_bits(self, count: int) -> int:
        """Bits of `count` elements packed without gaps."""
        return count * self.bits

    def scales(self, ndim: int) -> Array:
        """The scale as a float64 array that broadcasts against an array of `ndim` axes."""
        return self._along_axis(np.asarray(self.scale, dtype=np.float64), ndim)

    def zero_points(self, ndim: int) -> Array:
        """The zero point as an int64 array that broadcasts against an array of `ndim` axes."""
        return self._along_axis(np.asarray(self.zero_point, dtype=np.int64), ndim)

    def _along_axis(self, values: Array, ndim: int) -> Array:
        if values.ndim == 0 or self.axis is None:
            return values
        shape = [1] * ndim
        shape[self.axis] = -1
        return values.reshape(shape)

    def dequantize(self, codes: Any) -> Array:
        """Real values in float64: scale · (code − zero point). Floats pass through."""
        codes = np.asarray(codes)
        if self.is_float or self.kind == "bool":
            return np.asarray(codes, dtype=np.float64)
        if self.kind == "bipolar":
            return np.asarray(codes.astype(np.float64) * 2 - 1)
        if self.kind == "raw":
            return np.asarray(codes, dtype=np.float64)
        shifted = codes.astype(np.int64) - self.zero_points(codes.ndim)
        return np.asarray(shifted * self.scales(codes.ndim))

    def quantize(self, x: Any) -> Array:
        """Codes of real values by the float edge rule: float32 divide, half_even, zero point after, saturate.

        Errors: InputError for NaN.
        """
        x = np.asarray(x, dtype=np.float32)
        if np.isnan(x).any():
            raise InputError("NaN cannot be quantized; clean the data")
        with np.errstate(over="ignore"):
            quotient = x / self.scales(x.ndim).astype(np.float32)
        zero = self.zero_points(x.ndim)
        whole = np.rint(quotient).astype(np.float64)
        return np.asarray(np.clip(whole, self.lo - zero, self.hi - zero) + zero).astype(self.dtype)

    def code_of(self, real: float) -> int:
        """The code nearest to a real value (ties away from zero), limited to the range; for clamp bounds."""
        if math.isinf(real):
            return self.hi if real > 0 else self.lo
        quotient = float(real) / float(self.scale)
        nearest = math.floor(abs(quotient) + 0.5) * (1 if quotient >= 0 else -1)
        return int(min(max(nearest + self.zero_point, self.lo), self.hi))

    def replace(self, **changes: Any) -> Format:
        """A copy with some fields changed."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        return Format(**{**fields, **changes})

    def to_dict(self) -> dict[str, Any]:
        """The fields for a file; scales as hexadecimal floats, so that they come back exactly."""
        record: dict[str, Any] = {"kind": self.kind, "bits": self.bits}
        for name, default in (
            ("signed", True),
            ("narrow", False),
            ("zero_point", 0),
            ("axis", None),
            ("group", None),
        ):
            if getattr(self, name) != default:
                record[name] = getattr(self, name)
        if self.scale not in (None, 1.0):
            record["scale"] = _to_hex(self.scale)
        return record

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Format:
        """The format of a file's fields. Errors: FormatError for unknown fields."""
        unknown = sorted(set(record) - set(_FIELDS))
        if unknown:
            raise FormatError(f"format record has an unknown field {unknown[0]!r}")
        fields = dict(record)
        if "scale" in fields:
            fields["scale"] = _from_hex(fields["scale"])
        return cls(**fields)


_FIELDS = ("kind", "bits", "signed", "narrow", "scale", "zero_point", "axis", "group")


def _clean_scale(scale: Any) -> Any:
    if isinstance(scale, (tuple, list, np.ndarray)) and np.ndim(scale):
        return tuple(_clean_scale(s) for s in scale)
    return float(scale)


def _clean_zero(zero: Any) -> Any:
    if isinstance(zero, (tuple, list, np.ndarray)) and np.ndim(zero):
        return tuple(_clean_zero(z) for z in zero)
    return int(zero)


def _leaves(value: Any) -> list[Any]:
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, tuple) else [value]


def _to_hex(scale: Any) -> Any:
    return [_to_hex(s) for s in scale] if isinstance(scale, tuple) else scale.hex()


def _from_hex(scale: Any) -> Any:
    if isinstance(scale, list):
        return tuple(_from_hex(s) for s in scale)
    return float.fromhex(scale) if isinstance(scale, str) else float(scale)
