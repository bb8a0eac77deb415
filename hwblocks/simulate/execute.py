"""The exact definition of every node: float once rounded to float32, or stored codes by the node's arithmetic.

Every faster path must equal these functions bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.algorithm import chosen, limited
from hwblocks.graph.block import Accumulate, Algorithm, Block, Move, Pointwise
from hwblocks.graph.contraction import Contraction
from hwblocks.graph.lookup import look_up
from hwblocks.graph.site import Site, accumulate_epilogue, scalar_zero_point, tail_start
from hwblocks.graph.tensor import Tensor
from hwblocks.graph.user_sums import user_defined
from hwblocks.numerics.accumulator import accumulate
from hwblocks.numerics.formats import Format
from hwblocks.numerics.step_counts import StepCounts
from hwblocks.simulate.trace import NodeEvents

Array = np.ndarray[Any, Any]
Outputs = tuple[Array, ...]


def run_node(site: Site, inputs: Sequence[Array | None], follow: bool = False) -> tuple[Outputs, NodeEvents]:
    """The node's outputs from the arrays of its inputs (constants included), and what it counted.

    follow: count every addition of an accumulator, even where the order cannot matter.
    """
    present = [a for a in inputs if a is not None]
    if any(t.format.is_quantized for t in (*site.present, *site.outputs)):
        outputs, events = run_integer(site, inputs, present, follow)
    else:
        outputs, events = run_float(site, present), NodeEvents()
    events.outputs = sum(int(a.size) for a in outputs)
    events.active = site.node.block.active(present, outputs, site)
    return outputs, events


def run_float(site: Site, inputs: Sequence[Array]) -> Outputs:
    """The formula in float64, rounded once to the output's float format; a fused clamp comes before rounding.

    Between raw integers and bools it runs in 64 bits, which wrap as in C.
    """
    block = site.node.block
    kept = isinstance(block, Move) or block.keeps_types
    wide = inputs if kept else [a.astype(wide_type(site)) for a in inputs]
    result = block.compute(*wide)
    results = result if isinstance(result, tuple) else (result,)
    if site.node.clamp is not None:
        results = (np.clip(results[0], *site.node.clamp), *results[1:])
    return tuple(np.asarray(r, dtype=t.format.dtype, order="C") for r, t in zip(results, site.outputs, strict=False))


def wide_type(site: Site) -> type[np.generic]:
    """The type in which a formula runs: float64 where a tensor is float, uint64 where all integers are of that type."""
    if any(t.format.is_float for t in (*site.present, *site.outputs)):
        return np.float64
    integers = {t.format.dtype for t in site.present if t.format.kind != "bool"}
    return np.uint64 if integers == {np.dtype(np.uint64)} else np.int64


def run_integer(
    site: Site, inputs: Sequence[Array | None], present: Sequence[Array], follow: bool = False
) -> tuple[Outputs, NodeEvents]:
    """The node on stored codes, by the kind of its block."""
    block, named = site.node.block, chosen(site)
    if isinstance(block, Pointwise):
        return (stored(site, look_up(block, present[0], site)),), NodeEvents()
    if named is not None:
        outputs, saturated = limited(site, named.compute(site, *inputs))
        return tuple(stored_as(t, a) for t, a in zip(site.outputs, outputs, strict=True)), NodeEvents(
            saturated=saturated
        )
    if isinstance(block, Accumulate):
        return run_accumulate(site, inputs, follow)
    if isinstance(block, Move):
        moved = run_move(block, site, inputs)
        return tuple(stored_as(t, codes) for t, codes in zip(site.outputs, moved, strict=True)), NodeEvents()
    if isinstance(block, Algorithm):
        codes, outside = block.int_compute(present, site)
        return (stored(site, codes),), NodeEvents(saturated=int(np.count_nonzero(outside)))
    raise SimulationError(f"{site.where}: a block of kind {block.kind!r} has no integer meaning")


def stored(site: Site, codes: Array) -> Array:
    """Codes in the storage type of the first output."""
    return stored_as(site.output, codes)


def stored_as(tensor: Tensor, codes: Array) -> Array:
    """Codes in the storage type and shape of a tensor of one sample or more."""
    return np.asarray(codes, dtype=tensor.format.dtype, order="C")


def run_move(block: Move, site: Site, inputs: Sequence[Array | None]) -> tuple[Array, ...]:
    """A move on codes: the fill value is its nearest code; the lowest code stands for less than every value.

    Errors: SimulationError when the inputs and the output do not share one format.
    """
    format = site.output.format
    for position, tensor in enumerate(site.inputs):
        if tensor is not None and position not in block.steering and tensor.format != format:
            raise SimulationError(
                f"{site.where}: moves codes, but input {tensor.name!r} is {tensor.format!r} and the output {format!r}; "
                "put a Rescale between them"
            )
    moved = block.move(*(a for a in inputs if a is not None), zero=format.code_of(block.fill), lowest=format.lo)
    results = moved if isinstance(moved, tuple) else (moved,)
    return tuple(np.clip(r, *site.clamp_codes) for r in results) if site.node.clamp else results


def run_accumulate(site: Site, inputs: Sequence[Array | None], follow: bool = False) -> tuple[Outputs, NodeEvents]:
    """Centre, lower, accumulate, cast: y = cast(Σ (x − zx)·(w − zw) + b)."""
    x, w = site.input(0).format, site.input(1).format
    contraction = lower(site, inputs)
    total, counted = accumulators(site, contraction, inputs[2] if len(inputs) > 2 else None, follow)
    codes, saturated = requantized(site, x, w, total)
    counted.saturated = int(np.count_nonzero(saturated))
    return (stored(site, codes),), counted


def requantized(site: Site, x: Format, w: Format, total: Array) -> tuple[Array, Array]:
    """(codes, saturated mask) of accumulators [..., C]; a remainder loop's channels by the tail's record."""
    channels = int(total.shape[-1])
    codes, saturated = accumulate_epilogue(site, x, w, channels).apply(total)
    start = tail_start(site, channels)
    if 0 < start < channels:
        rest = accumulate_epilogue(site, x, w, channels, site.arithmetic.tail).apply(total)
        in_tail = np.arange(channels) >= start
        return np.where(in_tail, rest[0], codes), np.where(in_tail, rest[1], saturated)
    return codes, saturated


def lower(site: Site, inputs: Sequence[Array | None]) -> Contraction:
    """The contraction of the centred inputs."""
    block = site.node.block
    assert isinstance(block, Accumulate)
    return centred_block(site, block).lower(centred(site, inputs, 0), centred(site, inputs, 1))  # type: ignore[attr-defined, no-any-return]


def centred_block(site: Site, block: Block) -> Block:
    """The block as it acts on centred codes: a stored pad code becomes its distance from the zero point."""
    pad_code = getattr(block, "pad_code", None)
    if pad_code is None:
        return block
    from dataclasses import replace

    return replace(block, pad_code=pad_code - scalar_zero_point(site.input(0).format))  # type: ignore[type-var]


def centred(site: Site, inputs: Sequence[Array | None], position: int) -> Array:
    """Stored codes minus their zero point(s), in int64."""
    array, format = inputs[position], site.input(position).format
    assert array is not None
    zero = format.zero_points(array.ndim) if isinstance(format.zero_point, tuple) else format.zero_point
    return np.asarray(array.astype(np.int64) - zero)


def accumulators(
    site: Site, contraction: Contraction, bias: Array | None, follow: bool = False
) -> tuple[Array, NodeEvents]:
    """The accumulators in the node's width and order, folded to the output's shape, and their events."""
    if site.arithmetic.mac is not None:
        sums = user_defined(site, contraction, bias)
        return contraction.fold(sums), observed(sums, NodeEvents())
    accumulator = site.accumulator
    rows, correction = contraction.rows, None
    if accumulator.zero_point == "correct":
        zero = scalar_zero_point(site.input(0).format)
        rows = rows + zero
        correction = -zero * contraction.columns.sum(axis=-2, keepdims=True)
    grouped = None if bias is None else contraction.grouped(bias.astype(np.int64))
    sums, events = accumulate(
        rows,
        contraction.columns,
        grouped,
        accumulator,
        correction=correction,
        k_shape=contraction.k_shape,
        follow=follow,
    )
    counted = NodeEvents(final=events.final)
    if events.elements is not None:
        counts = StepCounts.of_elements(events.elements.mapped(contraction.fold), site.output.elements)
        counted.take(counts, follow, site.accumulator.overflow.mode == "trap")
    return contraction.fold(sums), observed(sums, counted)


def observed(sums: Array, counted: NodeEvents) -> NodeEvents:
    """The counts with the extremes of the accumulators."""
    if sums.size:
        counted.lowest, counted.highest = int(sums.min()), int(sums.max())
    return counted
