"""Chart records: what they refuse, what they derive, and their plain form."""

from __future__ import annotations

import json
import math

import pytest

from hwblocks.charts import (
    Axis,
    Bars,
    Box,
    Edge,
    Gallery,
    Gantt,
    GraphNode,
    GraphView,
    HeatMap,
    Histogram,
    Images,
    Limit,
    Measure,
    Pixels,
    Point,
    Scatter,
    Series,
    measures_of,
)
from hwblocks.errors import InputError
from hwblocks.table import Column, Table

NODES = (GraphNode("in", "input"), GraphNode("a", "Conv2d", "int8"), GraphNode("b", "Flatten", "int8", True))
VIEW = GraphView("net", NODES, (Edge("in", "a", "x"), Edge("a", "b", "y")))


def test_figures_of_two_energy_tables_are_refused():
    with pytest.raises(InputError, match=r"'7nm' and 'horowitz-45nm'.*one energy table"):
        Bars("e", ("a",), (Series("mac", (1.0,), "horowitz-45nm"), Series("sram", (2.0,), "7nm")), Axis("energy"))
    points = (Point("a", 1, 1, source="horowitz-45nm"), Point("b", 1, 1, source="7nm"))
    with pytest.raises(InputError, match="one energy table"):
        Scatter("e", points, Axis("x"), Axis("y"))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="series 's' has 1 values for 2 names"):
        Bars("b", ("a", "b"), (Series("s", (1,)),), Axis("x"))
    with pytest.raises(InputError, match="2 rows of 1"):
        HeatMap("h", ("a", "b"), ("c",), ((1,),), Axis("x"))
    with pytest.raises(InputError, match="1 rows of 2"):
        Images("i", ("a",), ("float", "integer"), ((Pixels(((0.0,),), 0, 1),),))


def test_memory_alive_at_each_step():
    boxes = (Box("a", 0, 2, 0, 10), Box("b", 1, 3, 10, 5), Box("c", 2, 3, 0, 7))
    assert Gantt("m", boxes, ("x", "y", "z"), 15, 15).live == (10, 15, 12)


def test_points_that_an_axis_cannot_show_are_left_out():
    points = (Point("a", 0, 1), Point("b", 2, 3), Point("c", 5, -1))
    log = Scatter("s", points, Axis("x", log=True), Axis("y", log=True))
    assert [(i, p.name) for i, p in log.shown] == [(1, "b")]
    assert len(Scatter("s", points, Axis("x"), Axis("y")).shown) == 3
    assert len(log.to_table()) == 3


def test_what_stands_out():
    high = Measure("cycles", "", {"a": 10.0, "b": 5.0})
    assert [high.share(n) for n in ("a", "b", "c")] == [1.0, 0.5, None]
    low = Measure("SQNR", "dB", {"a": 40.0, "b": 20.0, "c": math.inf, "d": 30.0}, ".0f", high_is_bad=False)
    assert [low.share(n) for n in "abcd"] == [0.0, 1.0, 0.0, 0.5]
    assert (high.ends, low.ends) == (("0", "10"), ("40", "20"))
    assert low.text("b") == "20 dB"
    assert Measure("energy", "pJ", {"a": 313400.0}, ".4g").text("a") == "313,400 pJ"


def test_views_of_one_model_become_one():
    first = VIEW.with_measures(Measure("SQNR", "dB", {"a": 1.0}))
    second = VIEW.with_measures(Measure("SQNR", "dB", {"a": 2.0}), Measure("cycles", "", {"a": 3.0}))
    joined = first.joined(second)
    assert first.is_same_graph(second)
    assert [(m.title, m.values["a"]) for m in joined.measures] == [("SQNR", 1.0), ("cycles", 3.0)]
    assert not first.is_same_graph(GraphView("other", NODES, ()))


def test_measures_without_values_are_left_out():
    assert VIEW.with_measures(Measure("SQNR", "dB", {})).measures == ()


def test_measures_come_from_columns():
    table = Table(
        "t",
        (Column("layer"), Column("n", "MACs", "", ",")),
        ({"layer": "a", "n": 5}, {"layer": "b", "n": None}),
        "layer",
    )
    (measure,) = measures_of(table, "n")
    assert (measure.title, dict(measure.values), measure.text("a")) == ("MACs", {"a": 5}, "5")


def test_every_chart_is_a_table_and_json():
    histogram = Histogram("h", -1.0, 0.5, (("float", (25.0, 75.0)),), Axis("value"), (Limit("lowest", -1.0),), 1.0, 0.0)
    charts = (
        Bars("b", ("a",), (Series("s", (math.inf,)),), Axis("SQNR", "dB")),
        HeatMap("h", ("r",), ("c",), ((None,),), Axis("share", "%")),
        Scatter("s", (Point("p", 1, 2),), Axis("x"), Axis("y")),
        histogram,
        Images("i", ("channel 0",), ("float",), ((Pixels(((1.0, math.nan),), 0, 1),),)),
        Gantt("g", (Box("a", 0, 1, 0, 4),), ("x",), 4, 4),
        Gallery("all", (("h", histogram),)),
        VIEW,
    )
    for chart in charts:
        made = json.loads(json.dumps(chart.to_dict(), allow_nan=False))
        assert made["kind"] == type(chart).__name__
        assert len(chart.to_table()) >= 1
    assert charts[0].to_dict()["series"][0]["values"] == ["inf"]
    assert charts[6].to_dict()["charts"][0][1]["kind"] == "Histogram"


def test_bins_of_a_histogram():
    made = Histogram("h", -1.0, 0.5, (("float", (25.0, 75.0)),), Axis("value"))
    assert made.centres == (-0.75, -0.25)
    assert made.to_table()["to"] == [-0.5, 0.0]
