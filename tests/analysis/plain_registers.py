"""An oracle in plain Python: one sum of products, addition by addition, as the documentation of accumulators says.

It imports nothing of the package. Products enter as integers; what every register was asked to hold comes out.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor


def rounded(value: int, bits: int, mode: str) -> int:
    """value / 2**bits to an integer."""
    exact = Fraction(value, 1 << bits)
    low, high = floor(exact), ceil(exact)
    if low == high or mode == "floor":
        return low
    if mode == "ceil":
        return high
    if mode in ("to_zero", "away"):
        return low if (exact >= 0) == (mode == "to_zero") else high
    if exact - low != Fraction(1, 2):
        return low if exact - low < Fraction(1, 2) else high
    return {
        "half_up": high,
        "half_down": low,
        "half_even": low if low % 2 == 0 else high,
        "half_odd": high if low % 2 == 0 else low,
        "half_away": high if exact > 0 else low,
        "half_to_zero": low if exact > 0 else high,
    }[mode]


def brought(value: int, bits: int | None, signed: bool, mode: str) -> int:
    """A sum in a register of some width; None: a register without limits."""
    if bits is None:
        return value
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if mode == "saturate_symmetric" and signed:
        low = -high
    if low <= value <= high:
        return value
    if mode.startswith("saturate_to_zero"):
        return 0
    if mode.startswith("saturate"):
        return low if value < low else high
    if mode == "wrap:1" and signed:  # the sign is kept, the other bits wrap
        return value % (1 << (bits - 1)) + (low if value < 0 else 0)
    return (value - low) % (1 << bits) + low


class Registers:
    """One accumulation: `main` and `unit` list what each kind of register was asked to hold, `total` its last value."""

    def __init__(self, record: dict, main_bits: int | None = None, unit_bits: int | None = None) -> None:
        self.record, self.main_bits, self.unit_bits = record, main_bits, unit_bits
        self.main: list[int] = []
        self.unit: list[int] = []

    def _main(self, value: int, addend: int) -> int:
        self.main.append(value + addend)
        return brought(value + addend, self.main_bits, self.record.get("signed", True), self.record["overflow"])

    def _unit(self, value: int, addend: int) -> int:
        self.unit.append(value + addend)
        return brought(value + addend, self.unit_bits, True, self.record["psum_overflow"])

    def _drop(self, value: int) -> int:
        return rounded(value, self.record["drop"], self.record["rounding"]) if self.record["drop"] else value

    def run(self, products: list[int], bias: int | None, correction: int | None) -> int:
        """The accumulator's last value."""
        value = 0
        if bias is not None and self.record["bias"] == "first":
            value = self._main(value, self._drop(bias))
        value = getattr(self, self.record["order"])(value, products, self.record["n"])
        if correction is not None:
            value = self._main(value, self._drop(correction))
        if bias is not None and self.record["bias"] == "last":
            value = self._main(value, self._drop(bias))
        return value

    def sequential(self, value: int, products: list[int], n: int) -> int:
        for product in products:
            value = self._main(value, self._drop(product))
        return value

    def dot(self, value: int, products: list[int], n: int) -> int:
        for start in range(0, len(products), n):
            part = sum(products[start : start + n])
            if self.record["psum_overflow"]:
                part = self._unit(0, part)
            value = self._main(value, self._drop(part))
        return value

    def tiles(self, value: int, products: list[int], n: int) -> int:
        add = self._unit if self.record["psum_overflow"] else self._main
        for start in range(0, len(products), n):
            part = 0
            for product in products[start : start + n]:
                part = add(part, self._drop(product))
            value = self._main(value, part)
        return value

    def interleaved(self, value: int, products: list[int], n: int) -> int:
        lanes = [0] * min(n, len(products))
        for k, product in enumerate(products):
            lanes[k % len(lanes)] = self._main(lanes[k % len(lanes)], self._drop(product))
        for lane in lanes:
            value = self._main(value, lane)
        return value

    def tree(self, value: int, products: list[int], n: int) -> int:
        for start in range(0, len(products), n):
            level = [self._drop(p) for p in products[start : start + n]]
            while len(level) > 1:
                pairs = [self._main(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
                level = pairs + ([level[-1]] if len(level) % 2 else [])
            value = self._main(value, level[0])
        return value
