"""Stages of user-written multiply-accumulates: operands lowered, summed by the compiled loop, cast by the core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.graph.site import Site, accumulate_epilogue, tail_start
from hwblocks.graph.user_sums import as_seen, compiled_sums, in_order, quick_correction, zero_columns
from hwblocks.numerics import kernels
from hwblocks.numerics.kernels.reduce import ReduceCall
from hwblocks.numerics.kernels.storage import INT64_SPAN
from hwblocks.simulate.execute import centred_block, observed, requantized, stored
from hwblocks.simulate.store import Events, Store
from hwblocks.simulate.trace import NodeEvents

Array = np.ndarray[Any, Any]

RECORDED = 2  # statistics level from which extremes are recorded


@dataclass(frozen=True, eq=False)
class UserMacStage:
    """One node whose products are summed by a user's function or table.

    kind: storage of the operands, which holds stored and centred codes. zeros: the weights' zero points as they meet
    the columns. cast: the core's program from sums to codes, None where it has none.
    """

    site: Site
    kind: Any
    zeros: Any
    cast: Any
    bytes_per_sample: int

    def run(self, store: Store, count: int, events: Events, statistics: int) -> None:
        """Run the node on the store's arrays."""
        totals = self.sums([None if t is None else store[t.name] for t in self.site.inputs])
        codes, counted = self._codes(totals, count, statistics)
        counted.outputs = int(codes.size)
        store[self.site.output.name] = codes
        events.setdefault(self.site.node.name, NodeEvents()).add(counted)

    def sums(self, inputs: Sequence[Array | None]) -> Array:
        """The accumulators [..., C] in int64."""
        user = self.site.arithmetic.mac
        assert user is not None
        block: Any = centred_block(self.site, self.site.node.block)  # type: ignore[arg-type]
        contraction = block.lower(*(self._centred(inputs, position) for position in (0, 1)))
        seen = as_seen(self.site, contraction.rows, contraction.columns, self.zeros)
        correction = quick_correction(self.site, contraction.rows, seen, self.zeros)
        bias = inputs[2] if len(inputs) > 2 else None
        grouped = None if bias is None else contraction.grouped(bias.astype(np.int64))
        ordered = in_order(user, seen, contraction.k_shape)
        return np.asarray(contraction.fold(compiled_sums(user, ordered, grouped, correction)))

    def _centred(self, inputs: Sequence[Array | None], position: int) -> Array:
        array, format = inputs[position], self.site.input(position).format
        assert array is not None
        return np.asarray(array.astype(self.kind) - format.zero_points(array.ndim).astype(self.kind))

    def _codes(self, totals: Array, count: int, statistics: int) -> tuple[Array, NodeEvents]:
        if self.cast is None:
            codes, outside = requantized(self.site, self.site.input(0).format, self.site.input(1).format, totals)
            counted = NodeEvents(saturated=int(np.count_nonzero(outside)))
            return stored(self.site, codes), observed(totals, counted) if statistics >= RECORDED else counted
        codes = np.empty(totals.shape, self.site.output.format.dtype)
        totals = np.ascontiguousarray(totals)
        ((saturated, _, low, high),) = self.cast.run({0: totals, 1: codes}, count, count, statistics)
        counted = NodeEvents(saturated=saturated)
        if statistics >= RECORDED and low <= high:
            counted.lowest, counted.highest = low, high
        return codes, counted


def user_mac_stage(site: Site, isa: str) -> UserMacStage:
    """The stage of a node, its function compiled. Errors: SimulationError where it cannot be."""
    from hwblocks.numerics import njit

    assert site.arithmetic.mac is not None
    njit.check(site.arithmetic.mac)
    kind = operand_kind(site)
    x, w = (np.zeros(site.input(position).shape, kind) for position in (0, 1))
    rows = site.node.block.lower(x, w).rows  # type: ignore[attr-defined]
    size = int(rows.nbytes) + 8 * site.output.elements
    return UserMacStage(site, kind, zero_columns(site), cast_program(site, isa), size)


def operand_kind(site: Site) -> Any:
    """The narrowest storage for codes of both operands and their distances from the zero points."""
    bits = max(site.input(0).format.bits, site.input(1).format.bits)
    return np.int16 if bits <= 8 else np.int32 if bits <= 16 else np.int64


def cast_program(site: Site, isa: str) -> Any:
    """The core's cast of int64 sums to output codes as a program of one op, or None where the core has none."""
    channels = site.output.shape[-1]
    rows, start = site.output.elements // channels, tail_start(site, channels)
    x, w = site.input(0).format, site.input(1).format
    split = 0 < start < channels
    call = ReduceCall(
        x_dtype="int64",
        outer=rows,
        reduced=1,
        inner=channels,
        bias=0,
        bound=INT64_SPAN - 1,
        out_dtype=site.output.format.dtype.name,
        epilogue=accumulate_epilogue(site, x, w, channels),
        tail=accumulate_epilogue(site, x, w, channels, site.arithmetic.tail) if split else None,
        tail_start=start if split else 0,
    )
    op = kernels.bind(call, isa)
    if isinstance(op, str):
        return None
    elements = rows * channels
    return kernels.Program([(op, (0,), 1)], [8 * elements, site.output.stored_bytes], [-1, -1])
