"""The logarithm of a softmax by tables as one call, and its binding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.cast import EXACT_BITS, end_of, words
from hwblocks.numerics.kernels.limited import Limited
from hwblocks.numerics.kernels.storage import code_of_dtype
from hwblocks.numerics.rounding import Rounding

SUM_BITS, LOG_BITS = 62, 36  # of Σ, and of its logarithm with 30 fraction bits


@dataclass(frozen=True, eq=False, kw_only=True)
class LogSoftmaxCall(Limited):
    """y = round(((x − max) · code_factor − L · log_factor) / denominator) + zero_point along rows, limited.

    L = ln(Σ powers[max − x] · 2**−30) · 2**30, between entries of `logs` = ln(1 + i / 512) · 2**30; ln2 = ln 2 · 2**30.
    """

    x_dtype: str
    rows: int
    length: int
    powers: np.ndarray[Any, Any]
    logs: np.ndarray[Any, Any]
    ln2: int
    code_factor: int
    log_factor: int
    denominator: int
    rounding: Rounding
    zero_point: int


def bind_log_softmax(call: LogSoftmaxCall, isa: str) -> Any:
    """The logarithm of a softmax."""
    if (int(call.powers.max(initial=1)) * max(call.length, 1)).bit_length() > SUM_BITS or call.length < 1:
        return f"a softmax of rows of {call.length}"
    reach = len(call.powers) * call.code_factor + (call.log_factor << LOG_BITS)
    if max(reach, call.denominator).bit_length() > EXACT_BITS:
        return "a scale ratio beyond 128-bit integers"
    numbers = [*end_of(call), code_of_dtype(call.x_dtype), call.rows, call.length, call.ln2]
    factors = words([call.code_factor, call.log_factor, call.denominator])
    constants = (call.powers.astype(np.int64), call.logs.astype(np.int64), factors)
    count = call.rows * call.length
    return op(isa, "log_softmax", numbers, [], constants, [(count, call.x_dtype)], (count, call.out_dtype))
