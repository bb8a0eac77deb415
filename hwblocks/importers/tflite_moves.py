"""TFLite operators that move elements: cut, join, repeat, permute, pick; and the table that names them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import hwblocks.blocks.batching as batching
import hwblocks.blocks.edges as edges
import hwblocks.blocks.shape as shape
import hwblocks.blocks.slicing as slicing
from hwblocks.errors import UnsupportedOperatorError
from hwblocks.graph.builder import Value
from hwblocks.importers.tflite_file import TfliteOperator
from hwblocks.importers.tflite_graph import (
    LARGEST_FOLDED,
    Build,
    TfliteImporter,
    format_of,
    fused,
    name_of,
    unary,
    where,
)

Array = np.ndarray[Any, Any]


def to_shape(build: TfliteImporter, op: TfliteOperator, x: Value) -> None:
    """A view of x in the shape that the file declares (−1 and batch sizes are resolved there)."""
    build.add(op, shape.Reshape(view_shape(x.shape, resolved(build.output_tensor(op).shape, x.shape))), [x])


def resolved(target: Sequence[int], x: Sequence[int]) -> tuple[int, ...]:
    """A declared shape with at most one unknown axis filled in."""
    known = int(np.prod([s for s in target if s > 0]))
    return tuple(int(s) if s > 0 else int(np.prod(x)) // max(known, 1) for s in target)


def view_shape(x: Sequence[int], target: Sequence[int]) -> tuple[int, ...]:
    """The target with a leading 0 (same as the input's) where the leading axis stays."""
    if target and x and target[0] == x[0]:
        return (0, *target[1:])
    return tuple(target)


def reshape(build: TfliteImporter, op: TfliteOperator) -> None:
    to_shape(build, op, build.input(op, 0))


def transpose(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, shape.Transpose(tuple(int(p) for p in build.constant(op, 1))), [build.input(op, 0)])


def concatenation(build: TfliteImporter, op: TfliteOperator) -> None:
    values = [build.input(op, i) for i in range(len(op.inputs))]
    build.add(op, shape.Concat(op.options["axis"]), rescaled(build, op, values), activation=fused(op))


def rescaled(build: TfliteImporter, op: TfliteOperator, values: list[Value]) -> list[Value]:
    """Inputs brought to the output's format where they differ (older uint8 files)."""
    wanted = format_of(build.output_tensor(op))
    return [
        v
        if v.tensor.format == wanted or not wanted.is_quantized
        else build.add(
            op, edges.Rescale(), [v], part=f"rescaled{i}", formats=[wanted], attributes={"operator": op.name}
        )
        for i, v in enumerate(values)
    ]


def split(build: TfliteImporter, op: TfliteOperator) -> None:
    axis, x = int(build.constant(op, 0).ravel()[0]), build.input(op, 1)
    count = len(op.outputs)
    build.add(op, slicing.Split((x.shape[axis] // count,) * count, axis % len(x.shape)), [x])


def split_v(build: TfliteImporter, op: TfliteOperator) -> None:
    x, sizes = build.input(op, 0), [int(s) for s in build.constant(op, 1)]
    axis = int(build.constant(op, 2).ravel()[0]) % len(x.shape)
    rest = x.shape[axis] - sum(s for s in sizes if s >= 0)
    build.add(op, slicing.Split(tuple(s if s >= 0 else rest for s in sizes), axis), [x])


def pack(build: TfliteImporter, op: TfliteOperator) -> None:
    values = [build.input(op, i) for i in range(len(op.inputs))]
    build.add(op, slicing.Stack(op.options["axis"] % (len(values[0].shape) + 1)), values)


def unpack(build: TfliteImporter, op: TfliteOperator) -> None:
    x = build.input(op, 0)
    build.add(op, slicing.Unstack(op.options["axis"] % len(x.shape)), [x])


def pad(build: TfliteImporter, op: TfliteOperator) -> None:
    pads = tuple((int(a), int(b)) for a, b in build.constant(op, 1))
    value = 0.0
    if build.has(op, 2):
        tensor = build.input(op, 2).tensor
        value = float(np.asarray(tensor.format.dequantize(tensor.value)).ravel()[0])
    build.add(op, shape.Pad(pads, value), [build.input(op, 0)])


def mirror_pad(build: TfliteImporter, op: TfliteOperator) -> None:
    pads = tuple((int(a), int(b)) for a, b in build.constant(op, 1))
    build.add(op, slicing.MirrorPad(pads, str(op.options.get("mode", "REFLECT")).lower()), [build.input(op, 0)])


def tile(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, slicing.Tile(tuple(int(r) for r in build.constant(op, 1))), [build.input(op, 0)])


def broadcast_to(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, slicing.Expand(tuple(int(s) for s in build.constant(op, 1))), [build.input(op, 0)])


def reverse(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, slicing.Flip(tuple(int(d) for d in np.ravel(build.constant(op, 1)))), [build.input(op, 0)])


def shape_of(build: TfliteImporter, op: TfliteOperator) -> None:
    known(build, op, np.array(build.input(op, 0).shape))


def rank_of(build: TfliteImporter, op: TfliteOperator) -> None:
    known(build, op, np.array(len(build.input(op, 0).shape)))


def zeros_like(build: TfliteImporter, op: TfliteOperator) -> None:
    size = build.input(op, 0).shape
    if math.prod(size) > LARGEST_FOLDED:
        raise UnsupportedOperatorError(f"{where(op)}: makes zeros of shape {size}")
    known(build, op, np.zeros(size))


def range_of(build: TfliteImporter, op: TfliteOperator) -> None:
    start, limit, delta = (build.constant(op, i).ravel()[0] for i in range(3))
    if delta == 0 or not np.isfinite([start, limit, delta]).all():
        raise UnsupportedOperatorError(f"{where(op)}: steps of {delta} never reach its limit")
    if abs(float(limit) - float(start)) > abs(float(delta)) * LARGEST_FOLDED:
        raise UnsupportedOperatorError(f"{where(op)}: makes more than {LARGEST_FOLDED} elements")
    known(build, op, np.arange(start, limit, delta))


def known(build: TfliteImporter, op: TfliteOperator, value: Array) -> None:
    """The output is a constant."""
    tensor = build.output_tensor(op)
    build.alias(op, build.builder.constant(name_of(tensor), value, format_of(tensor), source_name=tensor.name))


def fill(build: TfliteImporter, op: TfliteOperator) -> None:
    size = tuple(int(s) for s in np.ravel(build.constant(op, 0)))
    if min(size, default=0) < 0 or math.prod(size) > LARGEST_FOLDED:
        raise UnsupportedOperatorError(f"{where(op)}: fills shape {size}")
    build.add(op, slicing.Expand(size), [build.input(op, 1)])


def pair_list(values: Array) -> tuple[tuple[int, int], ...]:
    """Rows of two numbers."""
    return tuple((int(a), int(b)) for a, b in values)


def space_to_batch(build: TfliteImporter, op: TfliteOperator) -> None:
    block, pads = (build.constant(op, i) for i in (1, 2))
    made = batching.SpaceToBatch(tuple(int(b) for b in block), pair_list(pads))
    build.add(op, made, [build.input(op, 0)])


def batch_to_space(build: TfliteImporter, op: TfliteOperator) -> None:
    block, crops = (build.constant(op, i) for i in (1, 2))
    made = batching.BatchToSpace(tuple(int(b) for b in block), pair_list(crops))
    build.add(op, made, [build.input(op, 0)])


MOVES: dict[str, Build] = {
    "BATCH_TO_SPACE_ND": batch_to_space,
    "BROADCAST_TO": broadcast_to,
    "CONCATENATION": concatenation,
    "DEPTH_TO_SPACE": unary(lambda op: slicing.DepthToSpace(op.options["block_size"])),
    "EXPAND_DIMS": reshape,
    "FILL": fill,
    "MIRROR_PAD": mirror_pad,
    "PACK": pack,
    "PAD": pad,
    "PADV2": pad,
    "RANGE": range_of,
    "RANK": rank_of,
    "RESHAPE": reshape,
    "REVERSE_V2": reverse,
    "SHAPE": shape_of,
    "SPACE_TO_BATCH_ND": space_to_batch,
    "SPACE_TO_DEPTH": unary(lambda op: slicing.SpaceToDepth(op.options["block_size"])),
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SQUEEZE": reshape,
    "TILE": tile,
    "TRANSPOSE": transpose,
    "UNPACK": unpack,
    "ZEROS_LIKE": zeros_like,
}
