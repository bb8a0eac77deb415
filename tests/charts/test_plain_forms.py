"""Charts without a browser's library: PNG bytes, inline SVG, terminal drawings."""

from __future__ import annotations

import io
import struct
import xml.etree.ElementTree as ElementTree
import zlib

import pytest
from rich.console import Console

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
    Line,
    Measure,
    Pixels,
    Point,
    Scatter,
    Series,
)
from hwblocks.charts.png import encode, palette
from hwblocks.charts.terminal import bar, sparkline
from hwblocks.table import Column, Table

HISTOGRAM = Histogram(
    "act", -1.0, 0.5, (("float", (10.0, 30.0, 60.0)), ("integer", (0.0, 40.0, 60.0))), Axis("value"),
    (Limit("lowest", -0.5), Limit("highest", 0.5)), 10.0, 0.0,
)  # fmt: skip
PICTURE = Pixels(((0.0, 1.0), (0.5, float("nan"))), 0.0, 1.0)
IMAGES = Images("conv", ("channel 0",), ("float", "difference"), ((PICTURE, Pixels(((-1.0,), (1.0,)), -1, 1, True)),))
GANTT = Gantt("memory", (Box("a", 0, 2, 0, 4), Box("b", 1, 2, 4, 4)), ("s0", "s1"), 8, 8)
VIEW = GraphView(
    "net",
    (GraphNode("x<1>", "input"), GraphNode("conv", "Conv2d", "int8"), GraphNode("flat", "Flatten", "int8", True)),
    (Edge("x<1>", "conv", "x"), Edge("conv", "flat", "y")),
    (Measure("SQNR", "dB", {"conv": 30.0}, ".1f", False),),
)
CHARTS = (
    Bars("SQNR & more", ("a<b", "b"), (Series("SQNR", (float("inf"), 20.0)),), Axis("SQNR", "dB")),
    Bars("energy", ("a", "b"), (Series("mac", (1.0, 2.0), "t"), Series("sram", (3.0, None), "t")), Axis("energy", "pJ")),
    HeatMap("use", ("a", "b"), ("low", "high"), ((0.0, 0.01), (50.0, None)), Axis("share", "%", log=True)),
    Scatter(
        "roof", (Point("a", 1, 10, "g"), Point("b", 0, 10, "h")), Axis("x", log=True), Axis("y", log=True),
        (Line("roof", (1, 10), (10, 100)),),
    ),
    HISTOGRAM,
    IMAGES,
    GANTT,
    Gallery("acts", (("act", HISTOGRAM),)),
    Gallery("maps", (("conv", IMAGES),)),
    VIEW,
)  # fmt: skip
IDS = [f"{type(c).__name__}-{c.title}" for c in CHARTS]


