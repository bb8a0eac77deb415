"""The written page in headless Chromium: nothing is logged, every chart is drawn, sorting and choosing work."""

from __future__ import annotations

import json

import browser
import pytest
from pages import demo_results, drawn_charts

import hwblocks as hb
from hwblocks.charts import Axis, Bars, Edge, GraphNode, GraphView, Series
from hwblocks.reports.page import render
from hwblocks.table import Column, Section, Table

pytestmark = pytest.mark.skipif(browser.chromium() is None, reason="no Chromium (Debian: apt install chromium)")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = hb.report(tmp_path_factory.mktemp("page") / "report.html", *demo_results())
    with browser.opened(path) as opened:
        yield opened
        assert opened.problems == []
        assert all(url.startswith(("file:", "data:", "blob:")) for url in opened.requests)


def values(page, place, table=0):
    """The cells of one column of a table as they stand."""
    script = f"all('.table table')[{table}].tBodies[0].rows"
    return page.evaluate(f"[...{script}].filter(r => !r.hidden).map(r => r.cells[{place}].textContent)")


def test_every_chart_is_drawn(page):
    page.wait("all('.chart.plotly').length === all('.js-plotly-plot .main-svg:first-child').length")
    assert page.evaluate("all('.chart.plotly').length") == drawn_charts()
    assert page.evaluate("all('.chart.plotly .plot').every(p => p.clientHeight > 100 && p.clientWidth > 200)")
    assert page.evaluate("all('.scatterlayer .point').length") > 4
    assert page.evaluate("all('.item:not([hidden]) img').every(i => i.complete && i.naturalWidth > 0)")


def test_nothing_is_wider_than_the_window(page):
    for width in (1400, 800, 500):
        page.look(width, 900)
        page.wait(f"window.innerWidth === {width} && document.documentElement.scrollWidth <= {width}")
    page.look(1400, 900)


def test_a_heading_sorts_by_value(page):
    def heading(title):
        page.evaluate(f"all('th button').find(b => b.textContent.startsWith('{title}')).click()")

    heading("cycles")
    table = demo_results()[0].table
    cycles, place = [f"{count:,}" for count in sorted(table["cycles"])], [c.key for c in table.columns].index("cycles")
    assert values(page, place) == cycles[::-1]
    heading("cycles")
    assert values(page, place) == cycles
    layers = demo_results()[1].layers
    expected = sorted((f"{v:.2f}" for v in layers["sqnr_db"]), key=float, reverse=True)
    page.evaluate("all('.table')[1].querySelector('th:nth-child(4) button').click()")
    assert values(page, 3, 1) == expected
    assert page.evaluate("all('.table')[1].querySelector('th:nth-child(4)').getAttribute('aria-sort')") == "descending"


def test_the_filter_keeps_rows_that_contain_its_text(page):
    script = "(b => {{ b.value = '{}'; b.dispatchEvent(new Event('input')); }})(document.querySelector('input[type=search]'))"
    page.evaluate(script.format("POOL"))
    assert sorted(values(page, 0, 1)) == ["pool1_out", "pool2_out", "pool2_out.nchw"]
    page.evaluate(script.format(""))
    assert len(values(page, 0, 1)) == len(demo_results()[1].layers)


def chosen(page):
    rows = "all('tr.chosen').map(r => r.cells[0].textContent)"
    shown = "all('.choose select').map(s => s.selectedOptions[0].textContent)"
    return page.evaluate(f"all('.node.chosen').map(n => n.dataset.link)"), page.evaluate(rows), page.evaluate(shown)  # noqa: F541


def test_choosing_a_node_chooses_rows_and_pictures(page):
    page.evaluate("all('.node').find(n => n.dataset.link === 'depthwise').dispatchEvent(new Event('click'))")
    nodes, rows, shown = chosen(page)
    assert nodes == ["depthwise"]
    assert set(rows) == {"dw_out", "depthwise"}
    assert shown == ["dw_out", "depthwise.weight", "sample 0: dw_out"]
    assert "MACs" in page.evaluate("document.querySelector('.about').textContent")


def test_choosing_a_row_chooses_the_node(page):
    page.evaluate("all('tr').find(r => r.dataset.link === 'conv1').click()")
    nodes, rows, shown = chosen(page)
    assert nodes == ["conv1"]
    assert set(rows) == {"relu1_out", "conv1"}
    assert shown == ["relu1_out", "conv1.weight.folded", "sample 0: relu1_out"]


def test_keys_choose_a_node_and_maps_keep_their_sample(page):
    page.evaluate("all('.chart.pictures .choose button')[1].click()")  # the next picture
    page.evaluate("(s => { s.value = [...s.options].findIndex(o => o.textContent === 'sample 1: logits'); "
                  "s.dispatchEvent(new Event('change')); })(document.querySelector('.chart.pictures select'))")  # fmt: skip
    assert chosen(page)[0] == ["fc"]
    press = (
        "all('{}').find(b => b.querySelector('[data-link]')).dispatchEvent(new KeyboardEvent('keydown', {{key: '{}'}}))"
    )
    page.evaluate(press.format(".canvas", "ArrowDown"))
    nodes, _, shown = chosen(page)
    assert (nodes, shown[2]) == (["softmax"], "sample 1: probabilities")
    links = page.evaluate("[...all('.table')[1].querySelectorAll('tr[data-link]')].map(r => r.dataset.link)")
    page.evaluate(press.format(".scroll", "ArrowUp"))
    above = [links[links.index("softmax") - 1]]
    assert chosen(page)[0] == above
    page.evaluate(press.format(".scroll", "Enter"))
    assert chosen(page)[0] == above


