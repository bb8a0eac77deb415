"""TFLite operators that pick elements: slices, gathers, selections, the largest; and the table that names them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import hwblocks.blocks.edges as edges
import hwblocks.blocks.scanning as scanning
import hwblocks.blocks.selection as selection
import hwblocks.blocks.shape as shape
import hwblocks.blocks.slicing as slicing
from hwblocks.errors import UnsupportedOperatorError
from hwblocks.graph.builder import Value
from hwblocks.importers.tflite_file import TfliteOperator
from hwblocks.importers.tflite_graph import LARGEST_FOLDED, Build, TfliteImporter, Variable, format_of, name_of, where

Array = np.ndarray[Any, Any]


def sliced(build: TfliteImporter, op: TfliteOperator) -> None:
    x, begin, size = build.input(op, 0), build.input(op, 1), build.constant(op, 2)
    if begin.tensor.value is None:
        sizes = build.output_tensor(op).shape if (size < 0).any() else tuple(int(s) for s in size)
        build.add(op, selection.DynamicSlice(sizes), [x, begin])
        return
    first = begin.tensor.value
    stops = [int(b + s) if s >= 0 else x.shape[i] for i, (b, s) in enumerate(zip(first, size, strict=True))]
    axes = tuple(range(len(x.shape)))
    if any(not 0 <= int(b) <= s <= n for b, s, n in zip(first, stops, x.shape, strict=True)):
        raise UnsupportedOperatorError(f"{where(op)}: begin {first.tolist()}, size {size.tolist()} leave {x.shape}")
    build.add(op, slicing.Slice(tuple(int(b) for b in first), tuple(stops), (1,) * len(axes), axes), [x])


def axis_specs(op: TfliteOperator, count: int, rank: int) -> list[tuple[str, int, int]]:
    """What each entry of begin, end and strides stands for: (kind, its position, the axis of x).

    Kinds: "slice"; "whole" (an axis that an ellipsis covers); "new" (an axis of size 1 put in).
    """
    o, specs, axis = op.options, [], 0
    masked = [bool(o.get("new_axis_mask", 0) >> i & 1) for i in range(count)]
    ellipses = [i for i in range(count) if o.get("ellipsis_mask", 0) >> i & 1]
    first = ellipses[0] if ellipses else count
    for i in range(count):
        if i == first:
            rest = sum(1 for j in range(i + 1, count) if not masked[j])
            covered = range(axis, max(rank - rest, axis))
            if not covered:
                raise UnsupportedOperatorError(f"{where(op)}: its ellipsis covers no axis, which has two readings")
            specs += [("whole", i, a) for a in covered]
            axis = covered.stop
        elif masked[i]:
            specs.append(("new", i, axis))
        else:
            specs.append(("slice", i, axis))
            axis += 1
    return [*specs, *(("whole", count, a) for a in range(axis, rank))]


def strided_slice(build: TfliteImporter, op: TfliteOperator) -> None:
    x, begin, steps = build.input(op, 0), build.input(op, 1), build.constant(op, 3)
    specs = axis_specs(op, len(steps), len(x.shape))
    if sum(kind != "new" for kind, _, _ in specs) != len(x.shape):
        raise UnsupportedOperatorError(f"{where(op)}: begin has {len(steps)} entries, the input {len(x.shape)} axes")
    if begin.tensor.value is None:
        part = run_time_slice(build, op, x, begin, specs, steps)
    else:
        part = constant_slice(build, op, x, begin.tensor.value, specs, steps)
    shrunk = op.options.get("shrink_axis_mask", 0)
    sizes = iter(part.shape)
    kept: list[int] = []
    for kind, i, _ in specs:
        if kind == "new":
            kept.append(1)
        elif kind == "slice" and shrunk >> i & 1:
            next(sizes)
        else:
            kept.append(next(sizes))
    stays = bool(kept and part.shape and kept[0] == part.shape[0] and specs[0][0] != "new" and not shrunk & 1)
    build.add(op, shape.Reshape((0, *kept[1:]) if stays else tuple(kept)), [part])


def constant_slice(
    build: TfliteImporter, op: TfliteOperator, x: Value, begin: Array, specs: list[tuple[str, int, int]], steps: Array
) -> Value:
    end = build.constant(op, 2)
    bounds = {
        axis: slice_bounds(op.options, i, x.shape[axis], int(begin[i]), int(end[i]), int(steps[i]))
        for kind, i, axis in specs
        if kind == "slice"
    }
    if any(step == 0 for _, _, step in bounds.values()):
        raise UnsupportedOperatorError(f"{where(op)}: a stride is 0")
    starts, stops, strides = zip(*bounds.values(), strict=True) if bounds else ((), (), ())
    masks = op.options.get("ellipsis_mask", 0) | op.options.get("new_axis_mask", 0)
    attributes = {"unread_masks": "1"} if masks else {}  # by TFLite-Micro
    block = slicing.Slice(starts, stops, strides, tuple(bounds))
    return build.add(op, block, [x], part="slice", attributes=attributes)


def run_time_slice(
    build: TfliteImporter, op: TfliteOperator, x: Value, begin: Value, specs: list[tuple[str, int, int]], steps: Array
) -> Value:
    """A slice that begins where the data say; how much it takes is known from the output's shape."""
    o, declared = op.options, list(build.output_tensor(op).shape)
    if any(kind == "new" or (kind == "slice" and i != axis) for kind, i, axis in specs):
        raise UnsupportedOperatorError(f"{where(op)}: begin is made at run time, behind new axes or an ellipsis")
    sizes: list[int] = []
    starts: list[int | None] = []
    for kind, i, axis in specs:
        shrink = kind == "slice" and bool(o.get("shrink_axis_mask", 0) >> i & 1)
        sizes.append(1 if shrink else declared.pop(0) if declared else -1)
        free = kind == "whole" or (bool(o.get("begin_mask", 0) >> i & 1) and not shrink)
        backwards = kind == "slice" and steps[i] < 0
        starts.append((x.shape[axis] - 1 if backwards else 0) if free else None)
    strides = tuple(1 if kind == "whole" else int(steps[i]) for kind, i, _ in specs)
    block = selection.DynamicSlice(tuple(sizes), strides, tuple(starts))
    return build.add(op, block, [x, begin], part="slice")


