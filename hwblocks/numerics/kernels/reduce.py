"""Sums over one run of axes as one call: means, sums and global average pooling of runtimes."""

from __future__ import annotations

from dataclasses import dataclass

from hwblocks.numerics.requantize import Epilogue


@dataclass(frozen=True, eq=False, kw_only=True)
class ReduceCall:
    """y[o, i] = cast(Σ over r of x[o, r, i] + bias) for one sample x [outer, reduced, inner].

    bias: added to every sum (what a zero point takes off). bound: largest absolute sum, bias included.
    epilogue: constants of `inner` channels. tail: the epilogue of the channels from tail_start on.
    """

    x_dtype: str
    outer: int
    reduced: int
    inner: int
    bias: int
    bound: int
    out_dtype: str
    epilogue: Epilogue
    tail: Epilogue | None = None
    tail_start: int = 0
