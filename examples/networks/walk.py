"""The walk every example takes: quantize, simulate, compare, profile; and the row of the table that comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from training import Data, Weights

import hwblocks as hb
import quantize as qz

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Example:
    """A network: how it is trained, the graph of its weights, and how well outputs meet what is wanted.

    score(outputs, wanted): percent, 100 at best. notes: what of its formats is not the recipe's own.
    """

    name: str
    title: str
    data: Callable[[], Data]
    train: Callable[[Data], Weights]
    network: Callable[[Weights], hb.Graph]
    score: Callable[[Array, Array], float]
    recipe: str = "int8"
    notes: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of an example: scores in percent, work and bytes of one sample, SQNR of the output.

    active: gates that were open in a sample, on average, where attention is hard.
    """

    title: str
    seconds: float
    float_score: float
    integer_score: float
    macs: int
    weight_bytes: int
    sqnr_db: float
    active: float
    recipe: str
    notes: str
    graph: hb.Graph
    quantized: hb.Graph

    @property
    def lost(self) -> float:
        """Points that integers cost."""
        return self.float_score - self.integer_score

    def row(self) -> dict[str, Any]:
        """The outcome as people read it."""
        return {
            "network": self.title,
            "float %": round(self.float_score, 2),
            "integer %": round(self.integer_score, 2),
            "lost points": round(self.lost, 2),
            "MACs": self.macs,
            "weight bytes": self.weight_bytes,
            "output SQNR dB": round(self.sqnr_db, 1),
            "open gates": f"{self.active:.0f}" if self.active else "",
            "recipe": self.recipe,
            "16-bit tensors": self.notes,
        }


def top1(outputs: Array, labels: Array) -> float:
    """Percent of samples whose largest output is that of their class."""
    return 100 * float(np.mean(outputs.reshape(len(outputs), -1).argmax(axis=1) == labels))


def explained(outputs: Array, wanted: Array) -> float:
    """Percent of the variance of `wanted` that the outputs explain (R²)."""
    rest = np.mean((outputs.reshape(wanted.shape) - wanted) ** 2)
    return 100 * float(1 - rest / np.var(wanted))


def walk(example: Example) -> Outcome:
    """Train, quantize, simulate, compare and profile an example."""
    data = example.data()
    start = time.perf_counter()
    graph = example.network(example.train(data))
    seconds = time.perf_counter() - start
    quantized = qz.convert(graph, qz.calibrate(graph, data.calibration), example.recipe)
    runs = [hb.run(g, data.test_x) for g in (graph, quantized)]
    floats, integers = (next(iter(run.real.values())) for run in runs)
    profile, compared = hb.profile(quantized), hb.compare(graph, quantized, data.test_x)
    return Outcome(
        example.title,
        seconds,
        example.score(floats, data.test_y),
        example.score(integers, data.test_y),
        profile.macs,
        profile.weight_bytes,
        compared.layers.rows[-1]["sqnr_db"],
        sum(events.active for events in runs[1].events.values()) / len(data.test_x),
        example.recipe,
        example.notes,
        graph,
        quantized,
    )


def show(example: Example) -> None:
    """The walk with its tables, as each example prints it."""
    outcome = walk(example)
    print(f"{outcome.title}: trained in {outcome.seconds:.1f} s")
    print(hb.profile(outcome.quantized).layers.to_markdown())
    for name, value in outcome.row().items():
        print(f"{name}: {value}")
