"""Masks of attention: truth values that broadcast to scores [N, H, L, S], true where a query may see a key."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.blocks.logic import Less, LogicalAnd
from hwblocks.blocks.shape import Reshape
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.numerics.formats import Format

Array = np.ndarray[Any, Any]
BOOL = Format("bool")
UNBOUNDED = -1


def seen(queries: int, keys: int, offset: int = 0, causal: bool = True, window: tuple[int, int] | None = None) -> Array:
    """[L, S]: which keys each query sees, query i standing at key position i + offset.

    causal: none after its own. window (left, right): none further away on either side; −1 is no bound.
    """
    distance = np.arange(queries)[:, None] + offset - np.arange(keys)[None]
    left, right = window or (UNBOUNDED, UNBOUNDED)
    allowed = distance >= 0 if causal else np.ones_like(distance, bool)
    if left != UNBOUNDED:
        allowed = allowed & (distance <= left)
    return allowed if right == UNBOUNDED else allowed & (-distance <= right)


def constant_mask(build: GraphBuilder, allowed: Array, name: str = "seen") -> Value | None:
    """The mask as a constant; None where everything is seen."""
    return None if allowed.all() else build.constant(name, allowed, BOOL)


def before(build: GraphBuilder, lengths: Value, keys: int, name: str = "within") -> Value:
    """[N, 1, 1, S]: true for keys before each sequence's length; lengths [N, 1] or [N]."""
    places = build.constant(f"{name}.places", np.arange(keys).reshape(1, 1, 1, keys), lengths.tensor.format)
    given = build.add(Reshape((lengths.shape[0], 1, 1, 1) if len(lengths.shape) < 2 else (0, 1, 1, 1)), lengths,
                      name=f"{name}.lengths")  # fmt: skip
    return build.add(Less(), places, given, name=name, formats=(BOOL,))


def both(build: GraphBuilder, first: Value | None, second: Value | None, name: str = "keep") -> Value | None:
    """What both masks allow; None allows everything."""
    if first is None or second is None:
        return second if first is None else first
    a, b = first.tensor.value, second.tensor.value
    if a is not None and b is not None:
        return build.constant(name, np.logical_and(a, b), BOOL)
    return build.add(LogicalAnd(), first, second, name=name, formats=(BOOL,))
