"""Binding of depthwise convolutions whose kernel covers the whole input: weighted sums over its rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.cast import ends_of
from hwblocks.numerics.kernels.conv import ConvCall
from hwblocks.numerics.kernels.packing import COLUMNS
from hwblocks.numerics.kernels.storage import INT32_SPAN, code_of_dtype

Array = np.ndarray[Any, Any]
SERVED = ("int8", "uint8", "int16")


def is_weighted(call: ConvCall) -> bool:
    """True for one output position that sums over every row of the input, a channel at a time, in 32 bits."""
    depthwise = call.groups > 1 and call.channels == call.groups == call.out_channels
    whole = call.kernel == (call.height, call.width) and call.pad == (0, 0)
    one = call.out_height == call.out_width == 1 and call.dilation == (1, 1)
    return depthwise and whole and one and call.bound < INT32_SPAN and not call.saturate and call.x_dtype in SERVED


def weighted_pairs(weights: Array) -> Array:
    """Weights [T, C] as [blocks of 16 channels][pairs of t][16][2] int16, filled up with zeros."""
    terms, channels = weights.shape
    full = np.zeros((-(-terms // 2) * 2, -(-channels // COLUMNS) * COLUMNS), np.int16)
    full[:terms, :channels] = weights
    return np.ascontiguousarray(full.reshape(full.shape[0] // 2, 2, -1, COLUMNS).transpose(2, 0, 3, 1))


def bind_weighted(call: ConvCall, isa: str) -> Any:
    """The op of codes as stored; the bias takes off what their zero point adds, Σ x·w − z·Σ w."""
    weights = call.weights.reshape(call.out_channels, -1).T.astype(np.int64)
    own = np.zeros(1, np.int64) if call.bias is None else call.bias.astype(np.int64)
    bias = own - call.x_zero * weights.sum(axis=0)
    ends = ends_of(call.epilogue, call.out_dtype, call.out_channels, call.accumulator_bits, call.bound,
                   bias, call.tail, call.tail_start)  # fmt: skip
    if isinstance(ends, str):
        return ends
    numbers = [code_of_dtype(call.x_dtype), *weights.shape]
    constants = (*ends.arrays, weighted_pairs(weights))
    x, y = (weights.size, call.x_dtype), (call.out_channels, call.out_dtype)
    return op(isa, "weighted", numbers, ends.numbers, constants, [x], y)
