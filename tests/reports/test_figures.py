"""Charts as figures of Plotly: expected dictionaries by hand."""

from __future__ import annotations

import json
import math

from hwblocks.charts import Axis, Bars, Box, Gantt, GraphView, HeatMap, Histogram, Limit, Line, Point, Scatter, Series
from hwblocks.reports.figures import ACROSS, figure, short


def test_digits_and_gaps():
    assert short([1 / 3, 1e-9, 123456.789, 12, math.nan, -math.inf, None]) == [
        0.33333,
        1e-9,
        123460.0,
        12,
        None,
        None,
        None,
    ]


def test_bars_to_the_right():
    made = figure(Bars("b", ("a", "b"), (Series("SQNR", (30.0, math.inf)),), Axis("SQNR", "dB"), links=("n0", "n1")))
    (trace,) = made["data"]
    assert (trace["orientation"], trace["y"], trace["x"]) == ("h", ["a", "b"], [30.0, 30.0])
    assert trace["customdata"] == ["30", "∞"]
    assert trace["meta"] == ["n0", "n1"]
    assert made["layout"]["yaxis"]["autorange"] == "reversed"
    assert made["layout"]["xaxis"]["title"] == {"text": "SQNR (dB)"}
    assert not made["layout"]["showlegend"]


def test_many_bars_go_up_and_series_are_stacked():
    names = tuple(f"layer {i}" for i in range(ACROSS + 1))
    zeros = (0.0,) * len(names)
    made = figure(Bars("e", names, (Series("mac", zeros, "t"), Series("sram", zeros, "t")), Axis("energy", "pJ")))
    assert [t["orientation"] for t in made["data"]] == ["v", "v"]
    assert [t["name"] for t in made["data"]] == ["mac", "sram"]
    assert made["layout"]["barmode"] == "stack"
    one, two = (figure(Bars("b", ("a",), (Series("s", (1,)),) * n, Axis("x")))["layout"] for n in (1, 2))
    assert two["height"] > one["height"]  # a legend needs room of its own
    assert made["layout"]["showlegend"]


def test_very_many_names_are_thinned_and_long_ones_cut():
    names = tuple(f"a long prefix of every layer {i}" for i in range(300))
    axis = figure(Bars("b", names, (Series("s", (1,) * 300),), Axis("x")))["layout"]["xaxis"]
    assert axis["tickvals"] == list(names[::5])
    assert all(len(text) <= 13 for text in axis["ticktext"])


def test_heat_maps_by_the_logarithm():
    made = figure(HeatMap("h", ("a", "b"), ("low", "high"), ((0.0, 0.01), (100.0, None)), Axis("share", "%", log=True)))
    (trace,) = made["data"]
    assert trace["z"] == [[-2.0, -2.0], [2.0, None]]
    assert trace["text"] == [["0", "0.01"], ["100", ""]]
    assert (trace["zmin"], trace["zmax"]) == (-2.0, 2.0)
    assert trace["colorbar"]["ticktext"] == ["0.01", "0.1", "1", "10", "100"]


def test_heat_maps_of_many_rows_lie_on_their_side():
    rows = tuple(f"r{i}" for i in range(60))
    values = tuple((float(i), 0.0) for i in range(60))
    made = figure(HeatMap("h", rows, ("low", "high"), values, Axis("share", "%"), links=rows))
    (trace,) = made["data"]
    assert (trace["x"], trace["y"], trace["meta"]) == (list(rows), ["low", "high"], list(rows))
    assert trace["z"] == [[float(i) for i in range(60)], [0.0] * 60]
    assert trace["texttemplate"] == ""


