"""Normalization by statistics of the data: LayerNorm, RMSNorm, GroupNorm, InstanceNorm, MeanVarianceNorm, LpNorm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from hwblocks.graph.block import Algorithm, Call, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.norm_calls import norm_call
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.rational import cast_fractions
from hwblocks.graph.site import Site, scalar_scale
from hwblocks.graph.spread import VARIANT, newton_steps, normalized, parameter, spread_of, spread_over
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.roots import near_root


@dataclass(frozen=True, kw_only=True)
class FeatureNorm(Algorithm, abstract=True):
    """y = (x − mean) / √(mean square of x − mean + eps) · weight + bias over the elements of each group.

    weight, bias: constants that broadcast to x; floats count by their exact value, stored codes by their format.
    variant, the integer meaning of the quotient (graph/spread.py states every intermediate): "exact" rounds the real
    formula once, "ibert" divides by an integer square root, "newton" or "newton(k)" multiplies by a reciprocal root of
    k Newton steps (2 where k is not given); the last two keep `fraction_bits` bits.
    """

    eps: float = 1e-5
    variant: str = "exact"
    fraction_bits: int = 15

    input_names: ClassVar[tuple[str, ...]] = ("x", "weight?", "bias?")
    centred: ClassVar[bool] = True

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "parameter"))

    def split(self, x: Shape) -> tuple[Shape, tuple[int, ...]]:
        """(shape in which the elements of a group lie along axes of their own, those axes)."""
        raise NotImplementedError

    def check(self, *shapes: Shape) -> None:
        """Raise ShapeError where the variant or a parameter does not fit."""
        if not VARIANT.fullmatch(self.variant):
            raise self.fail(f'variant={self.variant!r} is none of "exact", "ibert", "newton", "newton(k)"', *shapes)
        if not 1 <= self.fraction_bits <= 30:
            raise self.fail(f"fraction_bits={self.fraction_bits} must lie between 1 and 30", *shapes)
        for given in shapes[1:]:
            if len(given) > len(shapes[0]) or any(
                g not in (1, s) for g, s in zip(given[::-1], shapes[0][::-1], strict=False)
            ):
                raise self.fail("weight and bias must broadcast to x", *shapes)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        self.check(*shapes)
        self.split(shapes[0])
        return (shapes[0],)

    def compute(self, x: Array, weight: Any = 1.0, bias: Any = 0.0) -> Array:
        shape, axes = self.split(x.shape)
        values = x.reshape(shape)
        if self.centred:
            values = values - values.mean(axis=axes, keepdims=True)
        square = (values * values).mean(axis=axes, keepdims=True)
        return np.asarray((values / np.sqrt(square + self.eps)).reshape(x.shape) * weight + bias)

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        codes = inputs[0]
        shape, axes = self.split(codes.shape)
        spread = spread_of(codes.reshape(shape), site, axes, self.centred, self.eps)
        given = [
            spread_over(parameter(array, tensor), codes.shape, shape)
            for array, tensor in zip(inputs[1:], site.present[1:], strict=True)
        ]
        gain, offset = (*given, None, None)[:2]
        made, outside = normalized(spread, site, self.variant, self.fraction_bits, gain, offset)
        return made.reshape(codes.shape), outside.reshape(codes.shape)

    def kernel(self, site: Site) -> Call | str:
        return self.normalizing(site, eps=self.eps)

    def normalizing(self, site: Site, **more: Any) -> Call | str:
        """The kernel call of the block's variant."""
        split, axes = self.split(site.input(0).shape)
        how: dict[str, Any] = {"centred": self.centred, "variant": self.variant, "fraction_bits": self.fraction_bits}
        return norm_call(site, split, axes, **how, **more)

    def work(self, *shapes: Shape) -> Work:
        """Squares and scales as products; Σ d² / K and the root of each group as divisions, and so each quotient.

        "newton(k)": products with the reciprocal root in place of quotients, for each group one look-up of a seed and
        three products a step in place of the root.
        """
        made, more = size(shapes[0]), len(shapes) - 1
        shape, axes = self.split(shapes[0])
        groups = made // max(size(tuple(shape[a] for a in axes)), 1)
        muls, adds = (1 + (more > 0)) * made, (3 if self.centred else 1) * made + (made if more > 1 else 0)
        steps = newton_steps(self.variant)
        if steps:
            muls += made + 3 * steps * groups
            return Work(muls=muls, adds=adds, lookups=groups, divisions=groups, requants=made)
        return Work(muls=muls, adds=adds, divisions=made + 2 * groups, requants=made)


