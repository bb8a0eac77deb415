"""Accumulation in order: the exact definition of what a register holds after every addition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.accumulator import Accumulator, Events, exact_matmul, peak
from hwblocks.numerics.overflow import Overflow, code_range
from hwblocks.numerics.rounding import Integers, round_shift

Array = np.ndarray[Any, Any]
SAT16 = Overflow("saturate")


def accumulate_plain(
    rows: Array, columns: Array, bias: Array | None, accumulator: Accumulator, correction: Array | None
) -> tuple[Array, Events]:
    """Exact totals, reduced once: equal to reducing at every step, since addition modulo 2**bits is associative."""
    total = _exact_total(rows, columns, correction, bias)
    sums, outside = accumulator.overflow.apply(total, accumulator.bits, accumulator.signed)
    return narrowed(sums), Events(int(np.count_nonzero(outside)), None, _first(outside, 0))


def _exact_total(rows: Array, columns: Array, *parts: Array | None) -> Array:
    """rows · columns plus the parts that are there, without any overflow."""
    total = exact_matmul(rows, columns)
    for part in parts:
        if part is not None:
            total = _sum(total, np.asarray(part))
    return total


def _sum(a: Array, b: Array) -> Array:
    """a + b in Python integers where 64 bits might not hold it."""
    if a.dtype == object or b.dtype == object or peak(a) + peak(b) >= 1 << 62:
        return np.asarray(a.astype(object) + b.astype(object))
    return np.asarray(a + b)


def narrowed(sums: Array) -> Array:
    """int64 where the sums fit, as they do in any register of at most 64 signed bits."""
    return sums.astype(np.int64) if sums.dtype == object and peak(sums) < 1 << 63 else sums


def _first(outside: Array, step: int) -> tuple[int, int, int] | None:
    """(sample, element, step) of the first True; the leading axis counts samples."""
    if not outside.any():
        return None
    flat = int(np.argmax(np.ravel(outside)))
    per_sample = max(outside.size // max(outside.shape[0], 1), 1)
    return flat // per_sample, flat % per_sample, step


@dataclass
class Register:
    """One register for every output element; counts the additions that leave its range."""

    value: Array
    bits: int
    signed: bool
    overflow: Overflow
    events: int = 0
    first: tuple[int, int, int] | None = None
    steps: int = 0

    def add(self, addend: Integers) -> None:
        """value ← reduced(value + addend)."""
        total = self.value + addend
        self.value, outside = self.overflow.apply(np.asarray(total), self.bits, self.signed)
        count = int(np.count_nonzero(outside))
        if count:
            self.events += count
            found = _first(outside, self.steps)
            self.first = found if self.first is None else min(self.first, found)  # type: ignore[type-var]
        self.steps += 1


def accumulate_in_order(
    rows: Array,
    columns: Array,
    bias: Array | None,
    accumulator: Accumulator,
    correction: Array | None,
    k_shape: tuple[int, ...] | None,
) -> tuple[Array, Events]:
    """Every addition in the accumulator's order; vectorised over outputs, one step of K at a time."""
    rows, columns = in_axes(rows, columns, accumulator, k_shape)
    shape = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2]) + (rows.shape[-2], columns.shape[-1])
    dtype: Any = object if _needs_objects(rows, columns, bias, correction, accumulator) else np.int64
    register = Register(np.zeros(shape, dtype), accumulator.bits, accumulator.signed, accumulator.overflow)
    terms = Terms(rows.astype(dtype), columns.astype(dtype), shape, dtype)
    if bias is not None and accumulator.bias == "first":
        register.add(dropped(np.asarray(bias).astype(dtype), accumulator))
    others = _run_order(register, terms, accumulator)
    inner = sum(other.events for other in others)
    if correction is not None:
        register.add(dropped(np.asarray(correction).astype(dtype), accumulator))
    if bias is not None and accumulator.bias == "last":
        register.add(dropped(np.asarray(bias).astype(dtype), accumulator))
    final = _final_events(rows, columns, bias, correction, accumulator)
    sums = np.asarray(register.value) << accumulator.drop if accumulator.drop else register.value
    return narrowed(np.asarray(sums)), Events(final, register.events + inner, _earliest([register, *others]))


def _earliest(registers: list[Register]) -> tuple[int, int, int] | None:
    """The first event of all registers, each counting its own additions."""
    return min((r.first for r in registers if r.first is not None), default=None)


def _needs_objects(
    rows: Array, columns: Array, bias: Array | None, correction: Array | None, accumulator: Accumulator
) -> bool:
    """True where 64 bits might not hold a sum on its way."""
    widest = max(accumulator.bits, accumulator.psum.bits if accumulator.psum else 0)
    total = rows.shape[-1] * peak(rows) * peak(columns)
    for part in (bias, correction):
        total += 0 if part is None else peak(np.asarray(part))
    return widest > 48 or total >= 1 << 60


