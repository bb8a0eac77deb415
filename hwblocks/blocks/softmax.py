"""Softmax: the float formula and an integer algorithm by one table and one exact division."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

import numpy as np

from hwblocks.graph.along_axis import AlongAxis
from hwblocks.graph.block import Call, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.powers import ENTRY_BYTES, FRACTION_BITS, power_bytes, power_table, share_fields, unsupported
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.rational import cast_ratio
from hwblocks.graph.ratios import scale_ratio
from hwblocks.graph.site import Site, limits, scalar_scale, scalar_zero_point
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.exponential import natural_log, power_of_e, sum_in_order
from hwblocks.numerics.kernels.log_softmax import LogSoftmaxCall
from hwblocks.numerics.kernels.softmax import FloatSoftmaxCall, SoftmaxCall
from hwblocks.numerics.newton import bit_length, mantissa

LOG_STEPS = 512
LN2 = round(math.log(2.0) * (1 << FRACTION_BITS))


def below_largest(x: Array, dim: int) -> Array:
    """x − max along `dim` in float64; NaN all along where the largest is not finite."""
    wide = np.asarray(x, np.float64)
    with np.errstate(invalid="ignore"):
        top = wide.max(axis=dim, keepdims=True)
        return np.asarray(np.where(np.isfinite(top), wide - top, np.nan))


def as_floats_of(x: Array, y: Array) -> Array:
    """y in the float type of x, float64 where that is none."""
    return np.asarray(y, x.dtype if x.dtype.kind == "f" else np.float64)


def log_of_sum(total: Array) -> Array:
    """ln(total · 2**−30) in units of 2**−30 for whole totals from 2**29 on, by a table of 512 steps, interpolated.

    total = 2**e · (1 + u): (e − 30) · LN2 + T[i] + ⌊(T[i+1] − T[i]) · d / 2**s⌋ with T[i] = half_even(ln(1 + i / 512) ·
    2**30), i the 9 highest bits of u and d the s = 21 following ones (those below are dropped).
    """
    table = log_table()
    e = bit_length(total) - 1
    u = mantissa(total, e) - (1 << FRACTION_BITS)
    rest = FRACTION_BITS - (LOG_STEPS.bit_length() - 1)
    i, d = u >> rest, u & ((1 << rest) - 1)
    between = ((table[np.minimum(i + 1, LOG_STEPS)] - table[i]) * d) >> rest
    return np.asarray((e - FRACTION_BITS) * LN2 + table[i] + between)


def log_table() -> Array:
    """half_even(ln(1 + i / 512) · 2**30) for i = 0 to 512."""
    return np.asarray(np.rint(np.log1p(np.arange(LOG_STEPS + 1) / LOG_STEPS) * (1 << FRACTION_BITS)), dtype=np.int64)


def float_call(site: Site, dim: int, beta: float, logarithm: bool) -> Call | str:
    """The call of a softmax of float32 over the last axis."""
    x, y = site.input(0), site.output
    if x.is_constant or x.format.name != "float32" or y.format.name != "float32":
        return f"a softmax from {x.format.name} to {y.format.name}"
    if dim % len(x.shape) != len(x.shape) - 1:
        return "softmax along an inner axis"
    if site.node.clamp is not None:
        return "a clamp of floats"
    return FloatSoftmaxCall(rows=x.elements // x.shape[-1], length=x.shape[-1], beta=beta, logarithm=logarithm)


@dataclass(frozen=True)
class Softmax(AlongAxis):
    """y = e^(beta · (x − max)) / Σ e^(beta · (x − max)) along `dim`.

    In float64 by numerics/exponential.py, Σ in index order; a row is NaN where its largest is not finite.

    variant: its integer meaning, "table" or one of docs/nonlinearities.md: "ibert", "base2(f, r)", "gemmlowp".
    In integers by "table": T[d] = half_even(e^(−beta · scale · d) · 2**30) for d = max − code, S = Σ T
    exactly, y = T / S cast once, exactly, to the output format. Source: ONNX Softmax from opset 13, TFLite SOFTMAX.

    >>> Softmax()(np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """

    serves_floats: ClassVar[bool] = True
    own_variant: ClassVar[str | None] = "table"
    beta: float = 1.0
    variant: str = field(default="table", kw_only=True)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        self.check_variant(*shapes)
        if not -len(shapes[0]) <= self.dim < len(shapes[0]):
            raise self.fail(f"dim={self.dim} is not an axis of x", *shapes)
        return (shapes[0],)

    def compute(self, x: Array) -> Array:
        powers = power_of_e(self.beta * below_largest(x, self.dim))
        return as_floats_of(x, powers / sum_in_order(powers, self.dim))

    def work(self, *shapes: Shape) -> Work:
        made = size(shapes[0])
        rows = made // shapes[0][self.dim] if made else 0
        return self.variant_work(*shapes) or Work(adds=made - rows, compares=made - rows, lookups=made, divisions=made)

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="fixed", fixed_range=(0.0, 1.0))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        codes = inputs[0].astype(np.int64)
        powers = power_table(site, self.beta)[codes.max(axis=self.dim, keepdims=True) - codes]
        total = powers.sum(axis=self.dim, keepdims=True)
        return cast_ratio(powers.astype(object), np.broadcast_to(total, powers.shape).astype(object), site)

    def table_bytes(self, site: Site) -> int:
        return power_bytes(site)

    def kernel(self, site: Site) -> Call | str:
        if site.input(0).format.is_float:
            return float_call(site, self.dim, self.beta, logarithm=False)
        if not site.is_integer:
            return "float"
        reason = unsupported(site, self.dim)
        if reason:
            return reason
        return SoftmaxCall(**share_fields(site, self.beta))


@dataclass(frozen=True)
class LogSoftmax(AlongAxis):
    """y = x − max − ln Σ e^(x − max) along `dim`. Source: ONNX LogSoftmax from opset 13.

    In float64 by numerics/exponential.py, Σ in index order; a row is NaN where its largest is not finite.

    variant: its integer meaning, "table" or "gemmlowp" (TFLite's; the output has scale 1/16).
    In integers by "table": S = Σ T as in Softmax, ln S by a table of 512 steps (30 fraction bits), scale · (x − max) −
    ln S cast once, exactly.

    >>> LogSoftmax()(np.array([[0.0, 0.0]])).round(4)
    array([[-0.6931, -0.6931]])
    """

    serves_floats: ClassVar[bool] = True
    own_variant: ClassVar[str | None] = "table"
    variant: str = field(default="table", kw_only=True)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        self.check_variant(*shapes)
        if not -len(shapes[0]) <= self.dim < len(shapes[0]):
            raise self.fail(f"dim={self.dim} is not an axis of x", *shapes)
        return (shapes[0],)

    def compute(self, x: Array) -> Array:
        below = below_largest(x, self.dim)
        return as_floats_of(x, below - natural_log(sum_in_order(power_of_e(below), self.dim)))

    def table_bytes(self, site: Site) -> int:
        return power_bytes(site) + (LOG_STEPS + 1) * ENTRY_BYTES

    def kernel(self, site: Site) -> Call | str:
        if not site.is_integer:
            return float_call(site, self.dim, 1.0, logarithm=True)
        x, y = site.input(0), site.output.format
        reason = unsupported(site, self.dim)
        if reason:
            return reason
        code, log = scale_ratio(x, site), 1 / (Fraction(scalar_scale(y)) * (1 << FRACTION_BITS))
        below = math.lcm(code.denominator, log.denominator)
        return LogSoftmaxCall(
            x_dtype=x.format.dtype.name,
            rows=x.elements // x.shape[-1],
            length=x.shape[-1],
            powers=power_table(site, 1.0),
            logs=log_table(),
            ln2=LN2,
            code_factor=int(code * below),
            log_factor=int(log * below),
            denominator=below,
            rounding=site.arithmetic.rounding,
            zero_point=scalar_zero_point(y),
            **limits(site),
        )

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        codes = inputs[0].astype(np.int64)
        below = codes - codes.max(axis=self.dim, keepdims=True)
        log = log_of_sum(power_table(site, 1.0)[-below].sum(axis=self.dim, keepdims=True))
        scale = Fraction(scalar_scale(site.input(0).format))
        num = below.astype(object) * (scale.numerator << FRACTION_BITS) - log.astype(object) * scale.denominator
        return cast_ratio(num, np.full(num.shape, scale.denominator << FRACTION_BITS, dtype=object), site)

    def work(self, *shapes: Shape) -> Work:
        made = size(shapes[0])
        rows = made // shapes[0][self.dim] if made else 0
        own = Work(adds=2 * made - rows, compares=made, lookups=made + 2 * rows, muls=2 * rows)
        return self.variant_work(*shapes) or own

    @property
    def quant(self) -> QuantRule:
        """By "gemmlowp" the output has the range that TFLite states."""
        fixed = self.variant == "gemmlowp"
        return QuantRule(output="fixed", fixed_range=(-16.0, 0.0)) if fixed else QuantRule()