def slice_bounds(
    o: dict[str, Any], axis: int, size: int, begin: int, end: int, step: int
) -> tuple[int, int | None, int]:
    """(start, stop, step) of one axis; stop None runs to the end in the step's direction."""

    def mask(name: str) -> bool:
        return bool(o.get(name, 0) >> axis & 1)

    low, high = (0, size) if step > 0 else (-1, size - 1)
    start = (
        (0 if step > 0 else size - 1)
        if mask("begin_mask")
        else min(max(begin + size if begin < 0 else begin, low), high)
    )
    if mask("shrink_axis_mask"):
        return start, start + 1, 1
    if o.get("offset", False):
        end = start + end
    stop = (size if step > 0 else -1) if mask("end_mask") else min(max(end + size if end < 0 else end, low), high)
    return start, None if stop < 0 else stop, step


def dynamic_update_slice(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, selection.DynamicUpdateSlice(), [build.input(op, i) for i in range(3)])


def gather(build: TfliteImporter, op: TfliteOperator) -> None:
    x, indices = build.input(op, 0), build.input(op, 1)
    axis, batch = int(op.options.get("axis", 0)), int(op.options.get("batch_dims", 0))
    axis = axis + len(x.shape) if axis < 0 else axis
    batch = batch + len(indices.shape) if batch < 0 else batch
    value = indices.tensor.value
    if value is None or batch:
        build.add(op, selection.Take(axis, batch), [x, indices])
        return
    if value.size and int(value.min()) < 0:
        raise UnsupportedOperatorError(f"{where(op)}: index {int(value.min())} is below 0")
    build.add(op, slicing.Gather(nested(value), axis), [x])


def nested(indices: Array) -> Any:
    """An array as nested tuples of integers."""
    return int(indices) if indices.ndim == 0 else tuple(nested(i) for i in indices)


def embedding_lookup(build: TfliteImporter, op: TfliteOperator) -> None:
    indices, table = build.input(op, 0), build.input(op, 1)
    wanted = format_of(build.output_tensor(op))
    if table.tensor.format == wanted:
        build.add(op, selection.Take(0), [table, indices])
        return
    if not table.tensor.format.is_quantized or not wanted.is_float or isinstance(table.tensor.format.scale, tuple):
        raise UnsupportedOperatorError(f"{where(op)}: looks up {table.tensor.format!r} as {wanted!r}")
    part = build.add(op, selection.Take(0), [table, indices], part="codes", formats=[table.tensor.format])
    build.add(op, edges.Dequantize(), [part])


