"""Fits the microcontroller targets to measured boards, and writes their files.

python tests/costs/fit_microcontrollers.py            prints the parameters and the errors of every row
python tests/costs/fit_microcontrollers.py --write    writes hwblocks/targets/{library,energy}

Model: cycles = core · (reused · products + dense · products + output · (outputs + operations / 15)), three parameters
for a software stack and one for each of its boards, for four measured rows a board. reused: convolutions, pointwise and
depthwise, whose weights serve many positions; dense: layers that use each weight once. Least squares of the relative
error, the core's factor and the stack's parameters in turn.
"""

from __future__ import annotations

import csv
import statistics
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from tiny_networks import NETWORKS

from hwblocks.costs.machines.dead_channels import Left, without_dead_channels
from hwblocks.costs.machines.microcontroller import elements, kind_of, operations, outputs
from hwblocks.costs.ops import layers

MEASURED = Path(__file__).parents[1] / "golden" / "mlperf_tiny_boards.csv"
REMOVES = ("X-CUBE-AI 8.1", "X-CUBE-AI 10.2", "Plumerai 2023.05", "ONNC")
OPERATIONS_OF_AN_OUTPUT = 15
ROUNDS = 30


@dataclass(frozen=True)
class Row:
    """A measured row: cycles of an inference, energy in µJ or None."""

    stack: str
    board: str
    core: str
    clock_mhz: int
    benchmark: str
    cycles: float
    energy_uj: float | None


def measured() -> list[Row]:
    """All rows of the recorded file."""
    made = []
    for r in csv.DictReader(MEASURED.open(encoding="utf-8")):
        clock = int(r["clock_mhz"])
        energy = float(r["energy_uj"]) if r["energy_uj"] else None
        cycles = clock * 1e6 / float(r["inf_per_s"])
        made.append(Row(r["stack"], r["board"], r["core"], clock, r["benchmark"], cycles, energy))
    return made


@cache
def features(benchmark: str, removes: bool) -> tuple[float, float, float]:
    """Products that reuse weights, dense products, outputs with their share of operations."""
    counted = [layer for layer in layers(NETWORKS[benchmark]()) if not layer.free]
    left = without_dead_channels(counted) if removes else {}
    reused = dense = rescaled = 0.0
    for layer in counted:
        kept = left.get(layer.node.name, Left(layer.work.macs, elements(layer)))
        if layer.products and kind_of(layer.products[0]) == "dense":
            dense += kept.macs
        else:
            reused += kept.macs
        rescaled += outputs(layer, kept) + operations(layer) / OPERATIONS_OF_AN_OUTPUT
    return reused, dense, rescaled


@dataclass(frozen=True)
class Fit:
    """Cycles of a reused product, a dense product and an output, times the factor of a board."""

    parameters: np.ndarray
    factors: dict[str, float]

    def cycles(self, row: Row) -> float:
        return self.factors[row.board] * float(self.parameters @ features(row.benchmark, row.stack in REMOVES))


def fitted(rows: list[Row]) -> Fit:
    """The fit of one stack's rows."""
    x = np.array([features(r.benchmark, r.stack in REMOVES) for r in rows])
    factors = dict.fromkeys((r.board for r in rows), 1.0)
    for _ in range(ROUNDS):
        scaled = x * np.array([[factors[r.board] / r.cycles] for r in rows])
        parameters = np.linalg.lstsq(scaled, np.ones(len(rows)), rcond=None)[0]
        for board in factors:
            shares = np.array([x[i] @ parameters / r.cycles for i, r in enumerate(rows) if r.board == board])
            factors[board] = float(shares.sum() / (shares @ shares))
    return Fit(parameters, factors)


def stacks(rows: list[Row]) -> dict[str, list[Row]]:
    """Rows by software stack; one measured on a single board has as many parameters as rows and is left out."""
    made: dict[str, list[Row]] = {}
    for row in rows:
        made.setdefault(row.stack, []).append(row)
    return {stack: own for stack, own in sorted(made.items()) if len({r.board for r in own}) > 1}


@dataclass(frozen=True)
class Judged:
    """A row with the errors of the fit, of a fit without the row, and of a fit without the row's benchmark.

    without_benchmark: None for ad, the only benchmark that says what dense products cost.
    """

    row: Row
    estimate: float
    fit: float
    without_row: float
    without_benchmark: float | None


def judged(rows: list[Row]) -> list[Judged]:
    """Every row of every stack."""
    made = []
    for own in stacks(rows).values():
        whole = fitted(own)
        for row in own:
            others = [r for r in own if r is not row]
            unseen = [r for r in own if r.benchmark != row.benchmark]
            made.append(
                Judged(
                    row,
                    whole.cycles(row),
                    whole.cycles(row) / row.cycles - 1,
                    fitted(others).cycles(row) / row.cycles - 1,
                    None if row.benchmark == "ad" else fitted(unseen).cycles(row) / row.cycles - 1,
                )
            )
    return made


def main() -> None:
    """Prints parameters and errors; with --write, writes the target files."""
    rows, say = measured(), sys.stdout.write
    for stack, own in stacks(rows).items():
        fit = fitted(own)
        boards = ", ".join(f"{board} {factor / fit.factors[own[0].board]:.2f}" for board, factor in fit.factors.items())
        base = fit.parameters * fit.factors[own[0].board]
        say(f"{stack}: {base[0]:.2f} {base[1]:.2f} {base[2]:.1f} cycles; {boards}\n")
    errors = judged(rows)
    for j in errors:
        unseen = "" if j.without_benchmark is None else f"{j.without_benchmark:+8.1%}"
        say(f"{j.row.stack:20} {j.row.board:16} {j.row.benchmark:4} {j.fit:+8.1%} {j.without_row:+8.1%} {unseen}\n")
    for name in ("fit", "without_row", "without_benchmark"):
        values = [abs(v) for j in errors if (v := getattr(j, name)) is not None]
        say(f"{name}: median {statistics.median(values):.1%}, worst {max(values):.1%} of {len(values)} rows\n")
    if "--write" in sys.argv:
        from write_microcontrollers import write

        write(rows)


if __name__ == "__main__":
    main()