def _final_events(
    rows: Array, columns: Array, bias: Array | None, correction: Array | None, accumulator: Accumulator
) -> int:
    total = _exact_total(rows, columns, correction, bias)
    low, high = code_range(accumulator.bits, accumulator.signed)
    scaled = round_shift(total, accumulator.drop, accumulator.drop_rounding) if accumulator.drop else total
    return int(np.count_nonzero((scaled < low) | (scaled > high)))


def dropped(value: Array, accumulator: Accumulator) -> Array:
    """What enters a register whose LSB is 2**drop."""
    if not accumulator.drop:
        return value
    return np.asarray(round_shift(value, accumulator.drop, accumulator.drop_rounding))


def in_axes(
    rows: Array, columns: Array, accumulator: Accumulator, k_shape: tuple[int, ...] | None
) -> tuple[Array, Array]:
    """K in the accumulator's axes: (spatial ..., c) as lowered, or c first for chw."""
    if accumulator.axes == "hwc" or k_shape is None or len(k_shape) < 2:
        return rows, columns
    number = np.arange(int(np.prod(k_shape))).reshape(k_shape)
    order = np.moveaxis(number, -1, 0).ravel()
    return rows[..., order], columns[..., order, :]


@dataclass
class Terms:
    """The products of step k for all outputs at once."""

    rows: Array
    columns: Array
    shape: tuple[int, ...]
    dtype: Any

    @property
    def count(self) -> int:
        """K."""
        return int(self.rows.shape[-1])

    def product(self, k: int) -> Array:
        """rows[..., k] · columns[k, ...] for every output."""
        return np.asarray(self.rows[..., k, None] * self.columns[..., None, k, :])

    def groups(self, n: int) -> Iterator[range]:
        """K in consecutive runs of n."""
        for start in range(0, self.count, n):
            yield range(start, min(start + n, self.count))

    def zeros(self) -> Array:
        """A cleared register."""
        return np.zeros(self.shape, self.dtype)


def _run_order(register: Register, terms: Terms, accumulator: Accumulator) -> list[Register]:
    """Feed the register; returns the other registers that were used."""
    runs = {
        "sequential": _sequential,
        "dot": _dot,
        "interleaved": _interleaved,
        "tiles": _tiles,
        "tree": _tree,
    }
    return runs[accumulator.order.name](register, terms, accumulator)


def _sequential(register: Register, terms: Terms, accumulator: Accumulator) -> list[Register]:
    for k in range(terms.count):
        register.add(dropped(terms.product(k), accumulator))
    return []


def _dot(register: Register, terms: Terms, accumulator: Accumulator) -> list[Register]:
    """n products summed exactly, brought to 16 bits or to the partial register once, then added."""
    made = []
    for group in terms.groups(accumulator.order.n):
        exact = terms.zeros()
        for k in group:
            exact = exact + terms.product(k)
        if accumulator.order.sat16 or accumulator.psum is not None:
            unit = _unit(terms, accumulator)
            unit.add(exact)
            made.append(unit)
            exact = unit.value
        register.add(dropped(exact, accumulator))
    return made


def _unit(terms: Terms, accumulator: Accumulator) -> Register:
    if accumulator.psum is not None:
        return Register(terms.zeros(), accumulator.psum.bits, True, accumulator.psum.overflow)
    return Register(terms.zeros(), 16, True, SAT16)


def _tiles(register: Register, terms: Terms, accumulator: Accumulator) -> list[Register]:
    """A partial sum, in the psum register or one like the accumulator, cleared every n products."""
    made = []
    for group in terms.groups(accumulator.order.n):
        partial = _like(register, terms) if accumulator.psum is None else _unit(terms, accumulator)
        for k in group:
            partial.add(dropped(terms.product(k), accumulator))
        made.append(partial)
        register.add(partial.value)
    return made


def _like(register: Register, terms: Terms) -> Register:
    return Register(terms.zeros(), register.bits, register.signed, register.overflow)


def _interleaved(register: Register, terms: Terms, accumulator: Accumulator) -> list[Register]:
    """n registers, product k to register k mod n, added at the end in index order."""
    lanes = [_like(register, terms) for _ in range(min(accumulator.order.n, max(terms.count, 1)))]
    for k in range(terms.count):
        lanes[k % len(lanes)].add(dropped(terms.product(k), accumulator))
    for lane in lanes:
        register.add(lane.value)
    return lanes


def _tree(register: Register, terms: Terms, accumulator: Accumulator) -> list[Register]:
    """n products added in adjacent pairs level by level, every sum brought to the register's range."""
    made = []
    for group in terms.groups(accumulator.order.n):
        level = [dropped(terms.product(k), accumulator) for k in group]
        while len(level) > 1:
            pairs = []
            for i in range(0, len(level) - 1, 2):
                node = Register(level[i], register.bits, register.signed, register.overflow)
                node.add(level[i + 1])
                made.append(node)
                pairs.append(node.value)
            level = pairs + level[len(level) - len(level) % 2 :]
        register.add(level[0])
    return made
