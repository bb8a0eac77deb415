"""Sums of products of two run-time operands: batched matrix multiplication as one call."""

from __future__ import annotations

from dataclasses import dataclass

from hwblocks.numerics.kernels.ordered import OrderedSum
from hwblocks.numerics.requantize import Epilogue


@dataclass(frozen=True, eq=False, kw_only=True)
class MatmulCall:
    """a [batch, m, k] · b [b_batch, k, n] of one sample, b_batch equal to batch or 1, and its cast; see ConvCall.

    b_codes: range of b's stored codes, that of b_dtype where None.
    """

    a_dtype: str
    a_zero: int
    b_dtype: str
    b_zero: int
    batch: int
    b_batch: int
    m: int
    k: int
    n: int
    bound: int
    accumulator_bits: int
    out_dtype: str
    epilogue: Epilogue | None
    ordered: OrderedSum | None = None
    in_order: bool = False
    b_codes: tuple[int, int] | None = None