def last_axes(block: Any, x: Shape, dims: int) -> tuple[Shape, tuple[int, ...]]:
    """x itself and its last axes."""
    if not 1 <= dims <= len(x):
        raise block.fail(f"dims={dims} is not a number of axes of x", x)
    return x, tuple(range(len(x) - dims, len(x)))


@dataclass(frozen=True)
class LayerNorm(FeatureNorm):
    """Each row of the last `dims` axes is a group: x [..., *normalized], weight, bias [*normalized]; see FeatureNorm.

    Source: ONNX LayerNormalization, torch.nn.LayerNorm.

    >>> LayerNorm(eps=0.0)(np.array([[1.0, 3.0]]))
    array([[-1.,  1.]])
    """

    dims: int = 1

    def split(self, x: Shape) -> tuple[Shape, tuple[int, ...]]:
        return last_axes(self, x, self.dims)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dims < len(shapes[0])


@dataclass(frozen=True)
class RMSNorm(FeatureNorm):
    """y = x / √(mean x² + eps) · weight over the last `dims` axes: no mean is taken off; see FeatureNorm.

    Source: ONNX RMSNormalization, torch.nn.RMSNorm.

    >>> RMSNorm(eps=0.0)(np.array([[1.0, 7.0]]))
    array([[0.2, 1.4]])
    """

    dims: int = 1

    centred: ClassVar[bool] = False

    def split(self, x: Shape) -> tuple[Shape, tuple[int, ...]]:
        return last_axes(self, x, self.dims)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dims < len(shapes[0])


