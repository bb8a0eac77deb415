"""Bounds: the exact worst case of every register of a sum of products over all inputs, and the width it needs.

Rounding of dropped bits, saturation and addition never fall when a product grows. So every value a register sees is
largest where each product is largest, and one window of codes attains all these maxima at once; likewise the minima.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.analysis.operands import Operands, operands
from hwblocks.graph.site import Site
from hwblocks.numerics.accumulator import Accumulator, exact_matmul
from hwblocks.numerics.overflow import Overflow, OverflowMode, code_range
from hwblocks.numerics.partial_sums import Products, Seen, k_order, partial_sums, unit_register

Array = np.ndarray[Any, Any]
CLAMPS = (OverflowMode.SATURATE, OverflowMode.SATURATE_SYMMETRIC)


@dataclass(frozen=True)
class Register:
    """One kind of register of an accumulator: its name, width and overflow."""

    name: str
    bits: int
    signed: bool
    overflow: Overflow

    @property
    def basis(self) -> str:
        """What has to fit: "totals" where plain wrapping brings sums back, else every "partial sums"."""
        return "totals" if self.overflow.is_plain_wrap else "partial sums"

    @property
    def range(self) -> tuple[int, int]:
        """(lowest, highest) value that is kept as it is."""
        low, high = code_range(self.bits, self.signed)
        return (-high if self.signed and self.overflow.mode is OverflowMode.SATURATE_SYMMETRIC else low), high

    def bits_for(self, low: int, high: int, signed: bool = True) -> int | None:
        """The smallest width that keeps all values from low to high; None where an unsigned register cannot.

        >>> Register("accumulator", 32, True, Overflow("wrap")).bits_for(-128, 100)
        8
        """
        if not signed:
            return None if low < 0 else max(high, 0).bit_length()
        if self.overflow.mode is OverflowMode.SATURATE_SYMMETRIC:
            high = max(high, -low)
        return max(max(high, 0).bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1


@dataclass(frozen=True, eq=False)
class Extremes:
    """What a register sees over all inputs, per output channel, in its own LSBs.

    exact: an input attains both ends; else they are proven limits. lowest_case, highest_case: number of the case
    (over L and R) that attains them.
    """

    register: Register
    lowest: tuple[int, ...]
    highest: tuple[int, ...]
    exact: tuple[bool, ...]
    lowest_case: tuple[int, ...]
    highest_case: tuple[int, ...]

    def bits(self, channel: int, signed: bool = True) -> int | None:
        """The smallest width that no input of a channel can leave."""
        return self.register.bits_for(self.lowest[channel], self.highest[channel], signed)

    @property
    def span(self) -> tuple[int, int]:
        """(lowest, highest) of all channels."""
        return min(self.lowest, default=0), max(self.highest, default=0)

    @property
    def needed(self) -> int:
        """The smallest signed width for all channels."""
        return self.register.bits_for(*self.span) or 0

    @property
    def needed_unsigned(self) -> int | None:
        """The smallest unsigned width for all channels; None where a value may be negative."""
        return self.register.bits_for(*self.span, signed=False)

    def fits(self, channel: int) -> bool:
        """True when no input of a channel leaves the register."""
        low, high = self.register.range
        return low <= self.lowest[channel] and self.highest[channel] <= high

    @property
    def verdict(self) -> str:
        """ "safe"; "overflows" where an input is known that leaves the register; else "not proven"."""
        outside = [channel for channel in range(len(self.lowest)) if not self.fits(channel)]
        if not outside:
            return "safe"
        return "overflows" if any(self.exact[channel] for channel in outside) else "not proven"

    @property
    def worst(self) -> int:
        """The channel that needs most: one that overflows first, then most bits, then the largest value."""
        return max(range(len(self.lowest)), key=self._need, default=0)

    def _need(self, channel: int) -> tuple[bool, bool, int, int, int]:
        low, high = self.lowest[channel], self.highest[channel]
        outside = not self.fits(channel)
        return outside, outside and self.exact[channel], self.bits(channel) or 0, max(-low, high), -channel


@dataclass(frozen=True, eq=False)
class Bounds:
    """The worst case of a node: its accumulator, then its psum or dot unit where it has one."""

    name: str
    site: Site
    accumulator: Accumulator
    operands: Operands
    registers: tuple[Extremes, ...]

    @property
    def main(self) -> Extremes:
        """The accumulator itself."""
        return self.registers[0]

    @property
    def unit(self) -> Extremes | None:
        """The psum, or the 16-bit register of dot(n, sat16)."""
        return self.registers[1] if len(self.registers) > 1 else None

    @property
    def verdict(self) -> str:
        """The worst verdict of its registers."""
        found = {extremes.verdict for extremes in self.registers}
        return next(v for v in ("overflows", "not proven", "safe") if v in found)


def node_bounds(site: Site, accumulator: Accumulator | None = None, name: str = "") -> Bounds:
    """The exact worst case of a sum of products in its accumulator, or in another one.

    Errors: SimulationError for activations with a zero point per channel.
    """
    record = accumulator or site.accumulator
    made = operands(site)
    return Bounds(name or site.node.name, site, record, made, tuple(_extremes(made, site, record)))


def _extremes(made: Operands, site: Site, accumulator: Accumulator) -> Iterator[Extremes]:
    simple = accumulator.is_plain
    record = accumulator.replace(zero_point="subtract") if simple else accumulator  # the same totals
    used = made.for_accumulator(site, record)
    clamp = Clamp(record)
    if simple and not used.varying:
        main, unit = _totals(used), Seen()
    else:
        main, unit = _walked(used, record, clamp)
    uncertain = made.tied or (used.varying and record.zero_point == "correct" and made.zero_point != 0)
    names = ("accumulator", "dot unit" if record.order.sat16 else "psum")
    registers = [Register(names[0], record.bits, record.signed, record.overflow)]
    stage = unit_register(record)
    if stage is not None:
        registers.append(Register(names[1], stage[0], True, stage[1]))
    loose = (_spread(clamp.loose, main) | uncertain, np.asarray(uncertain))
    for register, seen, open_ in zip(registers, (main, unit), loose, strict=False):
        yield _per_channel(register, seen, open_, made)


def _totals(made: Operands) -> Seen:
    """Totals of constant weights: positive weights meet one end of x, negative ones the other."""
    weights = made.columns[0]
    up, down = np.where(weights > 0, weights, 0), np.where(weights < 0, weights, 0)
    low = exact_matmul(made.rows[0], up) + exact_matmul(made.rows[1], down)
    high = exact_matmul(made.rows[1], up) + exact_matmul(made.rows[0], down)
    if made.bias is not None:
        low, high = low.astype(object) + made.bias[0], high.astype(object) + made.bias[1]
    return Seen(low, high)


def _walked(made: Operands, accumulator: Accumulator, clamp: Clamp) -> tuple[Seen, Seen]:
    dtype = made.dtype(accumulator)
    order = k_order(accumulator, made.k_shape)
    lead = np.broadcast_shapes(made.rows.shape[1:3], made.columns.shape[1:3])
    shape = (2, *lead, made.rows.shape[-2], made.columns.shape[-1])
    correction = made.correction(accumulator)
    return partial_sums(
        Products(made.count, lambda k: made.products(int(order[k]), dtype), lambda: np.zeros(shape, dtype)),
        accumulator,
        None if made.bias is None else made.bias.astype(dtype),
        None if correction is None else correction.astype(dtype),
        clamp,
    )


class Clamp:
    """What a psum or dot unit hands on, as ends: clamped where it saturates, else its whole range once it may leave it.

    loose: elements whose later values are limits rather than attained.
    """

    def __init__(self, accumulator: Accumulator) -> None:
        stage = unit_register(accumulator)
        self.register = None if stage is None else Register("unit", stage[0], True, stage[1])
        self.loose: Array | None = None

    def __call__(self, ends: Array) -> Array:
        """The ends brought into the unit's range."""
        assert self.register is not None
        low, high = self.register.range
        mode = self.register.overflow.mode
        if mode not in CLAMPS:
            leaves = (ends[0] < low) | (ends[1] > high)
            self.loose = leaves if self.loose is None else self.loose | leaves
            if mode is not OverflowMode.TRAP:
                whole = np.array([low, high], dtype=ends.dtype).reshape(2, *[1] * (ends.ndim - 1))
                return np.where(leaves, whole, ends)
        return np.asarray(np.clip(ends, low, high))


