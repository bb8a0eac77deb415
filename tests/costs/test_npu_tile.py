"""NPU tiles: formulas by hand, bands around Vela's estimates, monotony, and refusals."""

from __future__ import annotations

import csv
import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_networks import AFFINE, INT8, NETWORKS

import hwblocks as hb
from hwblocks.costs.machines.npu_blocks import accumulators, blocks, positions, steps
from hwblocks.costs.machines.weight_coding import coded_bytes, entropy_bits
from hwblocks.errors import TargetError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.graph.nest import Nest
from hwblocks.graph.tensor import constant
from hwblocks.graph.window import Window
from hwblocks.targets.load import checked_target, load_target, read_target

GOLDEN = Path(__file__).parents[1] / "golden" / "vela_totals.csv"
TILES = {f"u55-{n}": load_target(f"ethos-u55-{n}") for n in (32, 64, 128, 256)}
U65 = load_target("ethos-u65-256")


def conv_nest(size, kernel, channels, filters, depthwise=False):
    window = Window((size + kernel - 1,) * 2, (kernel,) * 2, (1, 1), (1, 1), ((0, 0), (0, 0)))
    if depthwise:
        return Nest(size * size, kernel * kernel, 1, channels, window)
    return Nest(size * size, kernel * kernel * channels, filters, 1, window)


def one(block, shape, *constants, formats=(INT8,), x=INT8, name="node", arithmetic=AFFINE):
    build = GraphBuilder("net")
    value = build.input("x", shape, x)
    given_ = [build.constant("w", codes, kind) for codes, kind in constants]
    return build.build(build.add(block, value, *given_, name=name, formats=list(formats), arithmetic=arithmetic))


def row(graph, target):
    return hb.cost(graph, target=target).layers.rows[0]


def test_micro_blocks_cover_the_plane():
    nest = conv_nest(5, 3, 16, 16)
    assert [positions(nest, t.tile) for t in TILES.values()] == [25, 25, 5 * 3, 3 * 3]
    row_of_pixels = Nest(25, 16, 16)
    assert [positions(row_of_pixels, t.tile) for t in TILES.values()] == [25, 25, 13, 7]


@pytest.mark.parametrize(
    ("nest", "at_8_bits", "at_16_bits"),
    [
        (conv_nest(8, 3, 16, 16), 6, 9),  # ⌈9/4⌉ · ⌈16/8⌉ taps together; at 16 bits 9 · ⌈16/16⌉ one by one
        (conv_nest(8, 3, 64, 16), 18, 36),  # 9 · ⌈64/32⌉; 9 · ⌈64/16⌉
        (conv_nest(8, 1, 64, 16), 2, 4),
        (conv_nest(8, 3, 16, 16, depthwise=True), 3, 5),  # ⌈9/4⌉; ⌈9/2⌉
        (Nest(1, 64, 12), 2, 4),
    ],
)
def test_steps_by_hand(nest, at_8_bits, at_16_bits):
    tile = TILES["u55-128"].tile
    assert (steps(nest, tile, 1.0), steps(nest, tile, 0.5)) == (at_8_bits, at_16_bits)