def test_histograms_close_at_both_ends_and_show_the_range():
    limits = (Limit("lowest", -1.0), Limit("highest", 1.0))
    made = figure(
        Histogram("h", -1.0, 1.0, (("float", (25.0, 75.0)), ("integer", (30.0, 70.0))), Axis("value"), limits)
    )
    assert (made["data"][0]["x0"], made["data"][0]["dx"]) == (-1.5, 1.0)
    assert made["data"][0]["y"] == [0.0, 25.0, 75.0, 0.0]
    assert [t.get("fill") for t in made["data"]] == ["tozeroy", None]
    assert [(s["x0"], s["x1"]) for s in made["layout"]["shapes"]] == [(-1.0, -1.0), (1.0, 1.0)]
    assert [a["text"] for a in made["layout"]["annotations"]] == ["lowest -1", "highest 1"]


def test_scatter_by_group_with_lines_behind():
    points = (Point("a", 1, 10, "compute", note="x"), Point("b", 0, 1, "memory"), Point("c", 3, 4, "memory"))
    roof = Line("roof", (1.0, 2.0), (5.0, 10.0))
    x, y = Axis("MACs per byte", log=True), Axis("MACs per second", log=True)
    made = figure(Scatter("r", points, x, y, (roof,), links=("n0", "n1", "n2")))
    assert [t["name"] for t in made["data"]] == ["roof", "compute", "memory"]
    assert made["data"][2] | {"marker": 0, "hovertemplate": 0} == {
        "type": "scatter", "mode": "markers", "name": "memory", "showlegend": True, "x": [3], "y": [4], "text": ["c"], "customdata": [""],
        "meta": ["n2"], "textposition": "top center", "cliponaxis": False, "marker": 0, "hovertemplate": 0,
    }  # fmt: skip
    assert (made["layout"]["xaxis"]["type"], made["layout"]["xaxis"]["dtick"]) == ("log", "D2")
    far = (Point("a", 1, 1), Point("b", 1e6, 1))
    assert figure(Scatter("r", far, x, Axis("y")))["layout"]["xaxis"]["dtick"] == 1


def test_memory_as_boxes_over_steps():
    made = figure(
        Gantt("m", (Box("a", 0, 3, 0, 64), Box("b", 1, 2, 64, 32)), ("s0", "s1", "s2"), 96, 90, links=("x", "y"))
    )
    boxes, live, bound, arena = made["data"]
    assert (boxes["x"], boxes["width"], boxes["base"], boxes["y"]) == ([1.5, 1.5], [3, 1], [0, 64], [64, 32])
    assert (live["x"], live["y"]) == ([0, 1, 2, 3], [64, 96, 64, 64])
    assert (bound["y"], arena["y"]) == ([90, 90], [96, 96])
    assert made["layout"]["xaxis"]["ticktext"] == ["s0", "s1", "s2"]
    assert "steps 0 to 2: s0 … s2" in boxes["customdata"][0]


def test_names_are_labels_and_no_markup():
    name, shown = "<b>a & b</b> %{x}", "&lt;b&gt;a &amp; b&lt;/b&gt; &#37;{x}"
    made = figure(Bars("b", (name,), (Series(name, (1,)), Series("s", (2,))), Axis("x"), links=(name,)))
    assert (made["data"][0]["y"], made["data"][0]["name"], made["data"][0]["meta"]) == ([shown], shown, [name])
    assert shown in made["data"][0]["hovertemplate"]
    assert (made["layout"]["yaxis"]["tickvals"], made["layout"]["yaxis"]["ticktext"]) == ([shown], [shown])
    points = figure(Scatter("s", (Point(name, 1, 1, name, note=name),), Axis("x"), Axis("y")))["data"][0]
    assert (points["text"], points["customdata"], points["name"]) == ([shown], [shown], shown)
    boxes = figure(Gantt("m", (Box(name, 0, 1, 0, 4),), (name,), 4, 4))["data"][0]
    assert boxes["customdata"] == [f"{shown}<br>4 B at 0<br>steps 0 to 0: {shown}"]


def test_figures_are_json_and_graphs_are_drawn_otherwise():
    assert figure(GraphView("g", (), ())) is None
    chart = Bars("b", ("a",), (Series("s", (math.nan,)),), Axis("x"))
    assert "NaN" not in json.dumps(figure(chart), allow_nan=False)
