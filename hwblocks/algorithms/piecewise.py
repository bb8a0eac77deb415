"""Straight lines in place of a function: tables of equal steps, fitted segments, and PLAN's four lines.

`interpolated` and `pwl` take their values from the block's float function when a plan is made (limited to what the
output format holds where the cast saturates); from there on everything is integers.
Sources: `numerics/{step_table,pwl,plan}.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np

from hwblocks.algorithms.fixed_point import cast_units, check_widths, from_steps, inner_fraction, inner_input
from hwblocks.algorithms.rescaling import centred
from hwblocks.errors import SimulationError
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.graph.variant import EVERY, Offer, Parameter
from hwblocks.graph.work import Work
from hwblocks.numerics import plan, pwl
from hwblocks.numerics.formats import Format
from hwblocks.numerics.overflow import OverflowMode
from hwblocks.numerics.step_table import StepTable, step_table

FARTHEST = 2.0**40  # output steps of functions that are not limited to the output's codes
FITTED_BITS = 16  # of inputs whose every code is fitted; wider ones at 2**16 + 1 even codes


def saturates(site: Site) -> bool:
    """True when the node's cast saturates, so that what lies outside the output format need not be followed."""
    return site.arithmetic.overflow.mode in (OverflowMode.SATURATE, OverflowMode.SATURATE_SYMMETRIC)


def output_steps(block: Any, x: Format, y: Format, codes: Array, limited: bool) -> Array:
    """The block's float function at input codes, in output steps without the zero point; limited: to y's codes.

    Errors: SimulationError where it is not a number, or not limited and far outside every format.
    """
    with np.errstate(all="ignore"):
        steps = np.asarray(block.function(x.dequantize(codes)), np.float64) / scalar_scale(y)
    bad = np.isnan(steps) if limited else ~(np.abs(steps) < FARTHEST)
    if bad.any():
        what = "not a number" if limited else "too large for a cast that does not saturate"
        raise SimulationError(
            f"{type(block).__name__}: is {what} at code {int(codes[bad][0])} of {x!r}; "
            "give x a format without such codes"
        )
    zero = scalar_zero_point(y)
    return np.clip(steps, y.lo - zero, y.hi - zero) if limited else steps


@lru_cache(maxsize=128)
def stepped(block: Any, x: Format, y: Format, n: int, extra: int, limited: bool) -> StepTable:
    """The table of n equal steps from the lowest to the highest code of the input's width."""
    rest = x.bits - (n.bit_length() - 1)
    starts = first_code(x) + (np.arange(n + 1, dtype=np.int64) << rest)
    return step_table(output_steps(block, x, y, starts, limited), rest, extra)


def step_entries(site: Site, n: int, extra: int) -> StepTable:
    """The table of a site."""
    return stepped(site.node.block, site.input(0).format, site.output.format, n, extra, saturates(site))


def first_code(x: Format) -> int:
    """The lowest code of a width; of a narrow format too."""
    return -(1 << (x.bits - 1)) if x.signed else 0


def too_many_steps(site: Site, n: int, extra: int) -> str:
    """Why a table of equal steps cannot be made, or ""."""
    bits = site.input(0).format.bits
    return f"{bits}-bit codes have no {n} steps" if n > 1 << bits else ""


def stepped_bytes(site: Site, n: int, extra: int) -> int:
    """Entries of the output's bits and the extra ones, each in whole bytes."""
    return (n + 1) * ceil((site.output.format.bits + extra) / 8)


STEPS = Offer(
    parameters=(
        Parameter("n", 1, 1 << 16, power=True),
        Parameter("extra", 0, 16, default=4),
    ),
    work=lambda n, extra: Work(lookups=2, muls=1, adds=2),
    table_bytes=stepped_bytes,
    constants=lambda site, n, extra: {"entries": step_entries(site, n, extra).entries},
    check=too_many_steps,
)


@algorithm("interpolated", EVERY, offer=STEPS)
def interpolated(site: Site, x: Array, n: int, extra: int) -> Array:
    """y = round((T[i] · 2**r + (T[i+1] − T[i]) · d) / 2**(r + extra)) + zy: n equal steps of 2**r input codes.

    i = (x − lowest code) >> r, d its lowest r bits. T has n + 1 entries: the function at the starts of the steps,
    limited to the output where it saturates, in output steps with `extra` more fraction bits (bits(y) + extra
    bits), half_even. One rounding, the node's, at the end.
    """
    check_widths(site)
    a = site.input(0).format
    table = step_entries(site, n, extra)
    return from_steps(site, table.between(x.astype(np.int64) - first_code(a), site.arithmetic.rounding))


