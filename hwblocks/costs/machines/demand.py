"""Demand: the addresses that a systolic array asks for, word by word, while it computes a convolution.

Addresses are those of a channels-last image [height, width, channels] and of filters [filters, K].
Source of the order: SCALE-Sim 3.0.0 (operand matrices and demand matrices), whose DRAM reads it reproduces exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.costs.machines.systolic import Array as SystolicArray
from hwblocks.costs.machines.systolic import folds
from hwblocks.errors import ShapeError
from hwblocks.graph.plane import PlaneConvolution
from hwblocks.numerics.kernels.replay import Walk

Array = np.ndarray[Any, Any]


def ifmap_walk(layer: PlaneConvolution, array: SystolicArray) -> Walk:
    """The order in which an array asks for the words of the image.

    os: windows along the rows, each fold streaming all K terms, skewed by one cycle a row; all folds again for each
    fold of columns. ws: the same with terms and windows exchanged. is: every fold loads R terms of C windows, the last
    term first, a row a cycle; the folds over K are the inner loop.
    """
    window, term, words, absent = _image(layer)
    along = folds(layer.gemm, array)
    if array.dataflow == "os":
        return Walk(window, term, array.rows, len(term), True, words, passes=along.columns, absent=absent)
    if array.dataflow == "ws":
        return Walk(term, window, array.rows, len(window), True, words, passes=along.columns, absent=absent)
    return Walk(window, _last_first(term, array.rows), array.columns, array.rows, False, words, absent=absent)


def filter_walk(layer: PlaneConvolution, array: SystolicArray) -> Walk:
    """The order in which an array asks for the words of the filters.

    os: filters along the columns, each fold streaming all K terms, once for each fold of rows. ws: every fold loads R
    terms of C filters, the last term first. is: terms along the rows, each fold streaming all filters; all folds again
    for each fold of columns.
    """
    gemm, along = layer.gemm, folds(layer.gemm, array)
    filters = np.arange(gemm.columns, dtype=np.int32) * np.int32(gemm.depth)
    term, words = np.arange(gemm.depth, dtype=np.int32), gemm.depth * gemm.columns
    if array.dataflow == "os":
        return Walk(filters, term, array.columns, gemm.depth, True, words, repeats=along.rows)
    if array.dataflow == "ws":
        return Walk(filters, _last_first(term, array.rows), array.columns, array.rows, False, words)
    return Walk(term, filters, array.rows, gemm.columns, True, words, passes=along.columns)


def _image(layer: PlaneConvolution) -> tuple[Array, Array, int, Array | None]:
    """First words of windows, distances of terms from them, words, those outside; the image enlarged to all windows."""
    down, across = layer.outputs
    height = (down - 1) * layer.stride[0] + layer.span[0]
    width = (across - 1) * layer.stride[1] + layer.span[1]
    if height * width * layer.channels >= 1 << 31 or layer.filters * layer.gemm.depth >= 1 << 31:
        raise ShapeError(f"{layer}: addresses beyond 2^31 words")
    rows, columns = np.arange(height) * width, np.arange(width)
    window = (rows[:: layer.stride[0]][:down, None] + columns[:: layer.stride[1]][:across]) * layer.channels
    pixel = rows[: layer.span[0] : layer.dilation[0], None] + columns[: layer.span[1] : layer.dilation[1]]
    term = pixel[..., None] * layer.channels + np.arange(layer.channels)
    absent = None
    if height > layer.height or width > layer.width:
        outside = (np.arange(height) >= layer.height)[:, None] | (np.arange(width) >= layer.width)
        absent = np.repeat(outside.reshape(-1), layer.channels)
    flat = (window.reshape(-1).astype(np.int32), term.reshape(-1).astype(np.int32))
    return *flat, height * width * layer.channels, absent


def _last_first(term: Array, rows: int) -> Array:
    """Every chunk of `rows` terms backwards: the top of the array is filled last."""
    chunks = [term[start : start + rows][::-1] for start in range(0, len(term), rows)]
    return np.concatenate(chunks)
