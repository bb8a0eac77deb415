"""Charts of costs by hand: roofs, bounds, memory."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.cli.demo_data import demo_graph
from hwblocks.costs.charts import cost_charts, cycles_chart, energy_chart, memory_chart, roofline_chart, traffic_chart
from hwblocks.costs.tradeoff import tradeoff_charts
from hwblocks.graph.memory import plan_memory

ROWS = (
    {"layer": "a", "macs": 1000, "moved_bytes": 100, "cycles": 20, "bound": "compute", "mac_pj": 2.0, "sram_pj": 1.0},
    {"layer": "b", "macs": 200, "moved_bytes": 400, "cycles": 50, "bound": "memory", "mac_pj": 0.5, "sram_pj": 4.0},
    {"layer": "pool", "macs": 0, "moved_bytes": 10, "cycles": 5, "bound": "compute", "mac_pj": 0.0, "sram_pj": 0.1},
)


def test_layers_under_their_roofs():
    chart = roofline_chart(ROWS, 100.0, {"8x8": 64.0, "4x8": 128.0}, {"memory": 8.0})
    assert [(p.name, p.x, p.y) for p in chart.points] == [("a", 10.0, 5e9), ("b", 0.5, 4e8)]
    assert chart.links == ("a", "b")
    slanted, first, second = chart.lines
    assert slanted.x == (0.25, 16.0) and slanted.y == (0.25 * 8e8, 128 * 1e8)
    assert first.x == (8.0, 32.0) and first.y == (6.4e9, 6.4e9)
    assert second.x == (16.0, 32.0) and second.y == (1.28e10, 1.28e10)
    assert slanted.name == "memory: 0.8 GB/s"


def test_every_layer_is_under_the_roof():
    chart = next(c for c in hb.cost(demo_graph()).charts if c.title == "Roofline")
    slope = chart.lines[0].y[0] / chart.lines[0].x[0]
    peak = max(line.y[-1] for line in chart.lines)
    for point in chart.points:
        assert point.y <= min(peak, slope * point.x) * (1 + 1e-12)


def test_cycles_by_bound():
    chart = cycles_chart(ROWS)
    assert [(s.name, s.values) for s in chart.series] == [
        ("bound by compute", (20, 0, 5)),
        ("bound by memory", (0, 50, 0)),
    ]


def test_bytes_by_level():
    chart = traffic_chart(ROWS, {"on-chip memory": "moved_bytes"})
    assert (chart.series[0].values, chart.axis.heading) == ((100, 400, 10), "bytes (B)")


def test_energy_names_its_table():
    chart = energy_chart(ROWS, {"products": "mac_pj", "on-chip memory": "sram_pj"}, "horowitz-45nm")
    assert (chart.source, chart.heading) == ("horowitz-45nm", "Energy by layer, by horowitz-45nm")
    assert chart.series[1].values == (1.0, 4.0, 0.1)


def test_a_plan_as_boxes():
    plan = plan_memory([("x", 0, 1, 4), ("y", 0, 2, 8), ("z", 1, 2, 4)])
    chart = memory_chart(plan, ["n0", "n1"], {"y": "n0", "z": "n1"})
    assert [(b.name, b.offset, b.size) for b in chart.blocks] == [
        (b.id, o, b.size) for b, o in zip(plan.buffers, plan.offsets)
    ]
    assert chart.links == ("x", "n0", "n1")
    assert (chart.live, chart.size, chart.bound) == ((12, 12), 12, 12)


@pytest.mark.parametrize("recurrent", [False, True])
def test_the_profile_draws_the_plan_it_reports(recurrent):
    shapes = {"weight_ih_l0": (16, 3), "weight_hh_l0": (16, 4), "bias_ih_l0": (16,), "bias_hh_l0": (16,)}
    weights = {name: np.ones(shape) for name, shape in shapes.items()}
    net = hb.Sequential(hb.LSTM(3, 4, weights=weights), input_shape=(5, 3)) if recurrent else demo_graph()
    profile = hb.profile(net)
    assert any(box.name.endswith("/bodies") for box in profile.memory.blocks) == recurrent
    assert (profile.memory.size, profile.memory.bound) == (profile.peak_bytes, profile.peak_bound_bytes)
    assert max(profile.memory.live) == profile.peak_bound_bytes


def test_a_cost_draws_what_its_target_states():
    rows = [row | {"sram_bytes": row["moved_bytes"], "dram_bytes": 50, "energy_mac": 1.0} for row in ROWS]
    one = {"clock_mhz": 100.0, "table": "t", "unit": "pJ", "levels": ("sram", "dram")}
    made = cost_charts(rows, peak_macs=64.0, rates={"sram": 8.0, "dram": 2.0}, components=("mac",), **one)
    assert [c.title for c in made] == ["Cycles by layer", "Roofline", "Bytes moved by layer", "Energy by layer"]
    assert made[1].lines[0].name == "dram: 0.2 GB/s"
    assert [p.x for p in made[1].points] == [20.0, 4.0]
    assert [s.name for s in made[2].series] == ["sram", "dram"]
    made = cost_charts(rows, peak_macs=64.0, rates={}, components=(), **one)
    assert [c.title for c in made] == ["Cycles by layer", "Bytes moved by layer"]


ROW = {"model": "a", "target": "t", "sqnr_db": 40.0, "cycles": 10, "latency_us": 2.0, "weight_bytes": 5}
OTHER = {"model": "b", "target": "t", "sqnr_db": 30.0, "cycles": 8, "latency_us": 1.0, "weight_bytes": 5}
BY_X, BY_Y = ({f"energy {t}": 1.0, f"energy {t} range": "1 nJ (0.5 to 2)"} for t in "xy")


def test_points_of_two_energy_tables_are_not_drawn_together():
    found = tradeoff_charts([ROW | BY_X, OTHER | BY_Y], {"x": "pJ", "y": "pJ"})
    assert [c.title for c in found] == ["SQNR against cycles"]  # one row for each table: nothing to compare
    more = [ROW | BY_X, OTHER | BY_X | {"energy x": 0.5}, OTHER | BY_Y]
    found = tradeoff_charts(more, {"x": "pJ", "y": "pJ"})
    assert [(c.title, c.source) for c in found] == [
        ("SQNR against cycles", ""),
        ("SQNR against energy, by x", "x"),
    ]
    assert "a: 1 nJ (0.5 to 2)" in found[1].text  # never a bare number
    assert [p.x for p in found[1].points] == [1.0, 0.5]


def test_targets_of_one_model_are_bars_of_time():
    (bars,) = tradeoff_charts([ROW, ROW | {"target": "u", "latency_us": 7.0}], {})
    assert (bars.title, bars.names, bars.series[0].values) == ("Latency", ("t", "u"), (2.0, 7.0))


@pytest.mark.parametrize("quality", ["top1", "sqnr_db"])
def test_accuracy_is_top1_where_it_is_known(quality):
    rows = [
        {"model": m, "target": "t", quality: 90.0 + c, "float_top1": 95.0, "cycles": c} for m, c in (("a", 1), ("b", 2))
    ]
    (chart,) = tradeoff_charts(rows, {})
    assert [p.y for p in chart.points] == [91.0, 92.0]
    assert [line.y for line in chart.lines] == ([(95.0, 95.0)] if quality == "top1" else [])