@lru_cache(maxsize=128)
def fitted(block: Any, x: Format, y: Format, n: int, shape: str, limited: bool) -> pwl.Segments:
    """The segments of a block between two formats; deterministic."""
    if x.bits <= FITTED_BITS:
        codes = np.arange(x.lo, x.hi + 1, dtype=np.int64)
    else:
        codes = np.unique(np.linspace(x.lo, x.hi, (1 << FITTED_BITS) + 1).round().astype(np.int64))
    steps = output_steps(block, x, y, codes, limited)
    return pwl.fit(codes - scalar_zero_point(x), steps, n, shape == "shift")


def segments_of(site: Site, n: int, shape: str) -> pwl.Segments:
    """The fitted segments of a site, with the bound on their error."""
    return fitted(site.node.block, site.input(0).format, site.output.format, n, shape, saturates(site))


def pwl_bytes(site: Site, n: int, shape: str) -> int:
    """Starts of the input's width, slopes of 16 bits (a sign and a shift in one byte), offsets of their own width."""
    made = segments_of(site, n, shape)
    offset = max(int(np.abs(made.offsets).max(initial=0)).bit_length() + 1, 1)
    slope = 1 if shape == "shift" else pwl.SLOPE_BITS // 8
    return made.starts.size * ceil(site.input(0).format.bits / 8) + made.slopes.size * (slope + ceil(offset / 8))


def pwl_constants(site: Site, n: int, shape: str) -> dict[str, Any]:
    """Starts (of x − zx), slopes and offsets with their fraction bits."""
    made = segments_of(site, n, shape)
    return {"starts": made.starts, "slopes": made.slopes, "offsets": made.offsets, "fraction": made.fraction}


def pwl_work(n: int, shape: str) -> Work:
    """One product (or shift), one addition, a comparison with every start, one look-up of the coefficients."""
    shifted = shape == "shift"
    return Work(muls=int(not shifted), shifts=int(shifted), adds=1, compares=n - 1, lookups=1)


SEGMENTS = Offer(
    parameters=(
        Parameter("n", 1, 256),
        Parameter("slopes", default="free", words=("free", "shift")),
    ),
    work=pwl_work,
    table_bytes=pwl_bytes,
    constants=pwl_constants,
    fit_error=lambda site, n, shape: segments_of(site, n, shape).error,
)


@algorithm("pwl", EVERY, offer=SEGMENTS)
def piecewise_linear(site: Site, x: Array, n: int, shape: str) -> Array:
    """y = round((slope[i] · v + offset[i]) / 2**F) + zy with v = x − zx and i = number of starts ≤ v, n segments.

    Breakpoints of equal error, each line of least largest error (numerics/pwl.py). Slopes are signed 16-bit integers
    with F fraction bits in output steps for an input step, offsets have F fraction bits; with `shift` the slopes are 0
    or ±2**k. One rounding, the node's.
    """
    check_widths(site)
    return from_steps(site, segments_of(site, n, shape).evaluate(centred(site, 0, x), site.arithmetic.rounding))


def four_lines(site: Site, x: Array, function: Callable[[Any, int], Array]) -> Array:
    """One of PLAN's functions at a site."""
    check_widths(site)
    fraction = inner_fraction(site, 8)
    return cast_units(site, function(inner_input(site, x, fraction, 16.0), fraction), fraction + plan.EXTRA)


LINES = Offer(work=lambda: Work(adds=3, shifts=1, compares=3))


@algorithm("plan", "Sigmoid", offer=LINES)
def plan_sigmoid(site: Site, x: Array) -> Array:
    """PLAN: |x|/4 + 1/2 below 1, |x|/8 + 5/8 below 2 3/8, |x|/32 + 27/32 below 5, then 1; 1 − y for x < 0.

    Exact between: x in its own fraction bits where its scale is a power of two (at least 8 bits), else brought to 16
    fraction bits, ties up; y in 5 bits more, cast once.
    """
    return four_lines(site, x, plan.sigmoid)


@algorithm("plan", "Tanh", offer=LINES)
def plan_tanh(site: Site, x: Array) -> Array:
    """tanh x = 2 σ(2x) − 1 with PLAN's σ; formats as there."""
    return four_lines(site, x, plan.tanh)
