"""Placement: where a sample lies in its padded plane and where windows begin, for other than two plain axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Placement:
    """Elements of a padded plane [height, width, channels] of one sample, every axis but the last joined to the height.

    runs [R, 3]: (first element of the plane, first element of the sample, elements); the rest of the plane is padding.
    starts [positions]: the first element of each window. rows [kernel rows]: elements from there to each kernel row.
    """

    height: int
    width: int
    runs: Array
    starts: Array
    rows: Array


def placed(
    size: Sequence[int],
    channels: int,
    output: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    before: Sequence[int],
    apart: Sequence[int],
) -> Placement:
    """The placement of x [*size, channels] in windows of any number of axes.

    before: where the first element lies along each axis of the plane, negative where it is cut off. apart: from one
    element to the next, 1 unless zeros lie between them.
    """
    plane = [(o - 1) * s + d * (k - 1) + 1 for o, s, d, k in zip(output, stride, dilation, kernel, strict=True)]
    steps = [channels * int(np.prod(plane[axis + 1 :], dtype=np.int64)) for axis in range(len(plane))]
    starts = _sums([np.arange(o) * s * step for o, s, step in zip(output, stride, steps, strict=True)])
    rows = _sums([np.arange(k) * d * step for k, d, step in zip(kernel[:-1], dilation[:-1], steps[:-1], strict=True)])
    runs = _runs(size, channels, plane, steps, before, apart)
    return Placement(int(np.prod(plane[:-1], dtype=np.int64)), plane[-1], runs, starts, rows)


def _sums(parts: Sequence[Array]) -> Array:
    """Every sum of one entry of each part, the last part fastest."""
    made = np.zeros(1, np.int64)
    for part in parts:
        made = (made[:, None] + part).ravel()
    return np.ascontiguousarray(made, dtype=np.int64)


def _runs(
    size: Sequence[int],
    channels: int,
    plane: Sequence[int],
    steps: Sequence[int],
    before: Sequence[int],
    apart: Sequence[int],
) -> Array:
    """Neighbours that stay neighbours, in the order of the plane."""
    to, at = [], []
    own = [channels * int(np.prod(size[axis + 1 :], dtype=np.int64)) for axis in range(len(size))]
    for axis in range(len(size)):
        index = np.arange(size[axis])
        place = before[axis] + index * apart[axis]
        kept = (place >= 0) & (place < plane[axis])
        to.append(place[kept] * steps[axis])
        at.append(index[kept] * own[axis])
    together = len(to[-1]) if apart[-1] == 1 else 1
    if together > 1:
        to[-1], at[-1] = to[-1][:1], at[-1][:1]
    first, source = _sums(to), _sums(at)
    lengths = np.full(first.shape, together * channels, np.int64)
    return np.ascontiguousarray(np.stack([first, source, lengths], axis=1))
