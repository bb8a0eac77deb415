"""The ratios of a comparison as bars: one panel for each section, a line at 1 and marks at the goals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from results import Comparison

BAR, HEAD, WIDTH = 0.2, 0.75, 9.0  # inches: height of a bar, of a panel's title, width of the figure
COLOURS = ("#3b6ea5", "#d98b2b", "#5a9c5a", "#a05195", "#7f7f7f")
MARK = "#c0392b"


def plot(comparisons: Sequence[Comparison], path: Path, title: str) -> None:
    """Write an SVG of all sections, the fastest first in none: in the order of the tables."""
    sections: dict[str, list[Comparison]] = {}
    for one in comparisons:
        sections.setdefault(one.section, []).append(one)
    heights = [HEAD + BAR * len(members) for members in sections.values()]
    with pyplot.rc_context({"svg.hashsalt": "hwblocks", "svg.fonttype": "none", "font.size": 8}):
        figure, panels = pyplot.subplots(
            len(sections), 1, figsize=(WIDTH, sum(heights) + HEAD), squeeze=False, layout="constrained",
            gridspec_kw={"height_ratios": heights},
        )  # fmt: skip
        for axes, (section, members) in zip(panels[:, 0], sections.items()):
            _panel(axes, section, members)
        figure.suptitle(title)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})
        pyplot.close(figure)


def _panel(axes: Axes, section: str, members: Sequence[Comparison]) -> None:
    peers = list(dict.fromkeys(one.peer for one in members))
    places = range(len(members))
    bars = axes.barh(places, [one.ratio for one in members], height=0.8,
                     color=[COLOURS[peers.index(one.peer) % len(COLOURS)] for one in members])  # fmt: skip
    axes.bar_label(bars, [f" {one.ratio:.2f}" for one in members], fontsize=7)
    for place, one in zip(places, members):
        if one.goal.each is not None:
            axes.plot([one.goal.each] * 2, [place - 0.4, place + 0.4], color=MARK, linewidth=2)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_yticks(list(places), [f"{one.what}, {one.threads} thr., {one.peer}" for one in members])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.12)
    low, high = (limit([one.ratio for one in members]) for limit in (min, max))
    axes.set_xlim(min(low, 1.0) / 1.6, max(high, 1.0) * 1.6)
    axes.set_title(f"{section}: time of the peer / ours", loc="left", fontsize=9)
