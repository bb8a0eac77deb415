"""Kernel calls of two operands of which one is a single constant: a table of the block's own definition."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hwblocks.errors import HwblocksError
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.graph.step_calls import elements_call, every_code, operand, step_epilogue, unserved
from hwblocks.numerics.kernels.elements import ElementsCall
from hwblocks.numerics.requantize import Requantize
from hwblocks.numerics.rounding import Rounding

if TYPE_CHECKING:
    from hwblocks.graph.binary import Binary

UNDEFINED = (HwblocksError, ArithmeticError, AttributeError, TypeError, ValueError)  # of some code, or of none
MOST_BITS = 31  # of output codes


def constant_pair_call(block: Binary, site: Site) -> ElementsCall | str:
    """The call that looks up the definition's result of every code; entries beyond the format saturate and count."""
    reason = unserved(site)
    if reason or site.arithmetic.rounding is Rounding.STOCHASTIC or site.arithmetic.overflow.mode != "saturate":
        return (
            reason or f"rounding {site.arithmetic.rounding.value}, overflow {site.arithmetic.overflow} of an algorithm"
        )
    fixed = [t.value for t in site.present if t.value is not None]
    if not fixed or not fixed[0].size or (fixed[0] != fixed[0].flat[0]).any() or site.output.format.bits > MOST_BITS:
        return f"{type(block).__name__} has no kernel for operands that vary"
    try:
        table = results(block, site)
    except UNDEFINED:
        return f"{type(block).__name__} is not defined for every code"
    position = 0 if site.constant(0) is None else 1
    scale = scalar_scale(site.output.format)
    whole = step_epilogue(site, Requantize.preset("shift"), scale)  # the ratio is 1: only the zero point and the limits
    return elements_call(site, "alone", [operand(site, position, lambda codes: table)], whole)


def results(block: Binary, site: Site) -> Array:
    """The definition's result of every code of the run-time operand, without zero point; just outside where it was."""
    y = site.output.format
    arrays = [
        every_code(site, position).astype(np.int64) if t.value is None else t.value.ravel()[:1]
        for position, t in enumerate(site.present)
    ]
    open_site = replace(site, node=replace(site.node, clamp=None))
    codes, outside = block.int_compute(arrays, open_site)
    beyond = np.where(codes == y.lo, y.lo - 1, y.hi + 1)
    return np.asarray(np.where(outside, beyond, codes) - scalar_zero_point(y))
