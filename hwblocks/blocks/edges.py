"""Edges between formats: Quantize (float to codes), Dequantize (codes to float), Rescale and Relabel
(codes to other codes, codes under another meaning)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from hwblocks.graph.block import Algorithm, Call, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.ratios import rational_call, scale_ratio
from hwblocks.graph.site import Site, in_tail
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.formats import Format
from hwblocks.numerics.kernels.edges import DequantizeCall, QuantizeCall


class Edge(Algorithm, abstract=True):
    """Real values unchanged; only how they are stored changes."""

    overwrites: ClassVar[tuple[int, ...]] = (0,)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (shapes[0],)

    def compute(self, x: Array) -> Array:
        return x


def float_edge(site: Site, format: Format, other: Format) -> dict[str, Any] | str:
    """The fields of an edge's call between codes and float32, or the reason why no kernel serves it."""
    if any(t.is_constant for t in site.present):
        return "the input is a constant"
    if not format.is_quantized or other.name != "float32":
        return f"an edge between {other.name} and {format.name}"
    rules, count = site.arithmetic, site.output.elements
    rule = rules.edge or EdgeRule()
    lanes = rules.lanes or 1
    head = count if rules.tail_edge is None else count // lanes * lanes
    return {"format": format, "count": count, "head": head, "rule": rule, "tail": rules.tail_edge or rule}


@dataclass(frozen=True)
class Quantize(Edge):
    """Floats to codes: saturate(half_even(float32(x / scale)) + zero point), or by the node's edge rule.

    Source: ONNX QuantizeLinear.

    The output tensor's format holds scale and zero point.

    >>> Quantize()(np.array([1.5]))
    array([1.5])
    """

    serves_floats: ClassVar[bool] = True

    def kernel(self, site: Site) -> Call | str:
        fields = float_edge(site, site.output.format, site.input(0).format)
        if isinstance(fields, str):
            return fields
        return QuantizeCall(clamp_lo=site.clamp_codes[0], clamp_hi=site.clamp_codes[1], **fields)

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        rules = site.arithmetic
        codes, outside = (rules.edge or EdgeRule()).codes(inputs[0], site.output.format)
        if rules.tail_edge is not None:
            rest, rest_outside = rules.tail_edge.codes(inputs[0], site.output.format)
            tail = in_tail(site, inputs[0].shape)
            codes, outside = np.where(tail, rest, codes), np.where(tail, rest_outside, outside)
        return np.clip(codes, *site.clamp_codes), outside

    def work(self, *shapes: Shape) -> Work:
        return Work(divisions=size(shapes[0]))


@dataclass(frozen=True)
class Dequantize(Edge):
    """Codes to floats: float32(code − zero point) · float32(scale), rounded once. Source: ONNX DequantizeLinear.

    >>> Dequantize()(np.array([1.5]))
    array([1.5])
    """

    serves_floats: ClassVar[bool] = True

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="float")

    def kernel(self, site: Site) -> Call | str:
        if site.node.clamp is not None:
            return "a clamp of floats"
        fields = float_edge(site, site.input(0).format, site.output.format)
        return fields if isinstance(fields, str) else DequantizeCall(**fields)

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        rules, format = site.arithmetic, site.input(0).format
        reals = (rules.edge or EdgeRule()).reals(inputs[0], format)
        if rules.tail_edge is not None:
            reals = np.where(in_tail(site, inputs[0].shape), rules.tail_edge.reals(inputs[0], format), reals)
        return reals, np.zeros(inputs[0].shape, bool)

    def work(self, *shapes: Shape) -> Work:
        return Work(muls=size(shapes[0]))


@dataclass(frozen=True)
class Relabel(Edge):
    """The same codes, read in another format: where a file states two meanings for one tensor.

    >>> Relabel()(np.array([1.5]))
    array([1.5])
    """

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        return inputs[0], np.zeros(inputs[0].shape, bool)


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
