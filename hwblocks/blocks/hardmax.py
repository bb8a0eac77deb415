"""Hardmax: 1 at the first largest element, 0 elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwblocks.graph.along_axis import AlongAxis
from hwblocks.graph.block import Call, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.pick_calls import gate_call
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.rational import cast_ratio
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


@dataclass(frozen=True)
class Hardmax(AlongAxis):
    """y = 1 at the first largest element along `dim`, else 0. Source: ONNX Hardmax from opset 13.

    In integers the codes are compared; 1 and 0 are cast to the output format.

    >>> Hardmax()(np.array([[1.0, 3.0, 3.0]]))
    array([[0., 1., 0.]])
    """

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="fixed", fixed_range=(0.0, 1.0))

    def compute(self, x: Array) -> Array:
        axis = self.dim % x.ndim
        place = np.arange(x.shape[axis]).reshape((-1,) + (1,) * (x.ndim - axis - 1))
        return np.asarray((place == np.argmax(x, axis=axis, keepdims=True)).astype(np.float64))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        ones = self.compute(inputs[0]).astype(np.int64).astype(object)
        return cast_ratio(ones, np.ones_like(ones), site)

    def kernel(self, site: Site) -> Call | str:
        if self.dim % len(site.input(0).shape) != len(site.input(0).shape) - 1:
            return "along an inner axis"
        return gate_call(site, None, average=False)

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=size(shapes[0]))