def test_a_bar_chooses_its_layer(page):
    page.evaluate("all('.chart.plotly').find(c => c.querySelector('h3').textContent === 'SQNR').querySelector('.plot')"
                  ".emit('plotly_click', {points: [{data: figures[all('.chart').find(c => c.querySelector('h3').textContent"
                  " === 'SQNR').id].data[0], pointIndex: 2}]})")  # fmt: skip
    assert chosen(page)[0] == ["conv1"]


def test_the_graph_is_coloured_by_a_measure(page):
    titles = page.evaluate("all('.view:not([hidden]) .measures option').map(o => o.textContent)")
    assert titles[:2] == ["SQNR (dB)", "saturated (%)"]
    place = titles.index("MACs")
    page.evaluate(
        f"(s => {{ s.value = {place}; s.dispatchEvent(new Event('change')); }})(document.querySelector('.measures'))"
    )
    shown = page.evaluate("all('.node').map(n => [n.dataset.link, n.querySelector('.value')?.textContent])")
    macs = {row["layer"]: f"{row['macs']:,}" for row in demo_results()[3].layers}
    assert {name: text for name, text in shown if text} == macs
    largest = "all('.node').find(n => n.dataset.link === 'conv1').querySelector('.shade').getAttribute('fill-opacity')"
    assert page.evaluate(largest) == "0.6"


def test_zooming_keeps_the_graph_in_its_box(page):
    before = page.evaluate("document.querySelector('.graph').clientWidth")
    page.evaluate("document.querySelector('[data-zoom=\"1.25\"]').click()")
    assert page.evaluate("document.querySelector('.graph').clientWidth") == pytest.approx(1.25 * before, abs=1)
    page.evaluate("document.querySelector('[data-zoom=fit]').click()")
    assert page.evaluate(
        "document.querySelector('.graph').clientWidth <= document.querySelector('.canvas').clientWidth"
    )


def test_colours_follow_the_reader(page):
    ink = "getComputedStyle(document.querySelector('.js-plotly-plot .xtick text')).fill"
    page.look(1400, 900, dark=True)
    page.wait(f"{ink} === 'rgb(228, 232, 237)'")
    page.look(1400, 900, dark=False)
    page.wait(f"{ink} === 'rgb(27, 33, 41)'")


def test_the_page_prints(page, tmp_path):
    page.pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    page.screenshot(tmp_path / "page.png", whole=False)
    assert (tmp_path / "page.png").stat().st_size > 20_000


@pytest.mark.parametrize("charts", ["file", "none"])
def test_other_ways_to_bring_charts(tmp_path, charts):
    path = hb.report(tmp_path / "report.html", *demo_results(), charts=charts)
    with browser.opened(path) as opened:
        assert opened.evaluate("all('.js-plotly-plot').length") == (drawn_charts() if charts == "file" else 0)
        assert opened.evaluate("all('.item svg').length > 10") == (charts == "none")
        assert opened.problems == []


def test_names_are_shown_as_they_are(tmp_path):
    names = ("<!--<script>", "</script><i>x</i>", "a<br>b & %{y}", "été 層 \U0001f600 \"'")
    table = Table(names[0], (Column("name"),), tuple({"name": n, "layer": n} for n in names), "layer")
    graph = GraphView("g", tuple(GraphNode(n, "ReLU") for n in names), (Edge(names[0], names[1], names[2]),))
    bars = Bars("b", names, (Series("s", (4, 3, 2, 1)),), Axis("x"), links=names)
    (tmp_path / "p.html").write_text(render("<t>", [Section("s", tables=(table,), charts=(graph, bars))]), "utf-8")
    with browser.opened(tmp_path / "p.html") as opened:
        assert opened.evaluate("all('.ytick text').map(t => t.textContent)") == list(names)
        assert opened.evaluate("all('tr[data-link]').map(r => r.cells[0].textContent)") == list(names)
        opened.evaluate("all('tr[data-link]')[2].click()")
        assert opened.evaluate("all('.node.chosen').map(n => n.dataset.link)") == [names[2]]
        assert opened.problems == []


def test_a_problem_is_noticed(tmp_path):
    (tmp_path / "bad.html").write_text(
        "<img src='missing.png'><script>document.documentElement.dataset.ready = 'yes'; console.error('wrong'); "
        "setTimeout(() => { throw Error('thrown'); })</script>"
    )
    with browser.opened(tmp_path / "bad.html") as opened:
        opened.wait("performance.now() > 200")
        found = json.dumps(opened.problems)
    assert all(word in found for word in ("wrong", "thrown", "ERR_FILE_NOT_FOUND"))
