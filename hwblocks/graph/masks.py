"""Masks at a site: truth values that broadcast to the output, as kernels read them."""

from __future__ import annotations

import numpy as np

from hwblocks.graph.ratios import broadcast_index
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape
from hwblocks.numerics.kernels.masked import Mask, Source


def mask_of(site: Site, position: int, shape: Shape) -> Mask | str:
    """The mask at an input, broadcast to a shape; a reason where no kernel reads it."""
    tensor = site.input(position)
    if tensor.value is not None:
        spread = np.broadcast_to(tensor.value != 0, shape)
        return Mask(count=0, constant=np.ascontiguousarray(spread).ravel())
    if tensor.format.kind != "bool":
        return f"a mask of {tensor.format.name}"
    return Mask(count=tensor.elements, index=broadcast_index(tensor, shape))


def source_of(site: Site, position: int, shape: Shape) -> Source:
    """An operand of stored codes, broadcast to a shape."""
    tensor = site.input(position)
    if tensor.value is not None:
        return Source(constant=np.ascontiguousarray(np.broadcast_to(tensor.value, shape)).ravel())
    return Source(count=tensor.elements, index=broadcast_index(tensor, shape))
