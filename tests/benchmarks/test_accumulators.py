"""Cost of accumulators on one thread, beside the plain kernel; no test asserts a time.

Rounds of all candidates alternate in one process, so that a change of the machine's clock meets each of them. `ratio` is
the speed of the named candidate / that of the plain product of the same operands, both by the best of the rounds (other
work on the machine only ever slows a round); the median of the rounds' ratios stands beside it. `counted` includes the
exact totals outside the register. Data: gauss: Gaussian weights and inputs (sigma 32); relu: Gaussian weights, inputs
0 or more; uniform: full range.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import numpy as np
import pytest

from hwblocks.numerics import kernels
from hwblocks.numerics.accumulator import Accumulator, largest_partial
from hwblocks.numerics.kernels.conv import ConvCall
from hwblocks.numerics.kernels.ordered import OrderedSum

pytest.importorskip("pytest_benchmark")

SHAPES = {"256x256x256": (256, 256, 256), "784x128x1152": (784, 128, 1152)}
RECORDS = (
    "int20 wrap",
    "int32 saturate",
    "int12 saturate",
    "int16 saturate",
    "int17 saturate",
    "int18 saturate",
    "int20 saturate",
    "int24 saturate",
    "int20 saturate dot(2)",
    "int20 saturate dot(4)",
    "int20 saturate dot(8)",
    "int20 trap",
)
KINDS = ("gauss", "relu", "uniform")
ROUNDS = 15


def operands(kind, m, n, k):
    """x [M, K] and w [N, K] in 8 bits."""
    rng = np.random.default_rng(1)
    if kind == "uniform":
        return rng.integers(-128, 128, (m, k)), rng.integers(-128, 128, (n, k))
    x, w = (np.clip(np.rint(rng.normal(0, 32, shape)), -128, 127).astype(np.int64) for shape in ((m, k), (n, k)))
    return (np.minimum(np.abs(x), 127), w) if kind == "relu" else (x, w)


def plain_call(m, w):
    n, k = w.shape
    return ConvCall(
        x_dtype="int8", x_zero=0, height=m, width=1, channels=k, out_height=m, out_width=1, out_channels=n,
        kernel=(1, 1), stride=(1, 1), dilation=(1, 1), pad=(0, 0), groups=1, weights=w.reshape(n, 1, 1, k), bias=None,
        bound=largest_partial(w.T, -128, 127), accumulator_bits=64, out_dtype="int32", epilogue=None,
    )  # fmt: skip


def with_record(call, text):
    """The call in a register; plain wrap stays what it is, an exact sum wrapped once."""
    record = Accumulator(text)
    if record.is_plain:
        return replace(call, accumulator_bits=record.bits)
    return replace(call, ordered=OrderedSum(record, 0, -128, 127, None), in_order=True)


def runner(call, x, level):
    """A function that runs the call once."""
    op = kernels.bind(call, kernels.default_isa())
    assert not isinstance(op, str), op
    codes, y = (
        x.astype(np.int8).reshape(1, -1),
        np.empty((1, call.out_height * call.out_width * call.out_channels), np.int32),
    )
    program = kernels.Program([(op, (0,), 1)], [codes.nbytes, y.nbytes], [-1, -1])
    return lambda: program.run({0: codes, 1: y}, 1, 1, level)


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def alternated(runs):
    """Seconds of every round of every candidate."""
    for run in runs.values():
        run()
    taken = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            taken[name].append(seconds(run))
    return taken


@pytest.mark.parametrize("counted", [False, True], ids=["uncounted", "counted"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_records_beside_plain(benchmark, shape, kind, counted):
    m, n, k = SHAPES[shape]
    x, w = operands(kind, m, n, k)
    call = plain_call(m, w)
    runs = {text: runner(with_record(call, text), x, int(counted)) for text in RECORDS}
    taken = alternated({"plain": runner(call, x, 0), **runs})
    best = {name: min(t) for name, t in taken.items()}
    median = {name: statistics.median(p / t for p, t in zip(taken["plain"], taken[name])) for name in runs}
    ratios = {name: (round(best["plain"] / best[name], 2), round(median[name], 2)) for name in runs}
    gmacs = m * n * k / best["plain"] / 1e9
    print(f"\n{shape} {kind} {'counted' if counted else 'uncounted'}: plain {gmacs:.1f} GMAC/s; (best, median)", ratios)
    benchmark.extra_info.update(ratio=ratios, plain_gmac_per_s=round(gmacs, 1))
    benchmark.pedantic(runs["int20 saturate"], rounds=5, iterations=1, warmup_rounds=1)


def clipped(x, w, bits):
    """A NumPy clip after every product."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    held = np.zeros((x.shape[0], w.shape[0]), np.int64)
    for k in range(x.shape[1]):
        held = np.clip(held + x[:, k : k + 1] * w[None, :, k], low, high)
    return held


def test_against_other_tools(benchmark):
    """20 bits saturating, 256×256×256: APyTypes' accumulator context, and a NumPy clip after every product."""
    apytypes = pytest.importorskip("apytypes")
    x, w = operands("uniform", 256, 256, 256)
    a, b = (apytypes.APyFixedArray.from_float(v, int_bits=8, frac_bits=0) for v in (x, w.T))

    def context():
        with apytypes.APyFixedAccumulatorContext(int_bits=20, frac_bits=0, overflow=apytypes.OverflowMode.SAT):
            return a @ b

    own = runner(with_record(plain_call(256, w), "int20 saturate"), x, 1)
    taken = {name: min(seconds(run) for _ in range(3)) for name, run in
             (("apytypes", context), ("numpy clip", lambda: clipped(x, w, 20)))}  # fmt: skip
    fastest = min(seconds(own) for _ in range(20))
    factors = {name: round(t / fastest) for name, t in taken.items()}
    print(f"\n20 bits saturating, 256x256x256: {256**3 / fastest / 1e9:.1f} GMAC/s; times faster than", factors)
    benchmark.extra_info.update(times_faster=factors)
    benchmark.pedantic(own, rounds=5, iterations=1, warmup_rounds=1)


@pytest.mark.parametrize("text", ["int20 saturate", "int20 wrap tree(8)", "int20 saturate drop=3:half_even"])
def test_followed(benchmark, text):
    """Every addition counted, as with trace="steps"."""
    x, w = operands("gauss", 64, 64, 256)
    call = replace(plain_call(64, w), ordered=OrderedSum(Accumulator(text), 0, -128, 127, None), in_order=True)
    run = runner(call, x, 3)
    benchmark.pedantic(run, rounds=5, iterations=1, warmup_rounds=1)
    benchmark.extra_info["gmac_per_s"] = round(64 * 64 * 256 / min(seconds(run) for _ in range(5)) / 1e9, 3)
    print(f"\n{text}, followed: {benchmark.extra_info['gmac_per_s']} GMAC/s")
