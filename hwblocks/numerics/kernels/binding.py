"""Binding: calls checked against what the kernels promise, packed, and handed to the compiled core as ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.cast import EXACT_BITS, end_of, ends_of, words
from hwblocks.numerics.kernels.conv import ConvCall
from hwblocks.numerics.kernels.conv_binding import SUMS, bind_conv
from hwblocks.numerics.kernels.edge_binding import bind_dequantize, bind_quantize
from hwblocks.numerics.kernels.edges import DequantizeCall, QuantizeCall
from hwblocks.numerics.kernels.elements import ElementsCall, FloatSumCall
from hwblocks.numerics.kernels.extreme_binding import bind_choice, bind_extreme
from hwblocks.numerics.kernels.extremes import ChoiceCall, ExtremeCall
from hwblocks.numerics.kernels.gather import GatherCall
from hwblocks.numerics.kernels.log_softmax import LogSoftmaxCall, bind_log_softmax
from hwblocks.numerics.kernels.masked import MaskedSoftmaxCall, SelectCall
from hwblocks.numerics.kernels.masked_binding import bind_masked_softmax, bind_select
from hwblocks.numerics.kernels.matmul import MatmulCall
from hwblocks.numerics.kernels.norm import NormCall
from hwblocks.numerics.kernels.norm_binding import bind_norm
from hwblocks.numerics.kernels.ordered_matmul_binding import bind_ordered_matmul
from hwblocks.numerics.kernels.packing import fits_int16, flush_pairs
from hwblocks.numerics.kernels.pairs_binding import pairs_op
from hwblocks.numerics.kernels.pick_binding import (
    bind_gate,
    bind_pick,
    bind_place,
    bind_position,
    bind_ranking,
    bind_write,
)
from hwblocks.numerics.kernels.picks import GateCall, PickCall, PlaceCall, PositionCall, RankingCall, WriteCall
from hwblocks.numerics.kernels.pool import AvgPoolCall, FloatPoolCall, MaxPoolCall
from hwblocks.numerics.kernels.rational import RationalCall
from hwblocks.numerics.kernels.recurrent import LstmCall, SvdfCall
from hwblocks.numerics.kernels.recurrent_binding import bind_lstm, bind_svdf
from hwblocks.numerics.kernels.reduce import ReduceCall
from hwblocks.numerics.kernels.relation_binding import bind_relation
from hwblocks.numerics.kernels.relations import RelationCall
from hwblocks.numerics.kernels.runtime_binding import (
    bind_elements,
    bind_float_softmax,
    bind_float_sum,
    bind_reduce,
    bind_runtime_softmax,
)
from hwblocks.numerics.kernels.softmax import FloatSoftmaxCall, RuntimeSoftmaxCall, SoftmaxCall
from hwblocks.numerics.kernels.storage import INT32_SPAN, INT64_SPAN, code_of_dtype, dtype_range
from hwblocks.numerics.kernels.table import TableCall
from hwblocks.numerics.kernels.tap_binding import bind_tap_extreme, bind_tap_sum
from hwblocks.numerics.kernels.taps import TapExtremeCall, TapSumCall
from hwblocks.numerics.kernels.threshold import ThresholdCall

Array = np.ndarray[Any, Any]
SHORTEST_RUN = 8  # mean elements of a run from which copying it as a whole is faster
ESTIMATE_SPAN = 1 << 30  # terms below it keep the core's double estimates far from doubt


def bind_call(call: Any, isa: str) -> Any:
    """The op of a call, or the reason why no kernel serves it."""
    bind = _BINDERS[type(call)]
    made = pairs_op(call, isa, bind) if type(call) in (ElementsCall, FloatSumCall, RationalCall) else None
    return bind(call, isa) if made is None else made


def bind_matmul(call: MatmulCall, isa: str) -> Any:
    """Matrix products of two run-time operands."""
    if call.in_order:
        return bind_ordered_matmul(call, isa)
    reach = []
    for dtype, zero in ((call.a_dtype, call.a_zero), (call.b_dtype, call.b_zero)):
        low, high = (limit - zero for limit in dtype_range(dtype))
        if not fits_int16(low, high):
            return "centred operands beyond 16 bits"
        reach.append(max(-low, high))
    if call.bound >= INT64_SPAN:
        return f"sums of up to {call.bound} leave 64 bits"
    ends = ends_of(call.epilogue, call.out_dtype, call.n, call.accumulator_bits, call.bound)
    if isinstance(ends, str):
        return ends
    numbers = [
        code_of_dtype(call.a_dtype),
        call.a_zero,
        code_of_dtype(call.b_dtype),
        call.b_zero,
        call.batch,
        call.b_batch,
        call.m,
        call.k,
        call.n,
        SUMS["s64" if call.bound >= INT32_SPAN else "s32"],
        flush_pairs(*reach),
    ]
    a = (call.batch * call.m * call.k, call.a_dtype)
    b = (call.b_batch * call.k * call.n, call.b_dtype)
    y = (call.batch * call.m * call.n, call.out_dtype)
    return op(isa, "matmul", numbers, ends.numbers, ends.arrays, [a, b], y)


def bind_table(call: TableCall, isa: str) -> Any:
    """Table look-up."""
    if np.dtype(call.x_dtype).itemsize > 2 or np.dtype(call.out_dtype).itemsize > 4:
        return "tables of more than 16 input or 32 output bits"
    numbers = [code_of_dtype(call.x_dtype), code_of_dtype(call.out_dtype), call.count]
    x, y = (call.count, call.x_dtype), (call.count, call.out_dtype)
    return op(isa, "table", numbers, [], (call.table.astype(call.out_dtype),), [x], y)


def bind_gather(call: GatherCall, isa: str) -> Any:
    """Moves of elements."""
    if max(len(call.counts), len(call.out_counts)) > 16 or max(call.counts, default=0) >= INT32_SPAN:
        return "a move of more than 16 inputs or outputs, or 2**31 elements"
    ends = np.cumsum(call.counts)
    which = np.where(call.index < 0, -1, np.searchsorted(ends, call.index, side="right"))
    starts = np.concatenate([[0], ends])[np.maximum(which, 0)]
    element = np.where(call.index < 0, 0, call.index - starts)
    counts, maps = np.array(call.counts, dtype=np.int64), (which.astype(np.int32), element.astype(np.int32))
    inputs = [(count, call.dtype) for count in call.counts]
    if call.out_counts:
        numbers = [code_of_dtype(call.dtype), len(call.out_counts), call.fill]
        sizes = np.array(call.out_counts, dtype=np.int64)
        return op(
            isa, "split", numbers, [], (counts, sizes, *maps), inputs, *((c, call.dtype) for c in call.out_counts)
        )
    runs = in_runs(*maps)
    numbers = [code_of_dtype(call.dtype), call.index.size, runs[0].size, len(call.counts), call.fill]
    return op(isa, "gather", numbers, [], (counts, *runs), inputs, (call.index.size, call.dtype))


def in_runs(which: Array, element: Array) -> tuple[Array, Array, Array | None]:
    """(which, element, lengths) with neighbours from neighbours joined; lengths None where that does not gain."""
    if which.size < 2:
        return which, element, None
    goes_on = (which[1:] == which[:-1]) & ((element[1:] == element[:-1] + 1) | (which[1:] < 0))
    starts = np.flatnonzero(np.concatenate([[True], ~goes_on]))
    if starts.size * SHORTEST_RUN > which.size:
        return which, element, None
    lengths = np.diff(np.append(starts, which.size)).astype(np.int32)
    return which[starts], element[starts], lengths


def window_numbers(call: Any, dtype: str) -> list[int]:
    """The fields of hwb_window, in order."""
    return [
        code_of_dtype(dtype),
        call.height,
        call.width,
        call.channels,
        call.out_height,
        call.out_width,
        *call.kernel,
        *call.stride,
        *call.dilation,
        *call.pad,
    ]


def pool_sizes(call: Any, x_dtype: str, y_dtype: str) -> tuple[tuple[int, str], tuple[int, str]]:
    """(elements, storage type) of a pooling's input and output."""
    x = (call.height * call.width * call.channels, x_dtype)
    return x, (call.out_height * call.out_width * call.channels, y_dtype)


