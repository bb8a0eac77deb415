"""Packing for ordered sums: channels that may leave their register first, K in the register's order, block bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.conv import ConvCall
from hwblocks.numerics.requantize import Epilogue

Array = np.ndarray[Any, Any]

COLUMNS, SKEWED_COLUMNS, BLOCK = 16, 32, 32
TOTAL_STEPS = 256  # HWB_TOTAL_STEPS: after so many products totals are put together


def in_register_order(call: ConvCall, axes: str) -> Array:
    """Weights [O, K]: (kh, kw, c) with c fastest, or (c, kh, kw) for chw."""
    weights = call.weights if axes == "hwc" else call.weights.transpose(0, 3, 1, 2)
    return weights.reshape(call.out_channels, -1)


def channel_order(may_leave: Array, movable: bool) -> tuple[Array | None, Array]:
    """(packed order of all channels or None, channels [G] of each group to be watched) of a mask [G, N].

    Channels are moved only where that frees a panel of 16: packed order costs a scattered store.
    """
    groups, outputs = may_leave.shape
    last = [int(np.flatnonzero(row)[-1]) + 1 if row.any() else 0 for row in may_leave]
    fewest = may_leave.sum(axis=1)
    natural = np.array(last, dtype=np.int64)
    if not movable or (-(-natural // COLUMNS) == -(-fewest // COLUMNS)).all():
        return None, natural
    order = np.argsort(~may_leave, axis=1, kind="stable") + np.arange(groups)[:, None] * outputs
    return order.ravel(), fewest.astype(np.int64)


def taken(epilogue: Epilogue | None, order: Array | None) -> Epilogue | None:
    """An epilogue with its channels in another order."""
    if epilogue is None or order is None:
        return epilogue
    names = ("multiplier", "shift", "scale32", "scale64", "numerator", "denominator")
    arrays: dict[str, Any] = {name: np.asarray(getattr(epilogue, name)) for name in names}
    moved: dict[str, Any] = {name: a[order] if a.shape == order.shape else a for name, a in arrays.items()}
    return replace(epilogue, **moved)


def _in_columns(grouped: Array, columns: int, inner: int) -> Array:
    """[G, N, K] as [G, panels, columns, inner], what is missing zero."""
    groups, outputs, length = grouped.shape
    panels = -(-outputs // columns)
    made = np.zeros((groups, panels * columns, inner), np.int16)
    made[:, :outputs, :length] = grouped
    return made.reshape(groups, panels, columns, inner)


def pack_pairs(grouped: Array) -> Array:
    """[G, N, K] as panels [G][panels of 16][pairs][16][2]."""
    pairs = (grouped.shape[-1] + 1) // 2
    made = _in_columns(grouped, COLUMNS, 2 * pairs)
    split = made.reshape(*made.shape[:3], pairs, 2)
    return np.ascontiguousarray(split.transpose(0, 1, 3, 2, 4))


def pack_skewed(grouped: Array) -> Array:
    """[G, N, K] as panels [G][panels of 32][K + 1][32]: even columns one step behind odd ones."""
    length = grouped.shape[-1]
    made = _in_columns(grouped, SKEWED_COLUMNS, length).transpose(0, 1, 3, 2)
    skewed = np.zeros((*made.shape[:2], length + 1, SKEWED_COLUMNS), np.int16)
    skewed[:, :, 1:, 0::2] = made[..., 0::2]
    skewed[:, :, :-1, 1::2] = made[..., 1::2]
    return skewed


def by_tap(call: ConvCall, weights: Array) -> Array | None:
    """Depthwise weights [O, K] as [blocks of 16 channels][K][16], each in 32 bits above which nothing stands.

    None where each input channel does not make one output channel.
    """
    if call.groups == 1 or call.channels != call.groups or call.out_channels != call.groups:
        return None
    blocks = -(-call.out_channels // COLUMNS)
    made = np.zeros((blocks * COLUMNS, weights.shape[-1]), np.uint32)
    made[: call.out_channels] = weights.astype(np.int16).view(np.uint16)
    return np.ascontiguousarray(made.reshape(blocks, COLUMNS, -1).transpose(0, 2, 1))


def together_parts(grouped: Array, x_peak: int) -> Array:
    """[G][panels of 32][parts of 256 steps] of [G, N, K]: 1 where every sum of two neighbouring products fits 16 bits.

    A panel has K + 1 steps, and a part is taken with both of its neighbours.
    """
    length = grouped.shape[-1]
    columns = np.abs(_in_columns(grouped, SKEWED_COLUMNS, length).astype(np.int64))
    neighbours = np.zeros((*columns.shape[:2], length + 1), np.int64)  # [k]: weights k - 1 and k
    neighbours[..., 1:-1] = (columns[..., 1:] + columns[..., :-1]).max(axis=2)
    starts = range(0, length + 1, TOTAL_STEPS)
    most = np.stack([neighbours[..., max(s - 1, 0) : s + TOTAL_STEPS + 1].max(axis=-1) for s in starts], axis=-1)
    return np.ascontiguousarray(most * x_peak < 1 << 15, dtype=np.uint8)


def weight_bounds(grouped: Array) -> Array:
    """[G, N, K] as [G][panels of 16][blocks of 32][3]: largest weight, sum of weights, and norm rounded up."""
    blocks = -(-grouped.shape[-1] // BLOCK)
    made = np.abs(_in_columns(grouped, COLUMNS, blocks * BLOCK).astype(np.int64))
    split = made.reshape(*made.shape[:3], blocks, BLOCK)
    norm = np.ceil(np.sqrt((split * split).sum(axis=-1)))  # below 2**36, where binary64 roots round rightly
    parts = (split.max(axis=-1), split.sum(axis=-1), norm)
    return np.stack([np.asarray(p, np.float64).max(axis=2) for p in parts], axis=-1)