def test_blocks_by_hand():
    """3 × 3, 16 → 16 channels on 32 × 32: 512 × 2 micro-blocks of 1 × 2 × 8, 1,536 accumulators."""
    tile = TILES["u55-128"].tile
    assert accumulators(tile) == 24576 // 2 // 8
    cut = blocks(conv_nest(32, 3, 16, 16), tile, 1.0, 0.5)
    assert cut.count == math.ceil(512 / (1536 // 32))  # both micro-blocks of channels together: 48 positions a block
    assert cut.count * cut.multiply == pytest.approx(4 * 512 * 6 * 2)
    assert cut.count * cut.empty == pytest.approx(32 * 32 * 16 * 0.5)
    assert cut.cycles == pytest.approx(24576 + 8192 / 11)


def test_weights_are_decoded_once_a_block():
    """A dense layer has one position: a step takes the 32 cycles in which 8 × 32 weights are decoded, not 4."""
    cut = blocks(Nest(1, 64, 16), TILES["u55-128"].tile, 1.0, 0.5)
    assert (cut.count, cut.multiply, cut.empty) == (1, 32 * 2 * 2, 8.0)


def test_a_convolution_by_hand():
    found = row(one(hb.Conv2d(padding=1), (1, 32, 32, 16), (np.ones((16, 3, 3, 16)), INT8)), "ethos-u55-128")
    assert found["array_cycles"] == 24576
    assert found["vector_cycles"] == 8192
    assert found["fixed_cycles"] == math.ceil(8192 / 11 + 64 + 64)
    assert found["sram_bytes"] == 2 * 32 * 32 * 16 * 3 // 2  # input in bursts of 32 bytes of which 16 are used
    assert found["flash_bytes"] == 16 * 144 + 16 * 10  # weights all alike stand in for 8 bits each; bias and scale
    assert (found["cycles"], found["bound"]) == (24576 + found["fixed_cycles"], "array")
    assert found["utilisation"] == pytest.approx(1024 * 144 * 16 / 128 / found["cycles"])


def test_flash_bounds_a_dense_layer():
    codes = np.arange(-128, 128).repeat(64).reshape(128, 128)  # all 256 codes alike: 8 bits each
    found = row(one(hb.Linear(), (1, 128), (codes, INT8)), "ethos-u55-128")
    assert found["flash_bytes"] == 128 * 128 + 128 * 10
    assert (found["flash_cycles"], found["bound"]) == (128 * 128 + 1280, "flash")


@pytest.mark.parametrize(
    ("block", "shape", "cycles"),
    [
        (hb.AvgPool2d(8), (1, 8, 8, 64), 64 * 4 * 8),  # taps · 4 · 8 micro-blocks of channels
        (hb.MaxPool2d(2), (1, 8, 8, 16), 4 * 4 * (4 * 2) * 2),
    ],
)
def test_poolings_by_hand(block, shape, cycles):
    found = row(one(block, shape, arithmetic=None), "ethos-u55-128")
    assert (found["array_cycles"], found["fixed_cycles"]) == (cycles, 64)


def test_elements_by_hand():
    build = GraphBuilder("net")
    a, b = (build.input(name, (1, 32, 32, 16), INT8) for name in "ab")
    added = row(build.build(build.add(hb.Add(), a, b, formats=[INT8])), "ethos-u55-128")
    assert (added["vector_cycles"], added["bound"]) == (int(32 * 32 * 16 * 1.5), "vector")
    table = row(one(hb.Sigmoid(), (1, 64), arithmetic=None), "ethos-u55-128")
    assert table["vector_cycles"] == 64
    softmax = row(one(hb.Softmax(), (1, 12), arithmetic=None), "ethos-u55-128")
    assert softmax["fixed_cycles"] == 64 + 1000


def test_products_of_run_time_tensors():
    """Without weights to decode: for each of 4 columns 8 × 32 products and 8 sums."""
    build = GraphBuilder("net")
    a, b = build.input("a", (1, 8, 32), INT8), build.input("b", (1, 32, 4), INT8)
    found = row(build.build(build.add(hb.MatMul(), a, b, formats=[INT8], arithmetic=AFFINE)), "ethos-u55-128")
    assert found["vector_cycles"] == 4 * (8 * 32 * 0.75 + 8 * 0.5)
    assert found["array_cycles"] == 4 * 4 * (8 // 2)


def test_16_bits_take_twice_the_steps():
    wide = hb.Format("int16")
    graph = one(hb.Conv2d(), (1, 16, 16, 64), (np.ones((32, 1, 1, 64)), INT8), formats=(wide,), x=wide)
    narrow = one(hb.Conv2d(), (1, 16, 16, 64), (np.ones((32, 1, 1, 64)), INT8))
    assert row(graph, "ethos-u55-128")["array_cycles"] == 2 * row(narrow, "ethos-u55-128")["array_cycles"]


def test_narrow_weights_are_coded_smaller():
    assert entropy_bits(np.array([0, 1, 2, 3])) == 8.0
    assert coded_bytes(constant("w", np.arange(16).reshape(4, 4) - 8, hb.Format("int4"))) == 8
    assert coded_bytes(constant("w", np.zeros((4, 4)), INT8)) == 16  # not trained yet
    half = np.repeat([0, 1], 32)
    assert coded_bytes(constant("w", half.reshape(8, 8), INT8)) == 8  # one bit a code


@pytest.mark.parametrize(("size", "sram", "dram"), [(128, 0, 2 * 128 * 128 * 16), (64, 2 * 64 * 64 * 16, 0)])
def test_feature_maps_spill_to_dram(size, sram, dram):
    """384 KiB of SRAM: two maps of 256 KiB do not fit, so the second layer's cross DRAM; of 64 KiB they do."""
    build = GraphBuilder("net")
    y = build.input("x", (1, size, size, 16), INT8)
    for name in ("a", "b"):
        y = build.add(hb.Conv2d(), y, build.constant("w", np.ones((16, 1, 1, 16)), INT8), name=name, formats=[INT8])
    second = hb.cost(build.build(y), target="ethos-u65-256").layers.rows[1]
    assert (second["sram_bytes"], second["dram_bytes"]) == (sram, dram + 256 + 160)


def test_conversions_are_the_processors():
    build = GraphBuilder("net")
    y = build.add(hb.Quantize(), build.input("x", (1, 64)), formats=[hb.Format("int8", scale=0.1)])
    assert hb.cost(build.build(y), target="ethos-u55-128").cycles == 0


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (lambda: hb.Sequential(hb.ReLU(), input_shape=(3,)), "floating point; ethos-u55-128 runs integers"),
        (
            lambda: one(hb.Linear(), (1, 8), (np.ones((4, 8)), hb.Format("int16")), x=hb.Format("int16")),
            "multiplies 16 × 16 bits; ethos-u55-128 has products of up to 16 × 8 bits",
        ),
        (lambda: one(hb.ReLU(), (1, 2048, 2048, 1), arithmetic=None), "4,194,304 bytes too many"),
    ],
)
def test_what_does_not_run(graph, message):
    with pytest.raises(TargetError, match=message):
        hb.cost(graph(), target="ethos-u55-128")


def test_two_homes_for_weights_are_refused():
    raw = read_target("ethos-u55-128")
    raw["memory"]["dram"] = dict(raw["memory"]["flash"])
    with pytest.raises(TargetError, match="flash or in memory.dram, not in both"):
        hb.cost(NETWORKS["kws"](), target=checked_target(raw, "both"))


def vela_rows():
    return list(csv.DictReader(GOLDEN.read_text(encoding="utf-8").splitlines()))


def test_totals_lie_in_the_band_around_vela(shared):
    """Vela 5.2.0, six accelerators, kws and resnet8: an estimate held against an estimate."""
    errors = []
    for expected in vela_rows():
        path = shared / "models" / "tflite" / f"{expected['model']}.tflite"
        if path.is_file():
            cycles = hb.cost(path, target=expected["accelerator"]).cycles
            errors.append(abs(cycles / int(expected["cycles_total"]) - 1))
    assert len(errors) == 12
    assert statistics.median(errors) <= 0.10
    assert max(errors) <= 0.15


@pytest.mark.parametrize("name", NETWORKS)
def test_twice_the_multipliers_are_never_slower(name):
    graph = NETWORKS[name]()
    for family in (("u55-32", "u55-64", "u55-128", "u55-256"), ("u65-256", "u65-512")):
        cycles = [hb.cost(graph, target=f"ethos-{config}").cycles for config in family]
        assert cycles == sorted(cycles, reverse=True)


NESTS = st.builds(
    conv_nest,
    st.integers(1, 40),
    st.sampled_from([1, 3, 5]),
    st.integers(2, 300),
    st.integers(1, 300),
    st.booleans(),
)


@given(NESTS, st.sampled_from([*TILES, "u65"]), st.sampled_from([1.0, 0.5]))
def test_blocks_hold_for_every_nest(nest, name, rate):
    """Multipliers never make more products than they have, and a second core never slows."""
    target = {**TILES, "u65": U65}[name]
    tile, element = target.tile, target.output.element
    cut = blocks(nest, tile, rate, element)
    peak = tile.block_height * tile.block_width * tile.block_channels * tile.channels_per_cycle * rate
    assert cut.count * cut.multiply >= nest.macs / peak
    assert cut.count * cut.empty == pytest.approx(nest.rows * nest.columns * nest.groups * element)
    twice = type(tile)(**{**{f: getattr(tile, f) for f in tile.__struct_fields__}, "cores": 2 * tile.cores})
    assert blocks(nest, twice, rate, element).cycles <= cut.cycles


@given(st.floats(1.0, 8.0), st.sampled_from(["sram", "flash"]))
def test_more_bandwidth_is_never_slower(factor, level):
    raw = read_target("ethos-u55-256")
    graph = NETWORKS["vww"]()
    before = hb.cost(graph, target=checked_target(raw, "before")).cycles
    raw["memory"][level]["gb_per_s"]["v"] *= factor
    assert hb.cost(graph, target=checked_target(raw, "after")).cycles <= before