def bind_maxpool(call: MaxPoolCall, isa: str) -> Any:
    """Maximum pooling."""
    x, y = pool_sizes(call, call.dtype, call.dtype)
    return op(isa, "maxpool", [*window_numbers(call, call.dtype), call.lowest], [], (), [x], y)


def bind_avgpool(call: AvgPoolCall, isa: str) -> Any:
    """Exact average pooling."""
    window = call.kernel[0] * call.kernel[1]
    largest = window << 17
    if np.dtype(call.x_dtype).itemsize > 2 or largest >= INT32_SPAN:
        return "windows whose sums may leave 32 bits"
    if (largest * call.ratio_num).bit_length() > EXACT_BITS or (call.ratio_den * window).bit_length() > EXACT_BITS:
        return "a scale ratio beyond 128-bit integers"
    numbers = [*window_numbers(call, call.x_dtype), *end_of(call), call.x_zero]
    x, y = pool_sizes(call, call.x_dtype, call.out_dtype)
    return op(isa, "avgpool", numbers, [], (call.divisors.ravel(), words([call.ratio_num, call.ratio_den])), [x], y)


def bind_float_pool(call: FloatPoolCall, isa: str) -> Any:
    """Average pooling in float32."""
    numbers = [*window_numbers(call, call.x_dtype), *end_of(call), dtype_range(call.x_dtype)[0]]
    constants = (
        np.asarray(call.divisors, np.float32).ravel(),
        np.asarray(call.reals, np.float32),
        np.array([call.y_scale, call.zero_point], np.float32),
    )
    x, y = pool_sizes(call, call.x_dtype, call.out_dtype)
    return op(isa, "float_pool", numbers, [], constants, [x], y)


