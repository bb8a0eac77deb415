"""Results and pages that several tests of reports share, and what a page loads."""

from __future__ import annotations

import re
from functools import cache

import hwblocks as hb
import quantize as qz
from hwblocks.charts import Gallery, GraphView, Images
from hwblocks.cli.demo_data import demo_graph, demo_samples

LOADED = re.compile(
    r"""(?:src|href|action|poster|data)\s*=\s*["']([^"']*)["']|url\(\s*["']?([^)"']*)|@import\s+["']([^"']*)"""
)


def foreign(page: str) -> list[str]:
    """What a page would load from another place: not a data URI, a part of the page, or a file beside it."""
    found = [next((part for part in match if part), "") for match in LOADED.findall(page)]
    return [place for place in found if re.match(r"[a-z][a-z0-9+.-]*:|//", place) and not place.startswith("data:")]


@cache
def demo_results():
    """Costs of two recipes, comparison, inspection, profile and cost of the demo's network on 48 images."""
    graph, samples = demo_graph(), demo_samples()
    ranges = qz.calibrate(graph, samples["calibration"])
    made, narrow = (qz.convert(graph, ranges, recipe=recipe) for recipe in ("int8", "w4a8"))
    images, labels = samples["images"][:48], samples["labels"][:48]
    compared = hb.compare(graph, made, images, labels)
    inspected = hb.inspect(graph, made, images, shown=(0, 1))
    cost = hb.cost(made)
    accuracy = {"int8": compared.figures, "w4a8": hb.compare(graph, narrow, images, labels).figures}
    return (
        hb.compare_costs({"int8": made, "w4a8": narrow}, ["ideal-64mac"], accuracy=accuracy),
        compared,
        inspected,
        cost.profile,
        cost,
    )


def drawn_charts() -> int:
    """How many charts of the demo's results the library draws: all but graphs and pictures."""
    charts = [chart for result in demo_results() for chart in result.charts if not isinstance(chart, GraphView)]
    return sum(not (isinstance(c, Gallery) and isinstance(c.charts[0][1], Images)) for c in charts)
