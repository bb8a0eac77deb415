"""Accumulation in order: the exact definition of what a register holds after every addition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.accumulator import Accumulator, Events, exact_matmul, peak
from hwblocks.numerics.overflow import Overflow, code_range
from hwblocks.numerics.rounding import Integers, round_shift
from hwblocks.numerics.step_counts import NEVER, ElementCounts

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
class Watch:
    """What all registers of one accumulation count together. extremes: whether sums are recorded too."""

    counts: ElementCounts
    extremes: bool
    additions: int = 0

    def note(self, totals: Array, outside: Any, own_width: bool) -> None:
        """Count one addition of every element."""
        self.counts.note(self.additions, outside)
        if self.extremes and own_width:
            self.counts.extend(totals)
        self.additions += 1


@dataclass
class Register:
    """One register for every output element. own_width: of the accumulator's width, not a partial register."""

    value: Array
    bits: int
    signed: bool
    overflow: Overflow
    watch: Watch
    own_width: bool = True

    def add(self, addend: Integers) -> None:
        """value ← reduced(value + addend)."""
        total = np.asarray(self.value + addend)
        self.value, outside = self.overflow.apply(total, self.bits, self.signed)
        self.watch.note(total, outside, self.own_width)

    def like(self, value: Array) -> Register:
        """Another register of the same width that holds `value`."""
        return Register(value, self.bits, self.signed, self.overflow, self.watch)


def accumulate_in_order(
    rows: Array,
    columns: Array,
    bias: Array | None,
    accumulator: Accumulator,
    correction: Array | None,
    k_shape: tuple[int, ...] | None,
    extremes: bool = False,
) -> tuple[Array, Events]:
    """Every addition in the accumulator's order; vectorised over outputs, one step of K at a time."""
    rows, columns = in_axes(rows, columns, accumulator, k_shape)
    shape = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2]) + (rows.shape[-2], columns.shape[-1])
    dtype: Any = object if _needs_objects(rows, columns, bias, correction, accumulator) else np.int64
    watch = Watch(ElementCounts(np.zeros(shape, np.int64), np.full(shape, NEVER)), extremes)
    register = Register(np.zeros(shape, dtype), accumulator.bits, accumulator.signed, accumulator.overflow, watch)
    terms = Terms(rows.astype(dtype), columns.astype(dtype), shape, dtype)
    if bias is not None and accumulator.bias == "first":
        register.add(dropped(np.asarray(bias).astype(dtype), accumulator))
    _run_order(register, terms, accumulator)
    if correction is not None:
        register.add(dropped(np.asarray(correction).astype(dtype), accumulator))
    if bias is not None and accumulator.bias == "last":
        register.add(dropped(np.asarray(bias).astype(dtype), accumulator))
    final = _final_events(rows, columns, bias, correction, accumulator)
    sums = np.asarray(register.value) << accumulator.drop if accumulator.drop else register.value
    counts = watch.counts
    return narrowed(np.asarray(sums)), Events(final, int(counts.steps.sum()), _earliest(counts), counts)


def _earliest(counts: ElementCounts) -> tuple[int, int, int] | None:
    """(sample, element, step) of the first event; the leading axis counts samples."""
    found = counts.earliest
    if found is None:
        return None
    per_sample = max(counts.steps.size // max(counts.steps.shape[0], 1), 1)
    return found[0] // per_sample, found[0] % per_sample, found[1]


def _needs_objects(
    rows: Array, columns: Array, bias: Array | None, correction: Array | None, accumulator: Accumulator
) -> bool:
    """True where 64 bits might not hold a sum on its way."""
    widest = max(accumulator.bits, accumulator.psum.bits if accumulator.psum else 0)
    total = rows.shape[-1] * peak(rows) * peak(columns)
    for part in (bias, correction):
        total += 0 if part is None else peak(np.asarray(part))
    return widest + accumulator.drop > 48 or total >= 1 << 60


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


def _run_order(register: Register, terms: Terms, accumulator: Accumulator) -> None:
    """Feed the register."""
    runs = {
        "sequential": _sequential,
        "dot": _dot,
        "interleaved": _interleaved,
        "tiles": _tiles,
        "tree": _tree,
    }
    runs[accumulator.order.name](register, terms, accumulator)


def _sequential(register: Register, terms: Terms, accumulator: Accumulator) -> None:
    for k in range(terms.count):
        register.add(dropped(terms.product(k), accumulator))


def _dot(register: Register, terms: Terms, accumulator: Accumulator) -> None:
    """n products summed exactly, brought to 16 bits or to the partial register once, then added."""
    for group in terms.groups(accumulator.order.n):
        exact = terms.zeros()
        for k in group:
            exact = exact + terms.product(k)
        if accumulator.order.sat16 or accumulator.psum is not None:
            unit = _unit(register, terms, accumulator)
            unit.add(exact)
            exact = unit.value
        register.add(dropped(exact, accumulator))


def _unit(register: Register, terms: Terms, accumulator: Accumulator) -> Register:
    """The partial register of a dot or a tile, cleared."""
    psum = accumulator.psum
    bits, overflow = (16, SAT16) if psum is None else (psum.bits, psum.overflow)
    return Register(terms.zeros(), bits, True, overflow, register.watch, own_width=False)


def _tiles(register: Register, terms: Terms, accumulator: Accumulator) -> None:
    """A partial sum, in the psum register or one like the accumulator, cleared every n products."""
    for group in terms.groups(accumulator.order.n):
        partial = register.like(terms.zeros()) if accumulator.psum is None else _unit(register, terms, accumulator)
        for k in group:
            partial.add(dropped(terms.product(k), accumulator))
        register.add(partial.value)


def _interleaved(register: Register, terms: Terms, accumulator: Accumulator) -> None:
    """n registers, product k to register k mod n, added at the end in index order."""
    lanes = [register.like(terms.zeros()) for _ in range(min(accumulator.order.n, max(terms.count, 1)))]
    for k in range(terms.count):
        lanes[k % len(lanes)].add(dropped(terms.product(k), accumulator))
    for lane in lanes:
        register.add(lane.value)


def _tree(register: Register, terms: Terms, accumulator: Accumulator) -> None:
    """n products added in adjacent pairs level by level, every sum brought to the register's range."""
    for group in terms.groups(accumulator.order.n):
        level = [dropped(terms.product(k), accumulator) for k in group]
        while len(level) > 1:
            pairs = []
            for i in range(0, len(level) - 1, 2):
                node = register.like(level[i])
                node.add(level[i + 1])
                pairs.append(node.value)
            level = pairs + level[len(level) - len(level) % 2 :]
        register.add(level[0])
