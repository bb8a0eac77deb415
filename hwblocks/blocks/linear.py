"""Linear sums of products: Linear, MatMul, and Weight (one product per element)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.graph.block import Accumulate, Call, Weighted, size
from hwblocks.graph.contraction import Array, Contraction
from hwblocks.graph.products import Gemm, PlaneConvolution, Product, dense
from hwblocks.graph.quant_rule import QuantRule
from hwblocks.graph.site import Site, accumulate_epilogue, scalar_zero_point
from hwblocks.graph.sums import EXACT_BITS, centred_weights, register_bits, run_time_bound, sum_constants, unsupported
from hwblocks.graph.tensor import Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.accumulator import peak
from hwblocks.numerics.kernels.conv import ConvCall
from hwblocks.numerics.kernels.matmul import MatmulCall
from hwblocks.numerics.kernels.ordered import OrderedSum


def one_by_one(rows: int, inner: int, outputs: int, groups: int, sums: dict[str, Any]) -> ConvCall:
    """A matrix product as a 1×1 convolution over `rows` pixels."""
    sums["weights"] = sums["weights"].reshape(outputs, 1, 1, inner // groups)
    return ConvCall(
        height=rows,
        width=1,
        channels=inner,
        out_height=rows,
        out_width=1,
        out_channels=outputs,
        kernel=(1, 1),
        stride=(1, 1),
        dilation=(1, 1),
        pad=(0, 0),
        groups=groups,
        **sums,
    )


@dataclass(frozen=True)
class Linear(Weighted, Accumulate):
    """y = x · wᵀ + b: x [..., K], w [O, K], b [O] → [..., O]. Source: the definition of torch.nn.Linear.

    >>> Linear()(np.array([[1.0, 2.0]]), w=np.array([[3.0, 4.0]]), b=np.array([1.0]))
    array([[12.]])
    """

    parameters: ClassVar[dict[str, str]] = {"weight": "w", "bias": "b"}

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "weight", "bias"))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x, w = shapes[0], shapes[1]
        if len(w) != 2 or not x or x[-1] != w[1]:
            raise self.fail("x [..., K] and w [O, K] need the same K", *shapes)
        if len(shapes) > 2 and shapes[2] != (w[0],):
            raise self.fail(f"the bias needs shape ({w[0]},)", *shapes)
        return ((*x[:-1], w[0]),)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return len(shapes[0]) > 1

    def lower(self, x: Array, w: Array) -> Contraction:
        lead = x.shape[:-1]
        samples = lead[0] if lead else 1
        rows = x.reshape(samples, 1, -1, x.shape[-1])
        return Contraction(rows, w.T[None], lambda sums: sums.reshape(*lead, w.shape[0]), (x.shape[-1],))

    def work(self, *shapes: Shape) -> Work:
        x, w = shapes[0], shapes[1]
        made = size(x[:-1]) * w[0]
        macs = size(x) * w[0]
        return Work(macs=macs, macs_valid=macs, adds=made if len(shapes) > 2 else 0, requants=made)

    def products(self, *shapes: Shape) -> Product:
        return dense(size(shapes[0][:-1]), shapes[0][-1], shapes[1][0])

    def kernel(self, site: Site) -> Call | str:
        codes = centred_weights(site)
        if codes is None:
            return "the weights are not constant"
        sums = sum_constants(site, codes, codes.T[None])
        if isinstance(sums, str):
            return sums
        return one_by_one(size(site.input(0).shape[:-1]), codes.shape[1], codes.shape[0], 1, sums)


@dataclass(frozen=True)
class MatMul(Accumulate):
    """y = a · b: a [..., M, K], b [..., K, N] → [..., M, N], leading axes broadcast. Source: ONNX MatMul, from 2 axes.

    >>> MatMul()(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """

    input_names: ClassVar[tuple[str, ...]] = ("a", "b")

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "weight"))

    def weight_axis(self, *shapes: Shape) -> int:
        return len(shapes[1]) - 1

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        a, b = shapes
        if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
            raise self.fail("a [..., M, K] and b [..., K, N] need the same K", *shapes)
        try:
            lead = np.broadcast_shapes(a[:-2], b[:-2])
        except ValueError:
            raise self.fail("leading axes do not broadcast", *shapes) from None
        return ((*lead, a[-2], b[-1]),)

    def lower(self, x: Array, w: Array) -> Contraction:
        a, b = x, w
        if a.ndim == 2 and b.ndim == 2:
            a = a[:, None, :]
            return Contraction(a[:, None], b[None], lambda sums: sums.reshape(-1, b.shape[-1]), (a.shape[-1],))
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        rows = a.reshape((1,) * (len(lead) + 2 - a.ndim) + a.shape)[..., None, :, :]
        columns = b.reshape((1,) * (len(lead) + 2 - b.ndim) + b.shape)[..., None, :, :]
        return Contraction(rows, columns, lambda sums: sums[..., 0, :, :], (a.shape[-1],))

    def work(self, *shapes: Shape) -> Work:
        made = size(self.shape(*shapes)[0])
        macs = made * shapes[0][-1]
        return Work(macs=macs, macs_valid=macs, requants=made)

    def products(self, *shapes: Shape) -> Product:
        """One product where all of a meets the same b, else one for each of the leading axes."""
        a, b = shapes
        if size(b[:-2]) == 1:
            return dense(size(a[:-1]), a[-1], b[-1])
        return dense(a[-2], a[-1], b[-1], count=size(self.shape(a, b)[0][:-2]))

    def kernel(self, site: Site) -> Call | str:
        codes = centred_weights(site)
        if codes is None:
            return self._run_time(site)
        if codes.ndim != 2:
            return "constant operands with leading axes"
        sums = sum_constants(site, np.ascontiguousarray(codes.T), codes[None])
        if isinstance(sums, str):
            return sums
        return one_by_one(size(site.input(0).shape[:-1]), codes.shape[0], codes.shape[1], 1, sums)

    def _run_time(self, site: Site) -> Call | str:
        reason = unsupported(site)
        a, b = site.input(0), site.input(1)
        if reason or b.format.bits > 16:
            return reason or "activations of more than 16 bits"
        lead = self.shape(a.shape, b.shape)[0][:-2]
        batch, b_batch = size(lead), size(b.shape[:-2])
        if size(a.shape[:-2]) != batch or b_batch not in (1, batch) or len(lead) < 1:
            return "leading axes that broadcast in the middle"
        inner, zeros = a.shape[-1], (scalar_zero_point(a.format), scalar_zero_point(b.format))
        reach = [peak(np.array([t.format.lo - z, t.format.hi - z])) for t, z in zip((a, b), zeros, strict=True)]
        bound = inner * reach[0] * reach[1]
        ordered = OrderedSum(site.accumulator, zeros[0], a.format.lo, a.format.hi, None)
        bits = register_bits(site, run_time_bound(ordered, inner * reach[1], bound))
        return MatmulCall(
            a_dtype=a.format.dtype.name,
            a_zero=zeros[0],
            b_dtype=b.format.dtype.name,
            b_zero=zeros[1],
            batch=batch,
            b_batch=b_batch,
            m=a.shape[-2],
            k=inner,
            n=b.shape[-1],
            bound=bound,
            accumulator_bits=EXACT_BITS if isinstance(bits, str) else bits,
            out_dtype=site.output.format.dtype.name,
            epilogue=accumulate_epilogue(site, a.format, b.format, b.shape[-1]),
            ordered=ordered,
            in_order=isinstance(bits, str),
            b_codes=(b.format.lo, b.format.hi),
        )


@dataclass(frozen=True)
class Weight(Weighted, Accumulate):
    """y = x · w + b, element by element along the last axis: x [..., C], w [C], b [C] → [..., C].

    A sum of one product for each channel, so it has an accumulator and a cast like any other. A batch normalization
    that could not be folded becomes one.

    >>> Weight()(np.array([[1.0, 2.0]]), w=np.array([3.0, 4.0]))
    array([[3., 8.]])
    """

    parameters: ClassVar[dict[str, str]] = {"weight": "w", "bias": "b"}

    @property
    def quant(self) -> QuantRule:
        return QuantRule(inputs=("activation", "weight", "bias"))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        x = shapes[0]
        if not x or any(s != (x[-1],) for s in shapes[1:]):
            raise self.fail("w and b need one entry per channel of x [..., C]", *shapes)
        return (x,)

    def keeps_samples(self, *shapes: Shape) -> bool:
        return len(shapes[0]) > 1

    def lower(self, x: Array, w: Array) -> Contraction:
        channels, samples = x.shape[-1], x.shape[0] if x.ndim > 1 else 1
        rows = x.reshape(samples, -1, channels).transpose(0, 2, 1)[..., None]

        def fold(sums: Array) -> Array:
            return sums[..., 0].transpose(0, 2, 1).reshape(x.shape)

        return Contraction(rows, w[:, None, None], fold, (1,))

    def work(self, *shapes: Shape) -> Work:
        made = size(shapes[0])
        return Work(macs=made, macs_valid=made, adds=made if len(shapes) > 2 else 0, requants=made)

    def products(self, *shapes: Shape) -> Product:
        """A depthwise 1 × 1 convolution: a product of one term for each channel."""
        rows, channels = size(shapes[0][:-1]), shapes[0][-1]
        return Product(Gemm(rows, 1, 1), PlaneConvolution(rows, 1, 1, 1, 1, 1), channels, depthwise=True)

    def kernel(self, site: Site) -> Call | str:
        codes = centred_weights(site)
        if codes is None:
            return "the weights are not constant"
        sums = sum_constants(site, codes[:, None], codes[:, None, None])
        if isinstance(sums, str):
            return sums
        channels = codes.shape[0]
        return one_by_one(site.input(0).elements // channels, channels, channels, channels, sums)
