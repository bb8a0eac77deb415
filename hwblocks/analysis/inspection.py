"""Inspection: how the values of a model lie in its formats, and what its layers make of chosen samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np

from hwblocks.analysis.activation_maps import channels_shown, layer_maps, layout_of, picture_limit
from hwblocks.analysis.comparison import paired_tensors, scaled, side_by_side
from hwblocks.analysis.spread_counts import GrowingHistogram, Usage, align
from hwblocks.analysis.weight_spread import weight_histograms
from hwblocks.charts import Axis, Gallery, HeatMap, Histogram, Images, Limit
from hwblocks.errors import InputError
from hwblocks.graph.control import makers
from hwblocks.graph.graph import Graph
from hwblocks.graph.outline import input_links, is_free, outline
from hwblocks.graph.tensor import Tensor
from hwblocks.numerics.formats import Format
from hwblocks.simulate.inputs import read_samples
from hwblocks.simulate.simulator import Run
from hwblocks.table import Chart, Column, Result, Section, Table

Array = np.ndarray[Any, Any]
Pair = tuple[Tensor, Tensor]  # of the integer and of the float graph

COLUMNS = (
    Column("tensor", "tensor"),
    Column("block", "block"),
    Column("format", "format"),
    Column("below_percent", "float below range", "%", ".3f"),
    Column("above_percent", "float above range", "%", ".3f"),
    Column("lowest_percent", "at lowest code", "%", ".3f"),
    Column("highest_percent", "at highest code", "%", ".3f"),
    Column("unused_percent", "codes never used", "%", ".1f"),
    Column("low", "range from", format=".4g"),
    Column("high", "range to", format=".4g"),
)
HOW_TO_USE = (
    "Shares of values, in per cent. Float values outside the range are clipped; a large share at an end of the codes "
    "says that the range is too narrow (after a ReLU the lowest code is 0 itself); codes never "
    "used say that it is too wide."
)
HOW_TO_SPREAD = (
    "Float and integer values in bins; dashed: the ends of the format's range. What lies outside is clipped."
)
HOW_TO_WEIGH = (
    "Float weights in steps of their own scale (one scale per channel where the format has them) and their codes; "
    "dashed: the lowest and the highest code."
)
HOW_TO_LOOK = (
    "The first channels of each layer: float, integer (as real values, same colours) and integer minus float "
    "(blue below, red above zero)."
)


@dataclass(frozen=True)
class Inspection(Result):
    """How values lie in formats.

    layers: one row per inspected tensor, in execution order. activations, weights: histograms with the format's range.
    maps: float and integer activations of chosen samples beside each other.
    """

    schema = "inspection"
    model: str = ""
    samples: int = 0
    layers: Table = Table("", (), ())
    activations: Gallery | None = None
    weights: Gallery | None = None
    maps: Gallery | None = None

    @property
    def heat_map(self) -> HeatMap:
        """The shares of `layers`, layers down."""
        columns = [c for c in COLUMNS if c.key.endswith("_percent")]
        rows = self.layers.rows
        return HeatMap(
            "Use of the formats",
            tuple(row["tensor"] for row in rows),
            tuple(c.title for c in columns),
            tuple(tuple(row[c.key] for c in columns) for row in rows),
            Axis("share", "%", log=True),
            text=HOW_TO_USE,
            links=tuple(row["layer"] for row in rows),
            in_table=True,
        )

    def content(self) -> dict[str, Any]:
        return {"model": self.model, "samples": self.samples, "layers": [dict(row) for row in self.layers]}

    def sections(self) -> Sequence[Section]:
        facts = (("samples", f"{self.samples:,}"), ("inspected tensors", str(len(self.layers))))
        shown: tuple[Chart | None, ...] = (self.heat_map, self.activations, self.weights, self.maps)
        charts = tuple(chart for chart in shown if chart is not None)
        return (Section(f"Values in their formats: {self.model}", "", facts, (self.layers,), charts),)


def inspect_graphs(
    float_graph: Graph,
    integer_graph: Graph,
    samples: Any,
    *,
    layers: str = "*",
    shown: Sequence[int] = (0,),
    channels: int = 4,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Inspection:
    """Run both graphs on the samples (real values) and count how values and codes use each format.

    layers: pattern of node or tensor names. shown: samples whose activation maps are kept, `channels` of each layer, or
    fewer where there would be too many pictures for a page; the maps' text says so.
    Memory does not grow with the number of samples. Views and layout changes are left out: they repeat their input.
    Errors: InputError when no layer fits the pattern, or a shown sample is not there.
    """
    pairs = chosen_pairs(float_graph, integer_graph, layers)
    checked = read_samples(float_graph, samples, real=True)
    _check_shown(shown, checked.count)
    kept = [_Kept(*pair, GrowingHistogram(1.0), GrowingHistogram(1.0), Usage(pair[0].format)) for pair in pairs]
    links, maps = _links(integer_graph), _Maps(integer_graph, pairs, tuple(dict.fromkeys(shown)), channels)
    for reals, codes in side_by_side(float_graph, integer_graph, samples, pairs, threads):
        count = len(next(iter(reals.outputs.values())))
        for one in kept:
            one.add(reals, codes)
        maps.add(reals, codes, count)
        if progress is not None:
            progress(count)
    return Inspection(
        integer_graph.title,
        checked.count,
        Table("Use of the formats", COLUMNS, tuple(one.row(*links[one.tensor.name]) for one in kept), "layer"),
        _gallery("Activations", HOW_TO_SPREAD, [(links[k.tensor.name][0], k.tensor.name, k.chart()) for k in kept]),
        _weights(float_graph, integer_graph, layers),
        _gallery("Activation maps", maps.about, maps.entries(links)),
    )


def _gallery(title: str, text: str, entries: Sequence[tuple[str, str, Chart]]) -> Gallery | None:
    """Charts by (link, name, chart); None without any."""
    charts = tuple((name, chart) for _, name, chart in entries)
    return Gallery(title, charts, text=text, links=tuple(link for link, *_ in entries)) if entries else None


@dataclass
class _Maps:
    """The activation maps of chosen samples, taken as they pass by; `seen`: samples that have passed."""

    graph: Graph
    pairs: Sequence[Pair]
    shown: tuple[int, ...]
    channels: int
    seen: int = 0
    found: dict[int, list[tuple[str, Images]]] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """Channels of each layer that are kept, so that a page stays small."""
        return channels_shown(self.channels, len(self.pairs) * len(self.shown))

    @property
    def about(self) -> str:
        """How to look at the maps, and that there are fewer than was asked for."""
        fewer = f" Only {self.kept} instead of {self.channels}, as there are many layers and samples; choose some."
        return HOW_TO_LOOK + (fewer if self.kept < self.channels else "")

    def add(self, reals: Run, codes: Run, count: int) -> None:
        """Take what the next `count` samples hold."""
        channels, limit = self.kept, picture_limit(len(self.pairs) * len(self.shown) * self.kept)
        for index in (i for i in self.shown if self.seen <= i < self.seen + count):
            self.found[index] = [
                layer_maps(t, s, layout_of(self.graph, t), reals, codes, index - self.seen, index, channels, limit)
                for t, s in self.pairs
            ]
        self.seen += count

    def entries(self, links: dict[str, tuple[str, str]]) -> list[tuple[str, str, Chart]]:
        """(link, name, pictures) by sample in the order asked for, then by layer."""
        return [
            (links[tensor.name][0], *entry)
            for index in self.shown
            for (tensor, _), entry in zip(self.pairs, self.found[index], strict=True)
        ]


class _Kept(NamedTuple):
    """What is counted of one tensor."""

    tensor: Tensor
    source: Tensor
    reals: GrowingHistogram  # of float values in steps of the format, zero at zero
    codes: GrowingHistogram  # of codes without their zero point
    usage: Usage

    def add(self, reals: Run, codes: Run) -> None:
        """Count one chunk of samples."""
        real = scaled(reals.trace.real(self.source.name), self.tensor)
        stored = codes.trace[self.tensor.name]
        zero = self.tensor.format.zero_points(real.ndim)
        steps = real / self.tensor.format.scales(real.ndim)
        self.reals.add(steps + 0.5)  # bins begin half a step below a code
        self.codes.add(stored.astype(np.int64) - zero + 0.5)
        self.usage.add(steps + zero, stored)

    def row(self, link: str, block: str) -> dict[str, Any]:
        """The tensor's row."""
        low, high = real_range(self.tensor.format)
        use = self.usage
        return {
            "layer": link,
            "tensor": self.tensor.name,
            "block": block,
            "format": self.tensor.format.name,
            "below_percent": use.share(use.below),
            "above_percent": use.share(use.above),
            "lowest_percent": use.share(use.lowest),
            "highest_percent": use.share(use.highest),
            "unused_percent": use.unused_percent,
            "low": low,
            "high": high,
            "not_finite": self.reals.not_finite,
        }

    def chart(self) -> Histogram:
        """Float values and codes in the same bins, with the format's range."""
        format, use = self.tensor.format, self.usage
        low, high = real_range(format)
        first, bins = align((self.reals, self.codes))
        width, step = self.reals.width, float(np.min(format.scale))
        below, above = use.share(use.below), use.share(use.above)
        return Histogram(
            self.tensor.name,
            (first * width - 0.5) * step,
            width * step,
            (("float", self.reals.shares(first, bins)), ("integer", self.codes.shares(first, bins))),
            Axis("value"),
            (Limit("lowest", low), Limit("highest", high)),
            below,
            above,
            text=f"{format.name}, step {step:.4g}: range {low:.4g} to {high:.4g}; {below + above:.3g} % of the float "
            "values outside",
        )


