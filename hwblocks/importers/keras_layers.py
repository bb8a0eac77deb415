"""Keras layers with weights: dense, convolutions, normalizations, embedding; and poolings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import hwblocks.blocks.conv as conv
import hwblocks.blocks.conv_transpose as conv_transpose
from hwblocks.blocks.linear import Linear, Weight
from hwblocks.blocks.normalization import BatchNorm, L2Norm
from hwblocks.blocks.pooling import GlobalAvgPool
from hwblocks.blocks.reduction import ReduceMax
from hwblocks.blocks.shape import Squeeze
from hwblocks.graph.builder import Value
from hwblocks.graph.window import same_pads
from hwblocks.importers.keras_activations import activated, before, refuse_activation
from hwblocks.importers.keras_graph import (
    KerasBuilder,
    Make,
    Rule,
    Use,
    along,
    array,
    block,
    of_one,
    optional,
    spatial,
)

CONVS = {1: conv.Conv1d, 2: conv.Conv2d, 3: conv.Conv3d}
TRANSPOSED = {1: conv_transpose.ConvTranspose1d, 2: conv_transpose.ConvTranspose2d, 3: conv_transpose.ConvTranspose3d}
Pads = tuple[tuple[int, int], ...]


def _dense(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    made = build.add(
        Linear(weight=array(layer.kernel).T, bias=optional(layer.bias)), x, name=before(layer.activation, name)
    )
    return activated(build, layer.activation, made, name)


def _einsum_dense(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    kernel = build.constant(f"{name}.kernel", array(layer.kernel))
    sums = before(layer.activation, name)
    made = build.add(block("Einsum", layer.equation), x, kernel, name=sums if layer.bias is None else f"{name}.product")
    if layer.bias is not None:
        made = build.add(block("Add"), made, build.constant(f"{name}.bias", array(layer.bias)), name=sums)
    return activated(build, layer.activation, made, name)


def numbers(value: Any, axes: int) -> tuple[int, ...]:
    """One number for each axis."""
    return (int(value),) * axes if isinstance(value, int) else tuple(int(v) for v in value)


def pads(padding: str, x: Sequence[int], kernel: Sequence[int], stride: Any, dilation: Any) -> Pads:
    """(before, after) of each axis for Keras's "valid", "same" and "causal"."""
    axes = len(kernel)
    if padding == "same":
        return same_pads(tuple(x), tuple(kernel), numbers(stride, axes), numbers(dilation, axes), True)
    if padding == "causal":
        return tuple((d * (k - 1), 0) for k, d in zip(kernel, numbers(dilation, axes), strict=True))
    return ((0, 0),) * axes


