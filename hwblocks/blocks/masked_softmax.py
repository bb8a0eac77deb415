"""Masked softmax: what a mask hides has weight 0 exactly, in floats and in integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwblocks.errors import SimulationError
from hwblocks.graph.block import Algorithm, Call, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.masks import mask_of
from hwblocks.graph.powers import power_bytes, power_table, share_fields, unsupported
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.rational import cast_ratio
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.exponential import power_of_e, sum_in_order
from hwblocks.numerics.kernels.masked import MaskedSoftmaxCall


@dataclass(frozen=True)
class MaskedSoftmax(Algorithm):
    """y = softmax of beta · x along the last axis over the elements that the mask keeps; 0 for all others.

    x [..., L], keep broadcasts to x: truth values, true where an element takes part. A row without such elements is 0.
    A row whose largest kept element is not finite is NaN where it is kept.

    In integers as Softmax, with T = 0 for what is not kept: a masked score has weight 0 exactly, whatever the scale,
    and neither the largest score nor the sum sees it. Source: ONNX Attention (its mask and its fully masked rows).

    >>> MaskedSoftmax()(np.array([[1.0, 1.0, 9.0]]), np.array([True, True, False]))
    array([[0.5, 0.5, 0. ]])
    """

    beta: float = 1.0

    input_names: ClassVar[tuple[str, ...]] = ("x", "keep")
    steering: ClassVar[frozenset[int]] = frozenset({1})

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, keep = shapes
        pairs = zip(keep[::-1], x[::-1], strict=False)
        if not x or len(keep) > len(x) or any(k not in (1, n) for k, n in pairs):
            raise self.fail("keep must broadcast to x [..., L]", *shapes)
        return (x,)

    def check_site(self, site: Site) -> None:
        if site.input(1).format.is_quantized:
            raise SimulationError(f"{site.where}: keep {site.input(1).name!r} is quantized; give truth values")

    def keeps_samples(self, *shapes: Shape) -> bool:
        return len(shapes[0]) > 1

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "parameter"), output="fixed", fixed_range=(0.0, 1.0))

    def compute(self, x: Array, keep: Array) -> Array:
        kept = np.broadcast_to(np.asarray(keep) != 0, x.shape)
        none = ~kept.any(axis=-1, keepdims=True)
        wide = np.where(kept, np.asarray(x, np.float64), np.where(none, 0.0, -np.inf))
        with np.errstate(invalid="ignore"):
            top = wide.max(axis=-1, keepdims=True)
            below = np.where(np.isfinite(top), wide - top, np.nan)
        powers = np.where(kept, power_of_e(self.beta * below), 0.0)
        shares = powers / np.where(none, 1.0, sum_in_order(powers, -1))
        return np.asarray(shares, x.dtype if x.dtype.kind == "f" else np.float64)

    def work(self, *shapes: Shape) -> Work:
        made = size(shapes[0])
        rows = made // shapes[0][-1] if made else 0
        return Work(adds=made - rows, compares=made - rows, lookups=made, divisions=made)

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        codes = inputs[0].astype(np.int64)
        kept = np.broadcast_to(inputs[1] != 0, codes.shape)
        lowest = np.iinfo(np.int64).min >> 1
        below = np.where(kept, codes, lowest).max(axis=-1, keepdims=True) - codes
        powers = np.where(kept, power_table(site, self.beta)[np.where(kept, below, 0)], 0)
        total = np.maximum(powers.sum(axis=-1, keepdims=True), 1)
        return cast_ratio(powers.astype(object), np.broadcast_to(total, powers.shape).astype(object), site)

    def table_bytes(self, site: Site) -> int:
        return power_bytes(site)

    def kernel(self, site: Site) -> Call | str:
        mask = mask_of(site, 1, site.input(0).shape)
        if not site.is_integer or isinstance(mask, str):
            return str(mask) if site.is_integer else "float"
        return unsupported(site, -1) or MaskedSoftmaxCall(mask=mask, **share_fields(site, self.beta))
