"""Microcontrollers: the formula by hand, files as fitted, bands around measured boards, dead channels, refusals."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from fit_microcontrollers import fitted, judged, measured, stacks
from tiny_networks import AFFINE, INT8, MACS, NETWORKS, Net
from write_microcontrollers import OFFERED, texts

import hwblocks as hb
from hwblocks.costs.machines.dead_channels import without_dead_channels
from hwblocks.costs.machines.microcontroller import kind_of
from hwblocks.costs.ops import layers
from hwblocks.errors import TargetError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.graph.nest import Nest
from hwblocks.targets.load import load_target

ROWS = measured()


def linear(x_format, w_format, outputs=16):
    build = GraphBuilder("net")
    x = build.input("x", (1, 64), x_format)
    w = build.constant("w", np.ones((outputs, 64)), w_format)
    return build.build(build.add(hb.Linear(), x, w, name="fc", formats=[x_format], arithmetic=AFFINE))


def test_a_dense_layer_by_hand():
    target = load_target("cortex-m4-stm32cubeai")
    found = hb.cost(linear(INT8, INT8), target=target).layers.rows[0]
    products = 64 * 16 * target.cycles_per_mac.dense
    outputs = 16 * target.overhead.per_output
    assert found["array_cycles"] == -(-products // 1)
    assert found["vector_cycles"] == -(-outputs // 1)
    assert found["cycles"] == found["array_cycles"] + found["vector_cycles"]
    assert (found["operator_kind"], found["macs_run"], found["bound"]) == ("dense", 1024, "array")


def test_elements_by_hand():
    target = load_target("cortex-m7-hale")
    build = GraphBuilder("net")
    a, b = (build.input(name, (1, 100), INT8) for name in "ab")
    added = hb.cost(build.build(build.add(hb.Add(), a, b, formats=[INT8])), target=target)
    assert added.cycles == -(-(100 * (target.overhead.per_output + target.overhead.per_operation)) // 1)
    clamp = GraphBuilder("net")
    relu = clamp.build(clamp.add(hb.ReLU(), clamp.input("x", (1, 100), INT8)))
    assert hb.cost(relu, target=target).cycles == -(-(100 * target.overhead.per_operation) // 1)  # nothing is rescaled


@pytest.mark.parametrize(
    ("nest", "kind"),
    [(Nest(1, 64, 10), "dense"), (Nest(25, 64, 10), "pointwise")],
)
def test_kinds(nest, kind):
    assert kind_of(nest) == kind


def test_kinds_of_a_network():
    found = hb.cost(NETWORKS["kws"](), target="cortex-m4-hale").layers["operator_kind"]
    assert found == ["convolution", *["depthwise", "pointwise"] * 4, None, "dense", None]


@pytest.mark.parametrize("name", OFFERED)
@pytest.mark.parametrize("pair", ["16x8", "16x16", "8x4"])
def test_widths_follow_the_table(name, pair):
    target = load_target(name)
    a, w = (hb.Format(f"int{bits}") for bits in pair.split("x"))
    plain = hb.cost(linear(INT8, INT8), target=target).layers.rows[0]["array_cycles"]
    found = hb.cost(linear(a, w), target=target).layers.rows[0]["array_cycles"]
    assert found == pytest.approx(plain / target.precision.table[pair], abs=1)


def test_networks_have_the_published_products():
    assert {name: hb.profile(make()).macs for name, make in NETWORKS.items()} == MACS


def test_files_are_as_fitted():
    for path, text in texts(ROWS).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run tests/costs/fit_microcontrollers.py --write"


def test_no_stack_has_a_parameter_a_row():
    for own in stacks(ROWS).values():
        boards = {r.board for r in own}
        assert len(own) == 4 * len(boards)
        assert 3 + len(boards) - 1 <= len(own) / 2


def test_parameters_are_physical():
    """Every parameter is positive, and a product whose weight is used once is no cheaper than one that reuses it."""
    for own in stacks(ROWS).values():
        reused, dense, output = fitted(own).parameters
        assert 0 < reused <= dense
        assert output > 0


def band(rows, which):
    errors = [abs(v) for j in rows if (v := getattr(j, which)) is not None]
    return statistics.median(errors), max(errors)


def test_estimates_lie_in_the_band_around_measured_boards():
    """100 measured rows; an estimate, whose bands are the claim: fitted, without the row, without the benchmark."""
    rows = judged(ROWS)
    assert len(rows) == 100
    for which, median, worst in (("fit", 0.05, 0.20), ("without_row", 0.10, 0.30), ("without_benchmark", 0.15, 0.40)):
        found = band(rows, which)
        assert found[0] <= median and found[1] <= worst, which


@pytest.mark.parametrize("name", OFFERED)
def test_targets_estimate_their_board(name):
    """What users get, with rounded parameters: each network within 20 % of the measurement, the median within 10 %."""
    stack, board, _ = OFFERED[name]
    own = [r for r in ROWS if (r.stack, r.board) == (stack, board)]
    errors = [abs(hb.cost(NETWORKS[r.benchmark](), target=name).cycles / r.cycles - 1) for r in own]
    assert len(errors) == 4
    assert max(errors) <= 0.20
    assert statistics.median(errors) <= 0.10


def test_kws_and_resnet8_files_cost_as_the_networks(shared):
    """The reference models themselves: the same layers as the networks of the fit."""
    for file, name in (("mlperf_kws_dscnn_int8", "kws"), ("mlperf_resnet8_int8", "ic")):
        of_file = hb.cost(shared / "models" / "tflite" / f"{file}.tflite", target="cortex-m4-cmsis-nn")
        assert of_file.cycles == hb.cost(NETWORKS[name](), target="cortex-m4-cmsis-nn").cycles


def test_energy_is_a_boards():
    cost = hb.cost(NETWORKS["kws"](), target="cortex-m33-stm32cubeai")
    measured_uj = next(
        r.energy_uj for r in ROWS if (r.stack, r.board) == ("X-CUBE-AI 10.2", "U575ZI-Q") and r.benchmark == "kws"
    )
    assert list(cost.energy) == ["board"]
    assert cost.energy["board"].low <= measured_uj * 1e6 <= cost.energy["board"].high


def test_unmeasured_energy_is_not_priced():
    cost = hb.cost(NETWORKS["kws"](), target="cortex-m0plus-hale")
    assert cost.energy is None and cost.energy_table == "unmeasured"


def test_dead_channels_by_hand():
    """Two of eight filters are zero: their products, the depthwise ones of their maps and a quarter of the next sums."""
    net = Net("net", 4, 4, 3).conv(8, 3, live=6).depthwise().conv(10, 1).graph()
    counted = layers(net)
    left = {name: (kept.macs, kept.outputs) for name, kept in without_dead_channels(counted).items()}
    first, second, third = (layer.node.name for layer in counted)
    assert left == {
        first: (16 * 27 * 6, 16 * 6),
        second: (16 * 9 * 6, 16 * 6),
        third: (16 * 6 * 10, 16 * 10),
    }


def test_dead_channels_of_vww():
    """As many products as the trained file has without channels of zeros: 3,742,559 of 7,489,664."""
    counted = [layer for layer in layers(NETWORKS["vww"]()) if not layer.free]
    left = without_dead_channels(counted)
    assert sum(left[x.node.name].macs if x.node.name in left else x.work.macs for x in counted) == 3_742_559
    kept = {name: hb.cost(NETWORKS["vww"](), target=name) for name in ("cortex-m4-stm32cubeai", "cortex-m4-hale")}
    assert sum(n or 0 for n in kept["cortex-m4-stm32cubeai"].layers["macs_run"]) == 3_742_559
    assert sum(n or 0 for n in kept["cortex-m4-hale"].layers["macs_run"]) == 7_489_664


def test_weights_that_are_all_zero_are_not_trained_yet():
    net = Net("net", 4, 4, 3).conv(8, 3, live=0).conv(8, 1).graph()
    assert without_dead_channels(layers(net)) == {}


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (lambda: hb.Sequential(hb.ReLU(), input_shape=(3,)), "floating point; cortex-m0plus-hale was measured on"),
        (lambda: Net("net", 128, 128, 8).then(hb.ReLU()).graph(), "memory 'sram' of cortex-m0plus-hale has 147,456"),
        (
            lambda: Net("net", 1024).dense(1024).graph(),
            "memory 'flash' of cortex-m0plus-hale has 524,288: 524,288 bytes",
        ),
    ],
)
def test_what_does_not_run(graph, message):
    with pytest.raises(TargetError, match=message):
        hb.cost(graph(), target="cortex-m0plus-hale")