def chosen_pairs(float_graph: Graph, integer_graph: Graph, layers: str) -> list[Pair]:
    """The paired tensors of layers that fit a pattern, views left out. Errors: InputError when none fits."""
    made = makers(integer_graph)
    pairs = []
    for tensor, source in paired_tensors(float_graph, integer_graph):
        name, node = made.get(tensor.name, ("", None))
        if node is not None and name == node.name and is_free(integer_graph, node):
            continue
        if fnmatchcase(tensor.name, layers) or (name and fnmatchcase(name, layers)):
            pairs.append((tensor, source))
    if not pairs:
        names = [node.name for node in integer_graph.nodes]
        close = ", ".join(get_close_matches(layers, names, 3, 0.3) or names[:3])
        raise InputError(f"layers {layers!r}: no layer of {integer_graph.name!r} fits; it has {close}, …")
    return pairs


def real_range(format: Format) -> tuple[float, float]:
    """The real values of the lowest and the highest code; over all channels where they have their own scales.

    >>> real_range(Format("int8", scale=0.5, zero_point=-128))
    (0.0, 127.5)
    """
    ends = [np.asarray(format.scale) * (code - np.asarray(format.zero_point)) for code in (format.lo, format.hi)]
    return float(ends[0].min()), float(ends[1].max())


def _check_shown(shown: Sequence[int], count: int) -> None:
    for index in shown:
        if not 0 <= index < count:
            raise InputError(f"sample {index}: there are {count} samples; choose from 0 to {count - 1}")


def _links(graph: Graph) -> dict[str, tuple[str, str]]:
    """For each tensor the name of its node in reports, and its block; inputs of bodies stand for themselves."""
    links = {name: (name, "(input)") for name in graph.traced}
    links |= {name: (link, "(input)") for name, link in input_links(outline(graph)).items()}
    return links | {name: (path, node.type_name) for name, (path, node) in makers(graph).items()}


def _weights(float_graph: Graph, integer_graph: Graph, layers: str) -> Gallery | None:
    found = [
        (link, name, chart)
        for link, name, chart in weight_histograms(float_graph, integer_graph)
        if fnmatchcase(link, layers) or fnmatchcase(name, layers)
    ]
    return _gallery("Weights", HOW_TO_WEIGH, found)
