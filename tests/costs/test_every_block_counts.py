"""No operator is free: every block of the tables counts its work, but for those listed with the reason."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.costs.ops import layers
from hwblocks.graph.block import Move
from hwblocks.graph.builder import GraphBuilder
from hwblocks.graph.composite import Composite
from hwblocks.graph.control import graph_work
from hwblocks.graph.registry import block_classes
from hwblocks.graph.work import Work

ORDER = "elements keep their order: the memory is read under another shape"
BITS = "the bits stay, only what they mean changes"
FREE = {
    **dict.fromkeys(("Identity", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze"), ORDER),
    **dict.fromkeys(("BitCast", "Relabel"), BITS),
}


def cases():
    found = {}
    for path in sorted((Path(__file__).parents[1] / "blocks").glob("tables*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found |= module.CASES
    return found


CASES = cases()
CLASSES = block_classes()
ALL = [(name, i) for name in CASES for i in range(len(CASES[name]))]


def shapes_of(inputs):
    return [np.shape(a) for a in inputs if a is not None]


@pytest.mark.parametrize(("name", "i"), ALL)
def test_what_computes_counts(name, i):
    block, inputs, _ = CASES[name][i]
    assert (block.work(*shapes_of(inputs)) == Work()) == (name in FREE)


def test_the_free_blocks_are_views_or_keep_the_bits():
    views = {name for name in CASES if getattr(CLASSES[name], "is_view", False)}
    assert views == {name for name, reason in FREE.items() if reason is ORDER}
    assert set(FREE) - views == {name for name, reason in FREE.items() if reason is BITS}


COPIED = [(n, i) for n, i in ALL if CLASSES[n].work is Move.work and n not in FREE]


@pytest.mark.parametrize(("name", "i"), COPIED)
def test_copies_read_and_write_each_word_of_their_outputs(name, i):
    block, inputs, wanted = CASES[name][i]
    made = sum(np.size(y) for y in (wanted if isinstance(wanted, tuple) else (wanted,)))
    assert block.work(*shapes_of(inputs)) == Work(reads=made, writes=made)


def test_copies_are_the_moves_that_count_nothing_else():
    assert {"Transpose", "Concat", "Slice", "Gather", "Pad", "Tile", "Expand", "Split"} <= {n for n, _ in COPIED}
    assert {"MaxPool2d", "MemoryRead", "TopK"}.isdisjoint(n for n, _ in COPIED)


COMPOSITES = [(n, i) for n, i in ALL if issubclass(CLASSES[n], Composite)]


@pytest.mark.parametrize(("name", "i"), COMPOSITES)
def test_composites_are_their_layers(name, i):
    block, inputs, _ = CASES[name][i]
    build = GraphBuilder("one")
    given = [None if a is None else build.input(f"x{i}", np.shape(a), types(a)) for i, a in enumerate(inputs)]
    graph = build.build(*build.add_all(block, *given))
    total = Work()
    for layer in layers(graph):
        total = total + layer.work
        moved = layer.work == Work()
        assert not moved or layer.free or layer.node.type_name in FREE
    assert total == replace(graph_work(block.graph(*inputs)), requants=0)


def test_streams_read_and_keep_their_past():
    build = GraphBuilder("stream")
    block = hb.CausalConv1d(weight=np.zeros((6, 3, 4), np.float32), dilation=2, streaming=True)
    graph = build.build(block(build.input("x", (1, 5, 4))))
    conv = next(layer.work for layer in layers(graph) if layer.node.type_name == "Conv1d")
    words = [layer.work.writes for layer in layers(graph) if layer.work.writes]
    assert (conv.macs, conv.macs_valid) == (5 * 3 * 4 * 6, 5 * 3 * 4 * 6)  # the past is there, nothing is padding
    assert words == [(4 + 5) * 4, 4 * 4]  # joined with 4 steps of the past; the last 4 kept


def types(array):
    return hb.Format("bool") if np.asarray(array).dtype.kind == "b" else hb.Format("float32")
