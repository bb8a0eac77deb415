"""User-written multiply-accumulates: a function (acc, a, w) → acc or a table of products; record and definition."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np

from hwblocks.errors import FormatError, SimulationError
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.formats import Format

Array = np.ndarray[Any, Any]
Step = Callable[[Any, Any, Any], Any]

HALF, SPAN = 1 << 63, 1 << 64
INT64 = np.iinfo(np.int64)
TABLE_BITS = 8  # of an operand that indexes a table
ZERO_POINTS = ("correct", "subtract", "ignore")
BIASES = ("last", "first", "step")


@dataclass(frozen=True, eq=False)
class UserMac:
    """A multiply-accumulate in place of a sum of products: a function or a table, and what surrounds it.

    For every output element, with k in the order of `axes` (hwc: channels fastest; chw: channels slowest):

        acc = start (+ bias, where it comes first);  acc ← function(acc, a[k], w[k]);  then + correction, + bias

    function: (acc, a, w) → acc on integers of 64 bits. table: products [2**bits(a), 2**bits(w)] in the place of a · w,
    `table[a, w]` as NumPy indexes it: a negative code counts from the end, as its bit pattern does.
    operands: the formats of both codes of a table.
    zero_point: what the multiplier sees, and what is added at the end.
        correct: stored codes; the end adds Σ (a − za)·(w − zw) − Σ a·w in exact products. subtract: codes minus their
        zero points, nothing to add. ignore: stored codes, nothing to add. Padding is the code of real 0 (or pad_code).
    bias: last: added after the correction. first: acc starts from start + bias. step: acc ← function(acc, bias, 1)
        after the last product, before the correction.

    Sums are 64-bit integers and wrap there; no events are counted.
    """

    name: str
    function: Step | None = None
    table: Array | None = None
    operands: tuple[Format, Format] | None = None
    zero_point: str = "correct"
    bias: str = "last"
    start: int = 0
    axes: str = "hwc"

    def __post_init__(self) -> None:
        for name, allowed in (("zero_point", ZERO_POINTS), ("bias", BIASES), ("axes", ("hwc", "chw"))):
            if getattr(self, name) not in allowed:
                raise FormatError(f"{self}: {name}={getattr(self, name)!r}; use {', '.join(allowed)}")
        if not INT64.min <= self.start <= INT64.max:
            raise FormatError(f"{self}: start={self.start} does not fit 64 bits")
        if self.table is not None and self.zero_point == "subtract":
            raise FormatError(f'{self}: a table is indexed by stored codes; use zero_point="correct" or "ignore"')
        if self.table is not None and self.bias == "step":
            raise FormatError(f'{self}: a table has no product of the bias; use bias="last" or "first"')

    def __call__(self, acc: Any, a: Any, w: Any) -> Any:
        """One step, in plain Python."""
        return acc + self.table[a, w] if self.table is not None else self.function(acc, a, w)  # type: ignore[misc]

    def __str__(self) -> str:
        return f"mac {self.name!r}"

    def __repr__(self) -> str:
        kind = "function" if self.table is None else f"table {self.table.shape}"
        return f"<UserMac {self.name!r}: {kind}, zero_point={self.zero_point}, bias={self.bias}>"

    def check_operands(self, *ranges: tuple[str, int, int]) -> None:
        """Raise FormatError where codes of a and w, each (what they are, lowest, highest), cannot be operands."""
        for operand, (kind, low, high), taken in zip("aw", ranges, self.operands or (None, None), strict=True):
            what = f"{self}: {operand} is {kind}, {low} to {high}"
            if low < INT64.min or high > INT64.max:
                raise FormatError(f"{what}; operands are integers of 64 bits")
            if taken is not None and (low < taken.lo or high > taken.hi):
                raise FormatError(f"{what}; the table takes {taken.name}, {taken.lo} to {taken.hi}")


def mac(function: Step | None = None, *, table: Any = None, operands: Any = None, name: str = "", **more: Any) -> Any:
    """Make a multiply-accumulate of one's own: `@hb.mac` on a function (acc, a, w) → acc, or `hb.mac(table=...)`.

    It is used like an accumulator: `hb.run(q, x, accumulator={"conv*": my_mac})`, `hb.Simulator(q, accumulator=my_mac)`
    or `hb.Conv2d()(x, w=w, accumulator=my_mac)`. Runs are compiled by Numba; engine="definition" runs the function in
    plain Python and gives the same integers.
    table: whole numbers [2**bits(a), 2**bits(w)], at most 8 bits each. operands: their formats, signed by default.
    zero_point, bias, start, axes: see UserMac. Errors: FormatError.

    >>> @mac(zero_point="subtract")
    ... def saturating(acc, a, w):
    ...     return min(max(acc + a * w, -32768), 32767)
    >>> saturating(32700, 100, 2)
    32767
    >>> mac(table=[[0, 0], [0, 1]], operands=("uint1", "uint1"), name="and")
    <UserMac 'and': table (2, 2), zero_point=correct, bias=last>
    """
    if table is not None:
        if function is not None:
            raise FormatError("mac: give a function or a table, not both")
        products = _products(table, name or "table")
        return UserMac(name or "table", None, products, _table_operands(products, operands, name or "table"), **more)
    if operands is not None:
        raise FormatError("mac: operands= belongs to a table; a function takes every code")
    if function is None:
        return lambda function: mac(function, name=name, **more)
    title = name or getattr(function, "__name__", "mac")
    function = getattr(function, "py_func", function)  # one that Numba has compiled already
    _check_signature(function, title)
    return UserMac(title, function, **more)


def register_of(spec: Any) -> Accumulator | UserMac:
    """What an `accumulator=` argument asks for. Errors: FormatError."""
    if isinstance(spec, (Accumulator, UserMac)):
        return spec
    if callable(spec):
        raise FormatError(f"accumulator {getattr(spec, '__name__', spec)!r} is a function; decorate it with @hb.mac")
    return Accumulator(spec)


def _check_signature(function: Any, name: str) -> None:
    if not inspect.isfunction(function):
        raise FormatError(f"mac {name!r}: needs a Python function (acc, a, w), not {function!r}")
    signature = inspect.signature(function)
    try:
        signature.bind(0, 0, 0)
    except TypeError:
        raise FormatError(f"mac {name!r}: needs the arguments (acc, a, w), but takes {signature}") from None


def _products(table: Any, name: str) -> Array:
    given = table if isinstance(table, np.ndarray) else np.array(table, dtype=object)  # integers of any size
    sides = tuple(1 << bits for bits in range(1, TABLE_BITS + 1))
    if given.ndim != 2 or any(side not in sides for side in given.shape):
        raise FormatError(
            f"mac {name!r}: a table needs shape (2**bits of a, 2**bits of w), each of 1 to {TABLE_BITS} bits, "
            f"for example (256, 256), not {given.shape}"
        )
    whole = given.dtype.kind in "iu" or (
        given.dtype == object and all(isinstance(v, (int, np.integer)) for v in given.flat)
    )
    if not whole:
        raise FormatError(f"mac {name!r}: a table holds integers, not {given.dtype}")
    if int(given.min()) < INT64.min or int(given.max()) > INT64.max:
        raise FormatError(
            f"mac {name!r}: a table's products must fit 64 bits; they reach {given.min()} to {given.max()}"
        )
    products = np.array(given, dtype=np.int64, order="C")
    products.setflags(write=False)
    return products


def _table_operands(products: Array, operands: Any, name: str) -> tuple[Format, Format]:
    widths = [side.bit_length() - 1 for side in products.shape]
    given = operands or tuple(f"int{bits}" for bits in widths)
    if isinstance(given, str) or len(given) != 2:
        raise FormatError(f'mac {name!r}: operands={operands!r}; give two formats, for example ("uint8", "int8")')
    a, w = (f if isinstance(f, Format) else Format(f) for f in given)
    if [a.bits, w.bits] != widths or not (a.is_quantized and w.is_quantized):
        raise FormatError(f"mac {name!r}: operands {a.name} and {w.name} do not index a table of {products.shape}")
    return a, w


def wrapped(value: Any) -> int:
    """An integer's lowest 64 bits, signed."""
    return (index(value) + HALF) % SPAN - HALF


