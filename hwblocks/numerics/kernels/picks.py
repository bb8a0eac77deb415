"""Calls steered by data: rows read and written by index, gates, positions of extremes, the k largest codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.numerics.kernels.masked import Mask

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class PickCall:
    """y[b, p, i, s] = x[b, p, index[b, i], s] for one sample x [outer, planes, rows, width], index [outer, picks].

    from_end: negative indices count from the end. constant: x of every sample, in place of a run-time input.
    """

    dtype: str
    index_dtype: str
    outer: int
    planes: int
    rows: int
    width: int
    picks: int
    from_end: bool
    constant: Array | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class PlaceCall:
    """y[o, s] = x[base[o] + Σ over k of index[o, k] · steps[k] + s] for a sample's outputs o of `width` elements.

    elements: of one sample of x. Each index lies below limits[k], or is counted from the end where from_end.
    """

    dtype: str
    index_dtype: str
    elements: int
    width: int
    base: Array
    limits: tuple[int, ...]
    steps: tuple[int, ...]
    from_end: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class WriteCall:
    """y = x with y[b, address[b, p]] = data[b, p], p in order: x [outer, rows, width], data [outer, ports, width].

    address: of every port where it is constant, else an input of `address_dtype`. enabled: a run-time input of truth
    values [outer, ports] says which ports write.
    """

    dtype: str
    outer: int
    rows: int
    width: int
    ports: int
    address_dtype: str
    address: Array | None
    enabled: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class GateCall:
    """Gates along rows: the first largest kept code is open, or every kept code of at least `threshold`.

    y = codes[n] where open, codes[0] elsewhere, with n the open gates of the row (average), else 1; saturated: which
    entries left the format. mask None: every element is kept. counted: outputs that are not zero_point count as active.
    """

    x_dtype: str
    out_dtype: str
    rows: int
    length: int
    threshold: int | None
    average: bool
    codes: Array
    saturated: Array
    zero_point: int
    counted: bool
    mask: Mask | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class PositionCall:
    """y[o, i] = the index of the largest (or smallest) of x [outer, length, inner]; of equal ones the first or last."""

    x_dtype: str
    out_dtype: str
    outer: int
    length: int
    inner: int
    largest: bool
    last: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class RankingCall:
    """The k largest (or smallest) of x [outer, length, inner] in order, and their indices; of equal ones the first."""

    x_dtype: str
    index_dtype: str
    outer: int
    length: int
    inner: int
    k: int
    largest: bool