def select(build: TfliteImporter, op: TfliteOperator) -> None:
    condition, a, b = (build.input(op, i) for i in range(3))
    if op.name == "SELECT" and len(condition.shape) == 1 and len(a.shape) > 1:
        rows = (*condition.shape, *(1,) * (len(a.shape) - 1))
        condition = build.add(op, shape.Reshape(rows), [condition], part="rows", formats=[condition.tensor.format])
    build.add(op, selection.Select(), [condition, a, b])


def gather_nd(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, selection.GatherND(), [build.input(op, 0), build.input(op, 1)])


def scatter_nd(build: TfliteImporter, op: TfliteOperator) -> None:
    size = tuple(int(s) for s in np.ravel(build.constant(op, 2)))
    if min(size, default=0) < 0 or math.prod(size) > LARGEST_FOLDED:
        raise UnsupportedOperatorError(f"{where(op)}: scatters into shape {size}")
    build.add(op, scanning.ScatterND(size), [build.input(op, 0), build.input(op, 1)])


def topk(build: TfliteImporter, op: TfliteOperator) -> None:
    build.add(op, selection.TopK(int(np.ravel(build.constant(op, 1))[0])), [build.input(op, 0)])


def circular_buffer(build: TfliteImporter, op: TfliteOperator) -> None:
    """The last time slices, kept from sample to sample. Source: TFLite-Micro `kernels/circular_buffer.cc`."""
    x, tensor = build.input(op, 0), build.output_tensor(op)
    cycles = cycles_of(op, tensor.shape)
    if cycles != 1:
        raise UnsupportedOperatorError(
            f"{where(op)}: ends {cycles - 1} of {cycles} runs of the model early; only cycles_max=1 is supported"
        )
    if len(tensor.shape) != 4 or (tensor.shape[0], 1, *tensor.shape[2:]) != x.shape:
        raise UnsupportedOperatorError(f"{where(op)}: slices {x.shape} do not fit its buffer {tensor.shape}")
    if tensor.shape[1] == 1:
        build.add(op, shape.Identity(), [x])
        return
    variable = Variable(f"{name_of(tensor)}.kept")
    build.keep(tensor.index, variable)
    state = build.started(variable, tensor.shape, format_of(tensor), tensor.name)
    rest = slicing.Slice((1,), (None,), (1,), (1,))
    newer = build.add(op, rest, [state], part="newer", formats=[state.tensor.format])
    variable.current = build.add(op, shape.Concat(1), [newer, x])


def cycles_of(op: TfliteOperator, buffer: tuple[int, ...]) -> int:
    """How often the operator runs before the rest of the model does; 0 in the file lets the runtime guess."""
    stated = first_number(op.custom_options) if op.custom_options else 0
    if stated > 0:
        return stated
    return 1 if len(buffer) > 1 and buffer[1] in (5, 13, 25) else 2


def first_number(data: bytes) -> int:
    """The first value of a FlexBuffers map, as an integer; 0 where there is none.

    The last byte is the width of the root, an offset back to the map; the byte before it holds the root's type (upper
    6 bits) and the width of its elements (lower 2). The number of elements stands before them, their types after.
    """
    if len(data) < 3:
        return 0
    width, element = data[-1], 1 << (data[-2] & 3)
    root = len(data) - 2 - width
    start = root - int.from_bytes(data[max(root, 0) : root + width], "little")
    if root < 0 or start < element or start + element > len(data):
        return 0
    count = int.from_bytes(data[start - element : start], "little")
    return int.from_bytes(data[start : start + element], "little", signed=True) if count else 0


PICKS: dict[str, Build] = {
    "CUSTOM:CIRCULAR_BUFFER": circular_buffer,
    "DYNAMIC_UPDATE_SLICE": dynamic_update_slice,
    "EMBEDDING_LOOKUP": embedding_lookup,
    "GATHER": gather,
    "GATHER_ND": gather_nd,
    "SCATTER_ND": scatter_nd,
    "SELECT": select,
    "SELECT_V2": select,
    "SLICE": sliced,
    "STRIDED_SLICE": strided_slice,
    "TOPK_V2": topk,
}
