"""The table of powers of e that softmax in integers looks up: one entry for each difference of two codes."""

from __future__ import annotations

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_scale

FRACTION_BITS = 30
TABLE_BITS = 16
ENTRY_BYTES = 4  # of up to 2**30


def power_table(site: Site, beta: float) -> Array:
    """half_even(e^(−beta · scale · d) · 2**30) for each difference d of two codes of the input's format."""
    x = site.input(0).format
    if x.bits > TABLE_BITS:
        raise SimulationError(f"{site.where}: softmax needs at most {TABLE_BITS} input bits, {x.name} has {x.bits}")
    powers = np.exp(-beta * scalar_scale(x) * np.arange(x.hi - x.lo + 1, dtype=np.float64))
    return np.asarray(np.rint(powers * (1 << FRACTION_BITS)), dtype=np.int64)


def power_bytes(site: Site) -> int:
    """Bytes of that table."""
    x = site.input(0).format
    return (x.hi - x.lo + 1) * ENTRY_BYTES if x.bits <= TABLE_BITS else 0
