"""Edges between formats: Quantize (float to codes), Dequantize (codes to float), Rescale (codes to other codes)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hwblocks.graph.block import Algorithm, Call, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.ratios import rational_call, scale_ratio
from hwblocks.graph.site import Site
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work


class Edge(Algorithm, abstract=True):
    """Real values unchanged; only how they are stored changes."""

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (shapes[0],)

    def compute(self, x: Array) -> Array:
        return x


@dataclass(frozen=True)
class Quantize(Edge):
    """Floats to codes: saturate(half_even(float32(x / scale)) + zero point). Source: ONNX QuantizeLinear.

    The output tensor's format holds scale and zero point.

    >>> Quantize()(np.array([1.5]))
    array([1.5])
    """

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        y = site.output.format
        codes = y.quantize(inputs[0]).astype(np.int64)
        wide = np.rint(inputs[0].astype(np.float32) / y.scales(inputs[0].ndim).astype(np.float32))
        zero = y.zero_points(inputs[0].ndim)
        return np.clip(codes, *site.clamp_codes), (wide < y.lo - zero) | (wide > y.hi - zero)

    def work(self, *shapes: Shape) -> Work:
        return Work(divisions=size(shapes[0]))


@dataclass(frozen=True)
class Dequantize(Edge):
    """Codes to floats: float32(code − zero point) · float32(scale), rounded once. Source: ONNX DequantizeLinear.

    >>> Dequantize()(np.array([1.5]))
    array([1.5])
    """

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="float")

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        x = site.input(0).format
        shifted = (inputs[0].astype(np.int64) - x.zero_points(inputs[0].ndim)).astype(np.float32)
        return shifted * x.scales(inputs[0].ndim).astype(np.float32), np.zeros(inputs[0].shape, bool)

    def work(self, *shapes: Shape) -> Work:
        return Work(muls=size(shapes[0]))


@dataclass(frozen=True)
class Rescale(Edge):
    """Codes to the codes of another format: the exact real value, cast once.

    >>> Rescale()(np.array([1.5]))
    array([1.5])
    """

    def work(self, *shapes: Shape) -> Work:
        return Work(requants=size(shapes[0]))

    def kernel(self, site: Site) -> Call | str:
        return rational_call(site, scale_ratio(site.input(0), site), Fraction(0), Fraction(0))
