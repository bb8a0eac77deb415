"""Binding of the calls that step as runtimes do: element-wise sums and products, sums over axes, softmax."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.cast import end_of, ends_of
from hwblocks.numerics.kernels.elements import ElementsCall, FloatSumCall, Operand
from hwblocks.numerics.kernels.packing import COLUMNS
from hwblocks.numerics.kernels.reduce import ReduceCall
from hwblocks.numerics.kernels.softmax import FloatSoftmaxCall, RuntimeSoftmaxCall
from hwblocks.numerics.kernels.storage import INT32_SPAN, INT64_SPAN, code_of_dtype, dtype_range

Array = np.ndarray[Any, Any]
COMBINATIONS = ("alone", "sum", "product", "square", "slopes")  # the order of enum hwb_combination
EXACT = 64  # bits of a register that is never reduced
LONGEST = {"fixed": 1 << 12, "midpoint": 1 << 16}  # elements whose sum fits 32 bits


def bind_float_softmax(call: FloatSoftmaxCall, isa: str) -> Any:
    """Softmax of floats."""
    if not 0 < call.beta < np.inf or call.length < 1:
        return f"a softmax of rows of {call.length} with a factor of {call.beta}"
    numbers, xy = [call.rows, call.length, int(call.logarithm)], (call.rows * call.length, "float32")
    return op(isa, "float_softmax", numbers, [], (np.array([call.beta]),), [xy], xy)


def bind_elements(call: ElementsCall, isa: str) -> Any:
    """Element-wise change of scale, sum or product."""
    peaks = [_peak(o) for o in call.operands]
    largest = {"product": prod(peaks), "square": sum(peaks) ** 2, "slopes": prod(peaks) + peaks[0]}
    bound = largest.get(call.combination, sum(peaks))
    if max(peaks) >= INT32_SPAN or bound >= INT64_SPAN:
        return f"operands of up to {max(peaks)} or results of up to {bound}"
    ends = ends_of(call.epilogue, call.out_dtype, COLUMNS, EXACT, bound, None, call.tail, call.tail_start)
    if isinstance(ends, str):
        return ends
    a, b = call.operands[0], call.operands[-1]
    row = call.row or call.count
    numbers = [COMBINATIONS.index(call.combination), call.count, int(bound >= INT32_SPAN), row]
    numbers += [*_operand_numbers(a), *_operand_numbers(b)]
    constants = (*ends.arrays, *_operand_constants(a, np.int32), *_operand_constants(b, np.int32))
    return op(isa, "elements", numbers, ends.numbers, constants, _inputs(call.operands), (call.count, call.out_dtype))


def bind_float_sum(call: FloatSumCall, isa: str) -> Any:
    """Element-wise sum in float32."""
    a, b = call.operands
    if sum(_peak(o) for o in call.operands) >= INT32_SPAN:
        return "results far outside every format"
    numbers = [*end_of(call), call.count, *_operand_numbers(a), *_operand_numbers(b)]
    constants = (*_operand_constants(a, np.float64), *_operand_constants(b, np.float64))
    return op(isa, "float_sum", numbers, [], constants, _inputs(call.operands), (call.count, call.out_dtype))


def _peak(o: Operand) -> int:
    """Largest magnitude of an operand, rounded up."""
    stated = [v for v in (o.constant, o.table, o.rest) if v is not None]
    if stated:
        return max(int(np.ceil(np.abs(np.asarray(v, dtype=np.float64)).max(initial=0))) for v in stated)
    return max(abs(limit - o.zero) for limit in dtype_range(o.dtype))


def _operand_numbers(o: Operand) -> list[int]:
    """The fields of hwb_operand_numbers, in order."""
    rest = 0 if o.rest is None or o.table is None else len(o.table)
    return [code_of_dtype(o.dtype), o.zero, dtype_range(o.dtype)[0], o.count, int(o.constant is not None), rest]


def _operand_constants(o: Operand, kind: Any) -> tuple[Array | None, ...]:
    """table, reals, constant, real constant, index; integers or reals by `kind`."""
    tables = [t for t in (o.table, o.rest) if t is not None]
    table = np.concatenate(tables).astype(kind) if tables else None
    constant = None if o.constant is None else np.asarray(o.constant, kind)
    index = None if o.index is None else np.asarray(o.index, np.int64)
    whole = kind is np.int32
    return (
        table if whole else None,
        None if whole else table,
        constant if whole else None,
        None if whole else constant,
        index,
    )


def _inputs(operands: tuple[Operand, ...]) -> list[tuple[int, str]]:
    """(elements, storage type) of the run-time operands."""
    return [(o.count, o.dtype) for o in operands if o.constant is None]


def bind_reduce(call: ReduceCall, isa: str) -> Any:
    """Sums over one run of axes."""
    if np.dtype(call.x_dtype).itemsize not in (1, 2, 8) or call.bound >= INT64_SPAN:
        return "sums of 32-bit codes, or beyond 64 bits"
    bias = np.full(call.inner, call.bias, np.int64)
    ends = ends_of(call.epilogue, call.out_dtype, call.inner, EXACT, call.bound, bias, call.tail, call.tail_start)
    if isinstance(ends, str):
        return ends
    wide = call.bound >= INT32_SPAN
    numbers = [code_of_dtype(call.x_dtype), call.outer, call.reduced, call.inner, int(wide)]
    x = (call.outer * call.reduced * call.inner, call.x_dtype)
    return op(isa, "reduce", numbers, ends.numbers, ends.arrays, [x], (call.outer * call.inner, call.out_dtype))


def bind_runtime_softmax(call: RuntimeSoftmaxCall, isa: str) -> Any:
    """Softmax as a runtime steps through it."""
    if call.length > LONGEST.get(call.method, INT32_SPAN):
        return f"softmax over {call.length} elements, whose sum may leave 32 bits"
    whole = call.method in LONGEST
    numbers = [*end_of(call), code_of_dtype(call.x_dtype), call.rows, call.length, call.bits]
    constants = (
        np.asarray(call.table, np.int32) if whole else None,
        None if call.second is None else np.asarray(call.second, np.int32),
        None if whole else np.asarray(call.table, np.float32),
        np.array([call.constant], np.float64),
    )
    count = call.rows * call.length
    return op(isa, f"softmax_{call.method}", numbers, [], constants, [(count, call.x_dtype)], (count, call.out_dtype))