def defined_sums(user: UserMac, rows: Array, columns: Array, bias: Array | None, correction: Array | None) -> Array:
    """rows [..., M, K] and columns [..., K, N] as the multiplier sees them, K in order → int64 sums [..., M, N].

    The exact definition: the very function in plain Python, element by element. bias and correction broadcast against
    the sums. Errors: SimulationError with what the function raised.
    """
    shape = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2]) + (rows.shape[-2], columns.shape[-1])
    acc = np.full(shape, user.start, dtype=object)
    if bias is not None and user.bias == "first":
        acc = wrap64(acc + bias)
    step = np.frompyfunc(lambda acc, a, w: wrapped(user(acc, a, w)), 3, 1)
    rows, columns = rows.astype(object), columns.astype(object)
    try:
        for k in range(rows.shape[-1]):
            acc = step(acc, rows[..., k, None], columns[..., None, k, :])
        if bias is not None and user.bias == "step":
            acc = step(acc, bias.astype(object), 1)
    except Exception as error:
        raise failed(user, error) from error
    return ended(user, acc, bias, correction)


def ended(user: UserMac, acc: Array, bias: Array | None, correction: Array | None) -> Array:
    """What is added after the last step."""
    for part in (correction, bias if user.bias == "last" else None):
        if part is not None:
            acc = acc.astype(object) + part
    return wrap64(acc)


def wrap64(values: Array) -> Array:
    """Integers of any size as int64, wrapped."""
    if values.dtype != object:
        return np.asarray(values, dtype=np.int64)
    return np.asarray((values + HALF) % SPAN - HALF).astype(np.int64)


def failed(user: UserMac, error: Exception) -> SimulationError:
    """The error of a function that raised."""
    return SimulationError(f"{user}: the function raised {type(error).__name__}: {error}")
