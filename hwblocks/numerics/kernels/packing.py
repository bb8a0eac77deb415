"""Packing: weights in the order in which the tiles of the compiled core read them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.conv import ConvCall

Array = np.ndarray[Any, Any]

COLUMNS = 16  # output channels of a panel
LONGEST_FLAT = 64  # steps of a run that are worth an offset each
COLUMN_BYTES = 64  # of a depthwise column


@dataclass(frozen=True, eq=False)
class Layout:
    """Taps of `run` contiguous inputs each, in `steps` steps of `width` k; offsets in elements of the padded input.

    copied: how many taps of copied_run inputs are copied side by side first, where pairs cross them; 0 for none.
    """

    taps: int
    run: int
    steps: int
    padded_height: int
    padded_width: int
    offsets: Array
    copied: int = 0
    copied_run: int = 0
    width: int = 2


def padded_size(call: ConvCall) -> tuple[int, int]:
    """Height and width of the widened input: what the windows reach, and all of the input's width."""
    if call.placement is not None:
        return call.placement.height, call.placement.width
    sizes = []
    for axis, (size, out) in enumerate(((call.height, call.out_height), (call.width, call.out_width))):
        reach = (out - 1) * call.stride[axis] + call.dilation[axis] * (call.kernel[axis] - 1) + 1
        sizes.append(max(reach, call.pad[axis] + size))
    return sizes[0], sizes[1]


def layout_of(call: ConvCall, step: int = 2) -> Layout:
    """Whole kernel rows as taps where they are contiguous, single pixels of a group elsewhere."""
    height, width = padded_size(call)
    kh, kw = call.kernel
    rows = row_offsets(call, width)
    if call.groups == 1 and (call.dilation[1] == 1 or kw == 1):
        run = kw * call.channels
        return Layout(kh, run, -(-run // step), height, width, rows, width=step)
    run = call.channels // call.groups
    columns = np.arange(kw, dtype=np.int64) * call.dilation[1] * call.channels
    offsets = np.ascontiguousarray((rows[:, None] + columns[None, :]).ravel())
    return Layout(kh * kw, run, -(-run // step), height, width, offsets, width=step)


def row_offsets(call: ConvCall, width: int) -> Array:
    """Elements from an output position's first input to each kernel row, in planes of `width` pixels."""
    if call.placement is not None:
        return call.placement.rows
    return np.arange(call.kernel[0], dtype=np.int64) * call.dilation[0] * width * call.channels


def flattened(made: Layout) -> Layout:
    """The same layout with every step of short runs as a tap of its own, so that one loop passes through all."""
    if made.taps == 1 or made.steps > LONGEST_FLAT:
        return made
    steps = np.arange(made.steps, dtype=np.int64) * made.width
    offsets = np.ascontiguousarray((made.offsets[:, None] + steps[None, :]).ravel())
    return replace(made, taps=made.taps * made.steps, steps=1, offsets=offsets)


def side_by_side(call: ConvCall) -> Layout:
    """The layout whose pairs run through all of K: as it is where taps are even, else by copies."""
    made = layout_of(call)
    if made.run % 2 == 0 or made.taps == 1:
        return made
    run = made.taps * made.run
    return replace(made, taps=1, run=run, steps=(run + 1) // 2, copied=made.taps, copied_run=made.run)


def pack_panels(call: ConvCall, layout: Layout, kind: Any = np.int16) -> Array:
    """[groups][panels][taps][steps][16][width] of a storage type; missing channels and odd ends are zero."""
    groups, outputs, width = call.groups, call.out_channels // call.groups, layout.width
    panels = -(-outputs // COLUMNS)
    by_tap = call.weights.reshape(groups, outputs, layout.taps, layout.run)
    packed = np.zeros((groups, panels * COLUMNS, layout.taps, layout.steps * width), kind)
    packed[:, :outputs, :, : layout.run] = by_tap
    split = packed.reshape(groups, panels, COLUMNS, layout.taps, layout.steps, width)
    return np.ascontiguousarray(split.transpose(0, 1, 3, 4, 2, 5))


def paired_columns(panels: Array) -> Array:
    """Panels [..., 16, width] of bytes as words [..., 8, width] of two columns: 256 · w[j] + w[j + 8] + 128."""
    half = COLUMNS // 2
    return np.ascontiguousarray(256 * panels[..., :half, :] + (panels[..., half:, :] + 128), dtype=np.int16)


def pack_rows(weights: Array) -> Array:
    """Weights [O, K] as panels of one tap: [panels][pairs][16][2] int16."""
    outputs, inner = weights.shape
    panels, pairs = -(-outputs // COLUMNS), (inner + 1) // 2
    packed = np.zeros((panels * COLUMNS, pairs * 2), np.int16)
    packed[:outputs, :inner] = weights
    return np.ascontiguousarray(packed.reshape(panels, COLUMNS, pairs, 2).transpose(0, 2, 1, 3))


def depthwise_layout(call: ConvCall, rows: int) -> Layout:
    """Terms of `rows` kernel rows and one kernel column; offsets [turns, terms] in bytes of the columns of all sets.

    Sets lie in a ring: turned by t places, set i stands at (i + t) mod sets.
    """
    width = padded_size(call)[1]
    sets, columns = -(-call.kernel[0] // rows), call.kernel[1]
    places = (np.arange(sets)[:, None] + np.arange(sets)[None, :]) % sets  # [turn, set]
    at = places[:, :, None] * width + np.arange(columns)[None, None, :] * call.dilation[1]
    return Layout(sets * columns, 1, 1, 0, width, np.ascontiguousarray(at.ravel() * COLUMN_BYTES, dtype=np.int64))


def shared_rows(call: ConvCall, rows: int) -> int:
    """Output rows that read the same sets of `rows` input rows: two where the last set has a row to spare."""
    plain = call.stride[0] == 1 and call.dilation[0] == 1 and call.out_height > 1
    return 2 if plain and call.kernel[0] % rows else 1


def moved_sets(call: ConvCall, rows: int, shared: int, sets: int) -> int:
    """Sets by which the next group of output rows begins later; `sets` where groups share none."""
    step = shared * call.stride[0]
    whole = call.dilation[0] == 1 and step % rows == 0
    return min(step // rows, sets) if whole else sets


def pack_columns(call: ConvCall, rows: int, shared: int) -> Array:
    """[shared][blocks of 16 channels][sets of rows][kernel_w][16][rows] int16, or int8 in fours; missing ones zero.

    The second output row that shares the sets reads them by weights moved down by one row.
    """
    outputs, (kh, kw) = call.out_channels, call.kernel
    blocks, sets = -(-outputs // COLUMNS), -(-kh // rows)
    packed = np.zeros((shared, blocks * COLUMNS, sets * rows, kw), np.int8 if rows == 4 else np.int16)
    for which in range(shared):
        packed[which, :outputs, which : which + kh] = call.weights.reshape(outputs, kh, kw)
    split = packed.reshape(shared, blocks, COLUMNS, sets, rows, kw)
    return np.ascontiguousarray(split.transpose(0, 1, 3, 5, 2, 4))


def fits_int16(low: int, high: int) -> bool:
    """True when a range of centred values fits 16 signed bits."""
    return low >= -(1 << 15) and high < 1 << 15


def flush_pairs(x_peak: int, w_peak: int) -> int:
    """Pairs of products that a 32-bit sum holds; 0 when not even one pair is safe."""
    pair = 2 * x_peak * w_peak
    return min(((1 << 31) - 1) // pair, 1 << 20) if pair else 1 << 20
