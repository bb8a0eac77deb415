"""Binding of masked calls."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.cast import EXACT_BITS, end_of, words
from hwblocks.numerics.kernels.masked import Mask, MaskedSoftmaxCall, SelectCall, Source
from hwblocks.numerics.kernels.storage import INT64_SPAN, code_of_dtype

Array = np.ndarray[Any, Any]
BYTE = "uint8"


def bind_masked_softmax(call: MaskedSoftmaxCall, isa: str) -> Any:
    """Table softmax of kept elements."""
    total = int(call.table.max(initial=0)) * max(call.length, 1)
    if total >= INT64_SPAN:
        return "a softmax sum beyond 64 bits"
    if (total * call.ratio_den).bit_length() > EXACT_BITS or (total * call.ratio_num).bit_length() > EXACT_BITS:
        return "a scale ratio beyond 128-bit integers"
    numbers = [*end_of(call), code_of_dtype(call.x_dtype), call.rows, call.length, call.mask.count]
    ratio = words([call.ratio_num, call.ratio_den])
    constants = (call.table.astype(np.int64), ratio, *mask_arrays(call.mask))
    count = call.rows * call.length
    inputs = [(count, call.x_dtype), *mask_input(call.mask)]
    return op(isa, "masked_softmax", numbers, [], constants, inputs, (count, call.out_dtype))


def bind_select(call: SelectCall, isa: str) -> Any:
    """The choice between two operands."""
    numbers = [code_of_dtype(call.dtype), call.count, call.mask.count, call.a.count, call.b.count]
    index, keep = mask_arrays(call.mask)
    constants = (index, call.a.index, call.b.index, keep, codes(call.a), codes(call.b))
    operands = [(source.count, call.dtype) for source in (call.a, call.b) if source.constant is None]
    inputs = [*mask_input(call.mask), *operands]
    return op(isa, "select", numbers, [], constants, inputs, (call.count, call.dtype))


def codes(source: Source) -> Array | None:
    """A constant's codes as the core reads them."""
    return None if source.constant is None else source.constant.astype(np.int64)


def mask_arrays(mask: Mask) -> tuple[Array | None, Array | None]:
    """(index, constant bytes) of a mask."""
    return mask.index, None if mask.constant is None else (mask.constant != 0).astype(np.uint8)


def mask_input(mask: Mask) -> list[tuple[int, str]]:
    """The mask among the run-time inputs."""
    return [] if mask.constant is not None else [(mask.count, BYTE)]
