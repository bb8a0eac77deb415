"""Static pictures of charts as inline SVG, for notebooks and pages without scripts; text and lines take the colour of
the page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from html import escape

from hwblocks.charts.graph_svg import graph_svg, head, tail
from hwblocks.charts.graph_view import GraphView
from hwblocks.charts.measured import Gantt, Histogram, Images
from hwblocks.charts.png import data_uri
from hwblocks.charts.records import Bars, Gallery, HeatMap, Scatter, finite
from hwblocks.charts.scales import Scale, compact
from hwblocks.table import Chart

COLOURS = ("#4c8dd6", "#e0893b", "#4aa577", "#cf5f66", "#8e72c6", "#3aa3ad", "#b48a3c", "#7d8793")
SOFT = "#7d8793"
WIDE, TALL = 620, 240  # of a picture with two axes
LEFT, RIGHT, TOP, BOTTOM = 70, 16, 12, 40
ROW = 18  # of a bar or a line of a heat map
NAMES = 190  # room for names on the left
SHOWN = 12  # charts of a gallery that are shown beside each other


@singledispatch
def picture(chart: Chart) -> str:
    """The picture of a chart; "" for charts that have none."""
    return ""


picture.register(GraphView, graph_svg)


def colour(index: int) -> str:
    """The colour of the i-th series."""
    return COLOURS[index % len(COLOURS)]


def svg(width: float, height: float, body: str, title: str) -> str:
    """An SVG element with a title."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="system-ui, sans-serif" font-size="11" '
        f'style="max-width:100%;height:auto" fill="currentColor"><title>{escape(title)}</title>{body}</svg>'
    )


def text(x: float, y: float, words: str, anchor: str = "start", soft: bool = False) -> str:
    """A line of text."""
    shade = f' fill="{SOFT}"' if soft else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{shade}>{escape(words)}</text>'


def rect(x: float, y: float, width: float, height: float, fill: str, about: str = "", opacity: float = 1.0) -> str:
    """A filled box with what it says on hover."""
    inside = f"<title>{escape(about)}</title>" if about else ""
    faint = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
    size = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.0):.1f}" height="{max(height, 0.0):.1f}"'
    return f'<rect {size} fill="{fill}"{faint}>{inside}</rect>'


