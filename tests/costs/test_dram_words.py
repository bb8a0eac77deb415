"""DRAM words against SCALE-Sim's reports and the definition of its replay, and the plain rules by hand."""

from __future__ import annotations

import numpy as np
import pytest
from costs.scalesim_rows import RUNS, recorded, reported

from hwblocks.costs.machines.demand import filter_walk, ifmap_walk
from hwblocks.costs.machines.dram_words import (
    Buffers,
    active_words,
    cyclic_fetches,
    dram_words,
    replay_filter,
    replay_ifmap,
    scalesim_dram_ofmap_writes,
)
from hwblocks.costs.machines.systolic import Array
from hwblocks.errors import ShapeError, TargetError
from hwblocks.graph.plane import PlaneConvolution
from hwblocks.numerics.kernels.replay import demanded, fetched, replay


def check(row):
    ifmap, filters, ofmap = (1024 * kb for kb in row.buffers)
    words = dram_words(row.layer, row.array, Buffers(ifmap, filters), "scalesim-replay")
    written = scalesim_dram_ofmap_writes(row.layer, row.array, ofmap)
    assert (row.name, (words.ifmap_reads, words.filter_reads, written)) == (row.name, row.dram)
    return row.dram[2] - words.ofmap_writes


@pytest.mark.parametrize("run", RUNS)
def test_every_row_of_the_reference_reports(shared, run):
    rows = reported(shared / "reference" / "scalesim", run)
    extra = {check(row) for row in rows}
    assert extra <= {0, rows[0].array.columns - 1}


def test_every_recorded_row():
    for row in recorded():
        check(row)


def test_when_dram_ofmap_writes_are_too_many():
    """Only where C divides half the buffer, which was drained with something left to write; and then by C − 1."""
    found = {row.name: check(row) for row in recorded() if (row.array.columns, row.array.dataflow) == (8, "os")}
    assert (found["results513"], found["results514"]) == (0, 7)  # half of 1 kB is 512
    for row in recorded():
        drains = row.dram[2] > 512 * row.buffers[2]
        if check(row):
            assert drains and 512 * row.buffers[2] % row.array.columns == 0
    assert not any(check(row) for row in recorded() if row.array.columns == 17)


SMALL = (
    PlaneConvolution(9, 8, 3, 2, 2, 5, (1, 1)),
    PlaneConvolution(12, 12, 3, 3, 1, 6, (2, 2)),  # the last windows reach outside
    PlaneConvolution(10, 9, 2, 2, 3, 4, (3, 3)),
    PlaneConvolution(13, 7, 5, 1, 2, 3, (2, 4)),
    PlaneConvolution(6, 1, 1, 1, 25, 9, (1, 1)),
    PlaneConvolution(1, 1, 1, 1, 40, 11, (1, 1)),
)


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
@pytest.mark.parametrize("layer", SMALL, ids=str)
def test_fast_replay_equals_its_definition(layer, dataflow):
    for rows, columns in ((4, 3), (1, 5), (7, 2)):
        array = Array(rows, columns, dataflow)
        for walk, fast in ((ifmap_walk(layer, array), replay_ifmap), (filter_walk(layer, array), replay_filter)):
            words = list(demanded(walk))
            for capacity in (1, 2, 7, 30, 50, len(set(words)), len(set(words)) + 1, 10**6):
                count = fetched(words, capacity)
                assert replay(walk, capacity) == count
                assert fast(layer, array, capacity) == count


@pytest.mark.parametrize("layer", SMALL, ids=str)
def test_demand_is_every_operand_of_every_product(layer):
    """The addresses of a walk are those of an im2col matrix and its filters, each as often as its buffer is read."""
    image = np.arange(layer.height * layer.width * layer.channels).reshape(layer.height, layer.width, layer.channels)
    down, across = layer.outputs
    windows = [
        image[i * layer.stride[0] :, j * layer.stride[1] :][: layer.filter_height, : layer.filter_width].size
        for i in range(down)
        for j in range(across)
    ]
    for dataflow, times in (("os", -(-layer.filters // 3)), ("ws", -(-layer.filters // 3)), ("is", 1)):
        assert len(list(demanded(ifmap_walk(layer, Array(4, 3, dataflow))))) == sum(windows) * times
    touched = len(set(demanded(ifmap_walk(layer, Array(4, 3, "os")))))
    assert layer.touched_words == touched
    assert {*demanded(filter_walk(layer, Array(4, 3, "ws")))} == {*range(layer.gemm.depth * layer.filters)}


def test_cyclic_fetches_equal_the_definition():
    for capacity in (1, 2, 5, 8):
        for held in range(capacity):
            for distinct in range(1, 2 * capacity + 3):
                for repeats in (1, 2, 3, 4):
                    before = [f"old{i}" for i in range(held)]
                    stream = before + list(range(distinct)) * repeats
                    count, _ = cyclic_fetches(distinct, repeats, capacity, held)
                    assert count == fetched(stream, capacity) - held


def test_plain_rules_by_hand():
    layer = PlaneConvolution(10, 10, 3, 3, 16, 12)  # M 64, K 144, N 12; an image of 1600, filters of 1728
    small, large = Buffers(2048, 2048), Buffers(4096, 4096)

    def reads(dataflow, buffers, rule):
        words = dram_words(layer, Array(8, 8, dataflow), buffers, rule)
        return words.ifmap_reads, words.filter_reads

    assert reads("os", small, "once") == (1600, 1728)
    assert reads("os", small, "tiled") == (1600 * 2, 1728 * 8)  # 1152 words of 8 filters do not fit 1024
    assert reads("os", large, "tiled") == (1600, 1728)
    assert reads("ws", small, "tiled") == (1600 * 2, 1728)
    assert reads("is", small, "tiled") == (1600, 1728 * 8)


def test_partial_sums_in_dram_or_beside_the_array():
    layer, buffers = PlaneConvolution(10, 10, 3, 3, 16, 12), Buffers(4096, 4096)
    counted = {p: dram_words(layer, Array(8, 8, "ws", psum=p), buffers, "once") for p in ("dram", "accumulator")}
    assert (counted["dram"].ofmap_writes, counted["dram"].partial_reads) == (768 * 18, 768 * 17)
    assert (counted["accumulator"].ofmap_writes, counted["accumulator"].partial_reads) == (768, 0)
    assert dram_words(layer, Array(8, 8, "os"), buffers, "once").ofmap_writes == 768


def test_bad_buffers_rules_and_layers():
    layer = PlaneConvolution(4, 4, 3, 3, 2, 5)
    with pytest.raises(TargetError, match="at least 100"):
        dram_words(layer, Array(4, 4, "os"), Buffers(99, 1000), "scalesim-replay")
    with pytest.raises(TargetError, match="scalesim-replay, once, tiled"):
        dram_words(layer, Array(4, 4, "os"), Buffers(1000, 1000), "twice")
    with pytest.raises(ShapeError, match="not larger than the image"):
        PlaneConvolution(4, 4, 5, 3, 2, 5)
    with pytest.raises(ShapeError, match="2\\^31"):
        ifmap_walk(PlaneConvolution(50000, 50000, 3, 3, 1, 1), Array(4, 4, "os"))
    assert active_words(100) == 50
