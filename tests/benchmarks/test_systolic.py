"""Cost of a network on a systolic array: cycles and buffer accesses in closed form, and DRAM words by replay."""

from __future__ import annotations

import pytest
from costs.scalesim_rows import topology

from hwblocks.costs.machines.dram_words import Buffers, dram_words
from hwblocks.costs.machines.systolic import (
    Array,
    buffer_accesses,
    cycles,
    mapping_efficiency,
    scalesim_overall_utilisation,
)

pytest.importorskip("pytest_benchmark")

BUFFERS = Buffers(64 * 1024, 64 * 1024)


@pytest.fixture(scope="module")
def resnet18(shared):
    return [layer for _, layer in topology(shared / "reference" / "scalesim" / "topologies" / "Resnet18.csv")]


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
def test_closed_form_of_resnet18(benchmark, resnet18, dataflow):
    array = Array(32, 32, dataflow)

    def priced():
        gemms = [layer.gemm for layer in resnet18]
        parts = (cycles, mapping_efficiency, scalesim_overall_utilisation, buffer_accesses)
        return [[part(gemm, array) for part in parts] for gemm in gemms]

    assert len(benchmark(priced)) == 21


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
def test_replay_of_resnet18(benchmark, resnet18, dataflow):
    array = Array(32, 32, dataflow)
    made = benchmark(lambda: [dram_words(layer, array, BUFFERS, "scalesim-replay") for layer in resnet18])
    assert len(made) == 21
