"""Block RAM, URAM, LUTs and cycles of engines: by hand, by what they must hold, and as FINN itself estimates them."""

from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path

import pytest

from hwblocks.costs.machines.engine_resources import (
    SMALL_DEPTH,
    block_rams,
    engine_luts,
    least_accumulator_bits,
    multiplier_luts,
    ultra_rams,
    weight_memory,
    window_cycles,
    window_depth,
    window_memory,
)
from hwblocks.costs.machines.engines import Foundry, Task
from hwblocks.graph.window import Window
from hwblocks.targets.fpga_kinds import Folding
from hwblocks.targets.load import load_target


def recorded(unit):
    """(attributes, figures) of FINN's own estimates; tests/golden/record_finn.py."""
    path = Path(__file__).parents[1] / "golden" / "finn_estimates.csv"
    rows = csv.DictReader(path.read_text().splitlines()[1:])
    return [(row["attributes"], [int(row[c]) for c in FIGURES]) for row in rows if row["unit"] == unit]


FIGURES = ("cycles", "luts", "dsps", "bram18", "uram")


@pytest.mark.parametrize(("text", "figures"), recorded("engine"))
def test_engines_of_finn(text, figures):
    *pairs, style, multiply = text.split()
    at = {name: int(value) for name, value in (pair.split("=") for pair in pairs)}
    block = load_target("finn-zynq7020").dsp
    foundry = Foundry(Folding(multiply=multiply, weights=style, requantize="none", pack=False), block)
    task = Task("layer", at["vectors"], at["mw"], at["mh"], (at["a"], at["w"], 32, 8))
    engine = foundry.engine(task, at["pe"], at["simd"])
    acc = min(32, least_accumulator_bits(at["a"], at["w"], at["mw"]))
    luts = engine_luts(at["pe"], at["simd"], (at["a"], at["w"], acc), multiply == "lut")
    memory = weight_memory(style, at["pe"] * at["simd"] * at["w"], at["mw"] * at["mh"] // (at["pe"] * at["simd"]))
    made = engine.resources
    assert [engine.cycles, math.floor(luts + memory.luts), made.dsps, made.bram18, made.uram] == figures
    assert made.luts == math.floor(luts) + memory.luts


@pytest.mark.parametrize(("text", "figures"), recorded("window"))
def test_windows_of_finn(text, figures):
    at = {name: int(value) for name, value in (pair.split("=") for pair in text.split())}
    window = Window((at["h"], at["wide"]), (at["k"],) * 2, (at["s"],) * 2, (at["d"],) * 2, ((0, 0),) * 2)
    folds = at["channels"] // at["simd"]
    assert window_cycles(window, folds, bool(at["depthwise"])) == figures[0]
    memory = window_memory(window, at["simd"], at["channels"], at["a"])
    if window_depth(window, folds) > SMALL_DEPTH:  # FINN's run is of block RAM throughout
        assert [memory.luts, memory.bram18] == [figures[1], figures[3]]


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    [(1, 16384, 1), (1, 16385, 2), (2, 8193, 2), (3, 4096, 1), (4, 4097, 2), (8, 2048, 1), (9, 2049, 2), (10, 1024, 1),
     (18, 1025, 2), (19, 512, 1), (36, 512, 1), (37, 512, 2), (36, 513, 2), (72, 1024, 4), (72, 512, 2)],
)  # fmt: skip
def test_block_rams_by_width(width, depth, blocks):
    assert block_rams(width, depth) == blocks


def test_blocks_hold_what_is_put_into_them():
    for width, depth in itertools.product(range(1, 80), (1, 100, 512, 513, 1024, 1025, 5000, 20000)):
        assert block_rams(width, depth) * 18432 >= width * depth
        assert ultra_rams(width, depth) * 72 * 4096 >= width * depth


def test_accumulators_hold_every_sum():
    for a, w, depth in itertools.product((2, 4, 8), (2, 4, 8), (1, 3, 9, 64, 1000)):
        worst = depth << (a + w - 2)  # all operands at their least
        bits = least_accumulator_bits(a, w, depth)
        assert worst < 1 << (bits - 1)
        assert bits <= worst.bit_length() + 2


def test_luts_of_multipliers():
    assert [multiplier_luts(*pair) for pair in ((2, 2), (3, 3), (4, 4), (8, 8))] == [4, 6, 24, 80]


def test_buffers_of_windows():
    window = Window((32, 32), (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)))
    assert window_depth(window, 4) == (2 * 32 + 3) * 4
    assert window_cycles(window, 4) == (2 * 32 + 3) * 4 + 30 * 30 * 9 * 4
    strided = Window((32, 32), (1, 1), (4, 4), (1, 1), ((0, 0), (0, 0)))
    assert window_cycles(strided, 2, True) == 2 + 3 * 32 * 2 + 8 * (4 * 32 * 2 + 8 * 3)
    assert window_cycles(strided, 2) == 2 + 8 * 4 * 32 * 2  # reading lines takes longer than writing windows
