"""Tables in every form, and pages that need no other file."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import numpy as np
import pytest
from pages import demo_results, foreign

import hwblocks as hb
from hwblocks.charts import Axis, Bars, Edge, Gallery, GraphNode, GraphView, Images, Measure, Pixels, Series
from hwblocks.errors import InputError, OutputError
from hwblocks.files import write_atomically
from hwblocks.reports.page import joined_views, render
from hwblocks.reports.pictures import picture_grid
from hwblocks.table import Column, Section, Table, plain, save_tables

TABLE = Table(
    "sizes",
    (Column("name"), Column("bytes", unit="B", bar=True), Column("share", format=".1f"), Column("none")),
    (
        {"name": "a|b", "bytes": 1200, "share": 0.25, "none": 0, "layer": "n<1>"},
        {"name": "<c>", "bytes": 300, "share": math.inf, "none": 0, "layer": "n2"},
    ),
    link="layer",
)
LARGEST = 6_000_000  # bytes of a page


def test_forms_of_a_table():
    assert TABLE["bytes"] == [1200, 300]
    first = {"name": "a|b", "bytes": "1200", "share": "0.25", "none": "0"}
    assert next(iter(csv.DictReader(io.StringIO(TABLE.to_csv())))) == first
    assert "| a\\|b | 1,200 | 0.2 |" in TABLE.to_markdown()
    assert Table("t", (Column("k"),), ({"k": "a\nb"},)).to_markdown().splitlines()[2:] == ["| a b |"]
    assert json.loads(TABLE.to_json())["rows"][1]["share"] == "inf"
    assert "&lt;c&gt;" in TABLE._repr_html_()
    assert plain({"a": np.int64(3), "b": (np.float32(0.5), math.nan)}) == {"a": 3, "b": [0.5, "nan"]}


def test_a_page_escapes_and_links_nothing():
    page = render("title <x>", [Section("part", "text & more", (("label", "value"),), (TABLE,))])
    assert "title &lt;x&gt;" in page
    assert "&lt;c&gt;" in page
    assert 'data-link="n&lt;1&gt;"' in page
    assert "--part: 25.0%" in page
    for word in ("http", "src=", "href="):
        assert word not in page
    assert len(page) < 50_000  # the drawing library comes only with charts


def test_cells_say_what_they_sort_by():
    page = render("t", [Section("part", tables=(TABLE,))])
    assert re.findall(r'data-v="([^"]*)"', page) == ["1200", "0.25", "0", "300", "inf", "0"]
    assert 'title="none">show 1 more column<' in page


@pytest.mark.parametrize("name", ["</script><b>", "<!--<script>"])  # the second hides the end of the script
def test_names_cannot_end_the_script(name):
    chart = Bars(name, (name,), (Series("s", (1,)),), Axis("x"), links=(name,))
    page = render("t", [Section("part", charts=(chart,))])
    assert page.count("</script>") == 3  # the library, the figures, the page's own
    data = page.split('id="figures">')[1].split("</script>")[0]
    assert "<" not in data
    assert json.loads(data)["chart0"]["data"][0]["meta"] == [name]


def test_foreign_places_are_found():
    assert foreign('<img src="https://a.b/c.png">') == ["https://a.b/c.png"]
    assert foreign("<style>a{background:url(//x.y/z)}</style>") == ["//x.y/z"]
    assert foreign('<a href="#part"><img src="data:image/png;base64,AA"><script src="plotly.min.js">') == []


@pytest.mark.parametrize("charts", ["inline", "file", "none"])
def test_the_whole_report_loads_nothing_from_elsewhere(tmp_path, charts):
    path = hb.report(tmp_path / "r.html", *demo_results(), charts=charts)
    page = path.read_text()
    assert foreign(page) == []
    assert len(page.encode()) < LARGEST
    names = {p.name for p in tmp_path.iterdir()}
    assert names == ({"r.html", "plotly.min.js"} if charts == "file" else {"r.html"})
    assert ('id="plotly"' in page, 'src="plotly.min.js"' in page) == (charts == "inline", charts == "file")
    assert (page.count("<svg") > 20) == (charts == "none")


def test_equal_results_equal_pages(tmp_path):
    first, second = (hb.report(tmp_path / name, *demo_results()) for name in ("a.html", "b.html"))
    assert first.read_bytes() == second.read_bytes()


def test_graphs_of_one_model_are_drawn_once():
    nodes = (GraphNode("a", "Conv2d"), GraphNode("b", "ReLU"))
    first = GraphView("net", nodes, (Edge("a", "b"),), (Measure("SQNR", "dB", {"a": 1.0}),))
    second = GraphView("net", nodes, (Edge("a", "b"),), (Measure("cycles", "", {"b": 2.0}),))
    other = GraphView("net, w4a8", nodes, ())
    views = joined_views([Section("x", charts=(first,)), Section("y", charts=(second, other))])
    assert [(v.title, [m.title for m in v.measures]) for v in views] == [("net", ["SQNR", "cycles"]), ("net, w4a8", [])]


def test_layers_of_tables_charts_and_graph_carry_one_name():
    _, compared, inspected, profile, cost = demo_results()
    nodes = {node.name for node in compared.view.nodes}
    assert nodes >= {row["layer"] for row in compared.layers}
    assert nodes >= {row["layer"] for row in cost.layers}
    assert nodes >= set(inspected.activations.links) | set(inspected.weights.links) | set(inspected.maps.links)
    assert nodes >= set(profile.memory.links)


def test_reports_are_whole_or_not_there(tmp_path):
    profile = hb.profile(hb.Sequential(hb.ReLU(), input_shape=(3,)))
    assert hb.report(tmp_path / "r.html", profile).read_text().startswith("<!doctype html>")
    with pytest.raises(OutputError, match="does not exist"):
        hb.report(tmp_path / "missing" / "r.html", profile)
    with pytest.raises(InputError):
        hb.report(tmp_path / "r.html")
    with pytest.raises(InputError, match="charts 'all': use inline, file, none"):
        hb.report(tmp_path / "r.html", profile, charts="all")
    with pytest.raises(OutputError, match="is a folder"):
        write_atomically(tmp_path, "x")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_tables_are_saved_as_csv(tmp_path):
    _, compared, inspected, profile, cost = demo_results()
    paths = save_tables(tmp_path / "tables", compared, inspected, profile, cost, cost)
    assert len(paths) == len({p.name for p in paths}) == len(list((tmp_path / "tables").iterdir()))
    layers = list(csv.DictReader((tmp_path / "tables" / "comparison_layer_by_layer.csv").open()))
    assert [row["tensor"] for row in layers] == compared.layers["tensor"]
    assert "cost_cost_by_layer_on_ideal_64mac-2.csv" in {p.name for p in paths}
    with pytest.raises(OutputError, match="cannot be made"):
        save_tables(paths[0], compared)


def test_results_carry_their_charts_in_every_form():
    inspected = demo_results()[2]
    made = inspected.to_dict()
    assert made["schema"] == "hwblocks.inspection/1"
    assert [chart["kind"] for chart in made["charts"]] == ["HeatMap", "Gallery", "Gallery", "Gallery"]
    assert "### Activations" in inspected.to_markdown()
    notebook = inspected._repr_html_()
    assert notebook.count("<svg") > 10
    assert foreign(notebook) == []
    assert len(notebook) < 400_000


def test_a_gallery_without_links_can_be_chosen_from():
    chart = Bars("b", ("a",), (Series("s", (1,)),), Axis("x"))
    page = render("t", [Section("part", charts=(Gallery("g", (("one", chart), ("two", chart))),))])
    assert page.count("<option") == 2


@pytest.mark.parametrize(("wide", "head"), [(8, "channel 1"), (1, "1")])
def test_names_above_narrow_pictures_are_short(wide, head):
    picture = Pixels(((0.0,) * wide,) * 8, 0.0, 1.0)
    made = picture_grid(Images("x", ("channel 1",), ("float",), ((picture,),)))
    assert f'<span class="side" title="channel 1">{head}</span>' in made