def bind_rational(call: RationalCall, isa: str) -> Any:
    """Element-wise exact rational arithmetic."""
    a_peak = max(abs(limit - call.a_zero) for limit in dtype_range(call.a_dtype))
    b_peak = max(abs(limit - call.b_zero) for limit in dtype_range(call.b_dtype)) if call.b_dtype else 0
    constant = None if call.constant is None else np.asarray(call.constant, dtype=np.int64)
    if constant is not None:
        b_peak = int(np.abs(constant).max(initial=0))
    reach = (
        a_peak * abs(call.a_factor)
        + b_peak * abs(call.b_factor)
        + a_peak * b_peak * abs(call.product_factor)
        + abs(call.offset)
    )
    if reach.bit_length() > EXACT_BITS or call.denominator.bit_length() > EXACT_BITS:
        return "scale ratios beyond 128-bit integers"
    if reach >= ESTIMATE_SPAN * call.denominator:
        return "results far outside every format"
    numbers = [
        *end_of(call),
        code_of_dtype(call.a_dtype),
        call.a_zero,
        code_of_dtype(call.b_dtype or "int8"),
        call.b_zero,
        int(call.b_dtype is not None),
        call.count,
        call.a_count,
        call.b_count,
    ]
    factors = words([call.a_factor, call.b_factor, call.product_factor, call.offset, call.denominator])
    inputs = [(call.a_count, call.a_dtype), (call.b_count, call.b_dtype or "int8")][: 2 if call.b_dtype else 1]
    constants = (factors, call.a_index, call.b_index, constant)
    return op(isa, "rational", numbers, [], constants, inputs, (call.count, call.out_dtype))


def bind_softmax(call: SoftmaxCall, isa: str) -> Any:
    """Table softmax."""
    total = int(call.table.max(initial=0)) * max(call.length, 1)
    if total >= INT64_SPAN:
        return "a softmax sum beyond 64 bits"
    if (total * call.ratio_den).bit_length() > EXACT_BITS or (total * call.ratio_num).bit_length() > EXACT_BITS:
        return "a scale ratio beyond 128-bit integers"
    numbers = [*end_of(call), code_of_dtype(call.x_dtype), call.rows, call.length]
    constants = (call.table.astype(np.int64), words([call.ratio_num, call.ratio_den]))
    count = call.rows * call.length
    return op(isa, "softmax", numbers, [], constants, [(count, call.x_dtype)], (count, call.out_dtype))


def bind_threshold(call: ThresholdCall, isa: str) -> Any:
    """Counting of thresholds."""
    rows, levels = call.thresholds.shape
    numbers = [code_of_dtype(call.x_dtype), code_of_dtype(call.out_dtype), call.count, call.channels, rows, levels]
    thresholds = call.thresholds.astype(np.int32)
    flipped = None if call.flipped is None else call.flipped.astype(np.int32)
    constants = (thresholds, np.ascontiguousarray(thresholds.T), flipped, call.codes.astype(np.int64))
    return op(isa, "threshold", numbers, [], constants, [(call.count, call.x_dtype)], (call.count, call.out_dtype))


_BINDERS: dict[type, Callable[[Any, str], Any]] = {
    ConvCall: bind_conv,
    MatmulCall: bind_matmul,
    TableCall: bind_table,
    ThresholdCall: bind_threshold,
    GatherCall: bind_gather,
    MaxPoolCall: bind_maxpool,
    AvgPoolCall: bind_avgpool,
    RationalCall: bind_rational,
    SoftmaxCall: bind_softmax,
    LogSoftmaxCall: bind_log_softmax,
    MaskedSoftmaxCall: bind_masked_softmax,
    SelectCall: bind_select,
    NormCall: bind_norm,
    TapSumCall: bind_tap_sum,
    RelationCall: bind_relation,
    PickCall: bind_pick,
    PlaceCall: bind_place,
    WriteCall: bind_write,
    GateCall: bind_gate,
    PositionCall: bind_position,
    RankingCall: bind_ranking,
    TapExtremeCall: bind_tap_extreme,
    RuntimeSoftmaxCall: bind_runtime_softmax,
    FloatSoftmaxCall: bind_float_softmax,
    ElementsCall: bind_elements,
    FloatSumCall: bind_float_sum,
    ReduceCall: bind_reduce,
    FloatPoolCall: bind_float_pool,
    QuantizeCall: bind_quantize,
    ExtremeCall: bind_extreme,
    ChoiceCall: bind_choice,
    DequantizeCall: bind_dequantize,
    SvdfCall: bind_svdf,
    LstmCall: bind_lstm,
}
