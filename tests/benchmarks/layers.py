"""Single layers of the benchmarks: their shapes, their data, and our kernels with fused requantization on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hwblocks.numerics import kernels
from hwblocks.numerics.formats import Format
from hwblocks.numerics.kernels.conv import ConvCall
from hwblocks.numerics.requantize import Epilogue, Requantize

Array = np.ndarray[Any, Any]
X_SCALE = 2.0**-6


@dataclass(frozen=True)
class Layer:
    """A convolution [height, width, channels] → [·, ·, outputs] of square kernel with equal padding on both sides as far
    as that goes (the odd line comes after); a matrix product is a 1×1 kernel over `height` rows."""

    height: int
    width: int
    channels: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1

    @property
    def is_product(self) -> bool:
        """True of a matrix product."""
        return self.width == self.kernel == self.groups == 1

    @property
    def out(self) -> tuple[int, int]:
        """(height, width) of the output."""
        return -(-self.height // self.stride), -(-self.width // self.stride)

    @property
    def pads(self) -> tuple[int, int, int, int]:
        """Lines of padding: top, left, bottom, right."""
        totals = [
            max((out - 1) * self.stride + self.kernel - given, 0)
            for out, given in zip(self.out, (self.height, self.width))
        ]
        top, left = (total // 2 for total in totals)
        return top, left, totals[0] - top, totals[1] - left

    @property
    def taps(self) -> int:
        """Products of one output element."""
        return self.kernel * self.kernel * self.channels // self.groups

    @property
    def macs(self) -> int:
        """Products of one sample."""
        return self.out[0] * self.out[1] * self.outputs * self.taps


def product(m: int, n: int, k: int) -> Layer:
    """The matrix product [m, k] · [k, n]."""
    return Layer(m, 1, k, n)


def depthwise(height: int, width: int, channels: int, stride: int = 1) -> Layer:
    """A depthwise 3×3 convolution."""
    return Layer(height, width, channels, channels, 3, stride, channels)


PRODUCTS = {
    "256×256×256": product(256, 256, 256),
    "1024×1024×1024": product(1024, 1024, 1024),
    "4096×1024×1024": product(4096, 1024, 1024),
    "49×512×4608": product(49, 512, 4608),
}
CONVOLUTIONS = {
    "3×3 56×56×64→64": Layer(56, 56, 64, 64, 3),
    "3×3 28×28×128→128": Layer(28, 28, 128, 128, 3),
    "3×3 14×14×256→256": Layer(14, 14, 256, 256, 3),
    "3×3 7×7×512→512": Layer(7, 7, 512, 512, 3),
    "1×1 56×56×64→256": Layer(56, 56, 64, 256),
    "1×1 56×56×256→64": Layer(56, 56, 256, 64),
    "1×1 14×14×1024→256": Layer(14, 14, 1024, 256),
}
DEPTHWISE = {
    "3×3 112×112×32": depthwise(112, 112, 32),
    "3×3 14×14×512": depthwise(14, 14, 512),
    "3×3 56×56×128": depthwise(56, 56, 128),
    "3×3 112×112×64 stride 2": depthwise(112, 112, 64, 2),
}
VECTORS = {"1×4096×4096": product(1, 4096, 4096)}


@dataclass(frozen=True, eq=False)
class Data:
    """Random operands of a layer, the same for every candidate.

    x: [samples, height, width, channels] in `dtype`; weights: [O, kh, kw, I] of `bits` bits without the lowest code;
    bias: [O] int32; scales of powers of two but the weights' own, one a channel (`power`: of a power of two as well).
    """

    layer: Layer
    dtype: str = "int8"
    bits: int = 8
    samples: int = 1
    power: bool = False
    seed: int = 1

    @cached_property
    def x(self) -> Array:
        limits, one = np.iinfo(self.dtype), self.layer
        shape = (self.samples, one.height, one.width, one.channels)
        return self._rng(0).integers(limits.min, int(limits.max) + 1, shape).astype(self.dtype)

    @cached_property
    def weights(self) -> Array:
        one, peak = self.layer, (1 << (self.bits - 1)) - 1
        shape = (one.outputs, one.kernel, one.kernel, one.channels // one.groups)
        return self._rng(1).integers(-peak, peak + 1, shape).astype(np.int8)

    @cached_property
    def bias(self) -> Array:
        return self._rng(2).integers(-2000, 2001, self.layer.outputs).astype(np.int32)

    @cached_property
    def w_scale(self) -> Array:
        if self.power:
            return np.full(self.layer.outputs, 2.0**-4, np.float32)
        return self._rng(3).uniform(0.02, 0.1, self.layer.outputs).astype(np.float32)

    @property
    def y_scale(self) -> float:
        """Three standard deviations of the sums reach the ends of the format."""
        peaks = [float(np.iinfo(self.dtype).max), float((1 << (self.bits - 1)) - 1)]
        deviation = peaks[0] * peaks[1] / 3 * np.sqrt(self.layer.taps) * 0.06 * X_SCALE
        return float(2.0 ** np.ceil(np.log2(3 * deviation / peaks[0])))

    @property
    def bound(self) -> int:
        """Largest absolute sum."""
        reach = -int(np.iinfo(self.dtype).min)
        return reach * (1 << (self.bits - 1)) * self.layer.taps + 2000

    def epilogue(self, scheme: str) -> Epilogue:
        """The cast of the sums to the type of the inputs."""
        target = Format(self.dtype, scale=self.y_scale)
        return Requantize.preset(scheme).epilogue(X_SCALE, self.w_scale, target, self.layer.outputs)

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, stream])


def call_of(data: Data, scheme: str | None) -> ConvCall:
    """The layer as a call; without a scheme its sums are stored, bias left out."""
    one = data.layer
    sums = "int32" if data.bound < 1 << 31 else "int64"
    return ConvCall(
        x_dtype=data.dtype, x_zero=0, height=one.height, width=one.width, channels=one.channels, out_height=one.out[0],
        out_width=one.out[1], out_channels=one.outputs, kernel=(one.kernel,) * 2, stride=(one.stride,) * 2,
        dilation=(1, 1), pad=one.pads[:2], groups=one.groups, weights=data.weights.astype(np.int64),
        bias=None if scheme is None else data.bias.astype(np.int64), bound=data.bound, accumulator_bits=64,
        out_dtype=sums if scheme is None else data.dtype, epilogue=None if scheme is None else data.epilogue(scheme),
    )  # fmt: skip


class Ours:
    """Our kernel on a layer's data: `run(level)` computes y [samples, height, width, O], counting as `level` says.

    scheme: of the requantization; None stores the sums. threads: of the core's pool that share the samples out.
    """

    def __init__(self, data: Data, isa: str, scheme: str | None = "single_round", threads: int = 1) -> None:
        call, one = call_of(data, scheme), data.layer
        op = kernels.bind(call, isa)
        if isinstance(op, str):
            raise ValueError(f"no kernel for {one}: {op}")
        self.macs = one.macs * data.samples
        self.y = np.empty((data.samples, *one.out, one.outputs), call.out_dtype)
        self._arrays = {0: np.ascontiguousarray(data.x), 1: self.y}
        sizes = [array[0].nbytes for array in self._arrays.values()]
        self._program = kernels.Program([(op, (0,), 1)], sizes, [-1, -1])
        self._samples, self._threads = data.samples, threads
        self._calls: dict[int, Callable[[], object]] = {}

    def run(self, level: int = 0) -> None:
        """Compute y."""
        self.call(level)()

    def call(self, level: int = 0) -> Callable[[], object]:
        """The run as a function without arguments, arrays in place."""
        if level not in self._calls:
            count = self._samples
            prepared = self._program.prepare(self._arrays, count, 1, level, threads=self._threads, together=count)
            self._calls[level] = lambda: prepared.run(0, count)
        return self._calls[level]
