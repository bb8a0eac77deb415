"""The public functions: each takes a graph, a chain of blocks or a file's path, and hands on to its layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwblocks.graph.builder import Sequential
from hwblocks.graph.dialect import Dialect
from hwblocks.graph.graph import Graph
from hwblocks.importers.load import as_graph, load
from hwblocks.simulate import simulator

if TYPE_CHECKING:
    from hwblocks.analysis.comparison import Comparison
    from hwblocks.analysis.difference import Difference
    from hwblocks.analysis.inspection import Inspection
    from hwblocks.analysis.widths import Accumulators
    from hwblocks.costs.comparison import CostComparison
    from hwblocks.costs.memory.options import MemoryReport
    from hwblocks.costs.profile import Profile
    from hwblocks.costs.result import Cost
    from hwblocks.exporters.to_onnx import Export
    from hwblocks.simulate.simulator import Run

__all__ = [
    "Simulator",
    "accumulators",
    "compare",
    "compare_costs",
    "cost",
    "diff",
    "export_onnx",
    "inspect",
    "load",
    "memory",
    "profile",
    "run",
]

Model = Graph | Sequential | str | Path


class Simulator(simulator.Simulator):
    """`simulate.simulator.Simulator` for a graph or a file's path."""

    def __init__(
        self, model: Model, dialect: str | Dialect | None = None, accumulator: Any = None, **more: Any
    ) -> None:
        super().__init__(as_graph(model), dialect, accumulator, **more)


def run(
    model: Model,
    x: Any,
    dialect: str | Dialect | None = None,
    accumulator: Any = None,
    trace: Any = None,
    threads: int | None = None,
    state: Any = "reset",
    progress: Callable[[int], None] | None = None,
) -> Run:
    """Run a model on samples; float models in float, integer models bit for bit.

    x: one array, a dict by input name or a list in model order, [N, *shape] or [N, *shape[1:]]. Floats are real
    values (quantized at a quantized input), integers at a quantized input are stored codes.
    trace: None, "ranges", "steps", "full" or tensor names. accumulator: a spec or {node pattern: spec}.

    >>> import numpy as np, hwblocks as hb
    >>> net = hb.Sequential(hb.ReLU(), input_shape=(3,))
    >>> hb.run(net, np.array([[-1.0, 0.5, 2.0]])).outputs["relu0"]
    array([[0. , 0.5, 2. ]], dtype=float32)
    """
    graph = as_graph(model, _sample_shape(x))
    made = simulator.Simulator(graph, dialect, accumulator, threads)
    return made.run(x, trace, state, progress=progress)


def _sample_shape(x: Any) -> tuple[int, ...] | None:
    first = next(iter(x.values()), None) if isinstance(x, Mapping) else x
    return np.shape(first)[1:] if isinstance(first, np.ndarray) else None


def compare(model: Model, quantized: Model, samples: Any, labels: Any = None, **more: Any) -> Comparison:
    """Float against integer on the same samples: per-layer SQNR, errors, first divergence, events, top-1."""
    from hwblocks.analysis.comparison import compare_graphs

    shape = _sample_shape(samples)
    return compare_graphs(as_graph(model, shape), as_graph(quantized, shape), samples, labels, **more)


def inspect(model: Model, quantized: Model, samples: Any, **more: Any) -> Inspection:
    """How values lie in the formats of an integer model: shares outside and at the ends of each range, histograms of
    activations and weights, and float and integer activation maps of chosen samples.

    layers: pattern of node or tensor names (default all). shown: samples whose maps are kept (default the first).
    channels: maps of each layer (default 4).

    >>> import numpy as np, hwblocks as hb, quantize as qz
    >>> net = hb.Sequential(hb.Linear(weight=np.array([[0.5, -1.0]])), input_shape=(2,))
    >>> x = np.array([[1.0, 0.25], [-1.0, 0.5]])
    >>> found = hb.inspect(net, qz.convert(net, qz.calibrate(net, x)), 2 * x)
    >>> found.layers["below_percent"], found.layers["above_percent"]
    ([25.0, 50.0], [25.0, 50.0])
    """
    from hwblocks.analysis.inspection import inspect_graphs

    shape = _sample_shape(samples)
    return inspect_graphs(as_graph(model, shape), as_graph(quantized, shape), samples, **more)


def diff(model: Model, x: Any, first: str | Dialect, second: str | Dialect, **more: Any) -> Difference:
    """Where a model's integers differ under two dialects: per layer, fresh or propagated, and by which mechanism.

    first, second: names (`hwblocks info --dialects`) or Dialect objects of one's own.
    """
    from hwblocks.analysis.difference import diff_graph

    return diff_graph(as_graph(model, _sample_shape(x)), x, first, second, **more)


def accumulators(
    model: Model, samples: Any = None, dialect: str | Dialect | None = None, accumulator: Any = None, **more: Any
) -> Accumulators:
    """What width every accumulator of an integer model needs: proven over all inputs, with a witness where it is
    too narrow; with samples also what they use. dialect, accumulator: as for `run`.

    >>> import numpy as np, hwblocks as hb, quantize as qz
    >>> net = hb.Sequential(hb.Linear(weight=np.array([[0.5, -1.0]])), input_shape=(2,))
    >>> q = qz.convert(net, qz.calibrate(net, np.array([[1.0, 0.25], [-1.0, 0.5]])))
    >>> found = hb.accumulators(q)
    >>> found.layers["bits_proven"], found.safe
    ([16], True)
    """
    from hwblocks.analysis.widths import find_accumulators

    return find_accumulators(as_graph(model, _sample_shape(samples)), samples, dialect, accumulator, **more)


def profile(model: Model) -> Profile:
    """Operations and memory of one sample, layer by layer."""
    from hwblocks.costs.profiling import profile_graph

    return profile_graph(as_graph(model))


def memory(model: Model, options: Iterable[str] = (), capacity: int | None = None, align: int = 1) -> MemoryReport:
    """The arena of one sample under options ("in_place", "concat_in_place", "reorder"), and what each option gives.

    Errors: InputError where the capacity in bytes is too small, with the node that alone needs more.
    """
    from hwblocks.costs.memory.options import memory_report

    return memory_report(as_graph(model), options, capacity, align)


def cost(model: Model, target: Any = "ideal-64mac", energy: str | None = None) -> Cost:
    """Cycles, bytes, time and energy of one sample on a target: a name of the library, or a TOML file's path.

    energy: another energy table than the target's, by name or path.
    """
    from hwblocks.costs.pricing import price_graph
    from hwblocks.targets.load import load_target

    return price_graph(as_graph(model), load_target(target), energy)


def compare_costs(
    models: Mapping[str, Model],
    targets: Sequence[Any],
    energy: str | None = None,
    accuracy: Mapping[str, Mapping[str, float | None]] | None = None,
) -> CostComparison:
    """The cost of every model, by its label, on every target; ratios to the first.

    energy: one energy table for all targets. accuracy: by label, what stands beside the cost (`Comparison.figures`).
    """
    from hwblocks.costs import comparison
    from hwblocks.targets.load import load_target

    graphs = {label: as_graph(model) for label, model in models.items()}
    return comparison.compare_costs(graphs, [load_target(target) for target in targets], energy, accuracy)


def export_onnx(model: Model, path: str | Path, style: str = "qdq") -> Export:
    """Write a model as an ONNX file: "qdq" (QuantizeLinear, DequantizeLinear) or "qoperator" (QLinearConv, …).

    The result says where and why the integers of ONNX Runtime may differ from the model's own.
    """
    from hwblocks.exporters import to_onnx

    return to_onnx.export_onnx(as_graph(model), path, style)
