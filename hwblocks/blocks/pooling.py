"""Average pooling: over windows of one, two and three axes, and over all spatial axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from hwblocks.graph.block import Algorithm, Call, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.rational import cast_ratio
from hwblocks.graph.ratios import scale_ratio
from hwblocks.graph.site import Site, limits, scalar_scale, scalar_zero_point
from hwblocks.graph.tap_calls import tap_sum_call, window_axes
from hwblocks.graph.tensor import Shape
from hwblocks.graph.window import Window, pool_window
from hwblocks.graph.work import Work
from hwblocks.numerics.kernels.pool import AvgPoolCall


@dataclass(frozen=True)
class AvgPool(Algorithm, abstract=True):
    """The mean of each window: x [N, *spatial, C] → [N, *output, C].

    kernel_size, stride (None: the kernel size), padding, dilation: one number or one per axis; ceil_mode as in PyTorch.
    count_include_pad: padding counts as zeros in the divisor (what ceil_mode adds beyond it never does).
    In integers: the exact mean, cast once; the output has the input's format unless the graph says otherwise.
    """

    kernel_size: Any = 2
    stride: Any = None
    padding: Any = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    dilation: Any = 1

    axes: ClassVar[int] = 2

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="same")

    def window(self, x: Shape) -> Window:
        """The sliding window over x's spatial axes."""
        return pool_window(self, x, self.axes)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        made = self.window(shapes[0])
        if not made.counts(self.count_include_pad).all():
            raise self.fail(f"a window lies on nothing that counts (padding={self.padding})", *shapes)
        return ((shapes[0][0], *made.output, shapes[0][-1]),)

    def sums(self, x: Array) -> Array:
        """Σ over each window, padding as 0."""
        spatial = tuple(range(1 + self.axes, 1 + 2 * self.axes))
        return np.asarray(self.window(x.shape).gather(x, 0).sum(axis=spatial))

    def divisors(self, x: Shape) -> Array:
        """The divisor of each window [*output, 1]."""
        return self.window(x).counts(self.count_include_pad)[..., None]

    def compute(self, x: Array) -> Array:
        return np.asarray(self.sums(x) / self.divisors(x.shape))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        return average(self, inputs[0], site)

    def work(self, *shapes: Shape) -> Work:
        made = self.window(shapes[0])
        lanes = shapes[0][0] * shapes[0][-1]
        outputs = lanes * size(made.output)
        return Work(adds=lanes * made.taps - outputs, divisions=outputs)

    def kernel(self, site: Site) -> Call | str:
        if self.axes > 2:
            divisors = np.tile(self.divisors(site.input(0).shape).ravel(), site.input(0).shape[0])
            return tap_sum_call(site, window_axes(self.window(site.input(0).shape)), divisors=divisors)
        made = self.window(site.input(0).shape)
        return average_call(site, made, self.divisors(site.input(0).shape))


def average(block: Any, codes: Array, site: Site) -> tuple[Array, Array]:
    """The exact mean of centred codes, cast once: Σ · scale(x) / (divisor · scale(y))."""
    centred = codes.astype(np.int64) - scalar_zero_point(site.input(0).format)
    total = block.sums(centred).astype(object)
    scale = Fraction(scalar_scale(site.input(0).format))
    divisor = np.broadcast_to(block.divisors(codes.shape), total.shape).astype(object)
    return cast_ratio(total * scale.numerator, divisor * scale.denominator, site)


def average_call(site: Site, made: Window, divisors: Array) -> Call | str:
    """The kernel call of an average over windows."""
    x, y = site.input(0), site.output.format
    if x.is_constant or x.shape[0] != 1 or x.format.bits > 16:
        return "average pooling kernels serve quantized run-time inputs of at most 16 bits"
    if site.arithmetic.overflow.mode != "saturate":
        return f"overflow {site.arithmetic.overflow} of an algorithm"
    ratio = scale_ratio(x, site)
    numbers = made.geometry(x.shape[-1])
    return AvgPoolCall(
        x_dtype=x.format.dtype.name,
        x_zero=scalar_zero_point(x.format),
        divisors=np.ascontiguousarray(divisors, dtype=np.int64).reshape(numbers["out_height"], numbers["out_width"]),
        ratio_num=ratio.numerator,
        ratio_den=ratio.denominator,
        rounding=site.arithmetic.rounding,
        zero_point=scalar_zero_point(y),
        **limits(site),
        **numbers,
    )


@dataclass(frozen=True)
class AvgPool1d(AvgPool):
    """Mean over windows of one axis: x [N, T, C] → [N, T', C]. Source: torch.nn.AvgPool1d.

    >>> AvgPool1d(2)(np.array([[[1.0], [3.0]]])).ravel()
    array([2.])
    """

    axes: ClassVar[int] = 1


@dataclass(frozen=True)
class AvgPool2d(AvgPool):
    """Mean over windows of two axes: x [N, H, W, C] → [N, H', W', C]. Source: torch.nn.AvgPool2d.

    >>> AvgPool2d(2)(np.arange(4.0).reshape(1, 2, 2, 1)).ravel()
    array([1.5])
    """

    axes: ClassVar[int] = 2


@dataclass(frozen=True)
class AvgPool3d(AvgPool):
    """Mean over windows of three axes: x [N, D, H, W, C] → [N, D', H', W', C]. Source: torch.nn.AvgPool3d.

    >>> AvgPool3d(2)(np.arange(8.0).reshape(1, 2, 2, 2, 1)).ravel()
    array([3.5])
    """

    axes: ClassVar[int] = 3


@dataclass(frozen=True)
class GlobalAvgPool(Algorithm):
    """Mean over all spatial axes: x [N, *spatial, C] → [N, 1, ..., C]. Source: ONNX GlobalAveragePool.

    >>> GlobalAvgPool()(np.arange(4.0).reshape(1, 2, 2, 1)).ravel()
    array([1.5])
    """

    @property
    def quant(self) -> QuantRule:
        return QuantRule(output="same")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if len(x) < 3:
            raise self.fail("x needs spatial axes between the first and the last", *shapes)
        return ((x[0], *(1 for _ in x[1:-1]), x[-1]),)

    def sums(self, x: Array) -> Array:
        """Σ over the spatial axes."""
        return np.asarray(x.sum(axis=tuple(range(1, x.ndim - 1)), keepdims=True))

    def divisors(self, x: Shape) -> Array:
        """The number of positions."""
        return np.array(size(x[1:-1]))

    def compute(self, x: Array) -> Array:
        return np.asarray(self.sums(x) / int(self.divisors(x.shape)))

    def int_compute(self, inputs: Sequence[Array], site: Site) -> tuple[Array, Array]:
        return average(self, inputs[0], site)

    def work(self, *shapes: Shape) -> Work:
        x = shapes[0]
        outputs = x[0] * x[-1]
        return Work(adds=size(x) - outputs, divisions=outputs)

    def kernel(self, site: Site) -> Call | str:
        spatial = site.input(0).shape[1:-1]
        whole = (size(spatial),)
        made = Window(whole, whole, (1,), (1,), ((0, 0),))
        return average_call(site, made, np.array([size(spatial)]))
