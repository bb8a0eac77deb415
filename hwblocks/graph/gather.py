"""Moves as gathers: the block is run once on element numbers, which gives the map that the kernel follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hwblocks.graph.site import Site
from hwblocks.numerics.kernels.gather import GatherCall

if TYPE_CHECKING:
    from hwblocks.graph.block import Move

FILL = -1


def gather_call(block: Move, site: Site) -> GatherCall | str:
    """The gather that moves one sample's codes, or the reason why there is none."""
    if block.steering:
        return "the data say which elements move"
    dtypes = {t.format.dtype for t in (*site.present, *site.outputs)}
    if any(t.is_constant for t in site.present):
        return "an input is a constant"
    if len(dtypes) != 1:
        return "inputs and output do not share one storage type"
    counts = tuple(t.elements for t in site.present)
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
    numbers = [
        (np.arange(t.elements, dtype=np.int64) + start).reshape(t.shape)
        for t, start in zip(site.present, starts, strict=True)
    ]
    moved = block.move(*numbers, zero=FILL, lowest=FILL)
    index = np.concatenate([m.ravel() for m in moved]) if isinstance(moved, tuple) else moved.ravel()
    fill = site.output.format.code_of(block.fill)
    made = tuple(t.elements for t in site.outputs) if len(site.outputs) > 1 else ()
    return GatherCall(dtypes.pop().name, counts, np.ascontiguousarray(index), fill, made)
