"""Comparison: a float graph and its integer graph on the same samples, tensor by tensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hwblocks.charts import Axis, Bars, GraphView, Series, measures_of
from hwblocks.errors import InputError
from hwblocks.graph.control import makers
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.outline import input_links, outline
from hwblocks.graph.tensor import Tensor
from hwblocks.simulate.inputs import read_samples
from hwblocks.simulate.simulator import Run, Simulator
from hwblocks.simulate.trace import NodeEvents
from hwblocks.table import Chart, Column, Result, Section, Table

Array = np.ndarray[Any, Any]

CHUNK = 64  # samples compared at a time; fixed for a model, so that sums do not depend on threads
KEPT_BYTES = 1 << 28  # of the compared tensors of one chunk; large models take fewer samples at a time
Z95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution


@dataclass
class Errors:
    """Sums over all elements of a tensor: of squares of the float value and of the error, and the largest error."""

    signal: list[float] = field(default_factory=list)
    noise: list[float] = field(default_factory=list)
    bias: list[float] = field(default_factory=list)
    largest: float = 0.0
    elements: int = 0

    def add(self, real: Array, got: Array) -> None:
        """Count one chunk in."""
        error = got - real
        self.signal.append(float(np.sum(real * real)))
        self.noise.append(float(np.sum(error * error)))
        self.bias.append(float(np.sum(error)))
        self.largest = max(self.largest, float(np.abs(error).max(initial=0.0)))
        self.elements += error.size

    @property
    def sqnr_db(self) -> float:
        """10 · log10(Σ float² / Σ error²); infinite without errors."""
        signal, noise = math.fsum(self.signal), math.fsum(self.noise)
        if noise == 0:
            return math.inf
        return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


@dataclass(frozen=True)
class Accuracy:
    """Right answers of a number of samples, with the Wilson 95 % interval of the share.

    >>> Accuracy(90, 100).interval
    (0.8256343384950865, 0.9447708629393249)
    """

    right: int
    samples: int

    @property
    def share(self) -> float:
        """right / samples."""
        return self.right / self.samples

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval (E. B. Wilson 1927) at 95 %."""
        n, p, z2 = self.samples, self.share, Z95 * Z95
        centre = (p + z2 / (2 * n)) / (1 + z2 / n)
        reach = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        return centre - reach, centre + reach

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.share:.2f} % [{100 * low:.2f}, {100 * high:.2f}]"

    def to_dict(self) -> dict[str, Any]:
        """Share, interval and counts."""
        return {
            "top1": self.share,
            "interval95": list(self.interval),
            "right": self.right,
            "samples": self.samples,
        }


