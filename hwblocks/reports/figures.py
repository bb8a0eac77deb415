"""Charts as figures of Plotly: plain dictionaries of `data` and `layout`; colours of text and grid are the page's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import singledispatch
from html import escape
from typing import Any

from hwblocks.charts import Bars, Gantt, HeatMap, Histogram, Scatter
from hwblocks.charts.graph_svg import tail
from hwblocks.charts.records import Axis, finite
from hwblocks.charts.scales import Scale, compact
from hwblocks.charts.svg import COLOURS, colour
from hwblocks.table import Chart

Figure = dict[str, Any]

ACROSS = 24  # more names than this stand along the lower side, in the order of the layers
LETTERS = 26  # of a name beside an axis; the pointer shows it whole
ROWS = 48  # a heat map of more rows lies on its side
NAMED = 70  # at most so many names along the lower side; of more, every other one or fewer
ABOVE = {"orientation": "h", "y": 1, "yanchor": "bottom"}  # a legend's place
LEGEND = 26  # its height, in px
DARK = "#1b2129"  # text on colours that are the same by day and by night
FINE = 1000  # a logarithmic axis over a smaller ratio also shows 2 and 5 between its powers of ten
DIGITS = 5  # significant digits that a page keeps


@singledispatch
def figure(chart: Chart) -> Figure | None:
    """The figure of a chart; None for charts that are drawn without Plotly."""
    return None


def short(values: Sequence[Any]) -> list[Any]:
    """Values with the digits that are shown; what is not finite becomes None.

    >>> short([0.123456789, 7, float("inf"), None])
    [0.12346, 7, None, None]
    """
    return [None if v is None or v - v != 0 else v if isinstance(v, int) else float(f"{v:.{DIGITS}g}") for v in values]


def label(text: str) -> str:
    """Text that Plotly shows as it is; it would read tags, entities and %{…} in names.

    >>> label("<b>a</b> & %{x}")
    '&lt;b&gt;a&lt;/b&gt; &amp; &#37;{x}'
    """
    return escape(text, quote=False).replace("%{", "&#37;{")


def labels(texts: Sequence[str], letters: int | None = None) -> list[str]:
    """Labels of names, of long ones the ends."""
    return [label(text if letters is None else tail(text, letters)) for text in texts]


def axis(about: Axis, **more: Any) -> Figure:
    """An axis with title and, where it is logarithmic, its type."""
    made: Figure = {"title": {"text": label(about.heading)}, "automargin": True, "exponentformat": "SI", **more}
    return {**made, "type": "log", "dtick": 1} if about.log else made


def laid_out(height: int, **more: Any) -> Figure:
    """A layout that fits its box."""
    return {"height": height, "margin": {"l": 10, "r": 16, "t": 8, "b": 10}, "hovermode": "closest", **more}


@figure.register
def bars(chart: Bars) -> Figure:
    """Bars to the right for few names, upwards for many; series stacked, infinite values as long as the longest."""
    along = len(chart.names) > ACROSS
    known = [v for series in chart.series for v in finite(series.values)]
    longest = max(known, default=1.0)
    names, values = ("x", "y") if along else ("y", "x")
    unit, data = label(chart.axis.unit), []
    for index, series in enumerate(chart.series):
        shown = [longest if v is not None and math.isinf(v) else v for v in series.values]
        data.append(
            {
                "type": "bar",
                "orientation": "v" if along else "h",
                "name": label(series.name),
                names: labels(chart.names),
                values: short(shown),
                "customdata": [compact(v) for v in series.values],
                "meta": list(chart.links),
                "marker": {"color": colour(index)},
                **({} if along or len(chart.series) > 1 else {"texttemplate": "%{customdata}", "cliponaxis": False}),
                "textposition": "outside",
                "hovertemplate": f"%{{{names}}}<br>{label(series.name)}: %{{customdata}} {unit}<extra></extra>",
            }
        )
    by_name = _by_name(chart.names, along)
    above = LEGEND if len(chart.series) > 1 else 0
    layout = laid_out(340 if along else 70 + above + 22 * len(chart.names), barmode="stack", bargap=0.25)
    layout |= {f"{names}axis": by_name, f"{values}axis": axis(chart.axis)}
    layout |= {"showlegend": len(chart.series) > 1, "legend": {**ABOVE, "traceorder": "normal"}}
    return {"data": data, "layout": layout}


def _by_name(names: Sequence[str], along: bool) -> Figure:
    """An axis of names, along the lower side or downwards; long ones show their ends, of many some are left out."""
    shown = names[:: -(-len(names) // NAMED)] if names and along else names
    letters = LETTERS if len(names) < NAMED or not along else LETTERS // 2
    ticks = {"tickmode": "array", "tickvals": labels(shown), "ticktext": labels(shown, letters)}
    turned = {"tickangle": -90} if along else {"autorange": "reversed"}
    return {"automargin": True, "type": "category", "tickfont": {"size": 11}, **ticks, **turned}


@figure.register
def heat_map(chart: HeatMap) -> Figure:
    """Rows down; on a logarithmic scale zero has the palest colour."""
    scale = Scale.over([v for row in chart.values for v in row], chart.axis.log)
    ticks = scale.ticks()
    log = chart.axis.log
    lowest = math.log10(scale.low) if log else scale.low
    trace: Figure = {
        "type": "heatmap",
        "x": labels(chart.columns),
        "y": labels(chart.rows),
        "z": [
            short([v if v is None or not log else math.log10(v) if v > 0 else lowest for v in row])
            for row in chart.values
        ],
        "text": [[compact(v) for v in row] for row in chart.values],
        "meta": list(chart.links),
        "texttemplate": "%{text}",
        "hovertemplate": f"%{{y}}<br>%{{x}}: %{{text}} {label(chart.axis.unit)}<extra></extra>",
        "textfont": {"color": DARK, "size": 11},
        "colorscale": [[0.0, "#eef3f8"], [0.5, "#f7d3a5"], [1.0, "#e2703a"]],
        "xgap": 2,
        "ygap": 1,
        "colorbar": {"title": {"text": label(chart.axis.unit)}, "thickness": 12, "outlinewidth": 0},
    }
    if log:
        trace["colorbar"] |= {"tickvals": [math.log10(t) for t in ticks], "ticktext": [compact(t) for t in ticks]}
        trace |= {"zmin": math.log10(scale.low), "zmax": math.log10(scale.high)}
    if len(chart.rows) > ROWS:
        return _on_its_side(chart, trace)
    across = {"side": "top", "automargin": True, "type": "category"}
    layout = laid_out(max(160, 60 + 19 * len(chart.rows)), yaxis=_by_name(chart.rows, False), xaxis=across)
    return {"data": [trace], "layout": layout}


def _on_its_side(chart: HeatMap, trace: Figure) -> Figure:
    """Rows along the lower side, for so many that numbers in the boxes would not be read."""
    turned = {key: [list(line) for line in zip(*trace[key], strict=True)] for key in ("z", "text")}
    hover = f"%{{x}}<br>%{{y}}: %{{text}} {label(chart.axis.unit)}<extra></extra>"
    trace = {**trace, **turned, "x": trace["y"], "y": trace["x"], "texttemplate": "", "hovertemplate": hover, "xgap": 0}
    up: Figure = {"automargin": True, "type": "category", "autorange": "reversed"}
    return {
        "data": [trace],
        "layout": laid_out(230 + 26 * len(chart.columns), xaxis=_by_name(chart.rows, True), yaxis=up),
    }


@figure.register
def histogram(chart: Histogram) -> Figure:
    """The first series as filled bins, the others as steps; the format's limits as dashed lines with shades outside."""
    data: list[Figure] = []
    for index, (name, shares) in enumerate(chart.series):
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": label(name),
                "x0": chart.start - chart.width / 2,  # with dx, as lists of places would be half of a large page
                "dx": chart.width,
                "y": [0.0, *short(shares), 0.0],  # an empty bin at both ends closes the outline
                "line": {"shape": "hvh", "width": 1.5, "color": colour(index)},
                **({} if index else {"fill": "tozeroy"}),
                "hovertemplate": f"%{{x}} {label(chart.axis.unit)}<br>{label(name)}: %{{y}} %<extra></extra>",
            }
        )
    layout = laid_out(260, xaxis=axis(chart.axis), yaxis=axis(Axis("share", "%"), rangemode="tozero"))
    layout |= {
        "shapes": [_limit(mark.value) for mark in chart.limits],
        "legend": {"orientation": "h", "y": 1.1, "yanchor": "bottom"},
    }
    layout["annotations"] = [
        {
            "x": mark.value,
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "text": f"{label(mark.name)} {compact(mark.value)}",
            "showarrow": False,
            "xanchor": "left" if i == 0 else "right",
            "font": {"size": 11, "color": COLOURS[3]},
        }
        for i, mark in enumerate(chart.limits)
    ]
    return {"data": data, "layout": layout}


