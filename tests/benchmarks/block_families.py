"""Calls of kernel families as the blocks make them, with what their inputs may hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder

X, Y = hb.Format("int8", scale=0.05, zero_point=3), hb.Format("int8", scale=0.07, zero_point=-5)
SHARES = hb.Format("int8", scale=2.0**-8, zero_point=-128)
INDEX, BOOL = hb.Format("int32"), hb.Format("bool")
ROWS = (1, 64, 96)
Input = tuple[tuple[int, ...], hb.Format]


@dataclass(frozen=True)
class Made:
    """A call with (elements of a sample, storage type, values below which an input lies or None) of its tensors."""

    call: Any
    inputs: list[tuple[int, str, int | None]]
    outputs: list[tuple[int, str]]


def made(block: hb.Block, inputs: Sequence[Input], outputs: Sequence[hb.Format], below: int | None = None) -> Made:
    """The call of a block between tensors; index and truth inputs hold values below a number."""
    build = GraphBuilder("timed")
    values = [build.input(f"x{i}", *one) for i, one in enumerate(inputs)]
    results = build.add_all(block, *values, formats=outputs)
    graph = build.build(*results)
    site = graph.site(graph.nodes[0])
    call = block.kernel(site)
    if isinstance(call, str):
        raise ValueError(f"no kernel: {call}")
    limits = [below if f == INDEX else 2 if f == BOOL else None for _, f in inputs]
    given = [(t.elements, t.format.dtype.name, limit) for t, limit in zip(site.present, limits, strict=True)]
    return Made(call, given, [(t.elements, t.format.dtype.name) for t in site.outputs])


BLOCKS: dict[str, Callable[[], Made]] = {
    "layer norm": partial(made, hb.LayerNorm(), [(ROWS, X)], [Y]),
    "log softmax": partial(made, hb.LogSoftmax(), [(ROWS, X)], [Y]),
    "softmax under a mask": partial(made, hb.MaskedSoftmax(), [(ROWS, X), (ROWS, BOOL)], [SHARES]),
    "choice by a mask": partial(made, hb.Select(), [(ROWS, BOOL), (ROWS, X), (ROWS, X)], [X]),
    "mean of axes": partial(made, hb.ReduceMean((-1,)), [(ROWS, X)], [Y]),
    "largest of axes apart": partial(made, hb.ReduceMax((1, 3)), [((1, 16, 16, 16, 4), X)], [X]),
    "largest of two formats": partial(made, hb.Maximum(), [(ROWS, X), (ROWS, Y)], [Y]),
    "gates": partial(made, hb.HardGate(), [(ROWS, X)], [SHARES]),
    "rows by index": partial(made, hb.Take(1, 1), [(ROWS, X), ((1, 48), INDEX)], [X], 64),
    "elements by index": partial(made, hb.GatherElements(1), [(ROWS, X), (ROWS, INDEX)], [X], 64),
    "rows written": partial(
        made, hb.MemoryWrite(), [((1, 1, 64, 96), X), ((1, 1, 8), INDEX), ((1, 1, 8, 96), X)], [X], 64
    ),
    "position of the largest": partial(made, hb.ArgMax(-1), [(ROWS, X)], [INDEX]),
    "the largest five": partial(made, hb.TopK(5), [(ROWS, X)], [X, INDEX]),
}


def codes(rng: np.random.Generator, count: int, dtype: str, below: int | None) -> Any:
    """Random values of one sample."""
    if below is not None:
        return rng.integers(0, below, (1, count)).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, int(limits.max) + 1, (1, count)).astype(dtype)
