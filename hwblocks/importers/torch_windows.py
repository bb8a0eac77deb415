"""PyTorch operators over windows and axes: pooling, resizing, softmax, reductions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hwblocks.blocks.pooling import GlobalAvgPool
from hwblocks.blocks.reduction import ArgMax, ArgMin, ReduceMax, ReduceMean, ReduceMin, ReduceSum
from hwblocks.blocks.resize import ResizeBilinear
from hwblocks.blocks.scanning import CumSum
from hwblocks.blocks.shape import Squeeze
from hwblocks.blocks.slicing import DepthToSpace, Gather
from hwblocks.blocks.softmax import LogSoftmax, Softmax
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import Value
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, axis_in_last
from hwblocks.importers.torch_graph import Rule, TorchNode, along, block, one_block, per_axis
from hwblocks.numerics.formats import Format

INT32 = Format(kind="raw", bits=32, signed=True)


def _pixel_shuffle(build: Importer, node: TorchNode) -> None:
    made = DepthToSpace(int(node.given["upscale_factor"]), "CRD")
    build.add(node, made, [build.value(node.x, LAST)], LAST)


def _pool(kind: str) -> Rule:
    axes = int(kind[-2])

    def build_pool(build: Importer, node: TorchNode) -> None:
        kernel = per_axis(node.given["kernel_size"], axes)
        more: dict[str, Any] = {"ceil_mode": bool(node.get("ceil_mode", False))}
        if kind.startswith("Max"):
            more["dilation"] = per_axis(node.get("dilation"), axes, 1)
        else:
            more["count_include_pad"] = bool(node.get("count_include_pad", True))
        padding = per_axis(node.get("padding"), axes, 0)
        stride = per_axis(node.get("stride"), axes, list(kernel))
        build.add(node, block(kind, kernel, stride, padding, **more), [build.value(node.x, LAST)], LAST)

    return Rule(build_pool, _refuse_pool, (kind,))


def _refuse_pool(node: TorchNode) -> str:
    if node.get("divisor_override") is not None:
        return "with divisor_override"
    return "with indices" if len([o for o in node.outputs if o]) > 1 else ""


def _adaptive(kind: str) -> Rule:
    axes = int(kind[-2])

    def build_pool(build: Importer, node: TorchNode) -> None:
        x = build.value(node.x, LAST)
        size = node.given["output_size"]
        sizes = tuple(x.shape[i + 1] if s is None else int(s) for i, s in enumerate(per_axis(size, axes)))
        if kind.startswith("AdaptiveAvg") and sizes == (1,) * axes:
            build.add(node, GlobalAvgPool(), [x], LAST)
            return
        if all(n % m == 0 for n, m in zip(x.shape[1:], sizes, strict=False)):
            kernel = tuple(n // m for n, m in zip(x.shape[1:], sizes, strict=False))
            build.add(node, block(kind.removeprefix("Adaptive"), kernel), [x], LAST)
            return
        build.add(node, block(kind, sizes), [x], LAST)

    return Rule(build_pool, _refuse_pool)


def _sizes(build: Importer, node: TorchNode) -> tuple[Value, tuple[int, ...], bool]:
    """(x channels last, its new sizes, True where they are exactly the scale factors times the old)."""
    x = build.value(node.x, LAST)
    given, factors = node.get("output_size"), node.get("scale_factors")
    if given is not None:
        return x, tuple(int(s) for s in given), True
    made = tuple(int(np.floor(n * f)) for n, f in zip(x.shape[1:-1], factors, strict=True))
    return x, made, all(m == n * f for m, n, f in zip(made, x.shape[1:-1], factors, strict=True))


def _nearest(build: Importer, node: TorchNode) -> None:
    """Output i takes input ⌊i · n / m⌋ along each axis."""
    x, sizes, exact = _sizes(build, node)
    if not exact:
        raise GraphError("scale factors that do not divide the sizes; give the output's size")
    for axis, made in enumerate(sizes, start=1):
        index = tuple(i * x.shape[axis] // made for i in range(made))
        x = build.add(node, Gather(index, axis), [x], LAST, part="" if axis == len(sizes) else f"axis{axis}")


def _smooth(mode: str) -> Callable[[Importer, TorchNode], None]:
    def build_smooth(build: Importer, node: TorchNode) -> None:
        x, sizes, exact = _sizes(build, node)
        corners = bool(node.get("align_corners", False))
        if not exact:
            raise GraphError("scale factors that do not divide the sizes; give the output's size")
        if mode == "linear" and len(sizes) == 2:
            made: Block = ResizeBilinear((sizes[0], sizes[1]), corners, not corners)
        else:
            coordinates = "align_corners" if corners else "half_pixel"
            made = block("Resize", size=sizes, coordinate_transformation_mode=coordinates, mode=mode)
        build.add(node, made, [x], LAST)

    return build_smooth


def _softmax(cls: Callable[[int], Block]) -> Rule:
    def build_softmax(build: Importer, node: TorchNode) -> None:
        x, layout, dim = along(build, node, int(node.given["dim"]))
        build.add(node, cls(dim), [x], layout)

    return Rule(build_softmax)


def _reduce(cls: Callable[..., Block], **more: Any) -> Rule:
    """A reduction over axes; channels last where all spatial axes go or all axes are kept."""

    def build_reduce(build: Importer, node: TorchNode) -> None:
        rank, given, keep = len(build.shape(node.x)), node.get("dim"), bool(node.get("keepdim", False))
        dims = [given] if isinstance(given, int) else list(given or range(rank))
        axes = sorted(int(d) % rank for d in dims)
        if rank > 2 and axes == list(range(2, rank)) and cls is ReduceMean:
            _global_mean(build, node, rank, keep)
            return
        layout = LAST if rank > 2 and build.has_last(node.x) and (keep or axes == list(range(2, rank))) else FILE
        at = tuple(sorted(axis_in_last(a, rank) for a in axes)) if layout == LAST else tuple(axes)
        made_in = layout if keep else FILE
        build.add(node, cls(at, keep), [build.value(node.x, layout)], made_in, **more)

    return Rule(build_reduce, _refuse_reduce)


def _global_mean(build: Importer, node: TorchNode, rank: int, keep: bool) -> None:
    x = build.value(node.x, LAST)
    if keep:
        build.add(node, GlobalAvgPool(), [x], LAST)
        return
    pooled = build.add(node, GlobalAvgPool(), [x], LAST, part="pooled")
    build.add(node, Squeeze(tuple(range(1, rank - 1))), [pooled])


def _refuse_reduce(node: TorchNode) -> str:
    return "with indices" if len([o for o in node.outputs if o]) > 1 else ""


def _position(cls: Callable[[int, bool], Block]) -> Rule:
    def build_position(build: Importer, node: TorchNode) -> None:
        if node.get("dim") is None:
            raise GraphError("a position in all axes at once; give dim")
        x = build.value(node.x)
        dim = int(node.given["dim"]) % len(x.shape)
        build.add(node, cls(dim, bool(node.get("keepdim", False))), [x], formats=(INT32,))

    return Rule(build_position)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("softmax", "_softmax"), _softmax(Softmax)),
    **dict.fromkeys(("log_softmax", "_log_softmax"), _softmax(LogSoftmax)),
    **{f"max_pool{n}d": _pool(f"MaxPool{n}d") for n in (1, 2, 3)},
    **{f"max_pool{n}d_with_indices": _pool(f"MaxPool{n}d") for n in (2, 3)},
    **{f"avg_pool{n}d": _pool(f"AvgPool{n}d") for n in (1, 2, 3)},
    **{f"adaptive_avg_pool{n}d": _adaptive(f"AdaptiveAvgPool{n}d") for n in (1, 2, 3)},
    **{f"adaptive_max_pool{n}d": _adaptive(f"AdaptiveMaxPool{n}d") for n in (1, 2, 3)},
    **{f"upsample_nearest{n}d": Rule(_nearest) for n in (1, 2, 3)},
    "amax": _reduce(ReduceMax),
    "amin": _reduce(ReduceMin),
    "argmax": _position(ArgMax),
    "argmin": _position(ArgMin),
    "cumsum": one_block(lambda node: CumSum(int(node.given["dim"]))),
    "max": _reduce(ReduceMax),
    "mean": _reduce(ReduceMean),
    "min": _reduce(ReduceMin),
    "pixel_shuffle": Rule(_pixel_shuffle),
    "sum": _reduce(ReduceSum),
    "upsample_bicubic2d": Rule(_smooth("cubic"), needs=("Resize",)),
    "upsample_bilinear2d": Rule(_smooth("linear")),
    "upsample_linear1d": Rule(_smooth("linear"), needs=("Resize",)),
    "upsample_trilinear3d": Rule(_smooth("linear"), needs=("Resize",)),
}
