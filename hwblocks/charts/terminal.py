"""Charts in a terminal: bars and sparklines of block characters, boxes of letters, small pictures of half blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.style import Style
from rich.table import Table as RichTable
from rich.text import Text

from hwblocks.charts.graph_svg import tail
from hwblocks.charts.graph_view import GraphView
from hwblocks.charts.measured import Gantt, Histogram, Images, Pixels
from hwblocks.charts.png import encode_line, palette
from hwblocks.charts.records import Bars, Gallery, HeatMap, Scatter, finite
from hwblocks.charts.scales import Scale, compact
from hwblocks.charts.svg import colour
from hwblocks.table import Chart

EIGHTHS = " ▏▎▍▌▋▊▉█"
LEVELS = " ▁▂▃▄▅▆▇█"
SHADES = " ░▒▓█"
LONG, WIDE, TALL = 32, 64, 14  # letters of a bar, of a plane across, of a plane up
PICTURE = 24  # pixels of a picture across


@singledispatch
def drawn(chart: Chart) -> Any:
    """The chart for a terminal; its numbers as a table where no drawing is of use."""
    return chart.to_table()


def bar(part: float, length: int = LONG) -> str:
    """A bar of block characters, to an eighth of a letter.

    >>> bar(0.5, 3)
    '█▌'
    """
    eighths = round(8 * length * min(max(part, 0.0), 1.0))
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def sparkline(values: Sequence[float], length: int = LONG) -> str:
    """Values as a line of levels; neighbours are put together when there are too many. Above zero shows at least ▁.

    >>> sparkline([0, 1, 2, 4])
    ' ▂▄█'
    """
    each = max(1, math.ceil(len(values) / length))
    sums = [sum(values[i : i + each]) for i in range(0, len(values), each)]
    top = max(sums, default=0.0) or 1.0
    return "".join(LEVELS[max(int(v > 0), round(8 * v / top))] for v in sums)


def table(title: str, *headings: str) -> RichTable:
    """An open table: names to the left."""
    shown = Text(title, "table.title")  # names are no markup
    made = RichTable(title=shown, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for heading in headings:
        made.add_column(Text(heading))
    return made


@drawn.register
def bars(chart: Bars) -> Any:
    """One line for each name; stacked series in their colours."""
    totals = [sum(finite([s.values[i] for s in chart.series])) for i in range(len(chart.names))]
    top = max(totals, default=0.0) or 1.0
    made = table(chart.heading, chart.names_title, chart.axis.heading, "")
    for row, name in enumerate(chart.names):
        parts = Text()
        for index, series in enumerate(chart.series):
            value = series.values[row]
            part = (math.inf if value > 0 else 0.0) if value is not None and math.isinf(value) else (value or 0.0)
            parts.append(bar(part / top), style=colour(index))
        made.add_row(Text(name), compact(totals[row] if len(chart.series) > 1 else chart.series[0].values[row]), parts)
    if len(chart.series) == 1:
        return made
    legend = Text("  ").join(Text(f"█ {s.name}", style=colour(i)) for i, s in enumerate(chart.series))
    return Group(made, legend)


@drawn.register
def heat_map(chart: HeatMap) -> Any:
    """A table whose cells are the warmer the larger the value is."""
    scale = Scale.over([v for row in chart.values for v in row], chart.axis.log)
    made = table(f"{chart.title}: {chart.axis.heading}", chart.rows_title, *chart.columns)
    for name, values in zip(chart.rows, chart.values, strict=True):
        made.add_row(Text(name), *(Text(compact(v), style=_warmth(scale.part(v) if v else 0.0)) for v in values))
    return made


def _warmth(part: float) -> str:
    return "" if part <= 0 else f"on rgb({40 + int(150 * part)},50,{70 - int(40 * part)})"


@drawn.register
def histogram(chart: Histogram) -> Any:
    """One line: shape, range of the format, share outside."""
    return Group(Text(chart.title, style="bold"), _spark(chart))


def _spark(chart: Histogram) -> Text:
    end = chart.start + chart.bins * chart.width
    ends = " to ".join(compact(mark.value) for mark in chart.limits)
    outside = f"; {compact(chart.below + chart.above)} % outside {ends}" if ends else ""
    return Text(f"{compact(chart.start):>9} {sparkline(chart.series[0][1])} {compact(end)}{outside}")


@drawn.register
def gallery(chart: Gallery) -> Any:
    """Histograms as one line each; other charts below each other."""
    if not all(isinstance(one, Histogram) for _, one in chart.charts):
        return Group(Text(chart.title, style="bold"), *(drawn(one) for _, one in chart.charts))
    made = table(chart.title, "tensor", "from", "", "to", "range of the format", "outside (%)")
    for name, one in chart.charts:
        assert isinstance(one, Histogram)
        end = one.start + one.bins * one.width
        limits = " to ".join(compact(mark.value) for mark in one.limits)
        shape = sparkline(one.series[0][1])
        made.add_row(Text(name), compact(one.start), shape, compact(end), limits, compact(one.below + one.above))
    return made


@drawn.register
def gantt(chart: Gantt) -> Any:
    """Addresses up, steps across, every buffer in a colour of its own; below it the bytes alive."""
    count = max(len(chart.steps), 1)
    each = min(max(WIDE // count, 1), 6)  # letters of a step
    across = min(count * each, WIDE)
    lines = [Text(f"{compact(chart.size * (row + 1) / TALL):>8} ") for row in range(TALL)]
    for row, made in enumerate(lines):
        address = chart.size * (row + 0.5) / TALL
        for place in range(across):
            found = _box_at(chart, int((place + 0.5) * count / across), address)
            made.append("·" if found is None else "█", style="dim" if found is None else colour(found))
    live = Text("   alive " + sparkline([v for v in chart.live for _ in range(each)], across))
    about = Text(
        f"arena {chart.size:,} B, bound {chart.bound:,} B, {len(chart.blocks)} buffers, {len(chart.steps)} steps"
    )
    return Group(Text(f"{chart.title}: bytes over steps", style="bold"), *reversed(lines), live, about)


def _box_at(chart: Gantt, step: int, address: float) -> int | None:
    for index, box in enumerate(chart.blocks):
        if box.lower <= step < box.upper and box.offset <= address < box.offset + box.size:
            return index
    return None


@drawn.register
def scatter(chart: Scatter) -> Any:
    """A plane of letters and the points they stand for."""
    xs = [p.x for _, p in chart.shown] + [v for roof in chart.lines for v in roof.x]
    ys = [p.y for _, p in chart.shown] + [v for roof in chart.lines for v in roof.y]
    x = Scale.over(xs, chart.x.log).on(0, WIDE - 1)
    y = Scale.over(ys, chart.y.log).on(TALL - 1, 0)
    plane = [[" "] * WIDE for _ in range(TALL)]
    for roof in chart.lines:
        for column in range(WIDE):
            height = _height_at(roof.x, roof.y, x, y, column)
            if height is not None:
                plane[height][column] = "·"
    names = table("", "", "point", chart.x.heading, chart.y.heading)
    for place, (_, point) in enumerate(chart.shown):
        letter = chr(ord("A") + place) if place < 26 else "*"
        plane[round(y(point.y))][round(x(point.x))] = letter
        names.add_row(letter, Text(point.name), compact(point.x), compact(point.y))
    frame = [Text("│" + "".join(line)) for line in plane] + [Text("└" + "─" * WIDE + f" {chart.x.heading}")]
    title = Text(f"{chart.title}: {chart.y.heading}" + (f", by {chart.source}" if chart.source else ""), style="bold")
    return Group(title, *frame, names)


def _height_at(xs: Sequence[float], ys: Sequence[float], x: Scale, y: Scale, column: int) -> int | None:
    """The line of letters on which a polyline passes a column."""
    for (x0, y0), (x1, y1) in zip(zip(xs, ys, strict=True), zip(xs[1:], ys[1:], strict=False), strict=False):
        left, right = x(x0), x(x1)
        if left <= column <= right and right > left:
            return round(y(y0) + (y(y1) - y(y0)) * (column - left) / (right - left))
    return None


@drawn.register
def images(chart: Images) -> Any:
    """The pictures of the first row beside each other, two lines of pixels in a line of letters."""
    if not chart.rows:
        return Text("")
    pictures = [HalfBlocks(p) for p in chart.pixels[0]]
    grid = RichTable(box=None, pad_edge=False)
    for name in chart.columns:
        grid.add_column(Text(name))
    grid.add_row(*pictures)
    return Group(Text(f"{chart.title}, {chart.rows[0]}: {chart.text}", style="bold"), grid)


@dataclass(frozen=True)
class HalfBlocks:
    """A picture with the upper pixel as ink and the lower one as ground of "▀"; shades where there are no colours."""

    pixels: Pixels

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lines of a picture of at most PICTURE pixels across."""
        step = math.ceil(max(*self.pixels.size, 1) / PICTURE)
        lines = [encode_line(line[::step], self.pixels) for line in self.pixels.values[::step]]
        if console.color_system is None:
            yield Text("\n".join("".join(SHADES[index * len(SHADES) // 256] * 2 for index in line) for line in lines))
        else:
            yield self._coloured(lines)

    def _coloured(self, lines: list[bytes]) -> Text:
        colours, made = palette(self.pixels.signed), Text()
        for upper in range(0, len(lines), 2):
            below = lines[upper + 1] if upper + 1 < len(lines) else None
            for place, index in enumerate(lines[upper]):
                ground = _rgb(colours, below[place]) if below is not None else None
                made.append("▀", Style(color=_rgb(colours, index), bgcolor=ground))
            made.append("\n")
        return made

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """As wide as its pixels; two letters each without colours."""
        across = -(-self.pixels.size[1] // math.ceil(max(*self.pixels.size, 1) / PICTURE))
        wide = across * (2 if console.color_system is None else 1)
        return Measurement(wide, wide)


def _rgb(colours: bytes, index: int) -> str:
    red, green, blue = colours[3 * index : 3 * index + 3]
    return f"rgb({red},{green},{blue})"


@drawn.register
def graph(chart: GraphView) -> Any:
    """Graphs are for pages; in a terminal their numbers are a table."""
    made = table(
        f"{chart.title}: {len(chart.nodes)} nodes", "node", "block", "formats", *(m.title for m in chart.measures)
    )
    for node in chart.nodes:
        cells = (tail(node.name, 40), node.kind, node.formats, *(m.text(node.name) for m in chart.measures))
        made.add_row(*map(Text, cells))
    return made
