"""Accumulator: the register that sums products. Its record, its text form, and static bounds of its sums.

Source of the bounds: the exact per-channel form of accumulator analysis (as in A2Q and FINN), restated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hwblocks.errors import FormatError
from hwblocks.numerics.overflow import Overflow, OverflowMode, code_range
from hwblocks.numerics.rounding import Rounding
from hwblocks.numerics.step_counts import ElementCounts

Array = np.ndarray[Any, Any]

ORDERS = ("sequential", "dot", "interleaved", "tiles", "tree")
_ORDER = re.compile(r"(\w+)\(\s*(\d+)\s*(?:,\s*(sat16)\s*)?\)$")
_WIDTH = re.compile(r"(u?)int(\d+)$")


@dataclass(frozen=True)
class Order:
    """In which order products meet the register.

    sequential: one by one. dot(n): n consecutive products summed exactly, then added; dot(n, sat16): that sum
    saturated to 16 bits first. interleaved(n): n registers, product k goes to register k mod n, added at the end in
    index order. tiles(n): a partial sum cleared every n, then added. tree(n): n products added in adjacent pairs
    level by level, an odd one passes.
    """

    name: str = "sequential"
    n: int = 1
    sat16: bool = False

    @classmethod
    def parse(cls, text: str) -> Order:
        """The order of a text form, for example "dot(4)"."""
        if text == "sequential":
            return cls()
        match = _ORDER.match(text)
        if not match or match[1] not in ORDERS[1:] or int(match[2]) < 1 or (match[3] and match[1] != "dot"):
            raise FormatError(
                f"order {text!r}: write sequential, dot(4), dot(2, sat16), interleaved(8), tiles(64) or tree(16)"
            )
        return cls(match[1], int(match[2]), bool(match[3]))

    def __str__(self) -> str:
        if self.name == "sequential":
            return self.name
        return f"{self.name}({self.n}, sat16)" if self.sat16 else f"{self.name}({self.n})"


@dataclass(frozen=True)
class Psum:
    """The register in which a dot or a tile is summed before it is added."""

    bits: int
    overflow: Overflow

    def __str__(self) -> str:
        return f"{self.bits}:{self.overflow}"


@dataclass(frozen=True, init=False)
class Accumulator:
    """The register of a sum of products.

    bits: 4 to 64. overflow: of every addition. order, psum: how products are grouped. drop: bits cut from what enters
    a register (its LSB is 2**drop products), with drop_rounding. bias: added first or last. zero_point: subtract (x
    is centred before the multiplier) or correct (raw codes are multiplied, −zx·Σw is added at the end).
    axes: the order of K in a convolution, hwc (channels fastest) or chw.

    >>> Accumulator("int16 saturate dot(4) psum=24:wrap bias=first")
    Accumulator('int16 saturate dot(4) psum=24:wrap bias=first')
    """

    bits: int
    signed: bool
    overflow: Overflow
    order: Order
    psum: Psum | None
    drop: int
    drop_rounding: Rounding
    bias: str
    zero_point: str
    axes: str

    def __init__(
        self,
        bits: int | str = 32,
        signed: bool = True,
        overflow: Overflow | str = "wrap",
        order: Order | str = "sequential",
        psum: Psum | None = None,
        drop: int = 0,
        drop_rounding: Rounding | str = Rounding.FLOOR,
        bias: str = "last",
        zero_point: str = "subtract",
        axes: str = "hwc",
    ) -> None:
        fields: dict[str, Any] = {
            "bits": bits,
            "signed": signed,
            "overflow": overflow if isinstance(overflow, Overflow) else Overflow(overflow),
            "order": order if isinstance(order, Order) else Order.parse(order),
            "psum": psum,
            "drop": int(drop),
            "drop_rounding": Rounding(drop_rounding),
            "bias": bias,
            "zero_point": zero_point,
            "axes": axes,
        }
        if isinstance(bits, str):
            fields.update(_read(bits))
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        if not 4 <= self.bits <= 64:
            raise FormatError(f"accumulator width {self.bits}: bits must be 4 to 64")
        for name, allowed in (
            ("bias", ("first", "last")),
            ("zero_point", ("subtract", "correct")),
            ("axes", ("hwc", "chw")),
        ):
            if getattr(self, name) not in allowed:
                raise FormatError(f"accumulator {name}={getattr(self, name)!r}: use {' or '.join(allowed)}")
        if not 0 <= self.drop <= 62:
            raise FormatError(f"accumulator drop={self.drop}: must be 0 to 62")
        if self.drop_rounding is Rounding.STOCHASTIC:
            raise FormatError("accumulator drop: stochastic rounding is not defined here")
        if self.psum is not None and not 4 <= self.psum.bits <= 64:
            raise FormatError(f"accumulator psum width {self.psum.bits}: bits must be 4 to 64")
        if self.psum is not None and self.order.name not in ("dot", "tiles"):
            raise FormatError(f"accumulator psum= needs order dot(n) or tiles(n), not {self.order}")
        if self.psum is not None and self.order.sat16:
            raise FormatError("accumulator dot(n, sat16) has its 16-bit register; psum= would be a second one")

    def __str__(self) -> str:
        parts = [f"{'' if self.signed else 'u'}int{self.bits}", str(self.overflow)]
        if self.order != Order():
            parts.append(str(self.order))
        if self.psum is not None:
            parts.append(f"psum={self.psum}")
        if self.drop:
            parts.append(f"drop={self.drop}:{self.drop_rounding.value}")
        defaults = {"bias": "last", "zero_point": "subtract", "axes": "hwc"}
        names = {"bias": "bias", "zero_point": "zp", "axes": "axes"}
        parts += [f"{names[f]}={getattr(self, f)}" for f, d in defaults.items() if getattr(self, f) != d]
        return " ".join(parts)

    def __repr__(self) -> str:
        return f"Accumulator({str(self)!r})"

    def replace(self, **changes: Any) -> Accumulator:
        """A copy with some fields changed."""
        return Accumulator(**{name: changes.get(name, getattr(self, name)) for name in self.__dataclass_fields__})

    @property
    def range(self) -> tuple[int, int]:
        """(lowest, highest) sum the register holds, in its own LSBs."""
        return code_range(self.bits, self.signed)

    @property
    def is_plain(self) -> bool:
        """True when the order of additions cannot matter: plain wrap, no partial register, no dropped bits."""
        return self.overflow.is_plain_wrap and self.psum is None and self.drop == 0 and not self.order.sat16

    def cannot_overflow(self, bound: int) -> bool:
        """True when no register leaves its range as long as every partial sum stays within ±bound."""
        if self.drop or (self.order.sat16 and bound > 32767):
            return False
        widths = [self.range] + ([code_range(self.psum.bits, True)] if self.psum else [])
        return all(low <= -bound and bound <= high for low, high in widths)


def _read(text: str) -> dict[str, Any]:
    """Fields of the text form; the width comes first, the rest in any order."""
    words = re.sub(r"\(\s*(\d+)\s*,\s*sat16\s*\)", r"(\1,sat16)", text).split()
    match = _WIDTH.match(words[0]) if words else None
    if not match:
        raise FormatError(f"accumulator {text!r}: begin with the width, for example 'int24 saturate'")
    fields: dict[str, Any] = {"bits": int(match[2]), "signed": not match[1]}
    for word in words[1:]:
        fields.update(_read_word(text, word))
    return fields


def _read_word(text: str, word: str) -> dict[str, Any]:
    name, _, value = word.partition("=")
    if value:
        readers: dict[str, Callable[[], dict[str, Any]]] = {
            "psum": lambda: {"psum": _read_psum(value)},
            "drop": lambda: _read_drop(value),
            "bias": lambda: {"bias": value},
            "zp": lambda: {"zero_point": value},
            "axes": lambda: {"axes": value},
        }
        if name not in readers:
            raise FormatError(f"accumulator {text!r}: {name!r} is not one of {', '.join(readers)}")
        return readers[name]()
    if word.partition(":")[0] in set(OverflowMode):
        return {"overflow": Overflow(word)}
    return {"order": Order.parse(word)}


def _read_psum(text: str) -> Psum:
    bits, _, overflow = text.partition(":")
    if not bits.isdigit() or not overflow:
        raise FormatError(f"accumulator psum={text}: write psum=<bits>:<overflow>, for example psum=24:wrap")
    return Psum(int(bits), Overflow(overflow))


def _read_drop(text: str) -> dict[str, Any]:
    bits, _, rounding = text.partition(":")
    if not bits.isdigit():
        raise FormatError(f"accumulator drop={text}: write drop=<bits>:<rounding>, for example drop=4:floor")
    return {"drop": int(bits), "drop_rounding": Rounding(rounding or "floor")}


@dataclass
class Events:
    """What one accumulation counted.

    final: elements whose exact total is outside the register. steps: additions outside (None when not followed).
    first: (sample, element, step) of the first such addition, or of the first outside total; step counts all additions
    of its element. elements: the same for every accumulator, shaped as the sums (None when not followed).
    """

    final: int = 0
    steps: int | None = None
    first: tuple[int, int, int] | None = field(default=None)
    elements: ElementCounts | None = None


def accumulate(
    rows: Array,
    columns: Array,
    bias: Array | None,
    accumulator: Accumulator,
    *,
    correction: Array | None = None,
    k_shape: tuple[int, ...] | None = None,
    follow: bool = False,
) -> tuple[Array, Events]:
    """Sums of rows [..., M, K] times columns [..., K, N] in the register: the exact definition of every order.

    bias and correction broadcast against [..., M, N]. k_shape: the parts of K, for axes=chw. follow: count every
    addition even where the order cannot matter, and record extreme sums. Returns sums in units of one product, and
    the events.
    """
    from hwblocks.numerics.ordered import accumulate_in_order, accumulate_plain

    if accumulator.is_plain and not follow:
        return accumulate_plain(rows, columns, bias, accumulator, correction)
    return accumulate_in_order(rows, columns, bias, accumulator, correction, k_shape, follow)


def exact_matmul(rows: Array, columns: Array) -> Array:
    """rows @ columns without any overflow: int64, or an object array where 63 bits do not suffice.

    Where every partial sum stays below 2**53, binary64 products and sums are exact, and BLAS computes them.
    """
    inner = rows.shape[-1]
    bound = inner * peak(rows) * peak(columns)
    if bound < 1 << 53:
        product = np.matmul(rows.astype(np.float64), columns.astype(np.float64))
        return np.asarray(product).astype(np.int64)
    if bound < 1 << 63:
        return np.asarray(np.matmul(rows.astype(np.int64), columns.astype(np.int64)))
    return np.asarray(np.matmul(rows.astype(object), columns.astype(object)))


def peak(array: Array) -> int:
    """The largest absolute value of an integer array."""
    if array.size == 0:
        return 0
    return max(abs(int(array.min())), abs(int(array.max())))


def total_bounds(columns: Array, x_lo: int, x_hi: int, bias: Array | None = None) -> tuple[list[int], list[int]]:
    """Exact (lowest, highest) total of each output channel over all inputs in [x_lo, x_hi].

    columns [..., K, N] of centred weights; bias [..., N] or None. Results are flat lists over [..., N].
    """
    low = _extreme(columns, x_lo, x_hi)
    high = _extreme(columns, x_hi, x_lo)
    return _with_bias(low, bias), _with_bias(high, bias)


def _extreme(columns: Array, for_positive: int, for_negative: int) -> list[int]:
    wide = columns.astype(np.int64)
    up = np.where(wide > 0, wide, 0).sum(axis=-2)
    down = np.where(wide < 0, wide, 0).sum(axis=-2)
    return [int(u) * for_positive + int(d) * for_negative for u, d in zip(np.ravel(up), np.ravel(down), strict=True)]


def _with_bias(totals: list[int], bias: Array | None) -> list[int]:
    if bias is None:
        return totals
    return [t + int(b) for t, b in zip(totals, np.ravel(bias), strict=True)]


def partial_bounds(columns: Array, x_lo: int, x_hi: int, bias: Array | None = None) -> tuple[list[int], list[int]]:
    """(lowest, highest) that any partial sum in any order can reach, per output channel, the bias at any place."""
    low = _extreme(columns, min(x_lo, 0), max(x_hi, 0))
    high = _extreme(columns, max(x_hi, 0), min(x_lo, 0))
    if bias is None:
        return low, high
    flat = [int(b) for b in np.ravel(bias)]
    return (
        [t + min(b, 0) for t, b in zip(low, flat, strict=True)],
        [t + max(b, 0) for t, b in zip(high, flat, strict=True)],
    )


def largest_partial(columns: Array, x_lo: int, x_hi: int, bias: Array | None = None) -> int:
    """The largest absolute value that any partial sum of any channel can reach."""
    low, high = partial_bounds(columns, x_lo, x_hi, bias)
    return max((max(-a, b) for a, b in zip(low, high, strict=True)), default=0)
