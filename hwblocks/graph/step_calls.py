"""Kernel calls of algorithms that step as runtimes do: operands, requantizations and sums over axes at a site."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from hwblocks.graph.contraction import Array
from hwblocks.graph.ratios import broadcast_index
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.numerics.kernels.elements import ElementsCall, Operand
from hwblocks.numerics.kernels.packing import COLUMNS
from hwblocks.numerics.kernels.reduce import ReduceCall
from hwblocks.numerics.requantize import Epilogue, Requantize

MOST_BITS = 16  # of codes whose worth is looked up in a table
Worth = Callable[[Array], Array]


def unserved(site: Site) -> str:
    """Why no kernel steps through the site, or "" when one may."""
    run_time = [t for t in site.present if not t.is_constant]
    if not run_time:
        return "every operand is a constant"
    if any(t.format.bits > MOST_BITS for t in run_time):
        return "activations of more than 16 bits"
    return ""


def every_code(site: Site, position: int) -> Array:
    """The codes that an input's storage type can hold, limited to those of its format."""
    format = site.input(position).format
    limits = np.iinfo(format.dtype)
    return np.clip(np.arange(int(limits.min), int(limits.max) + 1), format.lo, format.hi)


def operand(site: Site, position: int, worth: Worth | None = None) -> Operand:
    """An input as an operand: `worth` of its codes, in a table or as constants; without it code minus zero point."""
    tensor, shape = site.input(position), site.output.shape
    zero = scalar_zero_point(tensor.format)
    value = worth or (lambda codes: codes - zero)
    if tensor.value is not None:
        spread = np.broadcast_to(value(tensor.value.astype(np.int64)), shape)
        return Operand(constant=np.ascontiguousarray(spread).ravel())
    return Operand(
        dtype=tensor.format.dtype.name,
        count=tensor.elements,
        zero=zero,
        table=None if worth is None else worth(every_code(site, position)),
        index=broadcast_index(tensor, shape),
    )


def split_operand(site: Site, position: int, worth: Worth, rest: Worth, in_tail: Array) -> Operand:
    """An operand worth `rest` of its codes where the mask of the output's elements is true, `worth` elsewhere."""
    made, other = operand(site, position, worth), operand(site, position, rest)
    if made.constant is None or other.constant is None:
        return replace(made, rest=other.table)
    return replace(made, constant=np.where(in_tail.ravel(), other.constant, made.constant))


def run_time_first(operands: list[Operand]) -> tuple[Operand, ...]:
    """The operands, a constant one last."""
    return tuple(sorted(operands, key=lambda o: o.constant is not None))


def elements_call(
    site: Site, combination: str, operands: list[Operand], epilogue: Epilogue, tail: Epilogue | None = None
) -> ElementsCall:
    """The call that combines operands and casts; the elements after the last whole group of lanes end by the tail."""
    count, lanes = site.output.elements, site.arithmetic.lanes or 1
    return ElementsCall(
        combination=combination,
        operands=run_time_first(operands),
        count=count,
        out_dtype=site.output.format.dtype.name,
        epilogue=epilogue,
        tail=tail,
        tail_start=count // lanes * lanes if tail else 0,
    )


def step_epilogue(
    site: Site, record: Requantize, x: float, w: float = 1.0, *, unit: float = 1.0, channels: int = COLUMNS
) -> Epilogue:
    """Results in units of x · w to output codes; unit: how many times the output's scale the ratio is taken to."""
    y = site.output.format
    target = y.replace(scale=unit * scalar_scale(y))
    return record.epilogue(x, w, target, channels, clamp=site.clamp_codes, counts=site.counts)


def with_multiplier(epilogue: Epilogue, m: int, shift: int) -> Epilogue:
    """The epilogue with one stated multiplier and right shift."""
    return replace(epilogue, multiplier=np.full_like(epilogue.multiplier, m), shift=np.full_like(epilogue.shift, shift))


def reduced_axes(site: Site) -> tuple[int, ...]:
    """The axes that a reduction's or a global pooling's block sums over, in order."""
    block: Any = site.node.block
    rank = len(site.input(0).shape)
    return tuple(sorted(d % rank for d in block.dims)) if hasattr(block, "dims") else tuple(range(1, rank - 1))


def reduce_call(
    site: Site,
    epilogue: Callable[[int, int], Epilogue],
    tail: Callable[[int, int], Epilogue] | None = None,
    lanes: int = 0,
    centre: bool = True,
) -> ReduceCall | str:
    """The call that sums one run of axes; epilogue and tail are made from (elements of a sum, channels).

    centre: take the zero point off every element. lanes: the channels after the last whole group end by the tail.
    """
    x, axes = site.input(0), reduced_axes(site)
    reason = unserved(site)
    if reason or not axes or axes != tuple(range(axes[0], axes[-1] + 1)):
        return reason or "axes that are not neighbours"
    count, inner = prod(x.shape[a] for a in axes), prod(x.shape[axes[-1] + 1 :])
    zero = scalar_zero_point(x.format) if centre else 0
    start = inner // lanes * lanes if tail and lanes else inner
    return ReduceCall(
        x_dtype=x.format.dtype.name,
        outer=prod(x.shape[: axes[0]]),
        reduced=count,
        inner=inner,
        bias=-zero * count,
        bound=count * (max(-x.format.lo, x.format.hi) + abs(zero)),
        out_dtype=site.output.format.dtype.name,
        epilogue=epilogue(count, inner),
        tail=tail(count, inner) if tail and start < inner else None,
        tail_start=start if start < inner else 0,
    )
