"""Kernel calls that data steer, from the tensors at a site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from hwblocks.graph.contraction import Array
from hwblocks.graph.masks import mask_of
from hwblocks.graph.rational import cast_ratio
from hwblocks.graph.site import Site, scalar_zero_point
from hwblocks.graph.tensor import Tensor
from hwblocks.numerics.kernels.picks import GateCall, PickCall, PlaceCall, PositionCall, RankingCall, WriteCall
from hwblocks.numerics.rounding import Rounding

STEERED = "kernels serve whole numbers that come at run time"


def pick_call(site: Site, x: Tensor, indices: Tensor, axis: int, batch: int, from_end: bool) -> PickCall | str:
    """Slices of x [B…, P…, D, S…] along `axis` by indices [B…, I…]."""
    if x.format != site.output.format or indices.is_constant or indices.format.dtype.kind not in "iu":
        return "formats that differ" if x.format != site.output.format else STEERED
    if not batch and not x.is_constant and axis == 0:
        return "a table that is no constant"
    return PickCall(
        dtype=x.format.dtype.name,
        index_dtype=indices.format.dtype.name,
        outer=prod(x.shape[:batch]),
        planes=prod(x.shape[batch:axis]),
        rows=x.shape[axis],
        width=prod(x.shape[axis + 1 :]),
        picks=prod(indices.shape[batch:]),
        from_end=from_end,
        constant=None if x.value is None else np.ascontiguousarray(x.value).ravel(),
    )


def place_call(site: Site, base: Array, axes: Sequence[int], width: int, from_end: bool) -> PlaceCall | str:
    """Elements of x at base plus one run-time index for each of some axes; `width` neighbours for each output."""
    x, indices = site.input(0), site.input(1)
    if x.is_constant or x.format != site.output.format:
        return "the input is a constant" if x.is_constant else "formats that differ"
    if indices.is_constant or indices.format.dtype.kind not in "iu":
        return STEERED
    return PlaceCall(
        dtype=x.format.dtype.name,
        index_dtype=indices.format.dtype.name,
        elements=x.elements,
        width=width,
        base=np.ascontiguousarray(base).ravel(),
        limits=tuple(x.shape[axis] for axis in axes),
        steps=tuple(prod(x.shape[axis + 1 :]) for axis in axes),
        from_end=from_end,
    )


def write_call(site: Site) -> WriteCall | str:
    """Writes of data [N, B, P, *W] to a memory [N, B, S, *W] at address [N, B, P]; `enable` [N, B, P] lets them."""
    memory, address, data = (site.input(i) for i in range(3))
    enable = site.input(3) if site.has(3) else None
    if memory.is_constant or data.is_constant or len({memory.format, data.format, site.output.format}) > 1:
        return "constants, or formats that differ"
    if address.shape[0] != memory.shape[0] or address.format.dtype.kind not in "iu":
        return STEERED
    if enable is not None and (enable.is_constant or enable.format.kind != "bool" or enable.shape != address.shape):
        return "what enables a port is no truth value that comes at run time"
    if address.value is not None and ((address.value < 0) | (address.value >= memory.shape[2])).any():
        return "an address outside the memory"
    return WriteCall(
        dtype=memory.format.dtype.name,
        outer=prod(memory.shape[:2]),
        rows=memory.shape[2],
        width=prod(memory.shape[3:]),
        ports=address.shape[2],
        address_dtype=address.format.dtype.name,
        address=None if address.value is None else np.ascontiguousarray(address.value).ravel(),
        enabled=enable is not None,
    )


def gate_call(site: Site, threshold: int | None, average: bool) -> GateCall | str:
    """Gates along the last axis; an open one is 1, or 1 / the open gates of its row, cast once."""
    x, y = site.input(0), site.output.format
    mask = mask_of(site, 1, x.shape) if site.has(1) else None
    if x.is_constant or isinstance(mask, str):
        return mask if isinstance(mask, str) else "the input is a constant"
    if site.arithmetic.rounding is Rounding.STOCHASTIC or site.arithmetic.overflow.mode != "saturate":
        return f"rounding {site.arithmetic.rounding.value}, overflow {site.arithmetic.overflow} of an algorithm"
    length = x.shape[-1]
    shares = np.maximum(np.arange(length + 1), 1).astype(object)
    codes, saturated = cast_ratio((np.arange(length + 1) > 0).astype(object), shares, site)
    return GateCall(
        x_dtype=x.format.dtype.name,
        out_dtype=y.dtype.name,
        rows=prod(x.shape[:-1]),
        length=length,
        threshold=threshold,
        average=average,
        codes=codes,
        saturated=saturated,
        zero_point=scalar_zero_point(y),
        counted=site.node.block.counts_active,
        mask=mask,
    )


def position_call(site: Site, dim: int, function: Callable[..., Array], last: bool) -> PositionCall | str:
    """The index of the largest (np.argmax) or smallest (np.argmin) code along an axis."""
    x, axis = site.input(0), dim % len(site.input(0).shape)
    if not x.format.is_quantized or x.is_constant:
        return "float" if not x.format.is_quantized else "the input is a constant"
    return PositionCall(
        x_dtype=x.format.dtype.name,
        out_dtype=site.output.format.dtype.name,
        outer=prod(x.shape[:axis]),
        length=x.shape[axis],
        inner=prod(x.shape[axis + 1 :]),
        largest=function is np.argmax,
        last=last,
    )


def ranking_call(site: Site, dim: int, k: int, largest: bool) -> RankingCall | str:
    """The k largest or smallest codes along an axis, and where they lie."""
    x, axis = site.input(0), dim % len(site.input(0).shape)
    if x.is_constant or not site.equal_formats:
        return "the input is a constant" if x.is_constant else "formats that differ"
    return RankingCall(
        x_dtype=x.format.dtype.name,
        index_dtype=site.outputs[1].format.dtype.name,
        outer=prod(x.shape[:axis]),
        length=x.shape[axis],
        inner=prod(x.shape[axis + 1 :]),
        k=k,
        largest=largest,
    )
