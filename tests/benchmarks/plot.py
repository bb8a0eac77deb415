"""The ratios of a comparison as bars from 1: a panel for each section, a line at 1, marks at the goals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from results import Comparison, Goal, by_section

BAR, BETWEEN, HEAD, WIDTH = 0.11, 0.06, 0.72, 8.0  # inches: a bar, the gap between groups, a panel's rest, the figure
COLOURS = ("#3b6ea5", "#d98b2b", "#5a9c5a", "#a05195", "#7f7f7f")
MARK = "#c0392b"
SETTINGS = {"svg.hashsalt": "hwblocks", "svg.fonttype": "none", "font.size": 7}

Groups = dict[tuple[str, int], list[Comparison]]


def plot(comparisons: Sequence[Comparison], path: Path, title: str) -> None:
    """Write an SVG of the sections that have a goal (all where none has), in the order of the tables."""
    sections = by_section(comparisons)
    judged = {name for name, members in sections.items() if any(one.goal != Goal() for one in members)}
    sections = {name: members for name, members in sections.items() if name in judged or not judged}
    heights = [height(grouped(members)) + HEAD for members in sections.values()]
    with pyplot.rc_context(SETTINGS):
        figure, panels = pyplot.subplots(
            len(sections), 1, figsize=(WIDTH, sum(heights) + HEAD), squeeze=False, layout="constrained",
            gridspec_kw={"height_ratios": heights},
        )  # fmt: skip
        for axes, (section, members) in zip(panels[:, 0], sections.items()):
            panel(axes, section, members)
        figure.suptitle(f"time of the peer / our time; right of 1 ours is faster; red: the goal\n{title}", fontsize=8)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})
        pyplot.close(figure)


def grouped(members: Sequence[Comparison]) -> Groups:
    """The comparisons of each thing on each number of threads."""
    found: Groups = {}
    for one in members:
        found.setdefault((one.what, one.threads), []).append(one)
    return found


def height(groups: Groups) -> float:
    """Inches of all bars of a panel."""
    return sum(BAR * len(members) + BETWEEN for members in groups.values())


def panel(axes: Axes, section: str, members: Sequence[Comparison]) -> None:
    """One section; the ratio stands beside each bar."""
    peers = list(dict.fromkeys(one.peer for one in members))
    place, middles, named = 0.0, [], set()
    for group in grouped(members).values():
        middles.append(place + BAR * (len(group) - 1) / 2)
        for one in group:
            _bar(axes, one, place, COLOURS[peers.index(one.peer) % len(COLOURS)], one.peer not in named)
            named.add(one.peer)
            place += BAR
        place += BETWEEN
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_yticks(middles, [f"{what}, {threads} thr." for what, threads in grouped(members)])
    axes.set_ylim(place - BETWEEN - BAR / 2 + 0.03, -BAR / 2 - 0.03)
    _scale(axes, [one.ratio for one in members])
    axes.set_title(section, loc="left", fontsize=8, fontweight="bold", pad=13)
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=len(peers), frameon=False, fontsize=6, handlelength=1
    )
    legend.set_in_layout(False)


def _bar(axes: Axes, one: Comparison, place: float, colour: str, first: bool) -> None:
    left, right = sorted((1.0, one.ratio))
    axes.barh(place, right - left, BAR, left=left, color=colour, label=one.peer if first else None)
    axes.annotate(f"{one.ratio:.2f}", (right, place), (2, 0), textcoords="offset points", va="center", fontsize=5)
    if one.goal.each is not None:
        axes.plot([one.goal.each] * 2, [place - BAR / 2, place + BAR / 2], color=MARK, linewidth=1.5)


def _scale(axes: Axes, found: Sequence[float]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(min(*found, 0.8) / 1.1, max(*found, 1.4) * 1.25)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
