"""Recurrent blocks as one call: a filter memory (SVDF), and gates by tables (LSTM)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.requantize import Epilogue

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class SumPart:
    """Sums of products inside a recurrent block, and how they end.

    weights [O, K] are centred integers; bias [O] or None; bound: largest absolute sum, bias included.
    """

    weights: Array
    bias: Array | None
    bound: int
    out_dtype: str
    epilogue: Epilogue


@dataclass(frozen=True, eq=False, kw_only=True)
class SvdfCall:
    """x [I], memory [F, M] of one sample → y [F / rank], memory.

    The memory moves on by one step, its newest codes are newest(x − x_zero) + memory_zero, wrapping; y[u] is the cast
    of the sum over the `rank` filters of unit u of (memory − memory_zero) · units.weights [F, M].
    """

    x_dtype: str
    x_zero: int
    newest: SumPart
    units: SumPart
    rank: int
    memory_zero: int


@dataclass(frozen=True, eq=False, kw_only=True)
class GateStep:
    """A 32-bit product by gemmlowp's two roundings (multiplier, right shift), or multiplier 0: a shift that wraps."""

    multiplier: int
    shift: int


@dataclass(frozen=True, eq=False, kw_only=True)
class LstmCall:
    """x [T, I], h [U] int8, c [U] int16 of one sample → y [T, U] int8, h, c.

    fed: the gates f, i, c, o of all units from x, [4·U, I] to int16. back: from h, [4·U, U] to int32. A gate is
    its table at the sum of both limited to 16 bits. clip: of the cell.
    c = clip(kept(f · c) + added(i · u)), h = hidden(o · cell_tanh(c)) + h_zero, every step limited.
    sigmoid, tanh, cell_tanh: values of all 16-bit codes from the lowest on.
    """

    x_dtype: str
    x_zero: int
    h_zero: int
    steps: int
    fed: SumPart
    back: SumPart
    clip: int
    kept: GateStep
    added: GateStep
    hidden: GateStep
    sigmoid: Array
    tanh: Array
    cell_tanh: Array
