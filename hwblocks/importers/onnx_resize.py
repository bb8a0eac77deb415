"""ONNX Resize, Upsample, GridSample and AffineGrid."""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose
from typing import Any

import numpy as np

import hwblocks.blocks.grid_sample as grid_sample
import hwblocks.blocks.resample as resample
import hwblocks.blocks.shape as shape
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, OnnxNode, axis_in_last
from hwblocks.importers.onnx_rule import Rule


@dataclass(frozen=True)
class Resized:
    """One axis of the file: its number, new size, scale and the part that tf_crop_and_resize reads."""

    axis: int
    size: int
    scale: float
    roi: tuple[float, float]


def _given(build: Importer, node: OnnxNode, position: int) -> list[float]:
    """A constant list, empty where absent."""
    return np.asarray(build.constant(node.input(position))).ravel().tolist() if node.input(position) else []


def resized_axes(build: Importer, node: OnnxNode) -> list[Resized]:
    """The axes whose size or place changes."""
    x = build.shape(node.inputs[0])
    at = (0, 1, 0) if node.opset < 11 or node.op == "Upsample" else (1, 2, 3)
    roi, scales, sizes = (_given(build, node, p) if p else [] for p in at)
    if node.op == "Upsample" and node.opset < 9:
        scales = list(node.attribute("scales") or ())
    axes = [a % len(x) for a in node.attribute("axes") or range(len(x))]
    if len(sizes or scales) != len(axes):
        raise GraphError(f"{len(sizes or scales)} sizes or scales for {len(axes)} axes; one for each is needed")
    scales, sizes = _by_policy(str(node.attribute("keep_aspect_ratio_policy", "stretch")), x, axes, scales, sizes)
    parts = [(roi[i], roi[len(axes) + i]) if roi else (0.0, 1.0) for i in range(len(axes))]
    found = [Resized(a, int(n), s, p) for a, n, s, p in zip(axes, sizes, scales, parts, strict=True)]
    crops = node.attribute("coordinate_transformation_mode") == "tf_crop_and_resize"
    return [
        r for r in found if not (isclose(r.scale, 1.0) and r.size == x[r.axis] and (not crops or r.roi == (0.0, 1.0)))
    ]


def _by_policy(
    policy: str, x: tuple[int, ...], axes: list[int], scales: list[float], sizes: list[float]
) -> tuple[list[float], list[float]]:
    """(scales, sizes), both complete. not_larger and not_smaller give all axes one scale, sizes rounded half up."""
    if not sizes:
        return scales, [int(np.floor(x[a] * s)) for a, s in zip(axes, scales, strict=True)]
    scales = [n / x[a] for a, n in zip(axes, sizes, strict=True)]
    if policy == "stretch":
        return scales, sizes
    scale = min(scales) if policy == "not_larger" else max(scales)
    return [scale] * len(axes), [int(scale * x[a] + 0.5) for a in axes]


def _block(node: OnnxNode, found: list[Resized], axes: tuple[int, ...], stretch: bool) -> Block:
    old = node.opset < 11 or node.op == "Upsample"  # one rule: asymmetric, floor
    mode = str(node.attribute("mode", "nearest"))
    coordinates = "asymmetric" if old else str(node.attribute("coordinate_transformation_mode", "half_pixel"))
    places: dict[str, Any] = {
        "size": tuple(r.size for r in found),
        "scale_factor": () if stretch else tuple(r.scale for r in found),
        "axes": axes,
        "coordinate_transformation_mode": coordinates,
        "roi": tuple(r.roi for r in found) if coordinates == "tf_crop_and_resize" else (),
        "extrapolation_value": float(node.attribute("extrapolation_value", 0.0)),
    }
    if mode == "nearest":
        rounding = "floor" if old else str(node.attribute("nearest_mode", "round_prefer_floor"))
        return resample.NearestResize(**places, nearest_mode=rounding)
    return resample.Resize(
        **places,
        mode=mode,
        cubic_coeff_a=float(node.attribute("cubic_coeff_a", -0.75)),
        antialias=bool(node.attribute("antialias", 0)),
        exclude_outside=bool(node.attribute("exclude_outside", 0)),
    )


def _resize(build: Importer, node: OnnxNode) -> None:
    name = node.inputs[0]
    rank, found = len(build.shape(name)), resized_axes(build, node)
    layout = LAST if build.has_last(name) else FILE
    value = build.value(name, layout)
    if not found:
        build.add(node, shape.Identity(), [value], layout)
        return
    sizes = bool(node.input(3)) and node.attribute("keep_aspect_ratio_policy", "stretch") == "stretch"
    axes = tuple(axis_in_last(r.axis, rank) if layout == LAST else r.axis for r in found)
    build.add(node, _block(node, found, axes, sizes), [value], layout)


def _grid_sample(build: Importer, node: OnnxNode) -> None:
    old = {"bilinear": "linear", "bicubic": "cubic"}  # names before operator set 20
    mode = str(node.attribute("mode", "linear"))
    padding, aligned = str(node.attribute("padding_mode", "zeros")), bool(node.attribute("align_corners", 0))
    block = grid_sample.GridSample(old.get(mode, mode), padding, aligned)
    build.add(node, block, [build.value(node.inputs[0], LAST), build.value(node.inputs[1])], LAST)


def _affine_grid(build: Importer, node: OnnxNode) -> None:
    size = tuple(int(n) for n in np.ravel(build.constant(node.inputs[1])))[2:]
    block = grid_sample.AffineGrid(size, bool(node.attribute("align_corners", 0)))
    build.add(node, block, [build.value(node.inputs[0])])


def _refuse_resize(node: OnnxNode) -> str:
    if node.attribute("mode", "nearest") not in ("nearest", "linear", "cubic"):
        return f"mode={node.attribute('mode')}"
    return "antialias of nearest" if node.attribute("antialias", 0) and node.attribute("mode") == "nearest" else ""


RULES: dict[str, Rule] = {
    "AffineGrid": Rule(_affine_grid),
    "GridSample": Rule(_grid_sample),
    "Resize": Rule(_resize, _refuse_resize),
    "Upsample": Rule(_resize, _refuse_resize),
}
