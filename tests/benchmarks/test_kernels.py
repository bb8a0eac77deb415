"""Speed of the kernels with fused requantization on one thread (pytest-benchmark); no test asserts a time.

`gmac_per_s` beside each result is the best round. Compare rows of one run only: hosts change their clock.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hwblocks.numerics import kernels
from hwblocks.numerics.formats import Format
from hwblocks.numerics.kernels.conv import ConvCall
from hwblocks.numerics.kernels.table import TableCall
from hwblocks.numerics.requantize import Requantize

pytest.importorskip("pytest_benchmark")

# name: height, width, channels, outputs, kernel, stride, groups
SHAPES = {
    "gemm 1024x1024x1024": (1024, 1, 1024, 1024, 1, 1, 1),
    "gemm 256x256x256": (256, 1, 256, 256, 1, 1, 1),
    "matvec 1x1024x1024": (1, 1, 1024, 1024, 1, 1, 1),
    "conv3x3 28x28x128-128": (28, 28, 128, 128, 3, 1, 1),
    "conv3x3 56x56x64-64": (56, 56, 64, 64, 3, 1, 1),
    "conv1x1 56x56x64-256": (56, 56, 64, 256, 1, 1, 1),
    "conv3x3 96x96x3-8 s2": (96, 96, 3, 8, 3, 2, 1),
    "depthwise3x3 56x56x128": (56, 56, 128, 128, 3, 1, 128),
    "depthwise3x3 14x14x512": (14, 14, 512, 512, 3, 1, 512),
}
SCHEMES = ("single_round", "double_round", "double_round_up", "shift", "float32", "float64", "exact")


@pytest.fixture
def isa(compiled_isa):
    """Each instruction set of this machine, by name."""
    return compiled_isa


@pytest.fixture
def prepared():
    """prepared(shape, isa, dtype, scheme): a program of one convolution, its arrays and its products."""

    def make(shape, isa, dtype="int8", scheme="single_round"):
        height, width, channels, outputs, kernel, stride, groups = shape
        rng = np.random.default_rng(1)
        pad = kernel // 2
        out = [(size + 2 * pad - kernel) // stride + 1 for size in (height, width)]
        weights = rng.integers(-128, 128, (outputs, kernel, kernel, channels // groups))
        target = Format("int8" if dtype == "int8" else "int16", scale=1.0)
        w_scale = 2.0**-4 if scheme == "shift" else rng.uniform(0.02, 0.1, outputs)
        epilogue = Requantize.preset(scheme).epilogue(2.0**-6, w_scale, target, outputs)
        peak = int(np.iinfo(dtype).max) + 1
        call = ConvCall(
            x_dtype=dtype, x_zero=0, height=height, width=width, channels=channels, out_height=out[0],
            out_width=out[1], out_channels=outputs, kernel=(kernel,) * 2, stride=(stride,) * 2, dilation=(1, 1),
            pad=(pad, pad), groups=groups, weights=weights, bias=None,
            bound=128 * peak * kernel * kernel * channels // groups, accumulator_bits=64,
            out_dtype=target.dtype.name, epilogue=epilogue,
        )  # fmt: skip
        op = kernels.bind(call, isa)
        assert not isinstance(op, str), op
        x = rng.integers(-peak, peak, (1, height * width * channels)).astype(dtype)
        y = np.empty((1, out[0] * out[1] * outputs), target.dtype)
        program = kernels.Program([(op, (0,), 1)], [x.nbytes, y.nbytes], [-1, -1])
        macs = y.size * kernel * kernel * channels // groups
        return SimpleNamespace(run=lambda level=0: program.run({0: x, 1: y}, 1, 1, level), macs=macs)

    return make


@pytest.fixture
def timed(benchmark):
    """timed(prepared, level): benchmark it and note its speed."""

    def go(work, level=0):
        benchmark.pedantic(work.run, args=(level,), rounds=5, iterations=1, warmup_rounds=1)
        if benchmark.stats is not None:  # None with --benchmark-disable
            benchmark.extra_info["gmac_per_s"] = round(work.macs / benchmark.stats.stats.min / 1e9, 2)

    return go


@pytest.mark.parametrize("name", SHAPES)
def test_s8(timed, prepared, isa, name):
    if isa == "ref" and name.startswith("gemm 1024"):
        pytest.skip("a second a round on the reference")
    timed(prepared(SHAPES[name], isa))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes(timed, prepared, isa, scheme):
    timed(prepared(SHAPES["conv3x3 28x28x128-128"], isa, scheme=scheme))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_statistics(timed, prepared, isa, level):
    timed(prepared(SHAPES["conv1x1 56x56x64-256"], isa), level)


def test_s16_in_64_bits(timed, prepared, isa):
    timed(prepared(SHAPES["gemm 256x256x256"], isa, dtype="int16", scheme="q16"))


def test_table(benchmark, isa):
    count = 1 << 16
    op = kernels.bind(TableCall("int8", "int8", np.arange(-128, 128), count), isa)
    x, y = np.zeros((1, count), np.int8), np.empty((1, count), np.int8)
    program = kernels.Program([(op, (0,), 1)], [count, count], [-1, -1])
    benchmark.pedantic(program.run, args=({0: x, 1: y}, 1, 1, 0), rounds=5, iterations=1, warmup_rounds=1)
