"""Systolic arrays in closed form: folds, cycles, utilisations and buffer accesses of a matrix product.

A product of [M, K] by [K, N] is cut into folds that fill an array of R × C multipliers. What stays in the array names
the dataflow; the other axis streams through it:

    dataflow   array rows   array columns   streamed T   cycles of a fold
    os         M            N               K            T + R + C − 2
    ws         K            N               M            T + 2R + C − 2   (R of them load the weights)
    is         K            M               N            T + 2R + C − 2   (R of them load the inputs)

Source: SCALE-Sim 3.0.0, whose reports these figures equal, row by row (tests/costs/test_systolic.py); where that tool
counts something that does not happen, its figure has a function of its own, named scalesim_….
"""

from __future__ import annotations

from dataclasses import dataclass

from hwblocks.errors import TargetError
from hwblocks.graph.plane import Gemm

DATAFLOWS = {"os": "output stationary", "ws": "weight stationary", "is": "input stationary"}
OVERLAPS = ("none", "fold")
LOADS = ("exposed", "hidden")
PSUMS = ("dram", "accumulator")


@dataclass(frozen=True)
class Array:
    """A systolic array of rows × columns multiply-accumulate units.

    dataflow: what stays in the units: "os" outputs, "ws" weights, "is" inputs.
    overlap: "none": a fold drains before the next one fills (SCALE-Sim's rule). "fold": fill and drain of consecutive
    folds overlap, so that only the first fill and the last drain are seen.
    load: "exposed": loading the stationary operand of ws and is takes R cycles a fold. "hidden": the next one is loaded
    behind the computing (double buffering, as in TPU v1), which takes R cycles or the streaming, whichever is longer.
    psum: where the partial sums of ws and is wait for the next fold over K: "dram" (SCALE-Sim's rule) or "accumulator",
    a memory beside the array.
    Errors: TargetError for a size below 1 or an unknown name.
    """

    rows: int
    columns: int
    dataflow: str
    overlap: str = "none"
    load: str = "exposed"
    psum: str = "dram"

    def __post_init__(self) -> None:
        if min(self.rows, self.columns) < 1:
            raise TargetError(f"an array of {self.rows} rows and {self.columns} columns: both are at least 1")
        choices = {"dataflow": tuple(DATAFLOWS), "overlap": OVERLAPS, "load": LOADS, "psum": PSUMS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise TargetError(f"array {name} {getattr(self, name)!r}: it is one of {', '.join(known)}")

    @property
    def units(self) -> int:
        """R · C."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Mapping:
    """How a product lies on an array: elements along its rows and columns, and the length T of what streams through."""

    rows: int
    columns: int
    streamed: int


@dataclass(frozen=True)
class Folds:
    """Folds along the rows and the columns of an array; the rows' are the inner loop."""

    rows: int
    columns: int

    @property
    def count(self) -> int:
        """All folds."""
        return self.rows * self.columns


@dataclass(frozen=True)
class BufferAccesses:
    """Words between the on-chip buffers and the array. partial_reads: partial sums that come back to be added to."""

    ifmap_reads: int
    filter_reads: int
    ofmap_writes: int
    partial_reads: int


def mapping(gemm: Gemm, array: Array) -> Mapping:
    """The axes of a product on an array, by dataflow."""
    m, k, n = gemm.rows, gemm.depth, gemm.columns
    return Mapping(*{"os": (m, n, k), "ws": (k, n, m), "is": (k, m, n)}[array.dataflow])


def folds(gemm: Gemm, array: Array) -> Folds:
    """⌈elements / rows⌉ and ⌈elements / columns⌉.

    >>> folds(Gemm(rows=100, depth=27, columns=16), Array(8, 8, "os"))
    Folds(rows=13, columns=2)
    """
    on = mapping(gemm, array)
    return Folds(-(-on.rows // array.rows), -(-on.columns // array.columns))


def fold_cycles(gemm: Gemm, array: Array) -> int:
    """Cycles of one fold that runs alone: T + R + C − 2, and R more where a load is exposed.

    A hidden load takes its R cycles behind the T of the fold before it: max(T, R) + R + C − 2. Edge folds pay for the
    full array.
    """
    streamed, drain = mapping(gemm, array).streamed, array.rows + array.columns - 2
    if array.dataflow == "os":
        return streamed + drain
    if array.load == "hidden":
        return max(streamed, array.rows) + drain
    return streamed + array.rows + drain


def cycles(gemm: Gemm, array: Array) -> int:
    """Cycles of a product: folds · cycles of a fold.

    With overlap="fold": R + C − 2 + folds · max(T, R), since every fold moves R rows in (the stationary operand of ws
    and is) or out (the results of os) while T steps stream; the first load is counted with what ran before.

    >>> cycles(Gemm(rows=25, depth=1728, columns=384), Array(32, 32, "os"))
    21480
    """
    count = folds(gemm, array).count
    if array.overlap == "fold":
        return array.rows + array.columns - 2 + count * max(mapping(gemm, array).streamed, array.rows)
    return count * fold_cycles(gemm, array)


def mapping_efficiency(gemm: Gemm, array: Array) -> float:
    """Units that hold an element of the product, on average over the folds, 0 to 1."""
    on = mapping(gemm, array)
    return on.rows * on.columns / (folds(gemm, array).count * array.units)


def buffer_accesses(gemm: Gemm, array: Array) -> BufferAccesses:
    """Words read from and written to the buffers of the array.

    ifmap os, ws: M·K·⌈N/C⌉, is: M·K. filter os: K·N·⌈M/R⌉, ws: K·N, is: K·N·⌈M/C⌉. ofmap os: M·N; ws and is write a
    partial sum for every fold over K, M·N·⌈K/R⌉, and read all but the first again.
    """
    along, inputs, weights = folds(gemm, array), gemm.rows * gemm.depth, gemm.depth * gemm.columns
    outputs = gemm.rows * gemm.columns
    if array.dataflow == "os":
        return BufferAccesses(inputs * along.columns, weights * along.rows, outputs, 0)
    partial = outputs * (along.rows - 1)
    if array.dataflow == "ws":
        return BufferAccesses(inputs * along.columns, weights, outputs + partial, partial)
    return BufferAccesses(inputs, weights * along.columns, outputs + partial, partial)


def scalesim_overall_utilisation(gemm: Gemm, array: Array) -> float:
    """SCALE-Sim's "Overall Util", 0 to 1: it divides by the index of the last cycle, one less than the cycles.

    Errors: TargetError for a product of one cycle, on which that tool divides by 0.
    """
    last = cycles(gemm, array) - 1
    if not last:
        raise TargetError(f"{gemm} takes one cycle, for which SCALE-Sim has no utilisation")
    return gemm.macs / (last * array.units)


def scalesim_compute_utilisation(gemm: Gemm, array: Array) -> float:
    """SCALE-Sim's "Compute Util", 0 to 1: the fold of ws and is that it divides by counts the skew of C − 1 twice."""
    on, twice = mapping(gemm, array), 0 if array.dataflow == "os" else array.columns - 1
    busy = on.rows * on.columns * on.streamed
    return busy / (folds(gemm, array).count * array.units * (fold_cycles(gemm, array) + twice))


def scalesim_sram_ofmap_writes(gemm: Gemm, array: Array) -> int:
    """SCALE-Sim's "SRAM OFMAP Writes": those of os include R + C phantom writes a fold."""
    phantom = folds(gemm, array).count * (array.rows + array.columns) if array.dataflow == "os" else 0
    return buffer_accesses(gemm, array).ofmap_writes + phantom