def _conv(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    kernel = array(layer.kernel)  # [*kernel, C / groups, O]
    weight = np.moveaxis(kernel, -1, 0)
    if layer.groups > 1 and kernel.shape[-2] == 1:
        weight = np.moveaxis(kernel, -2, 0)  # depthwise: [1, *kernel, O]
    return _convolved(build, layer, x, name, weight, int(layer.groups), layer.dilation_rate)


def _depthwise(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    return _convolved(build, layer, x, name, depthwise_weight(array(layer.kernel)), x.shape[-1], layer.dilation_rate)


def depthwise_weight(kernel: Any) -> Any:
    """[*kernel, C, M] as [1, *kernel, C · M]; with one channel as [M, *kernel, 1], since then there are no groups."""
    if kernel.shape[-2] == 1:
        return np.moveaxis(kernel, -1, 0)
    return kernel.reshape(1, *kernel.shape[:-2], -1)


def _convolved(build: KerasBuilder, layer: Any, x: Value, name: str, weight: Any, groups: int, dilation: Any) -> Value:
    made = build.add(
        _window(layer, x, weight, groups, dilation, optional(layer.bias)), x, name=before(layer.activation, name)
    )
    return activated(build, layer.activation, made, name)


def _window(layer: Any, x: Value, weight: Any, groups: int, dilation: Any, bias: Any) -> Any:
    """The convolution of a layer's stride and padding."""
    kernel = weight.shape[1:-1]
    around = pads(layer.padding, x.shape[1:-1], kernel, layer.strides, dilation)
    stride = numbers(layer.strides, len(kernel))
    made = CONVS[len(kernel)](stride=stride, padding=around, dilation=numbers(dilation, len(kernel)), groups=groups)
    return replace(made, weight=np.ascontiguousarray(weight), bias=bias)


def _separable(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    weight = depthwise_weight(array(layer.depthwise_kernel))
    deep = build.add(_window(layer, x, weight, x.shape[-1], layer.dilation_rate, None), x, name=f"{name}.depthwise")
    pointwise = np.ascontiguousarray(np.moveaxis(array(layer.pointwise_kernel), -1, 0))
    cls = CONVS[len(weight.shape) - 2]
    made = build.add(cls(weight=pointwise, bias=optional(layer.bias)), deep, name=before(layer.activation, name))
    return activated(build, layer.activation, made, name)


def _transposed(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    weight = np.ascontiguousarray(np.moveaxis(array(layer.kernel), -2, 0))  # [*kernel, O, C] → [O, *kernel, C]
    kernel = weight.shape[1:-1]
    axes = len(kernel)
    stride, dilation = numbers(layer.strides, axes), numbers(layer.dilation_rate, axes)
    extra = (None,) * axes if layer.output_padding is None else numbers(layer.output_padding, axes)
    around = tuple(transposed_pads(layer.padding, *v) for v in zip(kernel, stride, dilation, extra, strict=True))
    made = build.add(
        TRANSPOSED[axes](stride=stride, padding=around, dilation=dilation, weight=weight, bias=optional(layer.bias)),
        x,
        name=before(layer.activation, name),
    )
    return activated(build, layer.activation, made, name)


def transposed_pads(padding: str, kernel: int, stride: int, dilation: int, extra: int | None) -> tuple[int, int]:
    """What is cut off before and after (negative: added) the (n − 1) · stride + reach outputs of one axis.

    Source: keras.layers.Conv2DTranspose: "valid" gives (n − 1) · stride + max(reach, stride), "same" n · stride, and
    with output_padding (n − 1) · stride + reach [+ reach mod 2 − reach] + output_padding. What is cut is shared
    evenly, the odd one going after.
    """
    reach = (kernel - 1) * dilation + 1
    if padding == "valid":
        return 0, -(max(reach, stride) - reach if extra is None else extra)
    total = stride + reach - 2 if extra is None else reach + reach % 2 - 2 + extra
    kept = min(total - total // 2, reach - 1)
    return reach - 1 - kept, reach - 1 - (total - kept)


def _pool(kind: str) -> Make:
    def make(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
        axes = len(x.shape) - 2
        size, stride = numbers(layer.pool_size, axes), numbers(layer.strides, axes)
        around = pads(layer.padding, x.shape[1:-1], size, stride, 1)
        more = {"count_include_pad": False} if kind == "AvgPool" else {}
        return build.add(block(f"{kind}{axes}d", size, stride, around, **more), x, name=name)

    return make


def _adaptive(kind: str) -> Make:
    def make(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
        axes = len(x.shape) - 2
        return build.add(block(f"{kind}{axes}d", numbers(layer.output_size, axes)), x, name=name)

    return make


def _global_average(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    made = build.add(GlobalAvgPool(), x, name=name if layer.keepdims else f"{name}.mean")
    return made if layer.keepdims else build.add(Squeeze(tuple(range(1, len(x.shape) - 1))), made, name=name)


def _global_max(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    return build.add(ReduceMax(tuple(range(1, len(x.shape) - 1)), bool(layer.keepdims)), x, name=name)


def _global(make: Make) -> Any:
    """A global pooling: channels first leaves [N, C] as it is."""

    def built(build: KerasBuilder, use: Use) -> Value:
        if use.layer.data_format == "channels_last":
            return make(build, use.layer, use.x, use.name)
        if not use.layer.keepdims:
            return make(build, use.layer, build.last(use.x), use.name)
        return build.first(make(build, use.layer, build.last(use.x), f"{use.name}.channels_last"), use.name)

    return built


def _batch_norm(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    mean, variance = array(layer.moving_mean), array(layer.moving_variance)
    scale = np.ones_like(mean) if layer.gamma is None else array(layer.gamma)
    shift = np.zeros_like(mean) if layer.beta is None else array(layer.beta)
    given = zip(("gamma", "beta", "mean", "variance"), (scale, shift, mean, variance), strict=True)

    def make(value: Value, label: str) -> Value:
        constants = [build.constant(f"{name}.{n}", a) for n, a in given]
        return build.add(BatchNorm(float(layer.epsilon)), value, *constants, name=label)

    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    return along(build, x, axis, name, make)


def scaled(build: KerasBuilder, kind: str, x: Value, name: str, gain: Any, shift: Any, **more: Any) -> Value:
    """A normalizing block with its weight and bias."""
    values = []
    if gain is not None or shift is not None:
        gain = np.ones_like(array(shift)) if gain is None else array(gain)
        values.append(build.constant(f"{name}.gamma", gain))
    if shift is not None:
        values.append(build.constant(f"{name}.beta", array(shift)))
    return build.add(block(kind, **more), x, *values, name=name)


def _layer_norm(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    gain, shift, eps = layer.gamma, layer.beta, float(layer.epsilon)
    if len(axes) == 1:
        return along(
            build, x, axes[0], name, lambda v, label: scaled(build, "LayerNorm", v, label, gain, shift, eps=eps)
        )
    return scaled(build, "LayerNorm", x, name, gain, shift, eps=eps, dims=len(axes))


def _refuse_layer_norm(layer: Any) -> str:
    if getattr(layer, "rms_scaling", False):
        return "with rms_scaling=True"
    axes = [layer.axis] if isinstance(layer.axis, int) else sorted(layer.axis)
    rank = len(layer._build_shapes_dict["input_shape"]) if len(axes) > 1 else 0
    trailing = [a % rank for a in axes] == list(range(rank - len(axes), rank)) if rank else True
    return "" if trailing else f"over axes {axes}, which are not the last ones"


def _rms_norm(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    eps, gain = float(layer.epsilon), layer.scale
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    return along(build, x, axis, name, lambda v, label: scaled(build, "RMSNorm", v, label, gain, None, eps=eps))


def _group_norm(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    groups = int(layer.groups) if layer.groups > 0 else x.shape[layer.axis]
    more = {"eps": float(layer.epsilon), "num_groups": groups}
    return along(
        build,
        x,
        layer.axis,
        name,
        lambda v, label: scaled(build, "GroupNorm", v, label, layer.gamma, layer.beta, **more),
    )


def _unit_norm(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    return build.add(L2Norm(axis, 1e-12), x, name=name)


def _refuse_several_axes(layer: Any) -> str:
    return "" if isinstance(layer.axis, int) or len(layer.axis) == 1 else "over several axes"


def _normalization(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    """(x − mean) / max(√variance, ε), or back, as a gain and an offset."""
    mean, deviation = array(layer.mean), np.maximum(np.sqrt(array(layer.variance)), np.float32(1e-7))
    gain, shift = (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)
    if mean.size == x.shape[-1]:
        return build.add(Weight(weight=gain.ravel(), bias=shift.ravel()), x, name=name)
    product = build.add(block("Mul"), x, build.constant(f"{name}.gain", gain), name=f"{name}.product")
    return build.add(block("Add"), product, build.constant(f"{name}.shift", shift), name=name)


def _embedding(build: KerasBuilder, layer: Any, x: Value, name: str) -> Value:
    return build.add(block("Embedding", weight=array(layer.embeddings)), x, name=name)


def _refuse_embedding(layer: Any) -> str:
    return "with mask_zero=True: masks are not followed" if layer.mask_zero else ""


def _windows(make: Make, kinds: str, needs: str = "", counts: Sequence[int] = (1, 2, 3)) -> dict[str, Rule]:
    """Rules of a layer over one to three axes; "{}" in `kinds` and `needs` stands for the number of axes."""
    return {
        kinds.format(n): Rule(spatial(make), refuse_activation, (needs.format(n),) if needs else ()) for n in counts
    }


LAYERS: dict[str, Rule] = {
    "BatchNormalization": Rule(of_one(_batch_norm)),
    "Dense": Rule(of_one(_dense), refuse_activation),
    "EinsumDense": Rule(of_one(_einsum_dense), refuse_activation, ("Einsum",)),
    "Embedding": Rule(of_one(_embedding), _refuse_embedding, ("Embedding",)),
    "GroupNormalization": Rule(of_one(_group_norm), needs=("GroupNorm",)),
    "LayerNormalization": Rule(of_one(_layer_norm), _refuse_layer_norm, ("LayerNorm",)),
    "Normalization": Rule(of_one(_normalization)),
    "RMSNormalization": Rule(of_one(_rms_norm), _refuse_several_axes, ("RMSNorm",)),
    "UnitNormalization": Rule(of_one(_unit_norm), _refuse_several_axes),
    **_windows(_conv, "Conv{}D"),
    **_windows(_depthwise, "DepthwiseConv{}D", counts=(1, 2)),
    **_windows(_separable, "SeparableConv{}D", counts=(1, 2)),
    **_windows(_transposed, "Conv{}DTranspose"),
    **_windows(_pool("MaxPool"), "MaxPooling{}D", "MaxPool{}d"),
    **_windows(_pool("AvgPool"), "AveragePooling{}D", "AvgPool{}d"),
    **_windows(_adaptive("AdaptiveMaxPool"), "AdaptiveMaxPooling{}D", "AdaptiveMaxPool{}d"),
    **_windows(_adaptive("AdaptiveAvgPool"), "AdaptiveAveragePooling{}D", "AdaptiveAvgPool{}d"),
    **{f"GlobalAveragePooling{n}D": Rule(_global(_global_average)) for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": Rule(_global(_global_max)) for n in (1, 2, 3)},
}