def _limit(value: float) -> Figure:
    line = {"color": COLOURS[3], "width": 1.5, "dash": "dash"}
    return {"type": "line", "x0": value, "x1": value, "yref": "paper", "y0": 0, "y1": 1, "line": line}


@figure.register
def scatter(chart: Scatter) -> Figure:
    """Points by group, lines behind them."""
    data: list[Figure] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": label(roof.name),
            "x": short(roof.x),
            "y": short(roof.y),
            "line": {"width": 2, "dash": "dash", "color": COLOURS[(3 + index) % len(COLOURS)]},
            "hovertemplate": f"{label(roof.name)}<extra></extra>",
        }
        for index, roof in enumerate(chart.lines)
    ]
    for index, group in enumerate(dict.fromkeys(p.group for _, p in chart.shown)):
        data.append(_points(chart, group, index))
    legend = ABOVE
    layout = laid_out(360, xaxis=axis(chart.x), yaxis=axis(chart.y), legend=legend, showlegend=len(data) > 1)
    for name, about in (("x", chart.x), ("y", chart.y)):
        values = [v for trace in data for v in trace[name]]
        if about.log and values and max(values) < FINE * min(values):
            layout[f"{name}axis"]["dtick"] = "D2"
    return {"data": data, "layout": layout}


def _points(chart: Scatter, group: str, index: int) -> Figure:
    members = [(i, p) for i, p in chart.shown if p.group == group]
    return {
        "type": "scatter",
        "mode": "markers+text" if chart.labels else "markers",
        "name": label(group),
        "showlegend": bool(group),
        "x": short([p.x for _, p in members]),
        "y": short([p.y for _, p in members]),
        "text": labels([p.name for _, p in members]),
        "customdata": labels([p.note for _, p in members]),
        "meta": [chart.links[i] for i, _ in members] if chart.links else [],
        "textposition": "top center",
        "cliponaxis": False,
        "marker": {"size": 9, "color": colour(index), "line": {"width": 1, "color": "rgba(255,255,255,.6)"}},
        "hovertemplate": f"%{{text}}<br>{_hover(chart.x, 'x')}<br>{_hover(chart.y, 'y')}<br>"
        "%{customdata}<extra></extra>",
    }


