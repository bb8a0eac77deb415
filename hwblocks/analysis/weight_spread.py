"""Histograms of weights: float values in steps of their channel's scale, the codes, and the range of the codes."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwblocks.analysis.spread_counts import GrowingHistogram, align
from hwblocks.charts import Axis, Histogram, Limit
from hwblocks.graph.graph import Graph
from hwblocks.graph.tensor import Tensor

Array = np.ndarray[Any, Any]

LARGEST_BITS = 16  # biases and other wide constants are left out


def weight_histograms(float_graph: Graph, integer_graph: Graph) -> list[tuple[str, str, Histogram]]:
    """(node, tensor, histogram) of every quantized constant of at most 16 bits with one scale, or one per channel."""
    found = []
    for node in integer_graph.nodes:
        for name in dict.fromkeys(n for n in node.inputs if n):
            tensor = integer_graph.tensors[name]
            if tensor.is_constant and tensor.format.is_quantized and _can_be_drawn(tensor):
                found.append((node.name, name, _histogram(tensor, float_graph.tensors.get(tensor.origin_name))))
    return found


def _can_be_drawn(tensor: Tensor) -> bool:
    return tensor.format.bits <= LARGEST_BITS and not tensor.format.group and tensor.elements > 1


def _histogram(tensor: Tensor, source: Tensor | None) -> Histogram:
    """Codes, and where the float graph still has the tensor its values beside them."""
    codes = np.asarray(tensor.value).astype(np.float64)
    format = tensor.format
    steps = None if source is None or source.value is None else float_steps(tensor, source.value)
    kept = [codes] if steps is None else [steps, codes]
    series = [GrowingHistogram(1.0) for _ in kept]
    for histogram, values in zip(series, kept, strict=True):
        histogram.add(values + 0.5)  # bins begin half a code below a code
    first, bins = align(series)
    width = series[0].width
    below = above = 0.0
    if steps is not None:
        below, above = (100 * float(np.mean(out)) for out in (steps < format.lo - 0.5, steps > format.hi + 0.5))
    names = ("codes",) if steps is None else ("float", "codes")
    return Histogram(
        tensor.name,
        first * width - 0.5,
        width,
        tuple((name, h.shares(first, bins)) for name, h in zip(names, series, strict=True)),
        Axis("code"),
        (Limit("lowest", format.lo), Limit("highest", format.hi)),
        below,
        above,
        text=f"{format.name}, {_scales(tensor)}; {below + above:.3g} % of the float weights beyond the codes",
    )


def float_steps(tensor: Tensor, real: Array) -> Array | None:
    """Float weights in steps of the integer tensor's scale, zero point added; None where the shapes differ."""
    if real.shape != tensor.shape:
        return None
    factor = np.asarray(tensor.origin.factor if tensor.origin else (1.0,), np.float64)
    if factor.size > 1:
        axis = tensor.format.axis if tensor.format.axis is not None else -1
        if factor.size != tensor.shape[axis]:
            return None
        shape = [1] * len(tensor.shape)
        shape[axis] = -1
        factor = factor.reshape(shape)
    format = tensor.format
    return np.asarray(real * factor / format.scales(real.ndim) + format.zero_points(real.ndim))


def _scales(tensor: Tensor) -> str:
    scale = tensor.format.scale
    if isinstance(scale, tuple):
        return f"{len(scale)} scales from {min(scale):.3g} to {max(scale):.3g}"
    return f"scale {scale:.4g}"
