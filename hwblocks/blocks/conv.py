"""Convolutions: Conv1d, CausalConv1d, Conv2d and Conv3d, grouped and depthwise included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.errors import ShapeError
from hwblocks.graph.block import Accumulate, Call, Weighted, size
from hwblocks.graph.contraction import Array, Contraction
from hwblocks.graph.placed import over_volume
from hwblocks.graph.products import Product, convolved
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.registry import block_class
from hwblocks.graph.site import Site
from hwblocks.graph.sums import sample_weights, sum_constants
from hwblocks.graph.tensor import Shape
from hwblocks.graph.window import Window, pads_of, per_axis, window
from hwblocks.graph.work import Work
from hwblocks.numerics.kernels.conv import ConvCall


@dataclass(frozen=True)
class Convolution(Weighted, Accumulate, abstract=True):
    """A convolution over the spatial axes of a channels-last input.

    y[n, p, o] = Σ_t Σ_c x[n, p · stride + t · dilation − before, c] · w[o, t, c] + b[o]

    x [N, *spatial, C], w [O, *kernel, C / groups], b [O] → y [N, *output, O]. K runs over (kernel axes, c), c fastest.
    Depthwise, that is groups > 1 with one input channel each: w [1, *kernel, O].
    stride, padding, dilation: one number or one per axis; padding also as pairs (before, after).
    layout="torch" reads a given weight as [O, C / groups, *kernel].
    pad_code: pads with this stored code instead of the code of real 0, for hardware that pads with raw numbers.
    """

    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1
    pad_code: int | None = None
    layout: str = "channels_last"

    axes: ClassVar[int] = 2
    parameters: ClassVar[dict[str, str]] = {"weight": "w", "bias": "b"}

    def __post_init__(self) -> None:
        if self.layout not in ("channels_last", "torch"):
            raise ShapeError(f'{type(self).__name__}: layout {self.layout!r} must be "channels_last" or "torch"')
        if self.layout == "torch":
            if self.weight is not None:
                object.__setattr__(self, "weight", channels_last_weight(np.asarray(self.weight), self.groups))
            object.__setattr__(self, "layout", "channels_last")

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "weight", "bias"))

    def weight_axis(self, *shapes: Shape) -> int:
        return self.axes + 1 if self.depthwise(*shapes[:2]) else 0

    def depthwise(self, x: Shape, w: Shape) -> bool:
        """True for one input channel in each of several groups."""
        return self.groups > 1 and x[-1] == self.groups

    def out_channels(self, x: Shape, w: Shape) -> int:
        """O."""
        return w[-1] if self.depthwise(x, w) else w[0]

    def window(self, x: Shape, w: Shape) -> Window:
        """The sliding window over x's spatial axes."""
        return window(x[1:-1], w[1:-1], self.stride, self.padding, self.dilation)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, w = shapes[0], shapes[1]
        if len(x) != self.axes + 2 or len(w) != self.axes + 2:
            raise self.fail(f"x and w need {self.axes + 2} axes, channels last", *shapes)
        self._check_channels(x, w, shapes)
        outputs = self.out_channels(x, w)
        if len(shapes) > 2 and shapes[2] != (outputs,):
            raise self.fail(f"the bias needs shape ({outputs},)", *shapes)
        try:
            made = self.window(x, w)
        except ShapeError as error:
            raise self.fail(error.message, *shapes) from None
        return ((x[0], *made.output, outputs),)

    def _check_channels(self, x: Shape, w: Shape, shapes: tuple[Shape, ...]) -> None:
        if self.groups < 1 or x[-1] % self.groups:
            raise self.fail(f"groups={self.groups} does not divide {x[-1]} input channels", *shapes)
        if self.depthwise(x, w):
            if w[0] != 1 or w[-1] % self.groups:
                raise self.fail(
                    f"depthwise weights are (1, kernel, O) with O a multiple of groups={self.groups}", *shapes
                )
            return
        if x[-1] // self.groups != w[-1]:
            expected = w[-1] * self.groups
            raise self.fail(
                f"x has {x[-1]} channels but w expects {expected}",
                *shapes,
                hint=f"check groups={self.groups}",
            )
        if w[0] % self.groups:
            raise self.fail(f"groups={self.groups} does not divide {w[0]} output channels", *shapes)

    def lower(self, x: Array, w: Array) -> Contraction:
        made = self.window(x.shape, w.shape)
        windows = made.gather(x, 0 if self.pad_code is None else self.pad_code)
        n, groups, taps = x.shape[0], self.groups, size(made.kernel)
        spatial, channels = made.output, x.shape[-1] // groups
        positions = size(spatial)
        rows = windows.reshape(n, positions, taps, groups, channels).transpose(0, 3, 1, 2, 4)
        rows = rows.reshape(n, groups, positions, taps * channels)

        def fold(sums: Array) -> Array:
            return sums.transpose(0, 2, 1, 3).reshape(n, *spatial, -1)

        return Contraction(rows, self.columns(x.shape, w), fold, (*made.kernel, channels))

    def columns(self, x: Shape, w: Array) -> Array:
        """Weights as [G, K, O / G]."""
        if self.depthwise(x, w.shape):
            return w.reshape(-1, self.groups, w.shape[-1] // self.groups).transpose(1, 0, 2)
        return w.reshape(self.groups, w.shape[0] // self.groups, -1).transpose(0, 2, 1)

    def work(self, *shapes: Shape) -> Work:
        x, w = shapes[0], shapes[1]
        made = self.window(x, w)
        outputs, per_tap = self.out_channels(x, w), x[-1] // self.groups
        made_elements = x[0] * size(made.output) * outputs
        return Work(
            macs=x[0] * made.taps * per_tap * outputs,
            macs_valid=x[0] * made.valid_taps * per_tap * outputs,
            adds=made_elements if len(shapes) > 2 else 0,
            requants=made_elements,
        )

    def products(self, *shapes: Shape) -> Product:
        x, w = shapes[:2]
        return convolved(self.window(x, w), x, self.out_channels(x, w), self.groups)

    def kernel(self, site: Site) -> Call | str:
        x, w = site.input(0).shape, site.input(1).shape
        codes = sample_weights(site)
        if isinstance(codes, str):
            return codes
        order = np.moveaxis(codes, (-1, 0), (0, -1)) if self.depthwise(x, w) else codes
        sums = sum_constants(site, order, self.columns(x, codes), self.pad_code)
        if isinstance(sums, str):
            return sums
        made = self.window(x, w)
        shape = {"channels": x[-1], "out_channels": self.out_channels(x, w), "groups": self.groups}
        if self.axes > 2:
            return over_volume(made, made.input, (1,) * self.axes, **shape, **sums)
        return over_plane(made, **shape, **sums)


def over_plane(made: Window, **rest: Any) -> ConvCall:
    """The call of a window over one or two axes."""
    flat = _as_two_axes(made)
    rest["weights"] = rest["weights"].reshape(-1, *flat.kernel, rest["weights"].shape[-1])
    return ConvCall(
        height=flat.input[0],
        width=flat.input[1],
        out_height=flat.output[0],
        out_width=flat.output[1],
        kernel=flat.kernel,
        stride=flat.stride,
        dilation=flat.dilation,
        pad=(flat.pads[0][0], flat.pads[1][0]),
        **rest,
    )


def _as_two_axes(made: Window) -> Window:
    """A window over one axis as one over height 1 and that axis."""
    if len(made.input) == 2:
        return made
    return Window(
        (1, *made.input),
        (1, *made.kernel),
        (1, *made.stride),
        (1, *made.dilation),
        ((0, 0), *made.pads),
        made.ceil_mode,
    )


def channels_last_weight(w: Array, groups: int) -> Array:
    """PyTorch's [O, C / groups, *kernel] as [O, *kernel, C / groups], or [1, *kernel, O] when depthwise."""
    if groups > 1 and w.shape[1] == 1:
        return np.moveaxis(w, (0, 1), (-1, 0))
    return np.moveaxis(w, 1, -1)


@dataclass(frozen=True)
class Conv1d(Convolution):
    """Convolution over one axis: x [N, T, C], w [O, k, C / groups], b [O] → [N, T', O]; see Convolution.

    Source: the definition of torch.nn.Conv1d, channels last.

    >>> Conv1d(stride=2)(np.ones((1, 5, 1)), w=np.ones((1, 3, 1))).ravel()
    array([3., 3.])
    """

    axes: ClassVar[int] = 1


@dataclass(frozen=True)
class CausalConv1d(Convolution):
    """Convolution of the present and the past: x [N, T, C], w [O, k, C / groups], b [O] → [N, ⌈T / stride⌉, O].

    y[n, t] sees x[n, t − (k − 1) · dilation] up to x[n, t]; what lies before the first step is 0. See Convolution.

    streaming: in a graph the last (k − 1) · dilation inputs are kept as a state from sample to sample (a Concat before
    and a Slice beside a Conv1d without padding), so that a sequence cut into samples of any lengths gives the outputs
    of the whole; the samples' length must be a multiple of the stride.
    Source: ONNX CausalConvWithState; torch.nn.Conv1d behind a padding on the left.

    >>> CausalConv1d()(np.ones((1, 4, 1)), w=np.ones((1, 3, 1))).ravel()
    array([1., 2., 3., 3.])
    """

    streaming: bool = False

    axes: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.streaming:  # one node cannot keep a state
            object.__setattr__(self, "kind", "composite")

    def past(self, w: Shape) -> int:
        """Inputs before the present one that an output sees."""
        return per_axis(self.dilation, 1, "dilation")[0] * (w[1] - 1)

    def window(self, x: Shape, w: Shape) -> Window:
        return window(x[1:-1], w[1:-1], self.stride, ((self.past(w), 0),), self.dilation)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        if any(sum(pair) for pair in pads_of(self.padding, 1)):
            raise self.fail(f"a causal convolution pads the past only, so padding={self.padding} must be 0", *shapes)
        step = per_axis(self.stride, 1, "stride")[0]
        if self.streaming and len(shapes[0]) == 3 and shapes[0][1] % max(step, 1):
            raise self.fail(f"streams need samples whose length is a multiple of stride={step}", *shapes)
        return super().shape(*shapes)

    def expanded(self, build: Any, inputs: Sequence[Any], name: str = "") -> tuple[Any, ...]:
        """The nodes of a stream: state and input joined, convolved, and the end kept."""
        self.check_arity(self.arguments(inputs, {}))
        plain = Conv1d(stride=self.stride, dilation=self.dilation, groups=self.groups, pad_code=self.pad_code)
        with build.group(name or "causalconv1d", "CausalConv1d") as path:
            x, w, b = (self._given(build, inputs, i) for i in range(3))
            self.shape(*(v.shape for v in (x, w, b) if v is not None))
            past, format = self.past(w.shape), x.tensor.format
            if past:
                start = format.code_of(0.0) if format.is_quantized else 0.0
                state = build.state(f"{path}.past", np.full((x.shape[0], past, x.shape[2]), start), format)
                joined = build.add(block_class("Concat")(1), state, x, name="joined")  # type: ignore[call-arg]
                ends = ((x.shape[1],), (None,), (1,), (1,))
                build.becomes(state, build.add(block_class("Slice")(*ends), joined, name="kept"))  # type: ignore[call-arg]
                x = joined
            return (build.add(plain, x, w, b, name="conv"),)

    def _given(self, build: Any, inputs: Sequence[Any], position: int) -> Any:
        """An input of the block in a graph; weights given with the block become constants, an absent one is None."""
        value = inputs[position] if position < len(inputs) else None
        stored = (None, self.weight, self.bias)[position]
        if value is not None or stored is None:
            return value
        return build.constant(("x", "weight", "bias")[position], np.asarray(stored))


@dataclass(frozen=True)
class Conv2d(Convolution):
    """Convolution over two axes: x [N, H, W, C], w [O, kH, kW, C / groups], b [O] → [N, H', W', O]; see Convolution.

    Source: the definition of torch.nn.Conv2d, channels last.

    >>> Conv2d(padding=1)(np.ones((1, 2, 2, 1)), w=np.ones((1, 3, 3, 1))).ravel()
    array([4., 4., 4., 4.])
    """

    axes: ClassVar[int] = 2


@dataclass(frozen=True)
class Conv3d(Convolution):
    """Convolution over three axes: x [N, D, H, W, C], w [O, kD, kH, kW, C / groups], b [O] → [N, D', H', W', O].

    Source: the definition of torch.nn.Conv3d, channels last; see Convolution.

    >>> Conv3d()(np.ones((1, 2, 2, 2, 1)), w=np.ones((1, 2, 2, 2, 1))).ravel()
    array([8.])
    """

    axes: ClassVar[int] = 3
