"""Witnesses: codes that drive a register to its extreme, as one window and as whole inputs of the node."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hwblocks.analysis.bounds import Bounds, Extremes
from hwblocks.analysis.operands import zero_padded
from hwblocks.errors import InputError
from hwblocks.graph.contraction import Contraction
from hwblocks.graph.site import scalar_zero_point
from hwblocks.graph.tensor import Tensor
from hwblocks.numerics.accumulator import peak

Array = np.ndarray[Any, Any]
ENDS = ("lowest", "highest")


@dataclass(frozen=True, eq=False)
class Witness:
    """An input that drives one register of one channel to its lowest or highest value.

    value: that value, in the register's own LSBs. x, w: stored codes of the window [K], products in lowered order;
    x is the pad's code where padding is multiplied. bias: the code added. taken: False at padding.
    element: the output element (indices of one sample's output) whose window it is. inputs: whole arrays by position.
    """

    channel: int
    end: str
    value: int
    x: Array
    w: Array
    bias: int | None
    taken: Array
    element: tuple[int, ...]
    inputs: tuple[Array | None, ...]


def witness(bounds: Bounds, channel: int | None = None, end: str | None = None, register: int = 0) -> Witness:
    """The witness of a channel (default: the one that needs most) and an end (default: the one that needs more).

    register: 0 the accumulator, 1 its psum or dot unit.
    Errors: InputError for a channel or an end that is not there, and where only limits are known.
    """
    if not 0 <= register < len(bounds.registers):
        raise InputError(f"{bounds.site.where}: accumulator {bounds.accumulator} has no register {register}")
    found = bounds.registers[register]
    channel = found.worst if channel is None else channel
    if not 0 <= channel < len(found.lowest):
        raise InputError(f"{bounds.site.where}: has channels 0 to {len(found.lowest) - 1}, not {channel}")
    end = end or wider_end(found, channel)
    if end not in ENDS:
        raise InputError(f'witness end {end!r}: use "lowest" or "highest"')
    if not found.exact[channel]:
        where = f"{bounds.site.where}: channel {channel}"
        raise InputError(f"{where} has proven limits, but no input is known to reach them")
    return _made(bounds, found, channel, end)


def wider_end(found: Extremes, channel: int) -> str:
    """The end of a channel that leaves the register, else the one that needs more bits."""
    (low, high), (least, most) = (found.lowest[channel], found.highest[channel]), found.register.range
    if (low < least) != (high > most):
        return ENDS[high > most]
    return ENDS[high >= -low - 1]


def _made(bounds: Bounds, found: Extremes, channel: int, end: str) -> Witness:
    position = ENDS.index(end)
    place = _Place(bounds, channel, (found.lowest_case, found.highest_case)[position][channel])
    x_ends, w_ends = end_choice(place.rows, place.columns, position)
    steps = np.arange(len(x_ends))
    x, w = place.rows[x_ends, steps].astype(object), place.columns[w_ends, steps].astype(object)
    bias = None if bounds.operands.bias is None else int(place.bias[position])
    return Witness(
        channel,
        end,
        (found.lowest, found.highest)[position][channel],
        x + scalar_zero_point(bounds.site.input(0).format),
        w + place.weight_zero,
        bias,
        place.taken,
        place.element,
        tuple(place.input(i, (x, w), bias) for i in range(len(bounds.site.inputs))),
    )


def end_choice(rows: Array, columns: Array, position: int) -> tuple[Array, Array]:
    """Of each product the ends of x and of w (0 lowest, 1 highest) that make it lowest (position 0) or highest (1).

    rows, columns: ends [2, ..., K].
    """
    wide = object if peak(rows) * peak(columns) >= 1 << 63 else np.int64
    products = np.stack([rows[i].astype(wide) * columns[j].astype(wide) for i in range(2) for j in range(2)])
    at = products.argmax(axis=0) if position else products.argmin(axis=0)
    return np.asarray(at // 2), np.asarray(at % 2)


@dataclass(frozen=True, eq=False)
class _Place:
    """One channel in one case: its operands, and where its window lies in the node's inputs."""

    bounds: Bounds
    channel: int
    case: int

    @property
    def _at(self) -> tuple[int, int, int, int]:
        """(L, G, R, N) of the case and the channel."""
        used = self.bounds.operands
        lead, row = divmod(self.case, used.rows.shape[-2])
        group, column = divmod(self.channel, used.width)
        return lead, group, row, column

    @property
    def rows(self) -> Array:
        """Ends of centred x [2, K]."""
        lead, group, row, _ = self._at
        rows = self.bounds.operands.rows
        return np.asarray(rows[:, min(lead, rows.shape[1] - 1), min(group, rows.shape[2] - 1), row])

    @property
    def columns(self) -> Array:
        """Ends of centred w [2, K]."""
        lead, group, _, column = self._at
        columns = self.bounds.operands.columns
        return np.asarray(columns[:, min(lead, columns.shape[1] - 1), group, :, min(column, columns.shape[-1] - 1)])

    @property
    def bias(self) -> Array:
        """Ends of the bias [2]."""
        _, group, _, column = self._at
        bias = self.bounds.operands.bias
        assert bias is not None
        return np.asarray(bias[:, 0, group, 0, column])

    @property
    def taken(self) -> Array:
        """Where x is multiplied, not padding [K]."""
        cases = self.bounds.operands.taken
        return np.asarray(cases[min(self._at[2], len(cases) - 1)])

    @property
    def weight_zero(self) -> int:
        """The zero point of the channel's weights."""
        w = self.bounds.site.input(1).format
        return int(w.zero_point[self.channel]) if isinstance(w.zero_point, tuple) else w.zero_point

    @property
    def element(self) -> tuple[int, ...]:
        """The output element of the window."""
        shape = np.broadcast_shapes(self._numbered.rows.shape[:-3], self._numbered.columns.shape[:-3])
        shape = (*shape, *self._numbered.rows.shape[-3:-1], self._numbered.columns.shape[-1])
        sums = np.arange(int(np.prod(shape))).reshape(shape)
        lead, group, row, column = self._window
        wanted = sums.reshape(-1, *shape[-3:])[lead, group, row, column]
        return tuple(int(i) for i in np.argwhere(self._numbered.fold(sums) == wanted)[0])

    @cached_property
    def _numbered(self) -> Contraction:
        """The lowering of the numbers of the elements of x and w, from 1; 0 is padding."""
        site = self.bounds.site
        tensors = (site.input(0), site.input(1))
        return zero_padded(site).lower(*(np.arange(1, t.elements + 1).reshape(t.shape) for t in tensors))

    @cached_property
    def _window(self) -> tuple[int, int, int, int]:
        """(L, G, M, N) of the first window of the case."""
        used = self.bounds.operands
        lead, group, row, column = self._at
        if self.bounds.site.input(0).is_constant:
            return lead, group, row, column
        rows = self._flat(self._numbered.rows)
        several = used.columns.shape[1] > 1
        for at in [lead] if several else range(len(rows)):
            same = ((rows[at, group] > 0) == self.taken).all(axis=-1)
            if same.any():
                return at, group, int(np.argmax(same)), column
        raise InputError(f"{self.bounds.site.where}: no window has this case of padding in group {group}")

    def _flat(self, numbers: Array) -> Array:
        """[..., G, M, K] or [..., G, K, N] with one leading axis, broadcast over both operands."""
        lead = np.broadcast_shapes(self._numbered.rows.shape[:-3], self._numbered.columns.shape[:-3])
        return np.broadcast_to(numbers, (*lead, *numbers.shape[-3:])).reshape(-1, *numbers.shape[-3:])

    def input(self, position: int, centred: tuple[Array, Array], bias: int | None) -> Array | None:
        """The node's input at a position: constants as they are, run-time ones with the window's codes written in."""
        site = self.bounds.site
        if not site.has(position):
            return None
        tensor = site.input(position)
        if tensor.value is not None:
            return tensor.value
        if position == 2:
            return np.full(tensor.shape, bias, tensor.format.dtype)
        lead, group, row, column = self._window
        if position == 0:
            return _written(tensor, self._flat(self._numbered.rows)[lead, group, row], centred[0])
        return _written(tensor, self._flat(self._numbered.columns)[lead, group, :, column], centred[1])


def _written(tensor: Tensor, numbers: Array, centred: Array) -> Array:
    """A whole tensor of the zero point's code with a window written in; numbers 0 are padding."""
    zero = scalar_zero_point(tensor.format)
    flat = np.full(tensor.elements, min(max(zero, tensor.format.lo), tensor.format.hi), tensor.format.dtype)
    inside = numbers > 0
    flat[numbers[inside] - 1] = (centred[inside] + zero).astype(flat.dtype)
    return flat.reshape(tensor.shape)
