"""Pictures on a page: a grid of small PNG images, enlarged without smoothing, with the ramps of their colours."""

from __future__ import annotations

from html import escape

from hwblocks.charts import Images, Pixels
from hwblocks.charts.png import MAGNITUDE, SIGNED, data_uri
from hwblocks.charts.scales import compact

SIDE = 130  # the height of a picture on the page, in px
NARROW = 64  # a picture below it has room for the last word of its name only


def picture_grid(chart: Images) -> str:
    """A column for each row of the chart (channel), its pictures below each other; then the ramps of the colours."""
    heads = "".join(_head(name, _width(chart)) for name in chart.rows)
    lines = []
    for place, side in enumerate(chart.columns):
        lines.append(f'<span class="row">{escape(side)}</span>')
        lines += [
            _image(row[place], f"{chart.title}, {name}, {side}")
            for name, row in zip(chart.rows, chart.pixels, strict=True)
        ]
    columns = f"max-content repeat({len(chart.rows)}, minmax(24px, {_width(chart)}px))"
    grid = f'<div class="maps" style="grid-template-columns: {columns}"><span></span>{heads}{"".join(lines)}</div>'
    return f"<p>{escape(chart.text)}</p>{grid}{_ramps(chart)}"


def _head(name: str, width: int) -> str:
    shown = name if width >= NARROW or not name else name.split()[-1]
    return f'<span class="side" title="{escape(name, quote=True)}">{escape(shown)}</span>'


def _width(chart: Images) -> int:
    """Pictures of more lines than columns are narrower, so that none is much higher than SIDE."""
    tall, wide = chart.pixels[0][0].size if chart.pixels else (1, 1)
    return min(4 * SIDE, max(24, round(SIDE * wide / max(tall, 1))))


def _image(pixels: Pixels, about: str) -> str:
    tall, wide = pixels.size
    words = escape(f"{about}: {compact(pixels.low)} to {compact(pixels.high)}", quote=True)
    return f'<img width="{wide}" height="{tall}" alt="{words}" title="{words}" src="{data_uri(pixels)}">'


def _ramps(chart: Images) -> str:
    """What the colours stand for: every row has its own range, which its pictures name."""
    if not chart.pixels:
        return ""
    made = []
    for colours, signed, name in ((MAGNITUDE, False, "values"), (SIGNED, True, "difference")):
        found = [p for row in chart.pixels for p in row if p.signed == signed]
        if found:
            stops = ", ".join(f"rgb{colour}" for colour in colours)
            low, high = ("least", "most") if len(chart.rows) > 1 else (compact(found[0].low), compact(found[0].high))
            made.append(
                f'<span>{name} {low}<i style="background: linear-gradient(to right, {stops})"></i>{high}</span>'
            )
    return f'<div class="ramps">{"".join(made)}</div>'
