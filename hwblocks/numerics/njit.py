"""Compiled loops around a user's multiply-accumulate and over product tables (Numba). Import this only to run one.

Every loop takes its operands as [batch, groups, M, K] and [batch, groups, K, N], a batch of 1 standing for all, and
adds into sums [batch, groups, M, N] of int64. The last axis is the one that vectors run along, K stays in order.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from threading import RLock
from typing import Any

import numba
import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.numerics.user_mac import UserMac, ended, failed

Array = np.ndarray[Any, Any]

FEW = 8  # results along an axis below which vectors run along the other one
CALL_STEPS = 1 << 22  # steps of one compiled call: the slowest functions still let Ctrl-C through
BLOCK, WIDTH = 8, 32  # steps of k and results whose products lie side by side for many rows

KEPT = "_hwblocks_loops"  # attribute of a function under which its loops are kept: they go when it goes
_lock = RLock()


def user_sums(user: UserMac, rows: Array, columns: Array, bias: Array | None, correction: Array | None) -> Array:
    """As numerics.user_mac.defined_sums, compiled; rows [B, G, M, K], columns [1 or B, G, K, N], bias [G, 1, N].

    Errors: SimulationError where Numba cannot compile the function, with the line, or where it raises.
    """
    shape = (max(rows.shape[0], columns.shape[0]), rows.shape[1], rows.shape[2], columns.shape[3])
    first = bias is not None and user.bias == "first"
    starts = np.int64(user.start) + (bias if first else np.zeros(1, np.int64))  # type: ignore[operator]
    lanes_are_rows = shape[3] < FEW and shape[2] > shape[3]
    if lanes_are_rows:
        rows, columns = np.swapaxes(columns, 2, 3), np.swapaxes(rows, 2, 3)
        sums = np.swapaxes(np.broadcast_to(starts, shape), 2, 3).copy()
    else:
        sums = np.broadcast_to(starts, shape).copy()
    accumulate = _add_products if user.table is not None else _run_steps
    accumulate(user, rows, columns, sums, lanes_are_rows)
    if lanes_are_rows:
        sums = np.ascontiguousarray(np.swapaxes(sums, 2, 3))
    if bias is not None and user.bias == "step":
        _run(user, _once(user, "bias"), sums, np.ascontiguousarray(bias, dtype=np.int64))
    return _with_end(user, sums, bias, correction)


def _with_end(user: UserMac, sums: Array, bias: Array | None, correction: Array | None) -> Array:
    parts = [part for part in (correction, bias if user.bias == "last" else None) if part is not None]
    if any(part.dtype != np.int64 for part in parts):
        return ended(user, sums, bias, correction)
    for part in parts:
        sums += part  # int64 arrays wrap
    return sums


def check(user: UserMac) -> None:
    """Compile the function alone. Errors: SimulationError with the line that Numba refuses."""
    if user.table is None:
        _once(user, "step")


def _run_steps(user: UserMac, rows: Array, columns: Array, sums: Array, lanes_are_rows: bool) -> None:
    """The function over k, in calls of bounded length."""
    kind = np.promote_types(np.promote_types(rows.dtype, columns.dtype), np.int16)
    operands = [np.ascontiguousarray(a, dtype=kind) for a in (rows, columns)]
    loop = _once(user, "exchanged" if lanes_are_rows else "loop")
    for part in _calls(sums.shape, rows.shape[-1]):
        _run(user, loop, *operands, sums, *part)


def _calls(shape: tuple[int, ...], inner: int) -> list[tuple[int, int]]:
    """Ranges of batch · groups · M, so that a call stays short."""
    total, row = shape[0] * shape[1] * shape[2], max(inner * shape[3], 1)
    most = max(CALL_STEPS // row, 1)
    return [(start, min(start + most, total)) for start in range(0, total, most)]


def _run(user: UserMac, loop: Any, *arrays: Any) -> None:
    try:
        loop(*arrays)
    except numba.core.errors.NumbaError as error:
        raise refused(user, error) from error
    except Exception as error:
        raise failed(user, error) from error


def _once(user: UserMac, what: str) -> Any:
    """The compiled function ("step") or one of the loops around it; each is made once."""
    makers: dict[str, Callable[[UserMac], Any]] = {
        "step": _step,
        "loop": lambda user: _steps_loop(_once(user, "step")),
        "exchanged": lambda user: _steps_loop(_exchanged(_once(user, "step"))),
        "bias": lambda user: _bias_loop(_once(user, "step")),
    }
    with _lock:
        made = user.function.__dict__.setdefault(KEPT, {})  # type: ignore[union-attr]
        if what not in made:
            made[what] = makers[what](user)
        return made[what]


def _step(user: UserMac) -> Any:
    """The compiled function, which must return an integer."""
    step: Any = numba.njit(user.function)
    signature = (numba.int64,) * 3
    try:
        step.compile(signature)
    except Exception as error:
        raise refused(user, error) from error
    result = step.overloads[signature].signature.return_type
    if not isinstance(result, numba.types.Integer):
        raise SimulationError(f"{user}: returns {result}, needs an integer of 64 bits (// divides without a fraction)")
    return step


def refused(user: UserMac, error: Exception) -> SimulationError:
    """What Numba says about a function, in one line with the line of the source."""
    code, text = user.function.__code__, str(error)  # type: ignore[union-attr]
    last = max(line or 0 for *_, line in code.co_lines())
    named = [int(number) for number in re.findall(r"line (\d+)|:(\d+):|\((\d+)\)", text) for number in number if number]
    line = next((n for n in reversed(named) if code.co_firstlineno <= n <= last), code.co_firstlineno)
    lines = [part.strip() for part in text.splitlines()]
    why = next((part for part in lines if part and not part.startswith("Failed in")), type(error).__name__)
    why = re.sub(r"[.,]? (Raised from|defined at) .*", "", why)  # the place is said once
    where = f"{code.co_filename.rsplit('/', 1)[-1]}, line {line}"
    return SimulationError(
        f'{user}: Numba cannot compile it ({where}: {why}); engine="definition" runs it in plain Python'
    )


def _exchanged(step: Any) -> Any:
    """The function with its operands in each other's place."""

    @numba.njit
    def exchanged(acc: Any, w: Any, a: Any) -> Any:
        return step(acc, a, w)

    return exchanged


