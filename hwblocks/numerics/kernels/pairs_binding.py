"""Binding of element-wise ops on one or two tensors of 8-bit codes: what an op makes of all codes decides its form.

The general op runs once on every pair of codes, without limits; an op on one tensor pairs it with itself. Where an
affine form meets all results, it is proven, and vectors compute it; elsewhere the results themselves are the op, as a
table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwblocks import _core
from hwblocks.numerics.kernels.bound_op import op
from hwblocks.numerics.kernels.elements import ElementsCall, FloatSumCall, Operand
from hwblocks.numerics.kernels.rational import RationalCall
from hwblocks.numerics.kernels.storage import code_of_dtype, dtype_range

Array = np.ndarray[Any, Any]
Binder = Callable[[Any, str], Any]

CODES = 256
PAIRS = CODES * CODES
WORD, HALF_WORD = 32, 16
LARGEST_FACTOR = 2**31 - 2**15  # whose upper half, rounded, is 16 bits
LARGEST_ADDEND = 45  # bits, before the left shift: vectors add its upper part in 32 bits
LOWEST, HIGHEST = -(1 << 15), (1 << 15) - 1  # of unlimited results


@dataclass(frozen=True)
class Limits:
    """The codes at which an op limits its results, and on which sides that counts."""

    lo: int
    hi: int
    clamp_lo: int
    clamp_hi: int
    counts: tuple[bool, bool]

    @property
    def ends(self) -> tuple[int, int]:
        """The lowest and the highest result that is told from those beyond it."""
        low = self.lo - 1 if self.counts[0] else max(self.lo, self.clamp_lo)
        high = self.hi + 1 if self.counts[1] else min(self.hi, self.clamp_hi)
        return low, high


def pairs_op(call: Any, isa: str, bind: Binder) -> Any:
    """The op of a call as an op of pairs, or None where it is none or one of few elements; `bind` binds it as it is."""
    parts = _parts(call)
    if parts is None or call.count < CODES:
        return None
    dtypes, slopes, unlimited, limits = parts
    general = bind(unlimited, isa)
    if isinstance(general, str):
        return None
    results = every_result(general, dtypes)
    both = (dtypes[0], dtypes[-1])
    form = affine_form(results, both, slopes, limits.ends) if slopes else None
    left, a, b, addend = form or (0, 0, 0, 0)
    ends = [limits.lo, limits.hi, limits.clamp_lo, limits.clamp_hi, *map(int, limits.counts)]
    dtype_codes = [code_of_dtype(d) for d in both]
    numbers = [*dtype_codes, left, a, b, addend, *ends, code_of_dtype(call.out_dtype), call.count, len(dtypes)]
    inputs = [(call.count, d) for d in dtypes]
    return op(isa, "pairs", numbers, [], (None if form else results,), inputs, (call.count, call.out_dtype))


def every_result(general: Any, dtypes: tuple[str, ...]) -> Array:
    """[256, 256] int16: what an op on 65,536 elements makes of every pair of stored codes, in their order."""
    codes = [np.arange(*(limit + i for i, limit in enumerate(dtype_range(d)))).astype(d) for d in dtypes]
    arrays = [np.repeat(codes[0], CODES), *(np.tile(b, CODES) for b in codes[1:])]
    results, inputs = np.empty(PAIRS, np.int16), len(arrays)
    program = _core.Program(
        [(general, tuple(range(inputs)), inputs)], [PAIRS] * inputs + [2 * PAIRS], [-1] * (inputs + 1)
    )
    program.run({**dict(enumerate(arrays)), inputs: results}, 1, 1, 0)
    return results.reshape(CODES, CODES)


def affine_form(
    results: Array, dtypes: tuple[str, str], slopes: tuple[float, float], ends: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """(left, a, b, addend) with floor((x·a + z·b)·2**left + addend) / 2**32) equal to every result, or None.

    Results at an end may lie beyond it. All addends that meet every result form an interval; its middle is taken.
    """
    left = 0
    while max(map(abs, slopes)) * 2.0 ** (WORD - left) >= LARGEST_FACTOR:
        left += 1
    a, b = (round(s * 2.0 ** (WORD - left)) for s in slopes)
    x, z = (np.arange(dtype_range(d)[0], dtype_range(d)[1] + 1, dtype=np.int64) for d in dtypes)
    sums = (x[:, None] * a + z[None, :] * b) << left
    low, high = ends
    wanted = np.clip(results.astype(np.int64), low, high) << WORD
    least = int(np.where(wanted > low << WORD, wanted - sums, np.iinfo(np.int64).min).max())
    most = int(np.where(wanted < high << WORD, wanted + (1 << WORD) - 1 - sums, np.iinfo(np.int64).max).min())
    addend = (least + most) // 2
    if least > most or left >= HALF_WORD or abs(addend) >> (LARGEST_ADDEND + left):
        return None
    return left, a, b, addend


Parts = tuple[tuple[str, ...], tuple[float, float] | None, Any, Limits]


def _parts(call: Any) -> Parts | None:
    """Storage types, slopes (None: not affine), the unlimited call on all pairs, and limits; None for other calls."""
    if call.out_dtype not in ("int8", "uint8"):
        return None
    if isinstance(call, ElementsCall):
        return _elements_parts(call)
    if isinstance(call, FloatSumCall):
        return _float_sum_parts(call)
    return _rational_parts(call)


def _plain(operands: tuple[Operand, ...]) -> bool:
    return all(
        o.constant is None and o.index is None and o.rest is None and np.dtype(o.dtype).itemsize == 1 for o in operands
    )


def _on_pairs(operands: tuple[Operand, ...]) -> tuple[Operand, ...]:
    return tuple(replace(o, count=PAIRS) for o in operands)


def _slope(o: Operand) -> float:
    """Mean worth of one code."""
    return 1.0 if o.table is None else float(o.table[-1] - o.table[0]) / (len(o.table) - 1)


def _elements_parts(call: ElementsCall) -> Parts | None:
    e = call.epilogue
    one_end = call.tail is None or call.tail_start == call.count
    wanted = {"sum": 2, "alone": 1}.get(call.combination, 0)
    if len(call.operands) != wanted or not _plain(call.operands) or not one_end or e.overflow.mode != "saturate":
        return None
    open_end = replace(e, bits=16, signed=True, lo=LOWEST, hi=HIGHEST, clamp_lo=LOWEST, clamp_hi=HIGHEST)
    unlimited = replace(call, operands=_on_pairs(call.operands), count=PAIRS, out_dtype="int16", epilogue=open_end,
                        tail=None, tail_start=0, row=0)  # fmt: skip
    ratio = float(e.slopes[0])
    second = _slope(call.operands[1]) * ratio if wanted == 2 else 0.0
    limits = Limits(e.lo, e.hi, e.clamp_lo, e.clamp_hi, e.counts)
    return tuple(o.dtype for o in call.operands), (_slope(call.operands[0]) * ratio, second), unlimited, limits


def _without_limits() -> dict[str, Any]:
    """The fields of a call on all pairs whose results are not limited."""
    return {"count": PAIRS, "out_dtype": "int16", "lo": LOWEST, "hi": HIGHEST, "clamp_lo": LOWEST, "clamp_hi": HIGHEST}


def _float_sum_parts(call: FloatSumCall) -> Parts | None:
    a, b = call.operands
    if not _plain(call.operands):
        return None
    unlimited = replace(call, operands=(replace(a, count=PAIRS), replace(b, count=PAIRS)), **_without_limits())
    return (a.dtype, b.dtype), (_slope(a), _slope(b)), unlimited, _limits(call)


def _limits(call: Any) -> Limits:
    return Limits(call.lo, call.hi, call.clamp_lo, call.clamp_hi, call.counts)


def _rational_parts(call: RationalCall) -> Parts | None:
    dtypes = (call.a_dtype,) if call.b_dtype is None else (call.a_dtype, call.b_dtype)
    if (
        call.constant is not None
        or call.a_index is not None
        or call.b_index is not None
        or any(np.dtype(d).itemsize != 1 for d in dtypes)
    ):
        return None
    unlimited = replace(call, a_count=PAIRS, b_count=PAIRS if len(dtypes) == 2 else 0, **_without_limits())
    slopes = (call.a_factor / call.denominator, call.b_factor / call.denominator if len(dtypes) == 2 else 0.0)
    return dtypes, None if call.product_factor else slopes, unlimited, _limits(call)
