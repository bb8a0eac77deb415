"""Dead channels: output channels whose weights are all zero, and what only they feed. Some compilers drop them.

A channel without weights is the same constant for every sample, which the bias of the next layer can take in; so its
products are not computed, nor those that the next layer would make of it. The search follows channels through layers of
one input and through depthwise convolutions; it stops at reshapes, joins and grouped convolutions, and at layers whose
weights are all zero (not trained yet).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.costs.ops import Layer
from hwblocks.graph.nest import Nest
from hwblocks.graph.tensor import Tensor

Mask = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Left:
    """What remains of a layer without dead channels, in all its passes."""

    macs: int
    outputs: int


def without_dead_channels(layers: Sequence[Layer]) -> dict[str, Left]:
    """By the name of each layer in which something is dropped. layers: in execution order."""
    alive: dict[str, Mask] = {}
    left = {}
    for layer in layers:
        mask = _outputs(layer, alive)
        if mask is None:
            continue
        alive[layer.site.output.name] = mask
        part = mask.mean()
        outputs = round(layer.site.output.elements * layer.times * part)
        macs = round(layer.work.macs * part * _inputs(layer, alive))
        if (macs, outputs) != (layer.work.macs, layer.site.output.elements * layer.times):
            left[layer.node.name] = Left(macs, outputs)
    return left


def _outputs(layer: Layer, alive: dict[str, Mask]) -> Mask | None:
    """Output channels that depend on the sample; None where that is not followed."""
    run_time = [t for t in layer.site.present if not t.is_constant]
    if len(run_time) != 1:
        return None
    before = alive.get(run_time[0].name)
    if layer.products:
        return _products(layer, before)
    same = before is not None and layer.site.output.shape[-1] == before.size and not layer.site.node.block.steering
    return before if same else None


def _products(layer: Layer, before: Mask | None) -> Mask | None:
    nest = layer.products[0]
    weights = next((t for t in layer.site.present[1:] if t.is_constant), None)
    if weights is None or len(layer.products) != 1 or (nest.groups > 1 and not nest.is_depthwise):
        return None
    used = _not_zero(weights)
    if before is not None and before.size == used.shape[-1]:
        used = used & before
    by_channel = used.reshape(-1, used.shape[-1]).T if nest.is_depthwise else used.reshape(used.shape[0], -1)
    channels = np.asarray(by_channel.any(axis=1))
    return channels if np.any(channels) else None


def _not_zero(weights: Tensor) -> Mask:
    assert weights.value is not None
    zero = weights.format.zero_point
    return np.asarray(weights.value != (zero if isinstance(zero, int) else 0))


def _inputs(layer: Layer, alive: dict[str, Mask]) -> float:
    """Share of the input channels that are alive; depthwise, the output's share is the input's."""
    before = alive.get(next(t.name for t in layer.site.present if not t.is_constant))
    if before is None or not layer.products or _follows(layer.products[0], before) is False:
        return 1.0
    return float(before.mean())


def _follows(nest: Nest, before: Mask) -> bool:
    return not nest.is_depthwise and nest.depth == math.prod(nest.kernel) * before.size