def _hover(about: Axis, name: str) -> str:
    return f"{label(about.title)}: %{{{name}}} {label(about.unit)}"


@figure.register
def gantt(chart: Gantt) -> Figure:
    """Buffers as boxes from their first step to their last, the bytes alive as a line, the bound dashed."""
    ends = [0, len(chart.steps)]
    live = {
        "type": "scatter",
        "mode": "lines",
        "name": "alive",
        "x": list(range(len(chart.steps) + 1)),
        "y": [*chart.live, *chart.live[-1:]],
        "line": {"shape": "hv", "width": 1.5, "color": "ink"},
        "hovertemplate": "%{y:,} B alive<extra></extra>",
    }
    bound = _level(f"bound {chart.bound:,} B", chart.bound, ends, {"dash": "dash", "color": COLOURS[3]})
    arena = _level(f"arena {chart.size:,} B", chart.size, ends, {"color": COLOURS[2]})
    layout = laid_out(360, xaxis=axis(Axis("step"), range=ends), yaxis=axis(Axis("address", "B"), rangemode="tozero"))
    layout |= {"bargap": 0, "barmode": "overlay", "legend": ABOVE, "uniformtext": {"mode": "hide", "minsize": 9}}
    if len(chart.steps) <= ACROSS:
        names = labels(chart.steps, LETTERS)
        places = [i + 0.5 for i in range(len(chart.steps))]
        layout["xaxis"] |= {"title": None, "tickvals": places, "ticktext": names, "tickangle": -35}
    return {"data": [_boxes(chart), live, bound, arena], "layout": layout}


def _boxes(chart: Gantt) -> Figure:
    """The buffers of a memory plan: bars that stand on their offsets, as wide as their lives."""
    edge = {"width": 1, "color": "rgba(255,255,255,.7)"}
    return {
        "type": "bar",
        "name": "buffers",
        "x": [(b.lower + b.upper) / 2 for b in chart.blocks],
        "width": [b.upper - b.lower for b in chart.blocks],
        "base": [b.offset for b in chart.blocks],
        "y": [b.size for b in chart.blocks],
        "text": labels([b.name for b in chart.blocks], 16),
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textfont": {"color": DARK},
        "customdata": [
            f"{label(b.name)}<br>{b.size:,} B at {b.offset:,}<br>steps {b.lower} to {b.upper - 1}: "
            + label(_between(chart.steps, b.lower, b.upper))
            for b in chart.blocks
        ],
        "meta": list(chart.links),
        "hovertemplate": "%{customdata}<extra></extra>",
        "marker": {"color": [colour(i) for i in range(len(chart.blocks))], "opacity": 0.95, "line": edge},
        "showlegend": False,
    }


def _level(name: str, value: int, ends: list[int], line: Figure) -> Figure:
    """A line over all steps."""
    shape: Figure = {"type": "scatter", "mode": "lines", "name": name, "x": ends, "y": [value, value]}
    return {**shape, "line": {"width": 2, **line}, "hoverinfo": "skip"}


def _between(steps: Sequence[str], lower: int, upper: int) -> str:
    last = min(upper, len(steps)) - 1
    return steps[lower] if lower >= last else f"{steps[lower]} … {steps[last]}"