def _steps_loop(step: Any) -> Any:
    """sums[b, g, m] ← step(sums[b, g, m], rows[b, g, m, k], columns[b, g, k]), k in order, for a range of rows."""

    @numba.njit(nogil=True)
    def loop(rows: Any, columns: Any, sums: Any, first: int, last: int) -> None:
        groups, count = sums.shape[1], sums.shape[2]
        for row in range(first, last):
            b, g, m = row // (groups * count), row // count % groups, row % count
            acc, given, weights = sums[b, g, m], rows[b % rows.shape[0], g, m], columns[b % columns.shape[0], g]
            for k in range(given.shape[0]):
                a, w = np.int64(given[k]), weights[k]
                for n in range(acc.shape[0]):
                    acc[n] = step(acc[n], a, np.int64(w[n]))

    return loop


def _bias_loop(step: Any) -> Any:
    """sums [B, G, M, N] ← step(sums, bias [G, 1, N], 1)."""

    @numba.njit(nogil=True)
    def loop(sums: Any, bias: Any) -> None:
        for b in range(sums.shape[0]):
            for g in range(sums.shape[1]):
                for m in range(sums.shape[2]):
                    for n in range(sums.shape[3]):
                        sums[b, g, m, n] = step(sums[b, g, m, n], bias[g, 0, n], np.int64(1))

    return loop