def line(points: Sequence[tuple[float, float]], stroke: str, dashed: bool = False) -> str:
    """A line through points."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="1.5"{dash}/>'


@picture.register
def bars(chart: Bars) -> str:
    """Bars to the right, one row a name, series stacked."""
    totals = [sum(finite([s.values[i] for s in chart.series])) for i in range(len(chart.names))]
    top = max(totals, default=0.0) or 1.0
    room = WIDE - NAMES - 80
    body = []
    for row, name in enumerate(chart.names):
        y, x = TOP + row * ROW, float(NAMES)
        body.append(text(NAMES - 6, y + 12, tail(name, 28), "end"))
        for index, series in enumerate(chart.series):
            value = series.values[row]
            length = room * (min(max(value, 0.0), top) / top) if value is not None and value == value else 0.0
            body.append(rect(x, y + 2, length, ROW - 5, colour(index), f"{name}: {compact(value)} {chart.axis.unit}"))
            x += length
        shown = chart.series[0].values[row] if len(chart.series) == 1 else totals[row]
        body.append(text(x + 4, y + 12, compact(shown), soft=True))
    bottom = TOP + len(chart.names) * ROW
    body.append(_legend([s.name for s in chart.series], bottom + 16) if len(chart.series) > 1 else "")
    body.append(text(NAMES, bottom + 32, chart.axis.heading, soft=True))
    return svg(WIDE, bottom + BOTTOM, "".join(body), chart.heading)


def _legend(names: Sequence[str], y: float) -> str:
    parts, x = [], float(NAMES)
    for index, name in enumerate(names):
        parts.append(rect(x, y - 9, 10, 10, colour(index)) + text(x + 14, y, name))
        x += 30 + 6.2 * len(name)
    return "".join(parts)


@picture.register
def heat_map(chart: HeatMap) -> str:
    """A box for each value, the stronger the larger, with its number."""
    scale = Scale.over([v for row in chart.values for v in row], chart.axis.log)
    wide = min(110.0, (WIDE - NAMES) / max(len(chart.columns), 1))
    body = [text(NAMES + (c + 0.5) * wide, 14, head(n, int(wide / 6.4)), "middle") for c, n in enumerate(chart.columns)]
    for r, (name, values) in enumerate(zip(chart.rows, chart.values, strict=True)):
        y = 20 + r * ROW
        body.append(text(NAMES - 6, y + 13, tail(name, 28), "end"))
        for c, value in enumerate(values):
            about = f"{name}, {chart.columns[c]}: {compact(value)} {chart.axis.unit}"
            opacity = 0.8 * scale.part(value) if value else 0.03
            body.append(rect(NAMES + c * wide, y, wide - 1, ROW - 1, colour(1), about, opacity))
            body.append(text(NAMES + (c + 0.5) * wide, y + 13, compact(value), "middle"))
    return svg(NAMES + wide * len(chart.columns), 24 + ROW * len(chart.rows), "".join(body), chart.title)


@picture.register
def histogram(chart: Histogram) -> str:
    """Bins of the first series filled, of the others as steps; limits as dashed lines."""
    ends = [chart.start, chart.start + chart.bins * chart.width, *(mark.value for mark in chart.limits)]
    x = Scale(min(ends), max(ends)).on(LEFT, WIDE - RIGHT)
    top = max((max(shares, default=0.0) for _, shares in chart.series), default=0.0) or 1.0
    y = Scale(0.0, top).on(TALL - BOTTOM, TOP)
    body = []
    for index, (name, shares) in enumerate(chart.series):
        edges = [x(chart.start + b * chart.width) for b in range(chart.bins + 1)]
        if index:
            body.append(line([(e, y(v)) for b, v in enumerate(shares) for e in edges[b : b + 2]], colour(index)))
            continue
        for left, right, share in zip(edges, edges[1:], shares, strict=False):
            if share:
                body.append(rect(left, y(share), right - left, y(0) - y(share), colour(0), f"{name}: {share:.3g} %"))
    for mark in chart.limits:
        body.append(line([(x(mark.value), TOP), (x(mark.value), y(0))], colour(3), dashed=True))
    return svg(WIDE, TALL, "".join(body) + _ticks(x, y, chart.axis.heading, "share (%)"), chart.title)


def _ticks(x: Scale, y: Scale, x_title: str, y_title: str) -> str:
    parts = [line([(x.first, y.first), (x.last, y.first)], SOFT)]
    for value in x.ticks():
        parts.append(text(x(value), y.first + 14, compact(value), "middle", soft=True))
    for value in y.ticks():
        parts.append(text(LEFT - 6, y(value) + 4, compact(value), "end", soft=True))
    parts.append(text((x.first + x.last) / 2, y.first + 30, x_title, "middle"))
    turned = (
        f'<g transform="translate(14 {(y.first + y.last) / 2:.0f}) rotate(-90)">{text(0, 0, y_title, "middle")}</g>'
    )
    return "".join(parts) + turned


@picture.register
def scatter(chart: Scatter) -> str:
    """Points with their names, and lines."""
    xs = [p.x for _, p in chart.shown] + [v for roof in chart.lines for v in roof.x]
    ys = [p.y for _, p in chart.shown] + [v for roof in chart.lines for v in roof.y]
    x = Scale.over(xs, chart.x.log).on(LEFT, WIDE - RIGHT - 60)
    y = Scale.over(ys, chart.y.log).on(TALL + 60 - BOTTOM, TOP + 10)
    groups = list(dict.fromkeys(p.group for p in chart.points))
    body = [line([(x(a), y(b)) for a, b in zip(r.x, r.y, strict=True)], SOFT, True) for r in chart.lines]
    for _, point in chart.shown:
        fill = colour(groups.index(point.group))
        about = f"<title>{escape(f'{point.name}: {compact(point.x)}, {compact(point.y)}')}</title>"
        body.append(f'<circle cx="{x(point.x):.1f}" cy="{y(point.y):.1f}" r="5" fill="{fill}">{about}</circle>')
        body.append(text(x(point.x) + 8, y(point.y) + 4, head(point.name, 16)) if chart.labels else "")
    return svg(WIDE, TALL + 60, "".join(body) + _ticks(x, y, chart.x.heading, chart.y.heading), chart.title)


@picture.register
def gantt(chart: Gantt) -> str:
    """Steps across, addresses up; the arena's size and the bound as lines."""
    x = Scale(0, max(len(chart.steps), 1)).on(LEFT, WIDE - RIGHT)
    y = Scale(0, max(chart.size, chart.bound, 1)).on(TALL + 60 - BOTTOM, TOP)
    body = []
    for index, box in enumerate(chart.blocks):
        about = f"{box.name}: {box.size:,} B at {box.offset:,}, steps {box.lower} to {box.upper - 1}"
        left, right, above = x(box.lower), x(box.upper), y(box.offset + box.size)
        body.append(rect(left + 0.5, above, right - left - 1, y(box.offset) - above, colour(index), about, 0.75))
    steps = [p for i, live in enumerate(chart.live) for p in ((x(i), y(live)), (x(i + 1), y(live)))]
    body.append(line(steps, "currentColor"))
    body.append(line([(x.first, y(chart.bound)), (x.last, y(chart.bound))], colour(3), dashed=True))
    body.append(line([(x.first, y(chart.size)), (x.last, y(chart.size))], colour(2)))
    return svg(WIDE, TALL + 60, "".join(body) + _ticks(x, y, "step", "address (B)"), chart.title)


@picture.register
def images(chart: Images) -> str:
    """The pictures in their grid, enlarged without smoothing."""
    tall = max((p.size[0] for row in chart.pixels for p in row), default=1)
    wide = max((p.size[1] for row in chart.pixels for p in row), default=1)
    zoom = max(1.0, min(110 / max(wide, 1), 110 / max(tall, 1)))
    cell_x, cell_y = max(wide * zoom, 60) + 10, tall * zoom + 10
    body = [text(80 + (c + 0.5) * cell_x, 12, name, "middle") for c, name in enumerate(chart.columns)]
    for r, (name, pictures) in enumerate(zip(chart.rows, chart.pixels, strict=True)):
        body.append(text(74, 30 + r * cell_y, name, "end"))
        for c, p in enumerate(pictures):
            size = f'width="{p.size[1] * zoom:.0f}" height="{p.size[0] * zoom:.0f}"'
            place = f'x="{80 + c * cell_x:.0f}" y="{18 + r * cell_y:.0f}"'
            body.append(f'<image {place} {size} style="image-rendering:pixelated" href="{data_uri(p)}"/>')
    return svg(90 + cell_x * len(chart.columns), 24 + cell_y * len(chart.rows), "".join(body), chart.title)


@picture.register
def gallery(chart: Gallery) -> str:
    """The first charts below each other, under their names."""
    shown = "".join(f"<p>{escape(name)}</p>{picture(one)}" for name, one in chart.charts[:SHOWN])
    left = len(chart.charts) - SHOWN
    return shown + (f"<p>{left} more are in the other forms of this result.</p>" if left > 0 else "")
