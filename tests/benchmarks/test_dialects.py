"""Cost of a dialect on a whole model: resnet8, 128 samples, one thread, beside the graph's own arithmetic.

Rounds of all simulators alternate, so that a change of the machine's clock meets each of them; `ratio` is the median
over rounds of dialect / own, printed and noted beside the result. Own arithmetic is what an affine recipe writes:
layers by single_round, additions and softmax exact. `layers_alone` compares with the same layers between the cheapest
additions there are, so that the exact ones hide nothing. No test asserts a time.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.numerics.arithmetic import Arithmetic

pytest.importorskip("pytest_benchmark")

DIALECTS = ("tflm", "litert-ref", "litert-opt", "xnnpack")
SAMPLES, ROUNDS = 128, 15
AFFINE = Arithmetic(requantize=hb.Requantize.preset("single_round"), accumulator=hb.Accumulator("int32 wrap"))


@pytest.fixture(scope="module")
def resnet8(shared):
    return hb.load(shared / "models" / "tflite" / "mlperf_resnet8_int8.tflite")


@pytest.fixture(scope="module")
def samples(resnet8):
    shape = resnet8.tensors[resnet8.inputs[0]].shape
    return np.random.default_rng(0).integers(-128, 128, (SAMPLES, *shape[1:])).astype(np.int8)


def stated(graph, by_type):
    """A simulator of the graph without a dialect, nodes in the arithmetic stated for their type."""
    nodes = tuple(n.replace(arithmetic=by_type.get(n.type_name, n.arithmetic)) for n in graph.nodes)
    return hb.Simulator(graph.replace(dialect="", nodes=nodes), threads=1)


@pytest.fixture(scope="module")
def own(resnet8):
    """The graph in its own arithmetic."""
    return stated(resnet8, {"Conv2d": AFFINE, "Linear": AFFINE})


@pytest.fixture(scope="module")
def layers_alone(resnet8):
    """The same layers; additions by XNNPACK's two multiplications, softmax in fixed point."""
    cheap = {"Add": Arithmetic(algorithm="xnnpack_sum"), "Softmax": Arithmetic(algorithm="gemmlowp")}
    return stated(resnet8, {"Conv2d": AFFINE, "Linear": AFFINE, **cheap})


def seconds(simulator, x):
    start = time.perf_counter()
    simulator.run(x)
    return time.perf_counter() - start


def median_ratio(simulator, own, x):
    """Median over interleaved rounds of the time beside that of the graph's own arithmetic."""
    for one in (simulator, own):
        one.run(x)
    return statistics.median(seconds(simulator, x) / seconds(own, x) for _ in range(ROUNDS))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_resnet8(benchmark, resnet8, own, layers_alone, samples, dialect):
    simulator = hb.Simulator(resnet8, dialect, threads=1)
    assert not simulator.plan.unserved
    benchmark.pedantic(simulator.run, args=(samples,), rounds=ROUNDS, iterations=1, warmup_rounds=1)
    if benchmark.stats is not None:  # None with --benchmark-disable
        ratio, strict = (median_ratio(simulator, one, samples) for one in (own, layers_alone))
        benchmark.extra_info.update(ratio=round(ratio, 3), layers_alone=round(strict, 3))
        sys.stdout.write(
            f"\nresnet8 {dialect}: {ratio:.3f} of its own arithmetic's time, {strict:.3f} of layers alone\n"
        )