@dataclass(frozen=True)
class Comparison(Result):
    """Float against integer.

    layers: one row per integer tensor that stands for a float tensor, in execution order.
    first_divergence: the first tensor whose largest error exceeds one step of its own format (None: none does).
    agreement: share of samples with the same largest output. float_top1, integer_top1: None without labels.
    output_sqnr_db: the least of the outputs; None where no output is an integer.
    """

    schema = "comparison"
    model: str = ""
    samples: int = 0
    layers: Table = Table("", (), ())
    first_divergence: str | None = None
    agreement: float = 0.0
    float_top1: Accuracy | None = None
    integer_top1: Accuracy | None = None
    output_sqnr_db: float | None = None
    view: GraphView | None = None

    @property
    def figures(self) -> dict[str, float | None]:
        """Accuracy in few numbers, to stand beside a cost: per cent, and dB of the worst output."""
        made = {"agreement": 100 * self.agreement, "sqnr_db": self.output_sqnr_db}
        if self.float_top1 is None or self.integer_top1 is None:
            return made
        return {"top1": 100 * self.integer_top1.share, "float_top1": 100 * self.float_top1.share, **made}

    @property
    def charts(self) -> tuple[Chart, ...]:
        """The graph with SQNR and saturation, and the SQNR of each tensor as bars."""
        rows = self.layers.rows
        values = Series("SQNR", tuple(row["sqnr_db"] for row in rows))
        names, links = tuple(row["tensor"] for row in rows), tuple(row["layer"] for row in rows)
        bars = Bars("SQNR", names, (values,), Axis("SQNR", "dB"), text=HOW_TO_READ, links=links, in_table=True)
        if self.view is None:
            return (bars,)
        sqnr = measures_of(self.layers, "sqnr_db", high_is_bad=False)
        return (self.view.with_measures(*sqnr, *measures_of(self.layers, "saturated_percent")), bars)

    def content(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "samples": self.samples,
            "first_divergence": self.first_divergence,
            "agreement": self.agreement,
            "output_sqnr_db": self.output_sqnr_db,
            "float": self.float_top1.to_dict() if self.float_top1 else None,
            "integer": self.integer_top1.to_dict() if self.integer_top1 else None,
            "layers": [dict(row) for row in self.layers],
        }

    def sections(self) -> Sequence[Section]:
        facts = [("samples", f"{self.samples:,}"), ("same largest output", f"{100 * self.agreement:.2f} %")]
        if self.float_top1 and self.integer_top1:
            facts += [("float top-1 [95 %]", str(self.float_top1)), ("integer top-1 [95 %]", str(self.integer_top1))]
            lost = 100 * (self.float_top1.share - self.integer_top1.share)
            facts.append(("float minus integer", f"{lost:+.2f} points"))
        facts.append(("first error above one step", self.first_divergence or "none"))
        return (Section(f"Float against integer: {self.model}", "", tuple(facts), (self.layers,), self.charts),)


HOW_TO_READ = (
    "Signal to quantization noise of each tensor, in the order of execution: 6 dB is one bit. A drop names the layer "
    "at which the integers leave the float values."
)
COLUMNS = (
    Column("tensor", "tensor"),
    Column("block", "block"),
    Column("format", "format"),
    Column("sqnr_db", "SQNR", "dB", ".2f", bar=True),
    Column("max_abs_error", "largest error", format=".4g"),
    Column("max_error_steps", "largest error", "steps", ".2f"),
    Column("mean_error", "mean error", format=".3g"),
    Column("saturated", "saturated"),
    Column("saturated_percent", "saturated", "%", ".3f"),
    Column("accumulator_events", "accumulator events"),
)


