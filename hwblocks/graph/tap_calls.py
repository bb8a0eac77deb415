"""Kernel calls on stated taps: which input elements each output position reads, axis by axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, limits, scalar_scale, scalar_zero_point
from hwblocks.graph.tensor import Shape
from hwblocks.graph.window import Window
from hwblocks.numerics.kernels.taps import Reads, TapExtremeCall, TapSumCall
from hwblocks.numerics.rounding import Rounding

MOST_TAPS = 1 << 24
ABSENT = -1


@dataclass(frozen=True, eq=False)
class AxisTaps:
    """index [made, k]: the elements along one axis that each output reads, −1 for none; weight [made, k] or None: 1."""

    index: Array
    weight: Array | None = None


def whole_axis(size: int) -> AxisTaps:
    """Every element, for one output."""
    return AxisTaps(np.arange(size)[None])


def window_axes(made: Window) -> dict[int, AxisTaps]:
    """The taps of a window over the axes from the second on; padding is not read."""
    return {
        axis + 1: AxisTaps(np.where(made.inside(axis), made.positions(axis), ABSENT)) for axis in range(len(made.input))
    }


def share_axes(bounds: Sequence[Sequence[tuple[int, int]]]) -> dict[int, AxisTaps]:
    """The taps of windows from first up to, not including, end, along the axes from the second on."""
    made = {}
    for axis, windows in enumerate(bounds, start=1):
        longest = max(end - first for first, end in windows)
        index = np.array([first for first, _ in windows])[:, None] + np.arange(longest)
        made[axis] = AxisTaps(np.where(index < np.array([end for _, end in windows])[:, None], index, ABSENT))
    return made


def reads_of(shape: Shape, axes: Mapping[int, AxisTaps]) -> Reads | str:
    """What every output position reads where some axes have taps and the others are kept."""
    last = max((axis for axis in axes if shape[axis] > 1 or axes[axis].index.size != 1), default=-1)
    at, weight, weighted = (
        np.zeros((1, 1), np.int64),
        np.ones((1, 1), object),
        any(t.weight is not None for t in axes.values()),
    )
    for axis in range(last + 1):
        taps = axes.get(axis) or AxisTaps(np.arange(shape[axis])[:, None])
        step = prod(shape[axis + 1 :])
        if at.size * taps.index.size > MOST_TAPS:
            return f"more than {MOST_TAPS} taps"
        index = np.where(taps.index < 0, ABSENT, taps.index * step)
        missing = (at < 0)[:, None, :, None] | (index < 0)[None, :, None, :]
        joined = np.where(missing, ABSENT, at[:, None, :, None] + index[None, :, None, :])
        size = (at.shape[0] * index.shape[0], at.shape[1] * index.shape[1])
        if weighted:
            own = np.ones(index.shape, object) if taps.weight is None else taps.weight
            weight = (weight[:, None, :, None] * own[None, :, None, :]).reshape(size)
        at = joined.reshape(size)
    present = at >= 0 if not weighted else (at >= 0) & (weight != 0)
    first = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    kept = weight[present] if weighted else None
    return Reads(first=first, at=at[present], weight=kept, elements=prod(shape), inner=prod(shape[last + 1 :]))


def tap_sum_call(
    site: Site,
    axes: Mapping[int, AxisTaps],
    *,
    divisors: Array | None = None,
    factor: Fraction = Fraction(1),
    power: int = 0,
    root: bool = False,
) -> TapSumCall | str:
    """The call of Σ weight · x · factor / divisor, or of Σ |x|^power; divisors: one for each position.

    root: (Σ |x|^power)^(1/power).
    """
    reason = unsupported(site)
    reads = reason or reads_of(site.input(0).shape, axes)
    if isinstance(reads, str):
        return reads
    scale = Fraction(scalar_scale(site.input(0).format)) ** (1 if root or not power else power)
    ratio = scale / Fraction(scalar_scale(site.output.format)) * factor
    return TapSumCall(
        x_dtype=site.input(0).format.dtype.name,
        x_zero=scalar_zero_point(site.input(0).format),
        reads=reads,
        power=power,
        degree=power if root else 1,
        divisors=divisors,
        ratio_num=ratio.numerator,
        ratio_den=ratio.denominator,
        rounding=site.arithmetic.rounding,
        zero_point=scalar_zero_point(site.output.format),
        **limits(site),
    )


def tap_extreme_call(site: Site, axes: Mapping[int, AxisTaps], largest: bool = True) -> TapExtremeCall | str:
    """The call of the largest or smallest taps."""
    x, y = site.input(0), site.output.format
    if x.is_constant or not site.equal_formats:
        return "the input is a constant" if x.is_constant else "formats that differ"
    reads = reads_of(x.shape, axes)
    if isinstance(reads, str):
        return reads
    return TapExtremeCall(dtype=y.dtype.name, reads=reads, lowest=y.lo, largest=largest)


def unsupported(site: Site) -> str:
    """Why no kernel sums taps at a site, or ""."""
    if site.input(0).is_constant:
        return "the input is a constant"
    if site.arithmetic.rounding is Rounding.STOCHASTIC or site.arithmetic.overflow.mode != "saturate":
        return f"rounding {site.arithmetic.rounding.value}, overflow {site.arithmetic.overflow} of an algorithm"
    return ""


def reduced_axes(block: Any, shape: Shape) -> dict[int, AxisTaps]:
    """The taps of a reduction over whole axes."""
    return {axis: whole_axis(shape[axis]) for axis in block.axes(shape)}
