"""Convolutions, poolings and resizing as ONNX operators, which take their channels first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hwblocks.exporters.onnx_writer import FIRST, Writer, refuse
from hwblocks.graph.node import Node
from hwblocks.graph.window import pads_of, per_axis

Rule = Callable[[Writer, Node], None]


def spatial(node: Node, axes: int) -> dict[str, Any]:
    """strides, pads and dilations of a windowed block."""
    block: Any = node.block
    if getattr(block, "pad_code", None) is not None:
        raise refuse(node, "pads with a stored code of its own, which the file cannot say; take pad_code away")
    pairs = pads_of(block.padding, axes)
    return {
        "strides": list(per_axis(block.stride, axes, "stride")),
        "pads": [*(a for a, _ in pairs), *(b for _, b in pairs)],
        "dilations": list(per_axis(getattr(block, "dilation", 1), axes, "dilation")),
    }


def bias_of(w: Writer, node: Node) -> list[str]:
    return [w.real(node.inputs[2])] if len(node.inputs) > 2 and node.inputs[2] else []


def first_weight(node: Node, x: tuple[int, ...], weight: tuple[int, ...]) -> Callable[[Any], Any]:
    """How [O, *kernel, I] (depthwise [1, *kernel, O]) becomes [O, I, *kernel]."""
    if node.block.depthwise(x, weight):  # type: ignore[attr-defined]
        return lambda array: np.moveaxis(array, (-1, 0), (0, 1))
    return lambda array: np.moveaxis(array, -1, 1)


def constant_weight(w: Writer, node: Node) -> Any:
    """The weight's tensor. Errors: UnsupportedOperatorError when it is made at run time."""
    tensor = w.graph.tensors[node.inputs[1]]
    if tensor.value is None:
        raise refuse(node, "takes weights that are made at run time; only constant ones are written")
    return tensor


def _conv(w: Writer, node: Node) -> None:
    x, weight = w.graph.tensors[node.inputs[0]], constant_weight(w, node)
    move = first_weight(node, x.shape, weight.shape)
    given = [w.real(x.name, FIRST), w.weight(weight, move, 0), *bias_of(w, node)]
    more = spatial(node, len(x.shape) - 2)
    w.result(node, w.op("Conv", given, node.name, group=node.block.groups, **more), FIRST)  # type: ignore[attr-defined]


def _conv_transpose(w: Writer, node: Node) -> None:
    x, weight, block = w.graph.tensors[node.inputs[0]], constant_weight(w, node), node.block
    axes, groups = len(x.shape) - 2, block.groups  # type: ignore[attr-defined]
    more = spatial(node, axes)
    extra = list(per_axis(block.output_padding, axes, "output_padding"))  # type: ignore[attr-defined]
    before, after = more["pads"][:axes], more["pads"][axes:]
    if min(before) < 0:
        raise refuse(node, f"padding {block.padding} adds elements in front")  # type: ignore[attr-defined]
    extra = [e + max(-b, 0) for e, b in zip(extra, after, strict=True)]  # negative pads behind are output padding
    more["pads"] = [*before, *(max(b, 0) for b in after)]

    def by_inputs(array: Any) -> Any:
        """[O, *kernel, I / groups] → [I, O / groups, *kernel]."""
        return np.concatenate([np.moveaxis(part, (-1, 0), (0, 1)) for part in np.split(array, groups)])

    if groups > 1 and isinstance(weight.format.scale, tuple):
        raise refuse(node, "groups with one weight scale per channel lie along no axis of the file's weights")
    given = [w.real(x.name, FIRST), w.weight(weight, by_inputs, 1), *bias_of(w, node)]
    made = w.op("ConvTranspose", given, node.name, group=groups, output_padding=extra, **more)
    w.result(node, made, FIRST)


def pool_attributes(node: Node, axes: int) -> dict[str, Any]:
    """The attributes of a pooling."""
    block: Any = node.block
    kernel = per_axis(block.kernel_size, axes, "kernel_size")
    pairs = pads_of(block.padding, axes)
    stride = kernel if block.stride is None else per_axis(block.stride, axes, "stride")
    made: dict[str, Any] = {"kernel_shape": list(kernel), "strides": list(stride), "ceil_mode": int(block.ceil_mode)}
    made["pads"] = [*(a for a, _ in pairs), *(b for _, b in pairs)]
    if hasattr(block, "count_include_pad"):
        made["count_include_pad"] = int(block.count_include_pad)
    dilation = per_axis(getattr(block, "dilation", 1), axes, "dilation")
    return made if set(dilation) == {1} else {**made, "dilations": list(dilation)}


def _max_pool(w: Writer, node: Node) -> None:
    x = w.graph.tensors[node.inputs[0]]
    more = pool_attributes(node, len(x.shape) - 2)
    if x.format.bits == 8 and x.format.is_quantized:
        w.moved(node, w.op("MaxPool", [w.codes(x.name, FIRST)], node.name, **more), FIRST)
        return
    w.result(node, w.op("MaxPool", [w.real(x.name, FIRST)], node.name, **more), FIRST)


def _average_pool(w: Writer, node: Node) -> None:
    more = pool_attributes(node, len(w.graph.tensors[node.inputs[0]].shape) - 2)
    w.result(node, w.op("AveragePool", [w.real(node.inputs[0], FIRST)], node.name, **more), FIRST)


def _whole(op: str) -> Rule:
    def write(w: Writer, node: Node) -> None:
        w.result(node, w.op(op, [w.real(node.inputs[0], FIRST)], node.name), FIRST)

    return write


def _resize(mode: str) -> Rule:
    def write(w: Writer, node: Node) -> None:
        block: Any = node.block
        x = w.graph.tensors[node.inputs[0]]
        half = "half_pixel" if block.half_pixel_centers else "asymmetric"
        coordinates = "align_corners" if block.align_corners else half
        if mode == "nearest" and half == "half_pixel":
            raise refuse(node, "half_pixel_centers of the nearest pixel round in another way than the standard's")
        rounding = "round_prefer_ceil" if block.align_corners else "floor"
        sizes = w.initializer(f"{node.name}.sizes", np.array(block.size, np.int64))
        more: dict[str, Any] = {"coordinate_transformation_mode": coordinates, "mode": mode, "axes": [2, 3]}
        more |= {"nearest_mode": rounding} if mode == "nearest" else {}
        w.result(node, w.op("Resize", [w.real(x.name, FIRST), "", "", sizes], node.name, **more), FIRST)

    return write


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), _conv),
    **dict.fromkeys(("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"), _conv_transpose),
    **dict.fromkeys(("MaxPool1d", "MaxPool2d", "MaxPool3d"), _max_pool),
    **dict.fromkeys(("AvgPool1d", "AvgPool2d", "AvgPool3d"), _average_pool),
    "GlobalAvgPool": _whole("GlobalAveragePool"),
    "GlobalMaxPool": _whole("GlobalMaxPool"),
    "ResizeBilinear": _resize("linear"),
    "ResizeNearest": _resize("nearest"),
}
