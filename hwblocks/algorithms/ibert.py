"""I-BERT's integer functions as algorithms of blocks. Source: `numerics/ibert.py`."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from hwblocks.algorithms.rescaling import centred, scale_of
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, scalar_scale, scalar_zero_point
from hwblocks.numerics import ibert
from hwblocks.numerics.rounding import round_ratio


@algorithm("ibert", "Exp")
def exponential(site: Site, x: Array) -> Array:
    """The integer exponential of x ≤ 0 (positive x count as 0), rounded once to the output's step."""
    y = site.output.format
    codes, scale = ibert.exponential(np.minimum(centred(site, 0, x), 0), scale_of(site, 0))
    ratio = Fraction(scale) / Fraction(scalar_scale(y))
    top = codes.astype(object) * ratio.numerator
    bottom = np.broadcast_to(np.array(ratio.denominator, dtype=object), top.shape)
    return np.asarray(round_ratio(top, bottom, site.arithmetic.rounding)).astype(np.int64) + scalar_zero_point(y)