def _add_products(user: UserMac, rows: Array, columns: Array, sums: Array, lanes_are_rows: bool) -> None:
    """Products of a table: looked up one by one, or laid out once for many rows that share the columns."""
    assert user.table is not None
    table = user.table.T if lanes_are_rows else user.table
    kind = np.int32 if np.abs(table).max() < 1 << 31 else np.int64
    table = np.ascontiguousarray(table, dtype=kind)
    given, weights = (
        np.ascontiguousarray(c & (s - 1), dtype=np.uint8) for c, s in zip((rows, columns), table.shape, strict=True)
    )
    many = weights.shape[0] == 1 and given.shape[0] * given.shape[2] > 2 * table.shape[0]
    if many and sums.shape[3] >= FEW:
        laid_out(given, weights, table, sums)
        return
    for part in _calls(sums.shape, given.shape[-1]):
        looked_up(given, weights, table, sums, *part)


def _cached(function: Any) -> Any:
    """Compiled without the GIL; the code is kept on disk where there is a place for it."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder to write to
        return numba.njit(nogil=True)(function)


@_cached
def looked_up(rows: Any, columns: Any, table: Any, sums: Any, first: int, last: int) -> None:
    """sums[b, g, m] += Σ over k of table[rows[b, g, m, k]][columns[b, g, k]]."""
    groups, count = sums.shape[1], sums.shape[2]
    for row in range(first, last):
        b, g, m = row // (groups * count), row // count % groups, row % count
        acc, given = sums[b, g, m], rows[b % rows.shape[0], g, m]
        weights = columns[b % columns.shape[0], g]
        for k in range(given.shape[0]):
            products, w = table[given[k]], weights[k]
            for n in range(acc.shape[0]):
                acc[n] += products[w[n]]


@_cached
def add_rows(rows: Any, k: int, steps: int, products: Any, sums: Any, n: int, lanes: int) -> None:
    """sums[m, n + i] += Σ over j < steps of products[j, rows[m, k + j], i]; BLOCK steps stay in registers."""
    for m in range(rows.shape[0]):
        a, acc = rows[m], sums[m, n : n + lanes]
        if steps == BLOCK:
            p0, p1, p2, p3 = products[0, a[k]], products[1, a[k + 1]], products[2, a[k + 2]], products[3, a[k + 3]]
            p4, p5, p6, p7 = products[4, a[k + 4]], products[5, a[k + 5]], products[6, a[k + 6]], products[7, a[k + 7]]
            for i in range(lanes):
                acc[i] += ((p0[i] + p1[i]) + (p2[i] + p3[i])) + ((p4[i] + p5[i]) + (p6[i] + p7[i]))
        else:
            for j in range(steps):
                p = products[j, a[k + j]]
                for i in range(lanes):
                    acc[i] += p[i]


@_cached
def lay_out(columns: Any, k: int, steps: int, table: Any, products: Any, n: int, lanes: int) -> None:
    """products[j, a, i] = table[a, columns[k + j, n + i]]."""
    for j in range(steps):
        w = columns[k + j]
        for a in range(table.shape[0]):
            line, to = table[a], products[j, a]
            for i in range(lanes):
                to[i] = line[w[n + i]]


@_cached
def laid_out(rows: Any, columns: Any, table: Any, sums: Any) -> None:
    """The same of one set of columns: BLOCK steps of k times WIDTH results, their products as one row a code."""
    products = np.empty((BLOCK, table.shape[0], WIDTH), table.dtype)
    for g in range(rows.shape[1]):
        for n in range(0, columns.shape[3], WIDTH):
            lanes = min(WIDTH, columns.shape[3] - n)
            for k in range(0, columns.shape[2], BLOCK):
                steps = min(BLOCK, columns.shape[2] - k)
                lay_out(columns[0, g], k, steps, table, products, n, lanes)
                for b in range(rows.shape[0]):
                    add_rows(rows[b, g], k, steps, products, sums[b, g], n, lanes)
