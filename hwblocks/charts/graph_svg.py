"""A graph view as inline SVG: boxes by level, edges as curves; boxes carry their names and measures for scripts."""

from __future__ import annotations

import json
from html import escape

from hwblocks.charts.graph_view import GraphNode, GraphView
from hwblocks.charts.layout import Layout, layered

WIDE, TALL = 196.0, 42.0  # a box
FAINT_WIDE, FAINT_TALL = 132.0, 20.0  # a box of something that costs nothing
MARGIN = 12.0
NAME_WIDTH, KIND_WIDTH = 7.7, 6.2  # a letter in px, at the two sizes of type
ROOM = int((WIDE - 24) / KIND_WIDTH)  # letters of the second line
INK, SOFT, ACCENT = "currentColor", "#7d8793", "#e0893b"


def graph_svg(view: GraphView) -> str:
    """The drawing; the first measure is written into the boxes and colours them."""
    places = {node.name: i for i, node in enumerate(view.nodes)}
    pairs = sorted({(places[e.source], places[e.target]) for e in view.edges})
    layout = layered([_size(node) for node in view.nodes], pairs)
    labels = {(places[e.source], places[e.target]): e.label for e in view.edges}
    edges = "".join(
        f'<path d="{_curve(path)}"><title>{escape(labels[pair])}</title></path>'
        for pair, path in zip(pairs, layout.paths, strict=True)
    )
    boxes = "".join(_box(view, node, layout.centres[i]) for i, node in enumerate(view.nodes))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" {_frame(layout)} role="img" '
        f'aria-label="{escape(view.title)}" font-family="system-ui, sans-serif">'
        f'<g class="edges" fill="none" stroke="{SOFT}" stroke-width="1.2">{edges}</g>{boxes}</svg>'
    )


def _frame(layout: Layout) -> str:
    wide, tall = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    return f'width="{wide:.0f}" height="{tall:.0f}" viewBox="{-MARGIN:.0f} {-MARGIN:.0f} {wide:.0f} {tall:.0f}"'


def _size(node: GraphNode) -> tuple[float, float]:
    return (FAINT_WIDE, FAINT_TALL) if node.faint else (WIDE, TALL)


def _curve(path: tuple[tuple[float, float], ...]) -> str:
    """Straight down at every point, curved between them."""
    (x, y), rest = path[0], path[1:]
    parts = [f"M{x:.0f} {y:.0f}"]
    for to_x, to_y in rest:
        middle = (y + to_y) / 2
        parts.append(f"C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}")
        x, y = to_x, to_y
    return "".join(parts)


def _box(view: GraphView, node: GraphNode, centre: tuple[float, float]) -> str:
    wide, tall = _size(node)
    left, top = centre[0] - wide / 2, centre[1] - tall / 2
    texts = [(m.title, m.text(node.name), m.share(node.name)) for m in view.measures]
    about = "\n".join([f"{node.name}: {node.kind} {node.formats}".strip(), *(f"{t}: {v}" for t, v, _ in texts if v)])
    measures = escape(json.dumps([[v, None if s is None else round(s, 3)] for _, v, s in texts]), quote=True)
    kinds = ("node faint" if node.faint else "node") + (" input" if node.kind == "input" else "")
    inside = _faint(node, wide, tall) if node.faint else _full(node, texts, wide, tall)
    return (
        f'<g class="{kinds}" data-link="{escape(node.name, quote=True)}" data-measures="{measures}" '
        f'data-kind="{escape(kind_of(node), quote=True)}" data-room="{ROOM}" '
        f'transform="translate({left:.0f} {top:.0f})" '
        f'aria-label="{escape(about, quote=True)}"><title>{escape(about)}</title>{inside}</g>'
    )


def _faint(node: GraphNode, wide: float, tall: float) -> str:
    letters = int((wide - 12) / KIND_WIDTH)
    return (
        f'<rect class="box" width="{wide:.0f}" height="{tall:.0f}" rx="10" fill="none" stroke="{SOFT}" '
        f'stroke-dasharray="3 3"/><text class="kind" x="{wide / 2:.0f}" y="14" text-anchor="middle" font-size="11" '
        f'fill="{SOFT}">{escape(tail(node.kind, letters))}</text>'
    )


def _full(node: GraphNode, texts: list[tuple[str, str, float | None]], wide: float, tall: float) -> str:
    value, share = (texts[0][1], texts[0][2]) if texts else ("", None)
    kind = kind_of(node)
    return (
        f'<rect class="box" width="{wide:.0f}" height="{tall:.0f}" rx="6" fill="none" stroke="{SOFT}"/>'
        f'<rect class="shade" width="{wide:.0f}" height="{tall:.0f}" rx="6" fill="{ACCENT}" '
        f'fill-opacity="{shade(share)}"/>'
        f'<text class="name" x="9" y="17" font-size="12.5" font-weight="600" fill="{INK}">'
        f"{escape(tail(node.name, int((wide - 14) / NAME_WIDTH)))}</text>"
        f'<text class="kind" x="9" y="33" font-size="11" fill="{SOFT}">{escape(head(kind, ROOM - len(value)))}</text>'
        f'<text class="value" x="{wide - 9:.0f}" y="33" font-size="11" text-anchor="end" fill="{INK}">'
        f"{escape(value)}</text>"
    )


def kind_of(node: GraphNode) -> str:
    """Block and formats of a node."""
    return f"{node.kind} · {node.formats}" if node.formats else node.kind


def shade(share: float | None) -> str:
    """How strongly a box is coloured: 0 to 0.6, so that its text stays readable.

    >>> shade(0.5), shade(None)
    ('0.30', '0')
    """
    return "0" if share is None else f"{0.6 * share:.2f}"


def tail(text: str, letters: int) -> str:
    """The end of a text that is too long; names of layers differ at their ends.

    >>> tail("features.3.conv", 8)
    '….3.conv'
    """
    return text if len(text) <= letters else "…" + text[-max(letters - 1, 1) :]


def head(text: str, letters: int) -> str:
    """The start of a text that is too long.

    >>> head("DepthwiseConv2d", 6)
    'Depth…'
    """
    return text if len(text) <= letters else text[: max(letters - 1, 1)] + "…"