def chunks(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, found = 8, {}
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(name + body)
        found[name] = body
        at += 12 + length
    return found


def test_a_picture_as_png():
    found = chunks(encode(PICTURE))
    assert list(found) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    assert found[b"IHDR"] == struct.pack(">IIBBBBB", 2, 2, 8, 3, 0, 0, 0)
    assert zlib.decompress(found[b"IDAT"]) == bytes([0, 0, 2, 0, 1, 3])  # of the four colours that occur
    assert [tuple(found[b"PLTE"][i : i + 3]) for i in (0, 6, 9)] == [(13, 18, 43), (252, 240, 170), (128, 128, 128)]
    assert len(found[b"PLTE"]) == 12


def test_palettes_end_in_their_anchors():
    assert tuple(palette(False)[:3]) == (13, 18, 43)
    assert tuple(palette(True)[127 * 3 : 127 * 3 + 3]) == (240, 240, 240)
    assert tuple(palette(True)[254 * 3 : 254 * 3 + 3]) == (178, 48, 40)


def test_a_flat_picture_has_one_colour():
    flat = chunks(encode(Pixels(((2.0, 2.0),), 2.0, 2.0)))
    assert zlib.decompress(flat[b"IDAT"]) == bytes([0, 0, 0])


@pytest.mark.parametrize("chart", CHARTS, ids=IDS)
def test_static_pictures_are_well_formed_and_load_nothing(chart):
    made = chart.to_svg()
    root = ElementTree.fromstring(f"<div>{made}</div>")
    drawings = [e for e in root.iter() if e.tag.endswith("}svg")]
    assert len(drawings) == 1
    for element in root.iter():
        for name, value in element.attrib.items():
            assert name.split("}")[-1] not in ("href", "src") or value.startswith("data:image/png;base64,")


@pytest.mark.parametrize("chart", CHARTS, ids=IDS)
def test_static_pictures_hold_finite_numbers(chart):
    for word in ("nan", "inf", "None"):
        assert f'="{word}' not in chart.to_svg()


def test_bars_of_a_static_picture_have_the_lengths_of_their_values():
    root = ElementTree.fromstring(Bars("b", ("a", "b"), (Series("s", (10.0, 5.0)),), Axis("x")).to_svg())
    lengths = [float(e.attrib["width"]) for e in root.iter() if e.tag.endswith("}rect")]
    assert lengths == [350.0, 175.0]  # 620 less 190 for names and 80 for numbers


def test_a_static_picture_of_memory_shows_what_is_alive_the_bound_and_the_arena():
    root = ElementTree.fromstring(Gantt("m", (Box("a", 0, 2, 4, 4),), ("s0", "s1"), 8, 4).to_svg())
    lines = [e for e in root.iter() if e.tag.endswith("}polyline")]
    heights = [sorted({point.split(",")[1] for point in e.attrib["points"].split()}) for e in lines]
    bound, arena = "136.0", "12.0"  # half way up and at the top of 260 less 40 below
    assert heights[:3] == [[bound], [bound], [arena]]  # then the axes
    assert "a: 4 B at 4, steps 0 to 1" in [e.text for e in root.iter() if e.tag.endswith("}title")]


def printed(chart, color_system=None):
    out = io.StringIO()
    Console(file=out, width=120, color_system=color_system, force_terminal=color_system is not None).print(chart)
    return out.getvalue()


@pytest.mark.parametrize("chart", CHARTS, ids=IDS)
def test_every_chart_prints(chart):
    for colours in (None, "truecolor"):
        assert printed(chart, colours).strip()


@pytest.mark.parametrize("name", ["a[/b]", "[red]a", "a:x:0"])  # markup that ends nothing, markup, a code of an emoji
def test_names_are_printed_as_they_are(name):
    point, box = Point(name, 1, 1), Box(name, 0, 1, 0, 4)
    charts = (
        Bars(name, (name,), (Series(name, (1.0,)),), Axis("x")),
        HeatMap(name, (name,), (name,), ((1.0,),), Axis("x")),
        Scatter(name, (point,), Axis("x"), Axis("y")),
        Gallery(name, ((name, HISTOGRAM),)),
        Gantt(name, (box,), (name,), 4, 4),
        GraphView(name, (GraphNode(name, "ReLU"),), ()),
        Table(name, (Column("k", name),), ({"k": name},)),
        Table(name, (Column("k"), Column("z", name)), ({"k": name, "z": 0}, {"k": name, "z": 0})),
    )
    for chart in charts:
        assert name in printed(chart)
    assert printed(charts[-1]).count(name) == 4  # title, two rows, the caption that names the column of zeros


def test_bars_and_lines_of_block_characters():
    assert bar(1.0, 4) == "████"
    assert bar(0.25, 4) == "█"
    assert bar(2.0, 2) == "██"
    assert bar(0.0) == ""
    assert sparkline([0, 0.001, 8, 4]) == " ▁█▄"
    assert sparkline(range(8), 4) == "▁▃▆█"


def test_a_printed_gallery_of_histograms_is_one_line_each():
    lines = printed(CHARTS[7]).splitlines()
    assert len(lines) == 3
    assert "-0.5 to 0.5" in lines[2] and lines[2].split()[-1] == "10"


def test_printed_memory_shows_which_buffer_is_where():
    lines = [line[9:].rstrip() for line in printed(GANTT).splitlines()[1:15]]
    assert lines == ["······██████"] * 7 + ["████████████"] * 7


def test_printed_pictures_without_colours_are_shades():
    assert "  ██" in printed(IMAGES)
    assert "▀" in printed(IMAGES, "truecolor")


def test_the_drawn_graph_carries_names_and_measures():
    root = ElementTree.fromstring(VIEW.to_svg())
    nodes = [e for e in root.iter() if "node" in e.attrib.get("class", "").split()]
    assert [n.attrib["data-link"] for n in nodes] == ["x<1>", "conv", "flat"]
    assert [n.attrib["data-measures"] for n in nodes] == ['[["", null]]', '[["30.0 dB", 1.0]]', '[["", null]]']
    assert [n.attrib["class"] for n in nodes] == ["node input", "node", "node faint"]
    assert nodes[1].attrib["aria-label"] == "conv: Conv2d int8 SQNR: 30.0 dB"  # XML turns the newline into a space
