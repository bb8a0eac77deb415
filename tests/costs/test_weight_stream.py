"""A TPU-v1-like array and reuse in a memory hierarchy: published figures, hand counts and a counted sum."""

from __future__ import annotations

from fractions import Fraction

import pytest

from hwblocks.costs.reuse import LevelAccesses, Reuse, input_accesses, partial_sum_accesses
from hwblocks.costs.systolic import Array, cycles
from hwblocks.costs.weight_stream import attainable_tops, streamed_bound, streamed_cycles, tile_cycles
from hwblocks.errors import TargetError
from hwblocks.graph.products import Gemm

TPU = Array(256, 256, "ws", overlap="fold", load="hidden", psum="accumulator")
CLOCK_HZ, WEIGHTS_PER_S, PEAK_TOPS = 700_000_000, 30 * 2**30, 2 * 65536 * 0.7e9 / 1e12
BYTES_PER_CYCLE = Fraction(WEIGHTS_PER_S, CLOCK_HZ)


def test_b_rows_take_b_cycles_and_a_hidden_load_256():
    assert cycles(Gemm(1000, 256, 256), TPU) == 510 + 1000
    assert cycles(Gemm(1000, 512, 512), TPU) == 510 + 4 * 1000
    assert cycles(Gemm(100, 512, 512), TPU) == 510 + 4 * 256


def test_mlp0_is_bound_by_the_bandwidth_of_weights():
    """200 operations a weight byte: 12.9 of 91.8 TOPS, by the roofline and by the cycles of its tiles."""
    assert round(PEAK_TOPS, 2) == 91.75
    assert attainable_tops(200, PEAK_TOPS, WEIGHTS_PER_S) == pytest.approx(12.88, abs=0.01)
    layer = Gemm(rows=200, depth=256 * 40, columns=256 * 40)
    assert streamed_bound(layer, TPU, BYTES_PER_CYCLE) == "weight-bandwidth"
    took = streamed_cycles(layer, TPU, BYTES_PER_CYCLE)
    assert 2 * layer.macs / float(took) * CLOCK_HZ / 1e12 == pytest.approx(12.88, abs=0.01)
    assert round(tile_cycles(layer, TPU, BYTES_PER_CYCLE)["weight-bandwidth"]) == 1424


def test_enough_rows_are_bound_by_computing():
    assert attainable_tops(2888, PEAK_TOPS, WEIGHTS_PER_S) == PEAK_TOPS
    assert streamed_bound(Gemm(1425, 256, 256), TPU, BYTES_PER_CYCLE) == "compute"
    assert streamed_bound(Gemm(1424, 256, 256), TPU, BYTES_PER_CYCLE) == "weight-bandwidth"
    assert streamed_bound(Gemm(100, 256, 256), TPU, Fraction(10**6)) == "load"
    assert streamed_cycles(Gemm(1425, 256, 512), TPU, BYTES_PER_CYCLE) == 510 + 2 * 1425


def test_other_dataflows_and_no_bandwidth_are_refused():
    with pytest.raises(TargetError, match="'os'"):
        streamed_cycles(Gemm(1, 1, 1), Array(4, 4, "os"), Fraction(1))
    with pytest.raises(TargetError, match="0 bytes a cycle"):
        streamed_cycles(Gemm(1, 1, 1), TPU, Fraction(0))


class Level:
    """A level that counts: below it the next one, and how often it is used for each use of it."""

    def __init__(self, times, below):
        self.times, self.below, self.reads, self.writes = times, below, 0, 0

    def fetch(self):
        for _ in range(self.times):
            self.reads += 1
            if self.below:
                self.below.fetch()

    def accumulate(self):
        """The sum of a group: from the second part on, the sum so far is read; all but the last are written here."""
        for part in range(self.times):
            if self.below:
                self.below.accumulate()
            self.reads += part > 0
            self.writes += part < self.times - 1


@pytest.mark.parametrize("numbers", [(1, 1, 1, 1), (1, 2, 3, 4), (3, 2, 1, 5), (2, 4, 2, 1)])
def test_reuse_equals_a_counted_hierarchy(numbers):
    levels, below = [], None
    for times in reversed(numbers):
        below = Level(times, below)
        levels.insert(0, below)
    levels[0].fetch()
    assert input_accesses(Reuse(*numbers)) == LevelAccesses(*(level.reads for level in levels))
    for level in levels:
        level.reads = 0
    levels[0].accumulate()
    dram, buffer, network, registers = levels
    counted = LevelAccesses(
        dram.reads + dram.writes + 1,  # the finished sum
        buffer.reads + buffer.writes,
        network.writes,  # a transfer is sent and received at once
        registers.reads + registers.writes,
    )
    assert partial_sum_accesses(Reuse(*numbers)) == counted


def test_energy_by_hand():
    pj = {"dram": 200.0, "buffer": 6.0, "network": 2.0, "registers": 1.0}
    assert input_accesses(Reuse(1, 2, 3, 4)).energy_pj(pj) == 200 + 2 * 6 + 6 * 2 + 24
    assert partial_sum_accesses(Reuse(2, 3, 1, 4)) == LevelAccesses(3, 8, 0, 36)
    with pytest.raises(TargetError, match="at least 1"):
        Reuse(1, 0, 1, 1)
