"""Partial sums: the values that an accumulator's registers are asked to hold, in its order, were they wide enough.

The first addition that leaves a register meets exact operands: so no addition ever leaves it exactly when none of the
values here does. A register that wraps plainly is an exception: what leaves it comes back; only its last value counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.ordered import dropped
from hwblocks.numerics.overflow import Overflow

Array = np.ndarray[Any, Any]
Hold = Callable[[Array], Array]


@dataclass
class Seen:
    """Lowest and highest of the values shown, element by element.

    Values lead with an axis of ends: (lowest, highest), or one entry that is both.
    """

    lowest: Array | None = None
    highest: Array | None = None

    def see(self, value: Array) -> None:
        """Count one value in."""
        low, high = value[0], value[-1]
        self.lowest = low if self.lowest is None else np.minimum(self.lowest, low)
        self.highest = high if self.highest is None else np.maximum(self.highest, high)


@dataclass
class Wide:
    """A register without limits: adds exactly and shows what it holds after every addition, or at the end only."""

    value: Array
    seen: Seen
    every: bool

    def add(self, addend: Array) -> None:
        """value ← value + addend."""
        self.value = np.asarray(self.value + addend)
        if self.every:
            self.seen.see(self.value)


@dataclass
class Unit:
    """The register of a dot or a tile: `wide` shows what it would hold, `held` is what it really hands on."""

    wide: Wide
    held: Array
    hold: Hold

    def add(self, addend: Array) -> None:
        """Add to both; a register that wraps plainly is reduced once, at the end."""
        self.wide.add(addend)
        total = np.asarray(self.held + addend)
        self.held = self.hold(total) if self.wide.every else total

    def handed_on(self) -> Array:
        """The value that is added to the accumulator."""
        if self.wide.every:
            return self.held
        self.wide.seen.see(self.wide.value)
        return self.hold(self.held)


@dataclass(frozen=True)
class Products:
    """K products in the accumulator's order: `term(k)` gives those of step k for all elements, leading axis of ends."""

    count: int
    term: Callable[[int], Array]
    zeros: Callable[[], Array]

    def groups(self, n: int) -> Iterator[range]:
        """K in consecutive runs of n."""
        for start in range(0, self.count, n):
            yield range(start, min(start + n, self.count))


def unit_register(accumulator: Accumulator) -> tuple[int, Overflow] | None:
    """(bits, overflow) of the register before the accumulator: the psum's, or the 16 bits of dot(n, sat16)."""
    if accumulator.psum is not None:
        return accumulator.psum.bits, accumulator.psum.overflow
    return (16, Overflow("saturate")) if accumulator.order.sat16 else None


@dataclass
class _Walk:
    """One accumulation in progress."""

    products: Products
    accumulator: Accumulator
    hold: Hold
    seen: Seen
    unit_seen: Seen

    def __post_init__(self) -> None:
        self.every = not self.accumulator.overflow.is_plain_wrap
        self.main = self.register()

    def register(self) -> Wide:
        """A cleared register like the accumulator."""
        return Wide(self.products.zeros(), self.seen, self.every)

    def unit(self) -> Unit:
        """A cleared psum register."""
        made = unit_register(self.accumulator)
        assert made is not None
        zeros = self.products.zeros()
        return Unit(Wide(zeros, self.unit_seen, not made[1].is_plain_wrap), zeros, self.hold)

    def term(self, k: int) -> Array:
        """What product k adds."""
        return dropped(self.products.term(k), self.accumulator)

    def sequential(self) -> None:
        for k in range(self.products.count):
            self.main.add(self.term(k))

    def dot(self) -> None:
        has_unit = unit_register(self.accumulator) is not None
        for group in self.products.groups(self.accumulator.order.n):
            total = self.products.zeros()
            for k in group:
                total = total + self.products.term(k)
            if has_unit:
                unit = self.unit()
                unit.add(total)
                total = unit.handed_on()
            self.main.add(dropped(total, self.accumulator))

    def tiles(self) -> None:
        has_unit = unit_register(self.accumulator) is not None
        for group in self.products.groups(self.accumulator.order.n):
            partial: Unit | Wide = self.unit() if has_unit else self.register()
            for k in group:
                partial.add(self.term(k))
            self.main.add(partial.handed_on() if isinstance(partial, Unit) else partial.value)

    def interleaved(self) -> None:
        lanes = [self.register() for _ in range(min(self.accumulator.order.n, max(self.products.count, 1)))]
        for k in range(self.products.count):
            lanes[k % len(lanes)].add(self.term(k))
        for lane in lanes:
            self.main.add(lane.value)

    def tree(self) -> None:
        for group in self.products.groups(self.accumulator.order.n):
            level = [self.term(k) for k in group]
            while len(level) > 1:
                pairs = [self._pair(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
                level = pairs + level[len(level) - len(level) % 2 :]
            self.main.add(level[0])

    def _pair(self, first: Array, second: Array) -> Array:
        node = Wide(first, self.seen, self.every)
        node.add(second)
        return node.value


def partial_sums(
    products: Products, accumulator: Accumulator, bias: Array | None, correction: Array | None, hold: Hold
) -> tuple[Seen, Seen]:
    """(extremes of the accumulator in its own LSBs, extremes of its psum or dot unit), element by element.

    bias, correction: added where the record says. hold: brings a unit's sum into its range. A register without any
    addition shows 0; without a unit the second is empty.
    """
    walk = _Walk(products, accumulator, hold, Seen(), Seen())
    if bias is not None and accumulator.bias == "first":
        walk.main.add(dropped(bias, accumulator))
    getattr(walk, accumulator.order.name)()
    if correction is not None:
        walk.main.add(dropped(correction, accumulator))
    if bias is not None and accumulator.bias == "last":
        walk.main.add(dropped(bias, accumulator))
    if not walk.every or walk.seen.lowest is None:
        walk.seen.see(walk.main.value)
    return walk.seen, walk.unit_seen


def k_order(accumulator: Accumulator, k_shape: tuple[int, ...]) -> Array:
    """The numbers of the products in the order in which they are added: as lowered, or channels first for chw."""
    number = np.arange(int(np.prod(k_shape))).reshape(k_shape)
    if accumulator.axes == "hwc" or len(k_shape) < 2:
        return number.ravel()
    return np.moveaxis(number, -1, 0).ravel()
