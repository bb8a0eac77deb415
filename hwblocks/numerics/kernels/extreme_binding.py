"""Binding of the calls that choose codes by their size."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.extremes import ChoiceCall, ExtremeCall
from hwblocks.numerics.kernels.storage import DTYPES, code_of_dtype


def bind_extreme(call: ExtremeCall, isa: str) -> Any:
    """The largest or smallest codes over one run of axes."""
    if call.dtype not in DTYPES:
        return f"codes stored as {call.dtype}"
    numbers = [code_of_dtype(call.dtype), call.outer, call.reduced, call.inner, int(call.largest)]
    x, y = call.outer * call.reduced * call.inner, call.outer * call.inner
    return op(isa, "extreme", numbers, [], (), [(x, call.dtype)], (y, call.dtype))


def bind_choice(call: ChoiceCall, isa: str) -> Any:
    """The larger or smaller of two codes."""
    if call.dtype not in DTYPES:
        return f"codes stored as {call.dtype}"
    numbers = [code_of_dtype(call.dtype), call.count, call.a_count, call.b_count, call.clamp_lo, call.clamp_hi]
    constant = None if call.constant is None else np.asarray(call.constant, np.int64)
    inputs = [(call.a_count, call.dtype), *([] if call.constant is not None else [(call.b_count, call.dtype)])]
    constants = (call.a_index, call.b_index, constant)
    return op(isa, "choice", [*numbers, int(call.largest)], [], constants, inputs, (call.count, call.dtype))
