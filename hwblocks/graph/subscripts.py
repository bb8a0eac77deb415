"""Subscripts of Einstein sums: parsing, sizes, diagonals, and operands brought to one order of axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hwblocks.graph.contraction import Array
from hwblocks.graph.tensor import Shape

Labels = tuple[str, ...]  # a letter, or ".k": the k-th axis from the end of what "..." stands for


def parsed(equation: str, count: int | None = None) -> tuple[list[str], str]:
    """(operands, output) of an equation, spaces dropped. Errors: ValueError.

    >>> parsed("bij, bjk"), parsed("...ii->...i", 1)
    ((['bij', 'bjk'], 'ik'), (['...ii'], '...i'))
    """
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    operands = left.split(",")
    for part in (*operands, right):
        letters = part.replace("...", "", 1)
        if letters and not (letters.isalpha() and letters.isascii()):
            raise ValueError(f"equation {equation!r}: {part!r} holds more than letters and one ...")
    if count is not None and len(operands) != count:
        raise ValueError(f"equation {equation!r} has {len(operands)} operands, not {count}")
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        right = ("..." if "..." in left else "") + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    return operands, right


def labels_of(block: Any, text: str, shape: Shape, *shapes: Shape) -> Labels:
    """One label for each axis of a shape. Errors: ShapeError where their number does not fit."""
    before, dots, after = text.partition("...")
    spread = len(shape) - len(before) - len(after)
    if spread < 0 or (spread and not dots):
        raise block.fail(f"subscripts {text!r} do not fit {len(shape)} axes", *shapes)
    return (*before, *(f".{i}" for i in range(spread, 0, -1)), *after)


def sizes_of(block: Any, operands: Sequence[Labels], shapes: Sequence[Shape]) -> dict[str, int]:
    """The size of each label in order of appearance; only axes of "..." broadcast. Errors: ShapeError."""
    sizes: dict[str, int] = {}
    for labels, shape in zip(operands, shapes, strict=True):
        for label, length in zip(labels, shape, strict=True):
            known = sizes.setdefault(label, length)
            if known != length and (label[0] != "." or 1 not in (known, length)):
                raise block.fail(f"subscript {label!r} has the sizes {known} and {length}", *shapes)
            sizes[label] = length if known == 1 else known
    return sizes


def diagonal(x: Array, labels: Labels) -> tuple[Array, Labels]:
    """The elements whose repeated labels are equal, each label once in order of appearance; and these labels."""
    unique = tuple(dict.fromkeys(labels))
    if len(unique) == len(labels):
        return x, labels
    places = []
    for label, length in zip(labels, x.shape, strict=True):
        at = unique.index(label)
        places.append(np.arange(length).reshape((1,) * at + (-1,) + (1,) * (len(unique) - at - 1)))
    return x[tuple(places)], unique


def aligned(x: Array, labels: Labels, order: Labels, sizes: Mapping[str, int]) -> Array:
    """x with its axes in an order of labels, those that it lacks repeated."""
    present = [label for label in order if label in labels]
    moved = x.transpose([labels.index(label) for label in present])
    shaped = moved.reshape([x.shape[labels.index(label)] if label in labels else 1 for label in order])
    return np.broadcast_to(shaped, [sizes[label] for label in order])
