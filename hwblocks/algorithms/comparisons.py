"""Comparisons of codes: both operands brought to one fine scale by integer multipliers; unequal codes can become equal.

Sources: LiteRT `kernels/comparisons.cc`, `internal/reference/comparisons.h`; the same in TFLite-Micro; restated.
"""

from __future__ import annotations

import numpy as np

from hwblocks.algorithms.rescaling import centred, requantization, scale_of
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site

LEFT_SHIFT = 8


@algorithm("scaled_comparison", "Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual")
def scaled_comparison(site: Site, a: Array, b: Array) -> Array:
    """(code − zero point) · 2⁸ · scale of both operands, rounded to integers, compared."""
    record = requantization(site)
    parts = [
        record.multiply(centred(site, i, codes) << LEFT_SHIFT, record.ratio(scale_of(site, i), 1.0, 1.0))
        for i, codes in enumerate((a, b))
    ]
    return np.asarray(site.node.block.compute(*parts))
