"""User-written multiply-accumulates at a site: what the multiplier sees, the exact correction, blocks alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hwblocks.errors import FormatError, InputError, SimulationError
from hwblocks.graph.algorithm import chosen
from hwblocks.graph.contraction import Array, Contraction
from hwblocks.graph.site import Site, scalar_zero_point
from hwblocks.numerics.accumulator import Accumulator, accumulate, exact_matmul
from hwblocks.numerics.ordered import in_axes
from hwblocks.numerics.user_mac import UserMac, defined_sums, register_of

if TYPE_CHECKING:
    from hwblocks.graph.block import Accumulate

Engine = Callable[[UserMac, Array, Array, "Array | None", "Array | None"], Array]


@dataclass(frozen=True, eq=False)
class Seen:
    """Operands [..., G, M, K] and [..., G, K, N] as the multiplier sees them, K in the order of the sum."""

    rows: Array
    columns: Array


def check_site(site: Site) -> None:
    """Raise SimulationError where a user-written multiply-accumulate cannot replace the node's sum of products."""
    user = site.arithmetic.mac
    assert user is not None
    if not site.is_integer:
        raise SimulationError(f"{site.where}: {user} works on stored codes, but the node computes in float")
    named = chosen(site)
    if named is not None:
        raise SimulationError(f"{site.where}: {user} cannot replace the algorithm {named.name!r}, which sums by itself")
    formats = (site.input(0).format, site.input(1).format)
    try:
        user.check_operands(*((f.name, f.lo, f.hi) for f in formats))
    except FormatError as error:
        raise SimulationError(f"{site.where}: {error.message}") from None


def user_defined(site: Site, contraction: Contraction, bias: Array | None) -> Array:
    """The sums [..., G, M, N] of a contraction of centred codes, by the function in plain Python."""
    user = site.arithmetic.mac
    assert user is not None
    rows, columns = contraction.rows, contraction.columns
    seen = as_seen(site, rows, columns, zero_columns(site))
    correction = None
    if user.zero_point == "correct":
        correction = _difference(exact_matmul(rows, columns), exact_matmul(seen.rows, seen.columns))
    ordered = in_order(user, seen, contraction.k_shape)
    grouped = None if bias is None else contraction.grouped(bias.astype(np.int64))
    return defined_sums(user, ordered.rows, ordered.columns, grouped, correction)


def _difference(a: Array, b: Array) -> Array:
    return np.asarray(a.astype(object) - b.astype(object))


def zero_columns(site: Site) -> Any:
    """The weights' zero points as they meet the columns: one number, or [G, K, N] where channels have their own."""
    w = site.input(1)
    if not isinstance(w.format.zero_point, tuple):
        return int(w.format.zero_point)
    zeros = np.broadcast_to(w.format.zero_points(len(w.shape)), w.shape)
    x = np.zeros(site.input(0).shape, np.int64)
    return site.node.block.lower(x, zeros).columns  # type: ignore[attr-defined]


def as_seen(site: Site, rows: Array, columns: Array, zeros: Any) -> Seen:
    """Centred operands as the multiplier sees them: with their zero points, unless they are subtracted before it."""
    user = site.arithmetic.mac
    assert user is not None
    if user.zero_point == "subtract":
        return Seen(rows, columns)
    za = rows.dtype.type(scalar_zero_point(site.input(0).format))
    return Seen(rows + za, columns + np.asarray(zeros, columns.dtype))


def in_order(user: UserMac, seen: Seen, k_shape: tuple[int, ...]) -> Seen:
    """K in the user's axes."""
    return Seen(*in_axes(seen.rows, seen.columns, Accumulator(axes=user.axes), k_shape))


def quick_correction(site: Site, rows: Array, seen: Seen, zeros: Any) -> Array | None:
    """Σ (a − za)·(w − zw) − Σ a·w of centred rows and columns as seen: −za · Σ w − Σ (a − za) · zw."""
    user, za = site.arithmetic.mac, scalar_zero_point(site.input(0).format)
    if user is None or user.zero_point != "correct" or not (za or np.any(zeros)):
        return None
    made: Array = -za * seen.columns.sum(axis=-2, keepdims=True, dtype=np.int64)
    if isinstance(zeros, int):
        return made - zeros * rows.sum(axis=-1, keepdims=True, dtype=np.int64) if zeros else made
    return _difference(made, exact_matmul(rows, zeros))


def summed(block: Accumulate, arguments: Sequence[Any], spec: Any) -> Array:
    """A block by itself on integers x, w and b: its sums in an accumulator or by a user-written multiply-accumulate.

    Returns int64, as the register holds them. Errors: InputError for arrays that are not integers, FormatError for
    codes outside a table.
    """
    register = register_of(spec)
    arrays = [np.asarray(a) for a in arguments]
    if any(a.dtype.kind not in "iu" for a in arrays):
        kinds = ", ".join(str(a.dtype) for a in arrays)
        raise InputError(f"{type(block).__name__}: accumulator= sums integers, not {kinds}")
    block.shape(*(a.shape for a in arrays))
    x, w, *rest = (a.astype(np.int64) for a in arrays)
    contraction = block.lower(x, w)
    bias = contraction.grouped(rest[0]) if rest else None
    rows, columns = contraction.rows, contraction.columns
    if not isinstance(register, UserMac):
        sums, _ = accumulate(rows, columns, bias, register, k_shape=contraction.k_shape)
        return contraction.fold(sums)
    register.check_operands(*(("codes", int(a.min(initial=0)), int(a.max(initial=0))) for a in (x, w)))
    ordered = in_order(register, Seen(rows, columns), contraction.k_shape)
    return contraction.fold(compiled_sums(register, ordered, bias, None))


def compiled_sums(user: UserMac, seen: Seen, bias: Array | None, correction: Array | None) -> Array:
    """The sums of operands with any leading axes, by the compiled loop."""
    from hwblocks.numerics.njit import user_sums

    lead = np.broadcast_shapes(seen.rows.shape[:-3], seen.columns.shape[:-3])
    rows, columns = (_flat(a, lead) for a in (seen.rows, seen.columns))
    if correction is not None:
        correction = np.broadcast_to(correction, (*lead, *correction.shape[-3:]))
        correction = correction.reshape(-1, *correction.shape[-3:])
    sums = user_sums(user, rows, columns, bias, correction)
    return sums.reshape(*lead, *sums.shape[-3:])


def _flat(operand: Array, lead: tuple[int, ...]) -> Array:
    """[batch, G, ...], a batch of 1 where all leading axes are 1."""
    if operand.size == int(np.prod(operand.shape[-3:])):
        return operand.reshape(1, *operand.shape[-3:])
    return np.broadcast_to(operand, (*lead, *operand.shape[-3:])).reshape(-1, *operand.shape[-3:])
