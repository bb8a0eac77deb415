"""Systolic arrays against SCALE-Sim's reports, row by row, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from costs.scalesim_rows import RUNS, recorded, reported

from hwblocks.costs.machines.systolic import (
    Array,
    Folds,
    buffer_accesses,
    cycles,
    fold_cycles,
    folds,
    mapping,
    mapping_efficiency,
    scalesim_compute_utilisation,
    scalesim_overall_utilisation,
    scalesim_sram_ofmap_writes,
)
from hwblocks.errors import ShapeError, TargetError
from hwblocks.graph.plane import Gemm


def check(row):
    gemm, array = row.layer.gemm, row.array
    counted = buffer_accesses(gemm, array)
    sram = (counted.ifmap_reads, counted.filter_reads, scalesim_sram_ofmap_writes(gemm, array))
    assert (row.name, cycles(gemm, array), sram) == (row.name, row.cycles, row.sram)
    ours = scalesim_overall_utilisation, mapping_efficiency, scalesim_compute_utilisation
    for text, utilisation in zip(row.utilisations, ours):  # the tool's averages over folds are off in the last digits
        assert 100 * utilisation(gemm, array) == pytest.approx(float(text), rel=1e-12, abs=0), row


@pytest.mark.parametrize("run", RUNS)
def test_every_row_of_the_reference_reports(shared, run):
    rows = reported(shared / "reference" / "scalesim", run)
    assert rows
    for row in rows:
        check(row)


def test_every_recorded_row():
    rows = recorded()
    assert len(rows) == 258
    for row in rows:
        check(row)


def test_resnet18_in_all(shared):
    rows = reported(shared / "reference" / "scalesim", "resnet18_os_32")
    assert sum(cycles(row.layer.gemm, Array(32, 32, "os")) for row in rows) == 1_718_374
    assert sum(row.layer.gemm.macs for row in rows) == 1_471_181_568  # the file leaves padding out


def test_the_phantom_writes_of_os_exist_in_no_array():
    """An array of R × C writes each of its results once, counted on a simulated drain."""
    gemm, array = Gemm(10, 4, 7), Array(4, 3, "os")
    written = np.zeros((gemm.rows, gemm.columns), int)
    for row in range(0, gemm.rows, array.rows):
        for column in range(0, gemm.columns, array.columns):
            written[row : row + array.rows, column : column + array.columns] += 1
    assert (written == 1).all()
    assert buffer_accesses(gemm, array).ofmap_writes == written.size
    assert scalesim_sram_ofmap_writes(gemm, array) == written.size + 9 * (4 + 3)


def test_the_skew_that_compute_util_counts_twice():
    gemm = Gemm(rows=50, depth=16, columns=16)
    for dataflow, twice in (("os", 0), ("ws", 7), ("is", 7)):
        array = Array(8, 8, dataflow)
        alone = fold_cycles(gemm, array)
        busy = mapping_efficiency(gemm, array) * mapping(gemm, array).streamed  # unit cycles of a fold
        assert scalesim_compute_utilisation(gemm, array) == pytest.approx(busy / (alone + twice))


def simulated(gemm, array):
    """Cycles of one fold on a grid of units that hand operands on each cycle: a product and its cycles, by stepping."""
    a, b = np.arange(1, gemm.rows * gemm.depth + 1).reshape(gemm.rows, -1), np.ones((gemm.depth, gemm.columns), int)
    held, right, down = (np.zeros((array.rows, array.columns), int) for _ in range(3))
    for cycle in range(gemm.depth + array.rows + array.columns - 2):
        right, down = np.roll(right, 1, 1), np.roll(down, 1, 0)
        for i in range(array.rows):
            right[i, 0] = a[i, cycle - i] if i < gemm.rows and 0 <= cycle - i < gemm.depth else 0
        for j in range(array.columns):
            down[0, j] = b[cycle - j, j] if j < gemm.columns and 0 <= cycle - j < gemm.depth else 0
        held += right * down
    return held[: gemm.rows, : gemm.columns], a @ b


def test_a_fold_of_os_computes_the_product_in_its_cycles():
    for gemm in (Gemm(4, 6, 3), Gemm(3, 1, 2), Gemm(4, 9, 1)):
        held, product = simulated(gemm, Array(4, 3, "os"))
        assert (held == product).all()
        assert cycles(gemm, Array(4, 3, "os")) == gemm.depth + 4 + 3 - 2


def test_options_by_hand():
    gemm = Gemm(rows=1000, depth=64, columns=48)  # ws on 16 × 16: 4 · 3 folds that stream 1000 rows
    assert folds(gemm, Array(16, 16, "ws")) == Folds(4, 3)
    assert cycles(gemm, Array(16, 16, "ws")) == 12 * (1000 + 32 + 16 - 2)
    assert cycles(gemm, Array(16, 16, "ws", load="hidden")) == 12 * (1000 + 16 + 16 - 2)
    assert cycles(gemm, Array(16, 16, "ws", overlap="fold")) == 30 + 12 * 1000
    assert cycles(Gemm(5, 64, 48), Array(16, 16, "ws", overlap="fold")) == 30 + 12 * 16  # loading is the longer
    assert cycles(Gemm(5, 64, 48), Array(16, 16, "ws", load="hidden")) == 12 * (16 + 30)
    assert cycles(gemm, Array(16, 16, "os", load="hidden")) == cycles(gemm, Array(16, 16, "os"))


def test_partial_sums_by_hand():
    gemm = Gemm(rows=10, depth=33, columns=5)
    counted = buffer_accesses(gemm, Array(16, 8, "ws"))  # 3 folds over K
    assert (counted.ofmap_writes, counted.partial_reads) == (150, 100)
    assert buffer_accesses(gemm, Array(16, 8, "os")).partial_reads == 0


def test_bad_arrays_and_products():
    with pytest.raises(TargetError, match="rows"):
        Array(0, 8, "os")
    for field in ("dataflow", "overlap", "load", "psum"):
        with pytest.raises(TargetError, match=field):
            Array(8, 8, **{"dataflow": "os", field: "row"})
    with pytest.raises(ShapeError, match="at least 1"):
        Gemm(4, 0, 3)
    with pytest.raises(TargetError, match="one cycle"):
        scalesim_overall_utilisation(Gemm(1, 1, 1), Array(1, 1, "os"))
