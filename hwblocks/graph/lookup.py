"""Pointwise blocks as tables: one output code for each input code, made from the float function by one exact cast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.algorithm import NamedAlgorithm, chosen, limited
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, clamp_codes
from hwblocks.numerics.kernels.table import TableCall
from hwblocks.numerics.tables import build_table

if TYPE_CHECKING:
    from hwblocks.graph.block import Pointwise

TABLE_BITS = 16


def code_table(block: Pointwise, site: Site) -> Array:
    """Output codes indexed by input code − lowest input code.

    A block that only clamps, with equal formats on both sides, limits codes by its bounds' codes; any other block is
    its float64 function, cast once with the node's rounding and overflow, or the algorithm that the node's arithmetic
    or the block itself names. A fused clamp limits the result.

    Errors: SimulationError above 16 bits.
    """
    x, y = site.input(0).format, site.output.format
    if x.bits > TABLE_BITS:
        raise SimulationError(f"{site.where}: a table needs at most {TABLE_BITS} input bits, {x.name} has {x.bits}")
    named = chosen(site)
    if named is not None:
        return computed(site, named, np.arange(x.lo, x.hi + 1))
    low, high = site.clamp_codes
    if block.clamp is not None and site.equal_formats:
        inner = clamp_codes(y, block.clamp)
        table = np.clip(np.arange(x.lo, x.hi + 1), *inner)
    else:
        table = build_table(block.function, x, y, site.arithmetic.rounding, site.arithmetic.overflow)
    return np.asarray(np.clip(table, low, high), dtype=np.int64)


def computed(site: Site, named: NamedAlgorithm, codes: Array) -> Array:
    """A named algorithm on stored codes, limited."""
    return np.asarray(limited(site, named.compute(site, codes))[0][0], dtype=np.int64)


def look_up(block: Pointwise, codes: Array, site: Site) -> Array:
    """The block on stored codes: by its table, above 16 input bits by the algorithm named."""
    named = chosen(site) if site.input(0).format.bits > TABLE_BITS else None
    if named is not None and named.offer is not None and named.offer.wide:
        return computed(site, named, codes.astype(np.int64))
    return np.asarray(code_table(block, site)[codes.astype(np.int64) - site.input(0).format.lo])


def table_call(block: Pointwise, site: Site) -> TableCall | str:
    """The kernel call: the table widened to every code of the storage type (codes outside repeat the ends)."""
    x, y = site.input(0).format, site.output.format
    if site.input(0).is_constant:
        return "the input is a constant"
    if x.bits > TABLE_BITS:
        return f"tables serve inputs of at most {TABLE_BITS} bits"
    table = code_table(block, site)
    limits = np.iinfo(x.dtype)
    every = np.clip(np.arange(int(limits.min), int(limits.max) + 1), x.lo, x.hi) - x.lo
    return TableCall(x.dtype.name, y.dtype.name, table[every], site.input(0).elements)
