"""Speed of user-written multiply-accumulates on one thread, cast included (pytest-benchmark); no test asserts a time.

`gmac_per_s` beside each result is the best round. Compare rows of one run only: hosts change their clock.
"""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic

pytest.importorskip("pytest_benchmark")


def plain(acc, a, w):
    return acc + a * w


def saturating(acc, a, w):
    return min(max(acc + a * w, -32768), 32767)


def truncated(acc, a, w):
    return acc + ((a * w) >> 4 << 4)


def searching(acc, a, w):
    """A loop inside: nothing for vectors."""
    cut = 0
    while (abs(a) >> cut) > 3:
        cut += 1
    return acc + ((a >> cut) << cut) * w


CODES = np.arange(-128, 128)
TABLE = np.zeros((256, 256), np.int64)
TABLE[np.ix_(CODES, CODES)] = np.outer(CODES, CODES) & ~15
MACS = {f.__name__: hb.mac(f) for f in (plain, saturating, truncated, searching)} | {"table": hb.mac(table=TABLE)}

# name: block, x shape of one sample, w shape
SHAPES = {
    "gemm 256x256x256": (hb.Linear(), (256, 256), (256, 256)),
    "gemm 1024x256x256": (hb.Linear(), (1024, 256), (256, 256)),
    "conv3x3 56x56x64-64": (hb.Conv2d(padding=1), (56, 56, 64), (64, 3, 3, 64)),
    "conv1x1 56x56x64-256": (hb.Conv2d(), (56, 56, 64), (256, 1, 1, 64)),
    "depthwise3x3 56x56x128": (hb.Conv2d(padding=1, groups=128), (56, 56, 128), (1, 3, 3, 128)),
}


@pytest.fixture
def simulator():
    """simulator(shape, mac): one layer of 8-bit codes, planned; its input and its products."""

    def make(shape, user):
        block, x_shape, w_shape = SHAPES[shape]
        rng = np.random.default_rng(1)
        build = GraphBuilder("g")
        x = build.input("x", (1, *x_shape), hb.Format("int8", scale=0.1, zero_point=-5))
        w = build.constant("w", rng.integers(-127, 128, w_shape), hb.Format("int8", scale=0.1))
        arithmetic = Arithmetic(requantize=hb.Requantize.preset("single_round"))
        out = hb.Format("int8", scale=30.0)
        graph = build.build(build.add(block, x, w, name="n", formats=[out], arithmetic=arithmetic))
        made = hb.Simulator(graph, accumulator=user, threads=1)
        return made, rng.integers(-128, 128, (1, *x_shape)).astype(np.int8), made.macs

    return make


@pytest.mark.parametrize("name", MACS)
@pytest.mark.parametrize("shape", SHAPES)
def test_user_macs(benchmark, simulator, shape, name):
    made, x, macs = simulator(shape, MACS[name])
    benchmark.pedantic(made.run, args=(x,), rounds=5, iterations=1, warmup_rounds=1)
    if benchmark.stats is not None:  # None with --benchmark-disable
        benchmark.extra_info["gmac_per_s"] = round(macs / benchmark.stats.stats.min / 1e9, 2)


@pytest.mark.parametrize("shape", ["gemm 256x256x256", "conv3x3 56x56x64-64"])
def test_the_exact_kernel(benchmark, simulator, shape):
    """What the core does with the same layer."""
    made, x, macs = simulator(shape, None)
    benchmark.pedantic(made.run, args=(x,), rounds=5, iterations=1, warmup_rounds=1)
    if benchmark.stats is not None:
        benchmark.extra_info["gmac_per_s"] = round(macs / benchmark.stats.stats.min / 1e9, 2)
