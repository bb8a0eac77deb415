"""Activation maps: what float and integer layers make of one sample, as small pictures beside each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hwblocks.analysis.comparison import scaled
from hwblocks.charts import Images, Pixels
from hwblocks.graph.graph import Graph
from hwblocks.graph.tensor import Tensor
from hwblocks.simulate.simulator import Run

Array = np.ndarray[Any, Any]

PIXELS = 1_400_000  # of all pictures together, so that a report stays small
PICTURES = 1_500  # of a report, as each takes most of a kilobyte beside its pixels
LARGEST = 64  # pixels along a side of a picture
FOLDED = 32  # elements of a vector in one line
SIDES = ("float", "integer", "difference")


def picture_limit(layers: int) -> int:
    """Pixels along the longer side of each picture, for a number of layers times channels.

    >>> picture_limit(16), picture_limit(2000)
    (64, 15)
    """
    return max(8, min(LARGEST, int(math.sqrt(PIXELS / (len(SIDES) * max(layers, 1))))))


def channels_shown(wanted: int, layers: int) -> int:
    """Channels of each layer, for a number of layers times samples: those wanted, or fewer, but one at least.

    >>> channels_shown(4, 20), channels_shown(64, 50), channels_shown(4, 1000)
    (4, 10, 1)
    """
    return max(1, min(wanted, PICTURES // (len(SIDES) * max(layers, 1))))


def layer_maps(
    tensor: Tensor,
    source: Tensor,
    layout: str,
    reals: Run,
    codes: Run,
    place: int,
    index: int,
    channels: int,
    limit: int,
) -> tuple[str, Images]:
    """(name, pictures) of one layer: `channels` rows of float, integer and difference.

    place: of the sample among those of the runs; index: its number among all.
    """
    first = scaled(reals.trace.real(source.name), tensor)[place]
    second = codes.trace.real(tensor.name)[place]
    names, planes = planes_of(first, layout, channels)
    others = planes_of(second, layout, channels)[1]
    step = math.ceil(max((max(p.shape) for p in planes), default=1) / limit)
    pixels = tuple(_row(a[::step, ::step], b[::step, ::step]) for a, b in zip(planes, others, strict=True))
    shape = "×".join(map(str, tensor.shape[1:])) or "1"
    about = f"sample {index}, {shape} {tensor.format.name}" + (f", every {ordinal(step)} pixel" if step > 1 else "")
    return f"sample {index}: {tensor.name}", Images(tensor.name, names, SIDES, pixels, text=about)


def layout_of(graph: Graph, tensor: Tensor) -> str:
    """The axes of a tensor; of a graph's input or output in the file's order what its change of layout says."""
    if tensor.layout:
        return tensor.layout
    for node in graph.nodes:
        if node.marked == "layout":
            inner = (
                node.outputs[0] if tensor.name in node.inputs else node.inputs[0] if tensor.name in node.outputs else ""
            )
            axes = graph.tensors[inner].layout if inner else ""
            if axes.endswith("C") and len(axes) == len(tensor.shape):
                return "NC" + axes[1:-1]
    return ""


def planes_of(value: Array, layout: str, channels: int) -> tuple[tuple[str, ...], list[Array]]:
    """One sample [1, ...] as named planes: channels of pictures, a sequence as time × channels, a vector in lines.

    >>> names, planes = planes_of(np.zeros((1, 5, 6, 8)), "NHWC", 2)
    >>> names, planes[0].shape
    (('channel 0', 'channel 1'), (5, 6))
    """
    value = value[0] if value.ndim > 1 and value.shape[0] == 1 else value
    if layout.startswith("NC") and value.ndim == len(layout) - 1:
        value = np.moveaxis(value, 0, -1)
    if value.ndim > 2 and math.prod(value.shape[:-1]) > 1:
        pictures = value.reshape(-1, *value.shape[-2:])  # further axes lie below each other
        chosen = range(min(channels, value.shape[-1]))
        return tuple(f"channel {c}" for c in chosen), [pictures[..., c] for c in chosen]
    if value.ndim == 2 and value.shape[0] > 1:
        return ("all",), [value]
    return ("all",), [_folded(value.ravel())]


def _folded(vector: Array) -> Array:
    """A vector in lines of FOLDED elements, the last filled up with NaN."""
    if vector.size <= FOLDED:
        return vector.reshape(1, -1)
    lines = -(-vector.size // FOLDED)
    padded = np.full(lines * FOLDED, np.nan)
    padded[: vector.size] = vector
    return padded.reshape(lines, FOLDED)


def _row(real: Array, got: Array) -> tuple[Pixels, ...]:
    """Float and integer in one range of colours, and their difference around zero."""
    both = np.concatenate([real.ravel(), got.ravel()])
    known = both[np.isfinite(both)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    error = got - real
    reach = float(np.max(np.abs(error[np.isfinite(error)]), initial=0.0))
    return _pixels(real, low, high), _pixels(got, low, high), _pixels(error, 0.0 - reach, reach, True)


def _pixels(plane: Array, low: float, high: float, signed: bool = False) -> Pixels:
    """A plane with values rounded to a ten-thousandth of their range."""
    digits = 4 - math.floor(math.log10(high - low)) if high > low else 6
    rounded = np.round(np.where(np.isinf(plane), np.nan, plane), digits)
    return Pixels(tuple(map(tuple, rounded.tolist())), low, high, signed)


def ordinal(number: int) -> str:
    """2nd, 3rd, 4th, …

    >>> [ordinal(n) for n in (2, 3, 4, 12, 22)]
    ['2nd', '3rd', '4th', '12th', '22nd']
    """
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ends.get(number % 10, 'th')}"
