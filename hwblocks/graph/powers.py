"""The table of powers of e that softmax in integers looks up, one entry for each difference of two codes; its calls."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, limits, scalar_scale, scalar_zero_point

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


def unsupported(site: Site, dim: int) -> str:
    """Why no kernel computes a softmax of codes at a site, or ""."""
    x = site.input(0)
    if x.is_constant or x.format.bits > TABLE_BITS:
        return "softmax kernels serve quantized run-time inputs of at most 16 bits"
    if dim % len(x.shape) != len(x.shape) - 1:
        return "softmax along an inner axis"
    if site.arithmetic.overflow.mode != "saturate":
        return f"overflow {site.arithmetic.overflow} of an algorithm"
    return ""


def share_fields(site: Site, beta: float) -> dict[str, Any]:
    """The fields of a call that makes shares T / Σ T of the powers of every row."""
    x, y = site.input(0), site.output.format
    scale = Fraction(scalar_scale(y))
    return {
        "x_dtype": x.format.dtype.name,
        "rows": x.elements // x.shape[-1],
        "length": x.shape[-1],
        "table": power_table(site, beta),
        "ratio_num": scale.denominator,
        "ratio_den": scale.numerator,
        "rounding": site.arithmetic.rounding,
        "zero_point": scalar_zero_point(y),
        **limits(site),
    }
