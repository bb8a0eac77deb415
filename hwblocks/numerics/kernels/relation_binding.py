"""Binding of two operands of unequal formats."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.cast import EXACT_BITS, end_of, words
from hwblocks.numerics.kernels.relations import RelationCall, RelationOperand
from hwblocks.numerics.kernels.storage import DTYPES, code_of_dtype, dtype_range

RELATIONS = (  # the order of enum hwb_relationss
    "larger", "smaller", "quotient", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
    "both", "either", "one_of",
)  # fmt: skip
ROUNDED = RELATIONS[:3]
LARGEST_CODE = 1 << 62


def bind_relation(call: RelationCall, isa: str) -> Any:
    """Larger, smaller, quotient, comparisons."""
    given = [o for o in (call.a, call.b) if o.constant is None]
    if any(o.dtype not in DTYPES[:5] for o in given):
        return f"codes stored as {' and '.join(o.dtype for o in given)}"
    tops = [peak(o) * factor for o, factor in ((call.a, call.a_factor), (call.b, call.b_factor))]
    if max(*tops, call.denominator).bit_length() > EXACT_BITS:
        return "scale ratios beyond 128-bit integers"
    if call.relation in ROUNDED and max(tops[:1] if call.relation == "quotient" else tops) >= LARGEST_CODE * (
        call.b_factor if call.relation == "quotient" else call.denominator
    ):
        return "results far outside every format"
    numbers = [*end_of(call), RELATIONS.index(call.relation), call.count]
    for operand in (call.a, call.b):
        numbers += [code_of_dtype(operand.dtype), operand.zero, operand.count]
    constants = [None if o.constant is None else np.asarray(o.constant, np.int64) for o in (call.a, call.b)]
    factors = words([call.a_factor, call.b_factor, call.denominator])
    arrays = (factors, call.a.index, call.b.index, *constants)
    return op(isa, "relation", numbers, [], arrays, [(o.count, o.dtype) for o in given], (call.count, call.out_dtype))


def peak(operand: RelationOperand) -> int:
    """The largest magnitude of an operand."""
    if operand.constant is not None:
        return int(np.abs(operand.constant).max(initial=0))
    return max(abs(limit - operand.zero) for limit in dtype_range(operand.dtype))
