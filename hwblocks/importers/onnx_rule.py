"""Rule: how one ONNX operator is built; and what several families of rules need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.graph.block import Block
from hwblocks.graph.window import same_pads
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, OnnxNode

Array = np.ndarray[Any, Any]
Build = Callable[[Importer, OnnxNode], None]


@dataclass(frozen=True)
class Rule:
    """How an operator is built, which of its attribute values are refused (with the reason), and whether it is
    evaluated when all its inputs are constants."""

    build: Build
    refuse: Callable[[OnnxNode], str] = lambda node: ""
    folds: bool = True


def spatial(node: OnnxNode, x: tuple[int, ...], kernel: Any) -> tuple[Any, Any, Any]:
    """(stride, padding pairs, dilation) of a windowed operator."""
    axes = len(x) - 2
    stride = tuple(node.attribute("strides") or (1,) * axes)
    dilation = tuple(node.attribute("dilations") or (1,) * axes)
    auto = node.attribute("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        return stride, same_pads(x[2:], kernel, stride, dilation, auto == "SAME_UPPER"), dilation
    pads = tuple(node.attribute("pads") or (0,) * 2 * axes) if auto == "NOTSET" else (0,) * 2 * axes
    return stride, tuple(zip(pads[:axes], pads[axes:], strict=True)), dilation


def given_axes(build: Importer, node: OnnxNode) -> tuple[int, ...] | None:
    """Axes from the second input (newer operator sets) or the attribute."""
    if node.input(1):
        return tuple(int(a) for a in build.constant(node.inputs[1]).ravel())
    given = node.attribute("axes")
    return None if given is None else tuple(int(a) for a in given)


def unary(make: Callable[[OnnxNode], Block]) -> Build:
    """An element-wise operator: the layout that is there passes through."""

    def build_unary(build: Importer, node: OnnxNode) -> None:
        layout = LAST if build.has_last(node.inputs[0]) else FILE
        build.add(node, make(node), [build.value(node.inputs[0], layout)], layout)

    return build_unary
