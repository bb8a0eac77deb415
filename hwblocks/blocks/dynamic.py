"""Quantization at run time: DynamicQuantize, integer products with run-time zero points, and their fused forms.

Sources: ONNX DynamicQuantizeLinear, MatMulInteger, ConvInteger; ONNX Runtime com.microsoft operators; restated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.graph.block import Algorithm, size
from hwblocks.graph.contraction import Array
from hwblocks.graph.nest import Nest, product_nest
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.tensor import Shape
from hwblocks.graph.window import Window, window
from hwblocks.graph.work import Work
from hwblocks.numerics.accumulator import Accumulator, accumulate
from hwblocks.numerics.gemmlowp import wrap

PLAIN = Accumulator("int32 wrap")


def quantized(x: Array) -> tuple[Array, np.float32, int]:
    """(uint8 codes, scale, zero point) of a whole tensor, as ONNX DynamicQuantizeLinear in ONNX Runtime.

    >>> quantized(np.array([0.0, 255.0]))
    (array([  0, 255]), np.float32(1.0), 0)
    """
    x = np.asarray(x, dtype=np.float32)
    low, high = np.float32(min(float(x.min(initial=0)), 0.0)), np.float32(max(float(x.max(initial=0)), 0.0))
    scale = np.float32(1) if low == high else np.float32((high - low) / np.float32(255))
    zero = int(np.rint(np.clip(np.float32(0) - low / scale, 0, 255)))
    return np.clip(np.rint(x / scale).astype(np.int64) + zero, 0, 255), scale, zero


def products(a: Array, b: Array, zero: int, accumulator: Accumulator) -> Array:
    """a · b of codes, a minus its zero point, in an accumulator: rows [..., M, K], columns [..., K, N]."""
    centred = a.astype(np.int64) - zero
    if accumulator.is_plain:
        sums = np.matmul(centred.astype(np.float64), b.astype(np.float64)).astype(np.int64)
        return wrap(sums)
    correction = -zero * b.astype(np.int64).sum(axis=-2, keepdims=True)
    return accumulate(a.astype(np.int64), b.astype(np.int64), None, accumulator, correction=correction)[0]


class Dynamic(Algorithm, abstract=True):
    """Formats that are known only at run time."""

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("parameter",), output="float")

    def keeps_samples(self, *shapes: Shape) -> bool:
        return False  # one scale for the whole tensor


@dataclass(frozen=True)
class DynamicQuantize(Dynamic):
    """x → (codes uint8, scale, zero point), one format for the whole tensor. Source: ONNX DynamicQuantizeLinear.

    >>> [v.tolist() for v in DynamicQuantize()(np.array([-1.0, 254.0]))]
    [[0, 255], 1.0, 1]
    """

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (shapes[0], (), ())

    def compute(self, x: Array) -> Any:
        codes, scale, zero = quantized(x)
        return codes, np.asarray(scale), np.asarray(zero)

    def work(self, *shapes: Shape) -> Work:
        return Work(compares=2 * size(shapes[0]), divisions=size(shapes[0]))


def matrix_shape(block: Algorithm, *shapes: Shape) -> Shape:
    """Shape of a matrix product."""
    a, b = shapes[0], shapes[1]
    if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
        raise block.fail("a [..., M, K] and b [..., K, N] need the same K", *shapes)
    try:
        lead = np.broadcast_shapes(a[:-2], b[:-2])
    except ValueError:
        raise block.fail("leading axes do not broadcast", *shapes) from None
    return (*lead, a[-2], b[-1])


class IntegerProduct(Dynamic, abstract=True):
    """Products of codes whose zero points are inputs."""

    def nests(self, *shapes: Shape) -> tuple[Nest, ...]:
        return (product_nest(shapes[0], shapes[1]),)

    def work(self, *shapes: Shape) -> Work:
        macs = size(self.shape(*shapes)[0]) * shapes[0][-1]
        return Work(macs=macs, macs_valid=macs)


@dataclass(frozen=True)
class MatMulInteger(IntegerProduct):
    """y = (a − a_zero) · (b − b_zero) in 32 bits: codes a [..., M, K], b [..., K, N]. Source: ONNX MatMulInteger.

    >>> MatMulInteger()(np.array([[5]]), np.array([[3]]), np.array(1))
    array([[12]])
    """

    input_names: ClassVar[tuple[str, ...]] = ("a", "b", "a_zero?", "b_zero?")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (matrix_shape(self, *shapes),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return True

    def compute(self, a: Array, b: Array, *zeros: Array) -> Array:
        return self.accumulated(a, b, PLAIN, *zeros)

    def accumulated(self, a: Array, b: Array, accumulator: Accumulator, *zeros: Array) -> Array:
        """The sums in an accumulator."""
        second = zeros[1].astype(np.int64) if len(zeros) > 1 else 0
        if zeros and zeros[0].size > 1:  # one zero point for each row
            rows = zeros[0].astype(np.int64)
            a, zeros = a.astype(np.int64) - (rows[:, None] if rows.ndim == 1 else rows), ()
        first = int(np.ravel(zeros[0])[0]) if zeros else 0
        return products(a, b.astype(np.int64) - second, first, accumulator)


@dataclass(frozen=True)
class ConvInteger(Dynamic):
    """Convolution of codes in 32 bits: x [N, *spatial, C], w [O, *kernel, C / groups] over any number of axes.

    x_zero is one number, w_zero one or one for each of the O outputs. Source: ONNX ConvInteger.

    >>> ConvInteger()(np.ones((1, 2, 2, 1)), np.ones((1, 2, 2, 1))).ravel()
    array([4])
    """

    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1

    input_names: ClassVar[tuple[str, ...]] = ("x", "w", "x_zero?", "w_zero?")

    def window(self, x: Shape, w: Shape) -> Window:
        """The sliding window over x's spatial axes."""
        return window(x[1:-1], w[1:-1], self.stride, self.padding, self.dilation)

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, w = shapes[0], shapes[1]
        if len(x) < 3 or len(w) != len(x) or w[-1] * self.groups != x[-1] or w[0] % self.groups:
            raise self.fail("x [N, *spatial, C] and w [O, *kernel, C / groups] do not fit", *shapes)
        if size((*shapes, ())[2]) != 1 or size((*shapes, (), ())[3]) not in (1, w[0]):
            raise self.fail(f"one x_zero, and one w_zero or {w[0]}, are needed", *shapes)
        return ((x[0], *self.window(x, w).output, w[0]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return True

    def compute(self, x: Array, w: Array, *zeros: Array) -> Array:
        return self.accumulated(x, w, PLAIN, *zeros)

    def accumulated(self, x: Array, w: Array, accumulator: Accumulator, *zeros: Array) -> Array:
        """The sums in an accumulator; padding holds the zero point."""
        first = int(np.ravel(zeros[0])[0]) if zeros else 0
        second = np.ravel(zeros[1]).astype(np.int64).reshape(-1, *(1,) * (w.ndim - 1)) if len(zeros) > 1 else 0
        made = self.window(x.shape, w.shape)
        taps, groups, per = size(made.kernel), self.groups, w.shape[-1]
        rows = made.gather(x.astype(np.int64), first).reshape(x.shape[0], -1, taps, groups, per)
        rows = rows.transpose(0, 3, 1, 2, 4).reshape(x.shape[0], groups, -1, taps * per)
        columns = (w.astype(np.int64) - second).reshape(groups, w.shape[0] // groups, -1).transpose(0, 2, 1)
        sums = products(rows, columns, first, accumulator)
        return sums.transpose(0, 2, 1, 3).reshape(x.shape[0], *made.output, -1)

    def nests(self, *shapes: Shape) -> tuple[Nest, ...]:
        x, w = shapes[0], shapes[1]
        made, groups = self.window(x, w), self.groups
        return (Nest(x[0] * size(made.output), size(w[1:]), w[0] // groups, groups, made),)

    def work(self, *shapes: Shape) -> Work:
        made, w = self.window(*shapes[:2]), shapes[1]
        per_tap = shapes[0][0] * w[-1] * w[0]
        return Work(macs=per_tap * made.taps, macs_valid=per_tap * made.valid_taps)


def scaled(sums: Array, a_scale: Any, b_scale: Any, bias: Array | None) -> Array:
    """f32(f32(acc) · f32(a_scale · b_scale)) + bias: multiplied and added with a rounding each."""
    y = np.asarray(sums).astype(np.float32) * (np.float32(a_scale) * np.asarray(b_scale, np.float32))
    return np.asarray(y if bias is None else y + np.asarray(bias, np.float32))


@dataclass(frozen=True)
class MatMulIntegerToFloat(IntegerProduct):
    """y = (a − a_zero) · (b − b_zero) · (a_scale · b_scale) + bias in float32.

    The flags name the optional inputs that are there. Source: com.microsoft MatMulIntegerToFloat.

    >>> MatMulIntegerToFloat()(np.array([[5]]), np.array([[3]]), np.array(0.5), np.array(1.0))
    array([[7.5]], dtype=float32)
    """

    input_names: ClassVar[tuple[str, ...]] = ("a", "b", "a_scale", "b_scale", "a_zero?", "b_zero?", "bias?")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (matrix_shape(self, *shapes[:2]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return True

    has_a_zero: bool = False
    has_b_zero: bool = False
    has_bias: bool = False

    def compute(self, *arrays: Array) -> Array:
        return self.accumulated(PLAIN, *arrays)

    def accumulated(self, accumulator: Accumulator, *arrays: Array) -> Array:
        """The formula with its sums in an accumulator."""
        a, b, a_scale, b_scale, *rest = arrays
        left = list(rest)
        first = int(np.ravel(left.pop(0))[0]) if self.has_a_zero else 0
        second = left.pop(0).astype(np.int64) if self.has_b_zero else 0
        bias = left.pop(0) if self.has_bias else None
        return scaled(products(a, b.astype(np.int64) - second, first, accumulator), a_scale, b_scale, bias)


@dataclass(frozen=True)
class DynamicQuantizeMatMul(IntegerProduct):
    """MatMulIntegerToFloat of a tensor that is quantized first, as a whole.

    inputs a (float), b (codes), b_scale, b_zero?, bias? Source: com.microsoft DynamicQuantizeMatMul.

    >>> DynamicQuantizeMatMul()(np.array([[255.0]]), np.array([[2]]), np.array(1.0))
    array([[510.]], dtype=float32)
    """

    has_b_zero: bool = False
    has_bias: bool = False

    input_names: ClassVar[tuple[str, ...]] = ("a", "b", "b_scale", "b_zero?", "bias?")

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        return (matrix_shape(self, *shapes[:2]),)

    def compute(self, *arrays: Array) -> Array:
        return self.accumulated(PLAIN, *arrays)

    def accumulated(self, accumulator: Accumulator, *arrays: Array) -> Array:
        """The formula with its sums in an accumulator."""
        a, b, b_scale, *rest = arrays
        codes, scale, zero = quantized(a)
        left = list(rest)
        second = left.pop(0).astype(np.int64) if self.has_b_zero else 0
        bias = left.pop(0) if self.has_bias else None
        return scaled(products(codes, b.astype(np.int64) - second, zero, accumulator), scale, b_scale, bias)