@dataclass(frozen=True)
class GroupNorm(FeatureNorm):
    """All positions of `num_groups` equal parts of the channels: x [N, *spatial, C], weight, bias [C]; see FeatureNorm.

    Source: ONNX GroupNormalization, torch.nn.GroupNorm, channels last.

    >>> GroupNorm(2, eps=0.0)(np.array([[[1.0, 5.0, 6.0, 2.0], [3.0, 1.0, 2.0, 6.0]]])).shape
    (1, 2, 4)
    """

    num_groups: int = 1

    def split(self, x: Shape) -> tuple[Shape, tuple[int, ...]]:
        if len(x) < 2 or self.num_groups < 1 or x[-1] % self.num_groups:
            raise self.fail(f"x [N, *spatial, C] needs C a multiple of num_groups={self.num_groups}", x)
        return (x[0], size(x[1:-1]), self.num_groups, x[-1] // self.num_groups), (1, 3)


@dataclass(frozen=True)
class InstanceNorm(FeatureNorm):
    """All positions of one channel are a group: x [N, *spatial, C], weight, bias [C]; see FeatureNorm.

    Source: ONNX InstanceNormalization, torch.nn.InstanceNorm2d without running statistics, channels last.

    >>> InstanceNorm(eps=0.0)(np.array([[[1.0], [3.0]]])).ravel()
    array([-1.,  1.])
    """

    def split(self, x: Shape) -> tuple[Shape, tuple[int, ...]]:
        if len(x) < 3:
            raise self.fail("x needs spatial axes between the first and the last", x)
        return x, tuple(range(1, len(x) - 1))


@dataclass(frozen=True)
class MeanVarianceNorm(FeatureNorm):
    """y = (x − mean) / (√variance + eps) over `axes`. Source: ONNX MeanVarianceNormalization.

    In integers "exact" rounds this formula once; the other variants of FeatureNorm leave eps out.

    >>> MeanVarianceNorm(axes=(1,))(np.array([[1.0, 3.0]])).round(6)
    array([[-1.,  1.]])
    """

    axes: tuple[int, ...] = (0, 1, 2)
    eps: float = field(default=1e-9, kw_only=True)

    input_names: ClassVar[tuple[str, ...]] = ("x",)

    def split(self, x: Shape) -> tuple[Shape, tuple[int, ...]]:
        if not self.axes or any(not -len(x) <= a < len(x) for a in self.axes):
            raise self.fail(f"axes={self.axes} are not axes of x", x)
        return x, tuple(sorted({a % len(x) for a in self.axes}))

    def keeps_samples(self, *shapes: Shape) -> bool:
        return 0 not in self.split(shapes[0])[1]

    def compute(self, x: Array, weight: Any = 1.0, bias: Any = 0.0) -> Array:
        axes = self.split(x.shape)[1]
        values = x - x.mean(axis=axes, keepdims=True)
        return np.asarray(values / (np.sqrt((values * values).mean(axis=axes, keepdims=True)) + self.eps))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        axes = self.split(inputs[0].shape)[1]
        spread = spread_of(inputs[0], site, axes, True, 0.0)
        if self.variant != "exact":
            return normalized(spread, site, self.variant, self.fraction_bits, None, None)
        step, unit = Fraction(scalar_scale(site.input(0).format)) / spread.count, scalar_scale(site.output.format)
        extra = Fraction(self.eps) / step

        def near(d: int, total: int) -> Fraction:
            """d / (√v + e) = (d·√v − d·e) / (v − e²)."""
            v = Fraction(total, spread.count)
            below = v - extra * extra
            if not d or not below:
                return d / (2 * extra) if d and extra else Fraction(0)
            factor = d / below
            sign = (factor > 0) - (factor < 0)
            return near_root(-factor * extra, sign, v * factor * factor, 2, Fraction(unit))

        return cast_fractions(
            np.asarray(np.frompyfunc(near, 2, 1)(spread.d.astype(object), spread.total.astype(object)), dtype=object),
            site,
        )

    def kernel(self, site: Site) -> Call | str:
        return self.normalizing(site, more=self.eps if self.variant == "exact" else 0.0)


@dataclass(frozen=True)
class LpNorm(FeatureNorm):
    """y = x / ‖x‖ along `dim`, the norm Σ |x| (p=1) or √Σ x² (p=2); 0 where the norm is 0.

    In integers p=1 is exact and cast once; p=2 follows `variant`. Source: ONNX LpNormalization.

    >>> LpNorm()(np.array([[3.0, 4.0]])), LpNorm(p=1)(np.array([[1.0, -3.0]]))
    (array([[0.6, 0.8]]), array([[ 0.25, -0.75]]))
    """

    p: int = 2
    dim: int = -1
    eps: float = field(default=0.0, kw_only=True)

    input_names: ClassVar[tuple[str, ...]] = ("x",)
    centred: ClassVar[bool] = False

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="fixed", fixed_range=(-1.0, 1.0))

    def split(self, x: Shape) -> tuple[Shape, tuple[int, ...]]:
        if self.p not in (1, 2) or self.eps or not -len(x) <= self.dim < len(x):
            raise self.fail(f"p={self.p} must be 1 or 2, eps 0 and dim={self.dim} an axis of x", x)
        return x, (self.dim % len(x),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.dim % len(shapes[0]) != 0

    def compute(self, x: Array, weight: Any = 1.0, bias: Any = 0.0) -> Array:
        sizes = abs(x) if self.p == 1 else x * x
        norm = sizes.sum(axis=self.dim, keepdims=True)
        norm = norm if self.p == 1 else np.sqrt(norm)
        return np.asarray(np.where(norm == 0, 0 * x, x / np.where(norm == 0, 1, norm)))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        axes = self.split(inputs[0].shape)[1]
        spread = spread_of(inputs[0], site, axes, False, 0.0, mean=False)
        if self.p == 2:
            return normalized(spread, site, self.variant, self.fraction_bits, None, None)
        norm = np.broadcast_to(abs(spread.d).sum(axis=axes, keepdims=True), spread.d.shape)
        share = np.frompyfunc(lambda d, n: Fraction(d, n) if n else Fraction(0), 2, 1)
        return cast_fractions(np.asarray(share(spread.d.astype(object), norm.astype(object)), dtype=object), site)

    def kernel(self, site: Site) -> Call | str:
        return self.normalizing(site, mean=False, sizes=self.p == 1)
