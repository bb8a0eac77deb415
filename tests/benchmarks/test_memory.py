"""Speed of memory plans (pytest-benchmark); no test asserts a time."""

from __future__ import annotations

import pytest
from memory_figures import CAPACITY, SHARED, chain, mobilenet

from hwblocks.costs.memory.buffer_file import read_buffers
from hwblocks.graph.memory import FIRST_FIT, plan_memory
from hwblocks.graph.plan_check import check_plan

pytest.importorskip("pytest_benchmark")


def layers(count):
    """A network of layers with residuals over three of them."""
    return [(f"t{i}", i, i + (4 if i % 4 == 0 else 2), 64 * (1 + i * 37 % 50)) for i in range(count)]


@pytest.mark.parametrize("count", [100, 1_000, 10_000])
@pytest.mark.parametrize("effort", [FIRST_FIT, 200_000_000], ids=["first-fit", "search"])
def test_layers(benchmark, count, effort):
    buffers = layers(count)
    plan = benchmark.pedantic(lambda: plan_memory(buffers, effort=effort), rounds=3)
    benchmark.extra_info["gap_percent"] = 100 * plan.gap.share


def test_visual_wake_words(benchmark):
    assert benchmark(lambda: plan_memory(chain(mobilenet()))).size == 55_296


@pytest.mark.parametrize("name", ["A", "B"])
def test_minimalloc(benchmark, name):
    path = SHARED / "reference" / "minimalloc" / f"{name}.1048576.csv"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    buffers = read_buffers(path)
    plan = benchmark(lambda: plan_memory(buffers, capacity=CAPACITY))
    check_plan(buffers, plan.offsets, CAPACITY)
