"""Folded dataflow: cycles, resources and searches by hand, by FINN's own numbers and by exhaustion."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.costs.machines.engine_resources import (
    engine_luts,
    least_accumulator_bits,
    weight_memory,
    window_cycles,
)
from hwblocks.errors import TargetError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.graph.window import Window
from hwblocks.targets.load import load_target, target_text

INT8 = hb.Format("int8")


def dense_net(*sizes, bits=8):
    build, format = GraphBuilder("net"), hb.Format(f"int{bits}")
    value = build.input("x", (1, sizes[0]), format)
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        w = build.constant("w", np.zeros((outputs, inputs)), format)
        value = build.add(hb.Linear(), value, w, name=f"fc{number}", formats=[format])
    return build.build(value)


def conv_net(*layers, size=32, channels=3, bits=1):
    """Layers: ("conv", outputs), without padding, "pool" or ("fc", outputs)."""
    build, w_format = GraphBuilder("net"), hb.Format(f"int{bits}" if bits > 1 else "bipolar")
    value = build.input("x", (1, size, size, channels), INT8)
    for number, layer in enumerate(layers):
        if layer == "pool":
            value = build.add(hb.MaxPool2d(2), value, name=f"pool{number}")
            continue
        kind, outputs = layer
        value = build.add(hb.Flatten(), value) if kind == "fc" and len(value.shape) == 4 else value
        shape = (outputs, 3, 3, value.shape[-1]) if kind == "conv" else (outputs, value.shape[-1])
        w = build.constant("w", np.ones(shape), w_format)
        block = hb.Conv2d() if kind == "conv" else hb.Linear()
        value = build.add(block, value, w, name=f"{kind}{number}", formats=[INT8])
    return build.build(value)


@pytest.fixture
def target(tmp_path):
    def made(name="finn-zcu104", folding="", **values):
        text = target_text("finn-zynq7020" if name.startswith("finn") else name)
        start, end = text.index("[folding]"), text.index("[dsp]")
        stated = {"style": '"pe-simd"' if name.startswith("finn") else '"reuse"', "requantize": '"none"'}
        lines = [f"{key} = {value}" for key, value in {**stated, **values}.items()]
        text = "\n".join([text[:start], "[folding]", 'source = "test"', *lines, folding, text[end:]])
        path = tmp_path / "t.toml"
        path.write_text(text.replace("dsps = 220", "dsps = 100000").replace("bram18 = 280", "bram18 = 100000")
                        .replace("luts = 53200", "luts = 100000000"))  # fmt: skip
        return str(path)

    return made


def layers(graph, target):
    return {row["layer"]: row for row in hb.cost(graph, target=target).layers}


def folds(**pairs):
    return "\n".join(f'[folding.layers."{name}"]\npe = {pe}\nsimd = {simd}' for name, (pe, simd) in pairs.items())


# Xilinx/finn @39f0c9a6, tests/end2end/test_end2end_bnn_pynq.py: fold_tfc, fold_cnv_large (PE, SIMD)
TFC = {"fc0": (16, 49), "fc1": (8, 8), "fc2": (8, 8), "fc3": (10, 8)}
CNV = {"conv0": (16, 3), "conv1": (32, 32), "conv3": (16, 32), "conv4": (16, 32), "conv6": (4, 32), "conv7": (1, 32)}
CNV |= {"fc8": (1, 4), "fc9": (1, 8), "fc10": (5, 1)}
CNV_LAYERS = [*(("conv", 64),) * 2, "pool", *(("conv", 128),) * 2, "pool", *(("conv", 256),) * 2]
CNV_LAYERS += [("fc", 512), ("fc", 512), ("fc", 10)]


def test_networks_of_finn(target):
    tfc = hb.cost(dense_net(784, 64, 64, 64, 10), target=target(folding=folds(**TFC)))
    assert [row["cycles"] for row in tfc.layers] == [64, 64, 64, 8]
    assert tfc.interval_cycles == 64
    cnv = layers(conv_net(*CNV_LAYERS), target(folding=folds(**CNV)))
    products = {"conv0": 32_400, "conv1": 28_224, "conv3": 20_736, "conv4": 28_800, "conv6": 20_736, "conv7": 18_432}
    products |= {"fc8": 32_768, "fc9": 32_768, "fc10": 1024}
    for name, cycles in products.items():
        assert cycles == math.prod(CNV[name]) ** -1 * cnv[name]["macs"]
        assert cnv[name]["cycles"] >= cycles
    assert max(row["cycles"] for row in cnv.values()) == 32_768  # 3,052 images a second at 100 MHz


def test_resources_of_finn(target):
    # FINN's test_fpgadataflow_res_estimate.py: MW = MH = 4, PE = SIMD = 1, INT2: 317 LUTs, or 313 and one DSP
    assert least_accumulator_bits(2, 2, 4) == 6
    memory = weight_memory("distributed", 2, 16).luts
    assert math.floor(engine_luts(1, 1, (2, 2, 6), True) + memory) == 317
    assert math.floor(engine_luts(1, 1, (2, 2, 6), False) + memory) == 313
    for multiply, luts, dsps in (("lut", 317, 0), ("dsp", 313, 1)):
        made = target(multiply=f'"{multiply}"', weights='"distributed"', folding=folds(fc0=(1, 1)))
        row = layers(dense_net(4, 4, bits=2), made)["fc0"]
        assert (row["luts"], row["dsps"]) == (luts, dsps)


def test_depthwise_engines_by_finns_rule(target):
    build = GraphBuilder("net")
    w = build.constant("w", np.zeros((1, 3, 3, 8)), INT8)
    graph = build.build(
        build.add(hb.Conv2d(groups=8), build.input("x", (1, 9, 9, 8), INT8), w, name="dw", formats=[INT8])
    )
    row = layers(graph, target(folding=folds(dw=(2, 1))))["dw"]
    window = Window((9, 9), (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)))
    assert row["cycles"] == max(49 * 4 * 9, window_cycles(window, 4, True))
    assert row["dsps"] == 2  # no two channels share an activation
    assert layers(graph, target(folding=folds(dw=(8, 9))))["dw"]["cycles"] == 81 + 2  # a pixel in each cycle
    with pytest.raises(TargetError, match="simd=3 needs pe=8"):
        layers(graph, target(folding=folds(dw=(2, 3))))
    found = layers(graph, target(goal='"interval_cycles"', limit=500))["dw"]
    assert found["cycles"] <= 500 and (found["simd"] == 1 or found["pe"] == 8)


def own_divisors(n):
    return [d for d in range(1, n + 1) if n % d == 0]


@pytest.mark.parametrize("interval", [1, 2, 7, 24, 100, 1000, 3072])
def test_engines_are_the_smallest_of_all(target, interval):
    row = layers(dense_net(48, 64), target(goal='"interval_cycles"', limit=interval, pack="false"))["fc0"]
    every = [(pe * simd, pe, simd) for pe in own_divisors(64) for simd in own_divisors(48)]
    assert row["cycles"] <= interval
    assert row["dsps"] == min(dsps for dsps, pe, simd in every if 64 * 48 // (pe * simd) <= interval)
    assert row["cycles"] == 64 * 48 // (row["pe"] * row["simd"])


@pytest.mark.parametrize("budget", [3, 4, 7, 20, 33, 100])
def test_budgets_buy_the_shortest_interval(target, budget):
    sizes = (12, 8, 6, 4)
    k = hb.cost(dense_net(*sizes), target=target(goal='"max_dsps"', limit=budget, pack="false"))
    options = [
        [(i * o // (pe * simd), pe * simd) for pe in own_divisors(o) for simd in own_divisors(i)]
        for i, o in itertools.pairwise(sizes)
    ]
    best = min(
        max(cycles for cycles, _ in chosen)
        for chosen in itertools.product(*options)
        if sum(dsps for _, dsps in chosen) <= budget
    )
    assert k.interval_cycles == best
    assert k.resources["dsps"] == sum(row["dsps"] for row in k.layers) <= budget


def test_frames_per_second(target):
    k = hb.cost(dense_net(48, 64), target=target(goal='"frames_per_second"', limit=250_000))
    assert k.interval_cycles <= 400  # at 100 MHz
    assert k.inferences_per_second >= 250_000


def test_reuse(target):
    jet = dense_net(16, 64, 32, 32, 5)  # the jet tagger of hls4ml's issue 20: reuse 1, interval 1
    for reuse, multipliers in ((1, [1024, 2048, 1024, 160]), (3, [342, 683, 342, 54])):
        text = "\n".join(f'[folding.layers."fc{i}"]\nreuse = {reuse}' for i in range(4))
        k = hb.cost(jet, target=target("hls4ml-u200", text))
        assert [row["cycles"] for row in k.layers] == [reuse] * 4
        assert k.interval_cycles == reuse
        assert [row["dsps"] for row in k.layers] == multipliers


def test_reuse_of_convolutions_is_by_pixel(target):
    net = conv_net(("conv", 8), size=10, channels=4, bits=8)
    row = layers(net, target("hls4ml-u200", '[folding.layers."conv0"]\nreuse = 36'))["conv0"]
    assert (row["cycles"], row["dsps"]) == (64 * 36, 9 * 4 * 8 // 36)


def streamed(graph, rows):
    """Cycle of the last output, pixel by pixel: each waits for the last tap of its window and for the one before."""
    ready = None
    for node in graph.nodes:
        (h, w, _), row = graph.site(node).input(0).shape[1:], rows[node.name]
        y = graph.site(node).output.shape
        ready = ready or [row["cycles"] * (i + 1) / (h * w) for i in range(h * w)]
        step, pad, done, made = row["cycles"] / (y[1] * y[2]), node.block.padding, 0.0, []
        for i, j in itertools.product(range(y[1]), range(y[2])):
            last = min(i + 2 - pad, h - 1) * w + min(j + 2 - pad, w - 1)
            done = max(done, ready[last]) + step
            made.append(done)
        ready = made
    return ready[-1]


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("interval", [2000, 20_000])
def test_latency_follows_the_streams(target, padding, interval):
    build = GraphBuilder("net")
    value = build.input("x", (1, 12, 14, 4), INT8)
    for number, outputs in enumerate((8, 4, 16)):
        w = build.constant("w", np.zeros((outputs, 3, 3, value.shape[-1])), INT8)
        value = build.add(hb.Conv2d(padding=padding), value, w, name=f"conv{number}", formats=[INT8])
    graph = build.build(value)
    k = hb.cost(graph, target=target(goal='"interval_cycles"', limit=interval))
    rows = {row["layer"]: row for row in k.layers}
    exact = streamed(graph, rows)
    assert abs(k.cycles - exact) <= 0.05 * exact
    assert k.interval_cycles <= k.cycles <= sum(row["cycles"] for row in k.layers)
    assert rows["conv2"]["no_overlap_cycle"] == sum(row["cycles"] for row in k.layers)


def test_dense_layers_wait_for_all_inputs(target):
    made = target(folding=folds(fc0=(2, 4), fc1=(1, 3)))
    rows = layers(dense_net(8, 6, 5), made)
    assert [rows[n]["cycles"] for n in ("fc0", "fc1")] == [6, 10]
    # the input takes 6 cycles; fc0 reads it in its first fold of 2, so 2 of its 3 folds remain; fc1 the same with 5 folds
    assert math.ceil(6 + 6 * (1 - 1 / 3 + 1 / 6)) == rows["fc0"]["output_cycle"] == 11
    assert rows["fc1"]["output_cycle"] == 11 + math.ceil(10 * (1 - 1 / 5 + 1 / 10))


def test_branches_follow_the_slower_one(target):
    build = GraphBuilder("net")
    x = build.input("x", (1, 8), INT8)
    slow, fast = (build.add(hb.Linear(), x, build.constant("w", np.zeros((8, 8)), INT8), name=name, formats=[INT8])
                  for name in ("slow", "fast"))  # fmt: skip
    graph = build.build(build.add(hb.Add(), slow, fast, name="sum", formats=[INT8]))
    rows = layers(graph, target(folding=folds(slow=(1, 1), fast=(8, 8))))
    assert rows["sum"]["output_cycle"] > rows["slow"]["output_cycle"] > rows["fast"]["output_cycle"]
    assert rows["sum"]["no_overlap_cycle"] == 64 + rows["sum"]["cycles"]


def test_bytes_and_totals(target):
    k = hb.cost(dense_net(48, 64), target=target(goal='"interval_cycles"', limit=64))
    assert k.moved == {"weights": 48 * 64, "streams": 48 + 64}
    assert k.resources["bram18"] == sum(row["bram18"] for row in k.layers)
    assert k.to_dict()["resources"] == k.resources
    assert k.utilisation == 48 * 64 / (k.peak_macs_per_cycle * k.interval_cycles)


def test_steps_of_a_loop_do_not_overlap(target):
    weights = {"weight_ih_l0": np.zeros((16, 3), np.float32), "weight_hh_l0": np.zeros((16, 4), np.float32)}
    build = GraphBuilder("net")
    graph = build.build(hb.LSTM(3, 4, weights=weights)(build.input("x", (1, 5, 3)))[0])
    k = hb.cost(graph, target=target(goal='"interval_cycles"', limit=5000))
    assert k.interval_cycles <= 5000
    assert k.cycles >= sum(r["cycles"] for r in k.layers if "body" in r["layer"])


@pytest.mark.parametrize(
    ("values", "folding", "words"),
    [
        ({"goal": '"max_dsps"'}, "", "'max_dsps' needs a `limit` - at `\\$.folding.limit`"),
        ({"limit": 3}, "", "'pace' has no `limit`"),
        ({"goal": '"fastest"'}, "", "Invalid enum value 'fastest' - at `\\$.folding.goal`"),
        ({"goal": '"max_dsps"', "limit": 1}, "", "take 2 DSP blocks, 1 more than the 1 allowed"),
        ({}, folds(fc9=(1, 1)), "no layer 'fc9'"),
        ({}, folds(fc0=(5, 1)), r"pe=5 does not divide 6; use one of 1, 2, 3, 6"),
        ({}, folds(fc0=(1, 3)), r"simd=3 does not divide 8"),
        (
            {"goal": '"interval_cycles"', "limit": 1},
            folds(fc0=(1, 1)),
            r"'fc0': takes 48 cycles at least, 47 more than the interval of 1",
        ),
    ],
)
def test_bad_foldings(target, values, folding, words):
    with pytest.raises(TargetError, match=words):
        hb.cost(dense_net(8, 6, 5), target=target(folding=folding, **values))


def test_devices_that_are_too_small(tmp_path):
    text = target_text("finn-zynq7020").replace('"max_dsps"', '"interval_cycles"').replace("limit = 176", "limit = 1")
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(TargetError, match=r"dsps, the device has 220: .* too many; Linear 'fc0' takes most"):
        hb.cost(dense_net(48, 64, 4), target=str(tmp_path / "t.toml"))


def test_several_sums_in_one_node_are_refused(target):
    build = GraphBuilder("net")
    x, memory = build.input("x", (1, 4)), build.input("memory", (1, 12))
    feature, time = (build.constant("w", np.zeros(shape)) for shape in ((6, 4), (6, 2)))
    graph = build.build(*build.add_all(hb.SVDF(2), x, feature, time, None, memory))
    with pytest.raises(TargetError, match=r"SVDF 'svdf': has 2 sums of products in one node"):
        hb.cost(graph, target=target())


def test_windows_over_three_axes_are_refused(target):
    build = GraphBuilder("net")
    w = build.constant("w", np.zeros((2, 2, 2, 2, 1)), INT8)
    graph = build.build(build.add(hb.Conv3d(), build.input("x", (1, 4, 4, 4, 1), INT8), w, formats=[INT8]))
    with pytest.raises(TargetError, match="windows over 3 axes"):
        hb.cost(graph, target=target())


@pytest.mark.parametrize("name", ["finn-zynq7020", "finn-zcu104", "hls4ml-u200"])
def test_shipped_targets(name, shared):
    graph = hb.load(shared / "models/tflite/mlperf_kws_dscnn_int8.tflite")
    k = hb.cost(graph, target=name)
    device = load_target(name).device
    assert k.resources["dsps"] <= device.dsps
    assert k.interval_cycles == max(row["cycles"] for row in k.layers)
