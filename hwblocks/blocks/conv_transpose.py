"""Transposed convolutions over one, two and three axes, lowered to a convolution over spread inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.graph.block import Accumulate, Call, Weighted, size
from hwblocks.graph.contraction import Array, Contraction
from hwblocks.graph.placed import over_volume
from hwblocks.graph.products import Product, dense
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.site import Site
from hwblocks.graph.sums import sample_weights, sum_constants
from hwblocks.graph.tensor import Shape
from hwblocks.graph.window import Pads, Window, pads_of, per_axis
from hwblocks.graph.work import Work


@dataclass(frozen=True)
class TransposedConvolution(Weighted, Accumulate, abstract=True):
    """The transpose of a convolution over the spatial axes of a channels-last input.

    y[n, p · stride + t · dilation − before, o] += Σ_c x[n, p, c] · w[o, t, c], then + b[o]

    x [N, *spatial, C], w [O, *kernel, C / groups], b [O] → y [N, *output, O];
    output = (spatial − 1) · stride − before − after + dilation · (kernel − 1) + output_padding + 1.
    stride, padding, dilation, output_padding: one number or one per axis; padding also as pairs (before, after).
    """

    stride: Any = 1
    padding: Any = 0
    output_padding: Any = 0
    dilation: Any = 1
    groups: int = 1

    axes: ClassVar[int] = 2
    parameters: ClassVar[dict[str, str]] = {"weight": "w", "bias": "b"}

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "weight", "bias"))

    def numbers(self, kernel: Shape) -> tuple[Shape, Shape, Shape, Pads]:
        """(stride, dilation, output padding, pads) per axis."""
        stride, dilation, extra = (
            per_axis(v, self.axes, n)
            for v, n in (
                (self.stride, "stride"),
                (self.dilation, "dilation"),
                (self.output_padding, "output_padding"),
            )
        )
        return stride, dilation, extra, pads_of(self.padding, self.axes)

    def spread(self, x: Shape, w: Shape) -> Window:
        """The window over the spread input (stride − 1 zeros between elements) that makes the output.

        Negative pads crop.
        """
        kernel = w[1:-1]
        stride, dilation, extra, pads = self.numbers(kernel)
        apart = tuple((s - 1) * f + 1 for s, f in zip(x[1:-1], stride, strict=True))
        around = tuple(
            (d * (k - 1) - before, d * (k - 1) - after + e)
            for d, k, e, (before, after) in zip(dilation, kernel, extra, pads, strict=True)
        )
        return Window(apart, kernel, (1,) * self.axes, dilation, around)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, w = shapes[0], shapes[1]
        if len(x) != self.axes + 2 or len(w) != self.axes + 2:
            raise self.fail(f"x and w need {self.axes + 2} axes, channels last", *shapes)
        if self.groups < 1 or w[-1] * self.groups != x[-1] or w[0] % self.groups:
            raise self.fail(
                f"x has {x[-1]} channels but w expects {w[-1] * self.groups}",
                *shapes,
                hint=f"check groups={self.groups}",
            )
        if len(shapes) > 2 and shapes[2] != (w[0],):
            raise self.fail(f"the bias needs shape ({w[0]},)", *shapes)
        made = self.spread(x, w).output
        if min(made) < 1:
            raise self.fail(f"padding {self.padding} leaves no output {made}", *shapes)
        return ((x[0], *made, w[0]),)

    def lower(self, x: Array, w: Array) -> Contraction:
        made, groups = self.spread(x.shape, w.shape), self.groups
        stride = self.numbers(made.kernel)[0]
        wide = np.zeros((x.shape[0], *made.input, x.shape[-1]), dtype=x.dtype)
        wide[(slice(None), *(slice(None, None, s) for s in stride), slice(None))] = x
        windows = made.gather(wide, 0)
        n, taps, positions, channels = x.shape[0], size(made.kernel), size(made.output), x.shape[-1] // groups
        rows = windows.reshape(n, positions, taps, groups, channels).transpose(0, 3, 1, 2, 4)
        spatial = made.output

        def fold(sums: Array) -> Array:
            return sums.transpose(0, 2, 1, 3).reshape(n, *spatial, -1)

        rows = rows.reshape(n, groups, positions, taps * channels)
        return Contraction(rows, self.columns(self.flipped(w)), fold, (*made.kernel, channels))

    def flipped(self, w: Array) -> Array:
        """w [O, *kernel, C / groups] turned round along the kernel's axes, as it meets the spread input."""
        return w[(slice(None), *(slice(None, None, -1),) * self.axes, slice(None))]

    def columns(self, flipped: Array) -> Array:
        """Turned weights as [G, K, O / G]."""
        return flipped.reshape(self.groups, flipped.shape[0] // self.groups, -1).transpose(0, 2, 1)

    def kernel(self, site: Site) -> Call | str:
        x, w = site.input(0).shape, site.input(1).shape
        codes = sample_weights(site)
        if isinstance(codes, str):
            return codes
        turned = np.ascontiguousarray(self.flipped(codes))
        sums = sum_constants(site, turned, self.columns(turned))
        if isinstance(sums, str):
            return sums
        shape = {"channels": x[-1], "out_channels": w[0], "groups": self.groups}
        return over_volume(self.spread(x, w), x[1:-1], self.numbers(w[1:-1])[0], **shape, **sums)

    def work(self, *shapes: Shape) -> Work:
        x, w = shapes[0], shapes[1]
        outputs = size(self.shape(*shapes)[0])
        per_tap = x[0] * x[-1] * (w[0] // self.groups)
        macs = per_tap * size(x[1:-1]) * size(w[1:-1])
        adds = outputs if len(shapes) > 2 else 0
        return Work(macs=macs, macs_valid=per_tap * self.landing(x, w), adds=adds, requants=outputs)

    def products(self, *shapes: Shape) -> Product:
        """Every position by every tap: a 1 × 1 convolution whose filters are the taps; overlaps are summed after."""
        x, w = shapes[:2]
        outputs = size(w[1:-1]) * w[0] // self.groups
        return dense(size(x[1:-1]), x[-1] // self.groups, outputs, count=x[0] * self.groups)

    def landing(self, x: Shape, w: Shape) -> int:
        """(input position, tap) pairs whose product lands inside the output, over all spatial axes."""
        stride, dilation, _, pads = self.numbers(w[1:-1])
        made, count = self.shape(x, w)[0][1:-1], 1
        for axis, (length, taps) in enumerate(zip(x[1:-1], w[1:-1], strict=True)):
            places = np.arange(length)[:, None] * stride[axis] + np.arange(taps) * dilation[axis] - pads[axis][0]
            count *= int(np.count_nonzero((places >= 0) & (places < made[axis])))
        return count


@dataclass(frozen=True)
class ConvTranspose1d(TransposedConvolution):
    """Transposed convolution over one axis: x [N, T, C], w [O, k, C / groups] → [N, T', O].

    Source: the definition of torch.nn.ConvTranspose1d, channels last; see TransposedConvolution.

    >>> ConvTranspose1d(stride=2)(np.ones((1, 2, 1)), w=np.ones((1, 3, 1))).ravel()
    array([1., 1., 2., 1., 1.])
    """

    axes: ClassVar[int] = 1


@dataclass(frozen=True)
class ConvTranspose2d(TransposedConvolution):
    """Transposed convolution over two axes: x [N, H, W, C], w [O, kH, kW, C / groups] → [N, H', W', O].

    Source: the definition of torch.nn.ConvTranspose2d, channels last; see TransposedConvolution.

    >>> ConvTranspose2d()(np.ones((1, 1, 1, 1)), w=np.ones((1, 2, 2, 1))).ravel()
    array([1., 1., 1., 1.])
    """

    axes: ClassVar[int] = 2


@dataclass(frozen=True)
class ConvTranspose3d(TransposedConvolution):
    """Transposed convolution over three axes: x [N, D, H, W, C], w [O, kD, kH, kW, C / groups] → [N, D', H', W', O].

    Source: the definition of torch.nn.ConvTranspose3d, channels last; see TransposedConvolution.

    >>> ConvTranspose3d()(np.ones((1, 1, 1, 1, 1)), w=np.ones((1, 1, 2, 1, 1))).ravel()
    array([1., 1.])
    """

    axes: ClassVar[int] = 3
