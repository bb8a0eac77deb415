"""Recurrent layers in integers on one thread: products a second of one sample of 100 steps; no test asserts a time."""

from __future__ import annotations

import time

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.graph.builder import GraphBuilder

pytest.importorskip("pytest_benchmark")

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
STEPS, ROUNDS = 100, 30


def layer(kind, width):
    """A quantized layer of equal inputs and units, and one sample."""
    rng, rows = np.random.default_rng(0), GATES[kind] * width
    bound = 1 / np.sqrt(width)
    weights = {f"weight_{n}_l0": rng.uniform(-bound, bound, (rows, width)) for n in ("ih", "hh")}
    weights |= {f"bias_{n}_l0": rng.uniform(-bound, bound, rows) for n in ("ih", "hh")}
    build = GraphBuilder(kind.lower())
    y, *_ = getattr(hb, kind)(width, width, weights=weights)(build.input("x", (1, STEPS, width)))
    graph = build.build(y)
    x = rng.normal(size=(4, STEPS, width)).astype(np.float32)
    return qz.convert(graph, qz.calibrate(graph, x)), x[:1]


@pytest.mark.parametrize("width", [64, 256, 512])
@pytest.mark.parametrize("kind", GATES)
def test_products_a_second(benchmark, kind, width):
    q, x = layer(kind, width)
    runner, macs = hb.Simulator(q, threads=1), hb.profile(q).macs
    runner.run(x)
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        runner.run(x)
        seconds.append(time.perf_counter() - start)
    benchmark.extra_info |= {
        "gmac_per_second": macs / min(seconds) / 1e9,
        "gmac_per_second_median": macs / float(np.median(seconds)) / 1e9,
        "us_per_step": min(seconds) / STEPS * 1e6,
    }
    benchmark.pedantic(runner.run, args=(x,), rounds=3)
