"""ONNX operators that pick, scatter and scan: gathers, scatters, TopK, OneHot, arg-extremes, running sums."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import hwblocks.blocks.picking as picking
import hwblocks.blocks.reduction as reduction
import hwblocks.blocks.scanning as scanning
import hwblocks.blocks.scattering as scattering
import hwblocks.blocks.selection as selection
import hwblocks.blocks.shape as shape
import hwblocks.blocks.slicing as slicing
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import Value
from hwblocks.importers.onnx_graph import Importer, OnnxNode, as_stored, refuse_codes
from hwblocks.importers.onnx_rule import Build, Rule
from hwblocks.importers.onnx_types import INT64


def values_of(build: Importer, node: OnnxNode, count: int) -> list[Value | None]:
    """The first inputs in the file's layout, None where absent."""
    return [build.value(node.input(i)) if node.input(i) else None for i in range(count)]


def add_moved(build: Importer, node: OnnxNode, block: Block, inputs: list[Value | None], source: int = 0) -> None:
    """A block whose output has the type of one of its inputs."""
    value = inputs[source]
    assert value is not None
    build.add(node, block, inputs, types=(value.tensor.format,))


def nested(indices: np.ndarray) -> object:  # type: ignore[type-arg]
    """Indices as one number or nested tuples."""
    return tuple(nested(i) for i in indices) if indices.ndim else int(indices)


def _gather(build: Importer, node: OnnxNode) -> None:
    axis = int(node.attribute("axis", 0))
    if build.is_constant(node.inputs[1]):
        indices = build.constant(node.inputs[1])
        block: Block = slicing.Gather(nested(indices), axis)
        if indices.size:
            build.add(node, block, values_of(build, node, 1))
            return
    add_moved(build, node, selection.Take(axis, from_end=True), values_of(build, node, 2))


def _gather_elements(build: Importer, node: OnnxNode) -> None:
    add_moved(build, node, picking.GatherElements(int(node.attribute("axis", 0))), values_of(build, node, 2))


def _gather_nd(build: Importer, node: OnnxNode) -> None:
    block = selection.GatherND(int(node.attribute("batch_dims", 0)), from_end=True)
    add_moved(build, node, block, values_of(build, node, 2))


def _scatter_elements(build: Importer, node: OnnxNode) -> None:
    axis, how = int(node.attribute("axis", 0)), node.attribute("reduction", "none")
    block = scattering.ScatterElements(axis) if how == "none" else scattering.ScatterElementsReduce(axis, how)
    add_moved(build, node, block, values_of(build, node, 3))


def _scatter_nd(build: Importer, node: OnnxNode) -> None:
    how = node.attribute("reduction", "none")
    block = scattering.ScatterNDUpdate() if how == "none" else scattering.ScatterNDReduce(how)
    add_moved(build, node, block, values_of(build, node, 3))


def _tensor_scatter(build: Importer, node: OnnxNode) -> None:
    block = scattering.TensorScatter(int(node.attribute("axis", -2)), str(node.attribute("mode", "linear")))
    add_moved(build, node, block, values_of(build, node, 3))


def _one_hot(build: Importer, node: OnnxNode) -> None:
    depth = int(np.ravel(build.constant(node.inputs[1]))[0])
    block = picking.OneHot(depth, int(node.attribute("axis", -1)))
    add_moved(build, node, block, [build.value(node.inputs[0]), build.value(node.inputs[2])], 1)


def _reverse_sequence(build: Importer, node: OnnxNode) -> None:
    block = picking.ReverseSequence(int(node.attribute("batch_axis", 1)), int(node.attribute("time_axis", 0)))
    add_moved(build, node, block, values_of(build, node, 2))


def _trilu(build: Importer, node: OnnxNode) -> None:
    k = int(np.ravel(build.constant(node.inputs[1]))[0]) if node.input(1) else 0
    build.add(node, picking.Trilu(bool(node.attribute("upper", 1)), k), values_of(build, node, 1))


def _top_k(build: Importer, node: OnnxNode) -> None:
    k = int(np.ravel(build.constant(node.inputs[1]))[0]) if node.opset >= 10 else int(node.attribute("k"))
    block = selection.TopK(k, int(node.attribute("axis", -1)), bool(node.attribute("largest", 1)))
    value = build.value(node.inputs[0])
    refuse_codes(block, [value])
    build.add_all(node, block, [value], (value.tensor.format, INT64))


def _position(cls: type[reduction.Position]) -> Build:
    def build_position(build: Importer, node: OnnxNode) -> None:
        last = bool(node.attribute("select_last_index", 0))
        block = cls(int(node.attribute("axis", 0)), bool(node.attribute("keepdims", 1)), last)
        build.add(node, block, values_of(build, node, 1), types=(INT64,))

    return build_position


def _running(cls: Callable[..., Block]) -> Build:
    def build_running(build: Importer, node: OnnxNode) -> None:
        axis = int(np.ravel(build.constant(node.inputs[1]))[0])
        block = cls(axis, bool(node.attribute("exclusive", 0)), bool(node.attribute("reverse", 0)))
        build.add(node, block, values_of(build, node, 1))

    return build_running


def _compress(build: Importer, node: OnnxNode) -> None:
    """With a constant condition the picked slices are known."""
    picked = tuple(int(i) for i in np.flatnonzero(build.constant(node.inputs[1])))
    value, axis = build.value(node.inputs[0]), node.attribute("axis")
    if axis is None:
        value = build.add(node, shape.Reshape((-1,)), [value], part="flat")
    limit = value.shape[int(axis or 0)]
    if any(i >= limit for i in picked):
        raise GraphError(f"the condition picks element {picked[-1]} of an axis of {limit}")
    stored = build.builder.constant(f"{node.name}.picked", *as_stored(np.array(picked, dtype=np.int64)))
    add_moved(build, node, selection.Take(int(axis or 0)), [value, stored])


def refuse_data_dependent(node: OnnxNode) -> str:
    """Why an operator whose result has another shape for other data is refused."""
    return "its result's shape depends on data"


RULES: dict[str, Rule] = {
    "ArgMax": Rule(_position(reduction.ArgMax)),
    "ArgMin": Rule(_position(reduction.ArgMin)),
    "Compress": Rule(_compress),
    "CumProd": Rule(_running(scanning.CumProd)),
    "CumSum": Rule(_running(scanning.CumSum)),
    "Gather": Rule(_gather),
    "GatherElements": Rule(_gather_elements),
    "GatherND": Rule(_gather_nd),
    "OneHot": Rule(_one_hot),
    "ReverseSequence": Rule(_reverse_sequence),
    "Scatter": Rule(_scatter_elements),
    "ScatterElements": Rule(_scatter_elements),
    "ScatterND": Rule(_scatter_nd),
    "TensorScatter": Rule(_tensor_scatter),
    "TopK": Rule(_top_k),
    "Trilu": Rule(_trilu),
}
DATA_DEPENDENT = ("NonMaxSuppression", "NonZero", "Unique")
"""Operators whose result's shape depends on data: evaluated on constants, refused elsewhere."""
RULES |= {name: Rule(lambda build, node: None, refuse_data_dependent) for name in DATA_DEPENDENT}
