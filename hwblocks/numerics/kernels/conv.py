"""Sums of products with constant weights: convolution, depthwise convolution and linear layers as one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.ordered import OrderedSum
from hwblocks.numerics.kernels.placement import Placement
from hwblocks.numerics.requantize import Epilogue

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class ConvCall:
    """A convolution of one sample x [height, width, channels] with constant weights, and its cast.

    weights [O, kh, kw, channels / groups] are centred integers, |w| ≤ 32768; bias [O] int64 or None.
    bound: largest absolute partial sum, bias included. accumulator_bits: plain wrap of the exact sum.
    epilogue None stores the sums themselves (int32 or int64). A linear layer is a 1×1 kernel with height = rows.
    saturate: the sum of each pair of products, in the order of K, saturates to 16 bits. pad_value: what padding holds
    after x_zero was taken off.
    ordered: the accumulator as the node states it; in_order: products meet it one by one, as it says (else the exact
    sum does, once).
    placement: where windows do not slide over two plain axes; kernel is then (kernel rows of all axes but the last,
    kw), pad is not used, and stride only along the last axis.
    tail: the epilogue of the channels from tail_start on, where a runtime's remainder loop has one of its own.
    """

    x_dtype: str
    x_zero: int
    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    out_channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pad: tuple[int, int]
    groups: int
    weights: Array
    bias: Array | None
    bound: int
    accumulator_bits: int
    out_dtype: str
    epilogue: Epilogue | None
    tail: Epilogue | None = None
    tail_start: int = 0
    saturate: bool = False
    pad_value: int = 0
    ordered: OrderedSum | None = None
    in_order: bool = False
    placement: Placement | None = None