def _spread(loose: Array | None, seen: Seen) -> Array:
    assert seen.lowest is not None
    return np.zeros(seen.lowest.shape, bool) if loose is None else np.broadcast_to(loose, seen.lowest.shape)


def _per_channel(register: Register, seen: Seen, loose: Array, made: Operands) -> Extremes:
    """Extremes over the cases [L, G, R, N] of each of the G · N channels; columns that are alike are repeated."""
    low, low_case = _reduced(seen.lowest, np.argmin, made)
    high, high_case = _reduced(seen.highest, np.argmax, made)
    assert seen.lowest is not None
    whole = np.broadcast_to(loose, seen.lowest.shape)
    exact, _ = _reduced(~whole, np.argmin, made)
    return Extremes(
        register,
        tuple(int(v) for v in low),
        tuple(int(v) for v in high),
        tuple(bool(v) for v in exact),
        tuple(int(v) for v in low_case),
        tuple(int(v) for v in high_case),
    )


def _reduced(values: Array | None, choose: Any, made: Operands) -> tuple[Array, Array]:
    """([G · N] chosen values, number of the case over (L, R) that gave each)."""
    assert values is not None
    cases = np.moveaxis(values, 2, 1).reshape(-1, values.shape[1], values.shape[3])  # [L · R, G, N]
    at = np.asarray(choose(cases, axis=0))
    best = np.take_along_axis(cases, at[None], axis=0)[0]
    repeat = made.width // max(best.shape[-1], 1)
    return np.repeat(best, repeat, axis=-1).ravel(), np.repeat(at, repeat, axis=-1).ravel()