def compare_graphs(
    float_graph: Graph,
    integer_graph: Graph,
    samples: Any,
    labels: Any = None,
    *,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Run both graphs on the samples (real values) and compare every pair of tensors of one origin.

    labels: one class per sample; top-1 takes the largest element of the last output, the first of equals.
    Errors: InputError when labels and samples differ in number or nothing pairs up.
    """
    pairs = paired_tensors(float_graph, integer_graph)
    errors = {tensor.name: Errors() for tensor, _ in pairs}
    events: dict[str, NodeEvents] = {}
    answers: list[tuple[Array, Array]] = []
    for reals, codes in side_by_side(float_graph, integer_graph, samples, pairs, threads):
        for tensor, source in pairs:
            errors[tensor.name].add(scaled(reals.trace.real(source.name), tensor), codes.trace.real(tensor.name))
        for name, counted in codes.events.items():
            events.setdefault(name, NodeEvents()).add(counted)
        answers.append((largest(reals), largest(codes)))
        if progress is not None:
            progress(len(answers[-1][0]))
    first, second = (np.concatenate([a[i] for a in answers]) for i in (0, 1))
    view = outline(integer_graph)
    rows = _rows(integer_graph, input_links(view), errors, events)
    truth = _labels(labels, len(first))
    return Comparison(
        integer_graph.title,
        len(first),
        Table("Layer by layer", COLUMNS, rows, "layer"),
        next((row["tensor"] for row in rows if row["max_error_steps"] > 1), None),
        float(np.mean(first == second)),
        Accuracy(int(np.sum(first == truth)), len(first)) if truth is not None else None,
        Accuracy(int(np.sum(second == truth)), len(first)) if truth is not None else None,
        min((row["sqnr_db"] for row in rows if row["tensor"] in integer_graph.outputs), default=None),
        view,
    )


def _rows(
    graph: Graph, links: dict[str, str], errors: dict[str, Errors], events: dict[str, NodeEvents]
) -> tuple[dict[str, Any], ...]:
    """One row for each compared tensor; `layer` is the name of its node in reports."""
    made, tensors = makers(graph), graph.traced
    return tuple(
        {
            "layer": made[name][0] if name in made else links.get(name, name),
            **_row(made.get(name), tensors[name], found, events),
        }
        for name, found in errors.items()
    )


def paired_tensors(float_graph: Graph, integer_graph: Graph) -> list[tuple[Tensor, Tensor]]:
    """(integer tensor, float tensor) of one origin, in the order of the integer graph; equal shapes only."""
    known = float_graph.traced
    pairs = [(t, known[t.origin_name]) for t in integer_graph.traced.values() if t.origin_name in known]
    pairs = [(a, b) for a, b in pairs if a.shape == b.shape and a.format.is_quantized]
    if not pairs:
        raise InputError(
            f"{integer_graph.name!r} and {float_graph.name!r} share no tensor; was one made from the other?"
        )
    return pairs


def scaled(real: Array, tensor: Tensor) -> Array:
    """The float values with the factor that a pass put on the tensor."""
    factor = tensor.origin.factor if tensor.origin else (1.0,)
    return real if factor == (1.0,) else real * np.asarray(factor)


def side_by_side(
    float_graph: Graph,
    integer_graph: Graph,
    samples: Any,
    pairs: Sequence[tuple[Tensor, Tensor]],
    threads: int | None,
) -> Iterator[tuple[Run, Run]]:
    """Both graphs on the same chunks of samples, with the paired tensors kept; memory does not grow with samples."""
    reals, codes = Simulator(float_graph, threads=threads), Simulator(integer_graph, threads=threads)
    kept = [t.name for t, _ in pairs], [s.name for _, s in pairs]
    checked = read_samples(float_graph, samples, real=True)
    size = chunk_of(pairs)
    for start in range(0, checked.count, size):
        chunk = {name: array[start : start + size] for name, array in checked.arrays.items()}
        renamed = dict(zip(integer_graph.inputs, chunk.values(), strict=True))
        yield reals.run(chunk, kept[1]), codes.run(renamed, kept[0], real=True)


def chunk_of(pairs: Sequence[tuple[Tensor, Tensor]]) -> int:
    """Samples that are compared at a time: CHUNK, fewer where the kept tensors would exceed KEPT_BYTES."""
    each = sum(t.stored_bytes + s.stored_bytes for t, s in pairs)
    return max(1, min(CHUNK, KEPT_BYTES // max(each, 1)))


def largest(run: Run) -> Array:
    """For each sample the index of the largest element of the last output."""
    output = list(run.real.values())[-1]
    return np.asarray(output.reshape(output.shape[0], -1).argmax(axis=1))


def _labels(labels: Any, count: int) -> Array | None:
    if labels is None:
        return None
    truth = np.asarray(labels).ravel()
    if truth.shape != (count,):
        raise InputError(f"{truth.size} labels for {count} samples; give one per sample")
    return truth


def _row(
    maker: tuple[str, Node] | None, tensor: Tensor, errors: Errors, events: Mapping[str, NodeEvents]
) -> dict[str, Any]:
    counted = events.get(maker[0]) if maker else None
    return {
        "tensor": tensor.name,
        "block": maker[1].type_name if maker else "(input)",
        "format": tensor.format.name,
        "sqnr_db": errors.sqnr_db,
        "max_abs_error": errors.largest,
        "max_error_steps": errors.largest / float(np.min(tensor.format.scale)),
        "mean_error": math.fsum(errors.bias) / max(errors.elements, 1),
        "saturated": counted.saturated if counted else 0,
        "saturated_percent": 100 * counted.saturated / max(errors.elements, 1) if counted else 0.0,
        "accumulator_events": (counted.final + (counted.steps or 0)) if counted else 0,
    }
