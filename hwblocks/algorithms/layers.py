"""Sums of products whose epilogue counts its vectors over all outputs, not over the channels.

Source: LiteRT `internal/optimized/optimized_ops.h` (TransposeConvV2 and Quantize of unsigned 8-bit codes), restated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.algorithms.rescaling import centred, requantization, scale_of
from hwblocks.graph.algorithm import algorithm
from hwblocks.graph.contraction import Array
from hwblocks.graph.site import Site, in_tail, scalar_scale, scalar_zero_point
from hwblocks.numerics.gemmlowp import wrap


@algorithm("flat_lanes", "ConvTranspose1d", "ConvTranspose2d")
def flat_lanes(site: Site, x: Array, w: Array, b: Array | None = None) -> Array:
    """requantize(Σ (x − zx) · (w − zw) + b) + zy; the outputs after the last whole vector go by the tail's scheme."""
    block: Any = site.node.block
    record, tail, y = requantization(site), site.arithmetic.tail, site.output.format
    contraction = block.lower(centred(site, 0, x), centred(site, 1, w))
    sums = contraction.fold(np.matmul(contraction.rows, contraction.columns))
    sums = wrap(sums if b is None else sums + b.astype(np.int64))
    ratio = record.ratio(scale_of(site, 0), scale_of(site, 1), scalar_scale(y))
    codes = record.multiply(sums, ratio)
    if tail is not None:
        codes = np.where(in_tail(site, sums.shape), tail.multiply(sums, ratio), codes)
    return codes + scalar_zero_point(y)
