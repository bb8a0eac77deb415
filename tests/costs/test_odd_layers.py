"""Odd layers and graphs on every kind of target: several images, dead channels, loops, no elements, shared memories."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.costs.estimate import Moved
from hwblocks.costs.machines.choice import machine
from hwblocks.costs.ops import layers
from hwblocks.errors import TargetError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.targets.load import load_target, target_names

INT8 = hb.Format("int8")
MULTIPLYING = [n for n in target_names() if not n.startswith(("cortex", "scalesim")) or n == "cortex-m4-hale"]


def conv(images=1):
    build = GraphBuilder("conv")
    x = build.input("x", (images, 8, 8, 16), INT8)
    w = build.constant("w", np.ones((16, 3, 3, 16), np.int8), INT8)
    return build.build(build.add(hb.Conv2d(padding=1), x, w, name="conv", formats=[INT8]))


def child(tmp_path, parent, text):
    path = tmp_path / "child.toml"
    path.write_text(f'inherit = "{parent}"\n[target]\nname = "child"\n{text}')
    return load_target(path)


@pytest.mark.parametrize("name", ["nvdla-full", "ethos-u55-128", "ideal-64mac", "zcu104-dsp48e2", "hls4ml-u200"])
def test_images_of_one_sample_take_their_cycles_each(name):
    one, three = (hb.cost(conv(images), name).layers.rows[0] for images in (1, 3))
    assert three["array_cycles"] == 3 * one["array_cycles"]
    assert three["macs"] == 3 * one["macs"]


@pytest.mark.parametrize("name", MULTIPLYING)
def test_multipliers_are_never_busier_than_always(name):
    for graph in (conv(), conv(5)):
        cost = hb.cost(graph, name)
        assert 0 < cost.utilisation <= 1
        assert all(0 < row["utilisation"] <= 1 for row in cost.layers)


def test_the_replay_of_several_images_is_refused_by_its_reason():
    with pytest.raises(TargetError, match="over 3 images; use traffic 'tiled'"):
        hb.cost(conv(3), "scalesim-32x32-os")


def test_dead_channels_do_not_keep_multipliers_busy():
    build = GraphBuilder("dead")
    weights = np.zeros((16, 1, 1, 16), np.int8)
    weights[:2] = 3
    x, w = build.input("x", (1, 8, 8, 16), INT8), build.constant("w", weights, INT8)
    y = build.add(hb.Conv2d(), x, w, name="first", formats=[INT8])
    again = build.constant("again", np.ones((16, 1, 1, 16), np.int8), INT8)
    graph = build.build(build.add(hb.Conv2d(), y, again, name="second", formats=[INT8]))
    target = load_target("cortex-m4-stm32cubeai")
    cost = hb.cost(graph, target)
    first = cost.layers.rows[0]
    assert (first["macs"], first["macs_run"]) == (16384, 2048)
    assert first["utilisation"] == 2048 * target.cycles_per_mac.pointwise / first["cycles"]
    assert cost.utilisation < 1


def test_winograd_makes_fewer_products(tmp_path):
    target = child(tmp_path, "nvdla-full", "[array]\nmacs = 256\nwinograd = true\nsource = 'x'\n")
    (row,) = hb.cost(conv(), target).layers
    assert row["array_cycles"] == row["macs"] / 256 / 2.25
    assert row["mapping"] == 1


def test_products_of_the_vector_unit_do_not_keep_multipliers_busy():
    build = GraphBuilder("scale")
    x = build.input("x", (1, 8, 8, 16), INT8)
    w = build.constant("w", np.ones((1, 1, 1, 16), np.int8), INT8)
    graph = build.build(build.add(hb.Conv2d(groups=16), x, w, name="scale", formats=[INT8]))
    (row,) = hb.cost(graph, "eyeriss-like").layers
    assert (row["macs"], row["array_cycles"], row["utilisation"]) == (1024, 0, None)


def test_a_layer_without_elements_has_a_last_output():
    build = GraphBuilder("empty")
    x = build.input("x", (1, 4, 8), INT8)
    graph = build.build(build.add(hb.Slice(starts=(4,), stops=(None,), steps=(1,), axes=(1,)), x, name="none"))
    (row,) = hb.cost(graph, "finn-zcu104").layers
    assert (row["cycles"], row["output_cycle"]) == (4, 5)


def test_one_memory_for_activations_and_weights_holds_both(tmp_path):
    fits = "[memory.main]\nbytes = {{ v = {}, source = 'x' }}\n"
    needed = 2 * 8 * 8 * 16 + 16 * 9 * 16
    assert hb.cost(conv(), child(tmp_path, "ideal-64mac", fits.format(needed))).cycles
    with pytest.raises(TargetError, match=r"'conv' needs 2,048 bytes.*2,304 bytes of constants: 4,352 together.*: 1 b"):
        hb.cost(conv(), child(tmp_path, "ideal-64mac", fits.format(needed - 1)))


OWN = """
[target]
name = "own"
kind = "systolic"
clock_mhz = 500
source = "x"
[array]
rows = 16
cols = 16
dataflow = "ws"
source = "x"
[vector]
ops_per_cycle = 16
source = "x"
[memory]
source = "x"
[memory.ifmap]
bytes = 131072
[memory.filter]
bytes = 131072
[memory.ofmap]
bytes = 65536
[memory.dram]
"""


def test_a_memory_called_dram_is_priced_as_dram(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    cost = hb.cost(conv(), load_target(path))
    assert cost.energy["dram"].v == pytest.approx(30.46875 * 8 * cost.moved["dram"])  # horowitz-45nm


@pytest.mark.parametrize(("bits", "expected"), [(8, 32), (16, 32), (24, 64)])
def test_sums_of_elements_without_an_accumulator(bits, expected):
    build = GraphBuilder("add")
    form = hb.Format(f"int{bits}", scale=0.5)
    a, b = (build.input(name, (1, 4), form) for name in "ab")
    (layer,) = layers(build.build(build.add(hb.Add(), a, b, formats=[form])))
    assert layer.accumulator_bits == expected


def test_the_table_has_a_column_for_every_documented_figure():
    header = hb.cost(conv(), "ethos-u55-128").to_csv().splitlines()[0].split(",")
    assert {"fixed_cycles", "cycles", "macs_per_byte", "macs_per_cycle", "utilisation", "mapping"} <= set(header)


def attention(name="scores"):
    build = GraphBuilder("attention")
    q, k = build.input("q", (1, 2, 16, 8), INT8), build.input("k", (1, 2, 8, 16), INT8)
    return build.build(build.add(hb.MatMul(), q, k, name=name, formats=[INT8]))


def test_keys_of_an_attention_stay_with_the_activations():
    moved = hb.cost(attention(), "tpu-v1-like").moved
    assert (moved["dram"], moved["ifmap"]) == (0, 2 * 16 * 8 + 2 * 8 * 16)
    assert hb.cost(attention(), "gemmini-16x16").moved["dram"] == 256 + 256 + 2 * 16 * 16


@pytest.mark.parametrize("name", ["gemmini-16x16", "nvdla-full"])
def test_a_transposed_convolution_writes_its_outputs_only(name):
    build = GraphBuilder("up")
    x, w = build.input("x", (1, 4, 4, 16), INT8), build.constant("w", np.ones((16, 3, 3, 16), np.int8), INT8)
    graph = build.build(build.add(hb.ConvTranspose2d(stride=2), x, w, name="up", formats=[INT8]))
    assert hb.cost(graph, name).moved["dram"] == 4 * 4 * 16 + 16 * 9 * 16 + 9 * 9 * 16


@pytest.mark.parametrize("name", ["gemmini-16x16", "nvdla-full", "ideal-64mac"])
def test_biases_cross_the_outer_memory(name):
    build = GraphBuilder("biased")
    x, w = build.input("x", (1, 8, 8, 16), INT8), build.constant("w", np.ones((16, 3, 3, 16), np.int8), INT8)
    b = build.constant("b", np.ones(16, np.int32), hb.Format("int32"))
    biased = hb.cost(build.build(build.add(hb.Conv2d(padding=1), x, w, b, name="conv", formats=[INT8])), name)
    plain = hb.cost(conv(), name)
    outer = list(plain.moved)[-1]
    assert biased.moved[outer] == plain.moved[outer] + 16 * 4


@pytest.mark.parametrize("name", ["ideal-64mac", "gemmini-16x16", "nvdla-full", "finn-zcu104", "ethos-u55-128"])
def test_of_an_embedding_only_the_rows_that_are_read_move(name):
    build = GraphBuilder("embedding")
    x = build.input("x", (1, 10), hb.Format("int32"))
    graph = build.build(build.add(hb.Embedding(), x, build.constant("w", np.ones((1000, 32), np.int8), INT8)))
    assert sum(m.total for m in moved_by_weights(graph, name)) == 10 * 32


def moved_by_weights(graph, name):
    runs = machine(load_target(name))
    counted = layers(graph)
    runs.prepare(counted)
    (estimate,) = (runs.estimate(layer) for layer in counted)
    return [Moved(weights=m.weights) for m in estimate.moved.values()]


def test_a_microcontroller_refuses_widths_without_a_rate():
    build = GraphBuilder("wide")
    wide = hb.Format("int24")
    x, w = build.input("x", (1, 8), wide), build.constant("w", np.ones((4, 8), np.int32), wide)
    graph = build.build(build.add(hb.Linear(), x, w, name="wide", formats=[wide]))
    with pytest.raises(TargetError, match=r"'wide' multiplies 24 × 24 bits.*\$\.precision\.table"):
        hb.cost(graph, "cortex-m4-hale")


def test_a_board_has_no_energy_of_models_without_products():
    build = GraphBuilder("relu")
    graph = build.build(build.add(hb.ReLU(), build.input("x", (1, 8), INT8)))
    assert hb.cost(graph, "cortex-m4-cmsis-nn").energy is None
    assert hb.cost(conv(), "cortex-m4-cmsis-nn").energy_total.v > 0


def test_widths_of_a_recurrent_block_are_those_of_its_weights(shared):
    graph = hb.load(shared / "models" / "tflite" / "tflm_keyword_scrambled_16x8_svdf.tflite")
    widths = {layer.widths for layer in layers(graph) if layer.node.type_name == "SVDF"}
    assert widths == {"8x8→32"}  # features; the products over time are few


def test_a_boards_energy_does_not_price_another_kind():
    with pytest.raises(
        TargetError, match="'board-l4r5zi' is of a whole microcontroller board.*ideal-64mac, a roofline"
    ):
        hb.cost(conv(), "ideal-64mac", energy="board-l4r5zi")


def test_weights_that_two_layers_share_are_one():
    build = GraphBuilder("tied")
    w = build.constant("w", np.ones((16, 16), np.int8), INT8)
    y = build.input("x", (1, 16), INT8)
    for name in ("first", "second"):
        y = build.add(hb.Linear(), y, w, name=name, formats=[INT8])
    profile = hb.profile(build.build(y))
    assert (profile.weight_bytes, profile.weight_stored_bytes) == (256, 256)
    assert profile.layers["weight_bytes"] == [256, 256]


def test_products_that_end_in_floating_point_are_no_conversion():
    build = GraphBuilder("ends")
    x, w = build.input("x", (1, 8), INT8), build.constant("w", np.ones((4, 8), np.int8), INT8)
    graph = build.build(build.add(hb.Linear(), x, w, name="last", formats=[hb.Format("float32")]))
    with pytest.raises(TargetError, match="'last' computes in floating point"):
        hb.cost(graph, "ethos-u55-128")


def test_keys_of_an_attention_stay_in_an_sram_beside_the_buffer(tmp_path):
    target = child(tmp_path, "nvdla-small", "[memory.sram]\nbytes = { v = 65536, source = 'x' }\n")
    moved = hb.cost(attention(), target).moved
    assert (moved["dram"], moved["sram"]) == (0, 2 * (16 * 8 + 8 * 16 + 16 * 16))


def test_an_sram_holds_the_features_of_one_pass(tmp_path):
    """Steps of an LSTM: 20 passes move more than the SRAM has, one of them less."""
    names = {"weight_ih_l0": (64, 8), "weight_hh_l0": (64, 16), "bias_ih_l0": (64,), "bias_hh_l0": (64,)}
    build = GraphBuilder("net")
    y, _, _ = hb.LSTM(8, 16, weights={name: np.ones(shape) for name, shape in names.items()})(
        build.input("x", (1, 20, 8))
    )
    target = child(tmp_path, "nvdla-full", "[memory.sram]\nbytes = { v = 2048, source = 'x' }\n")
    rows = [row for row in hb.cost(build.build(y), target).layers if "/steps/" in row["layer"]]
    assert rows
    assert all(row["sram_bytes"] > 0 for row in rows)
