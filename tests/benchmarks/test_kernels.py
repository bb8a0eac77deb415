"""Speed of the kernels on one thread (pytest-benchmark), layers with fused requantization; no test asserts a time.

`gmac_per_s` beside each layer is the best round. Compare rows of one run only: hosts change their clock.
"""

from __future__ import annotations

import pytest
from families import FAMILIES, program
from layers import CONVOLUTIONS, DEPTHWISE, PRODUCTS, VECTORS, Data, Layer, Ours, product

pytest.importorskip("pytest_benchmark")

LAYERS = {
    **{f"gemm {name}": PRODUCTS[name] for name in ("256×256×256", "1024×1024×1024", "49×512×4608")},
    **{f"matvec {name}": layer for name, layer in VECTORS.items()},
    "matvec 1×1024×1024": product(1, 1024, 1024),
    **{f"conv {name}": layer for name, layer in CONVOLUTIONS.items()},
    "conv 3×3 96×96×3→8 stride 2": Layer(96, 96, 3, 8, 3, 2),
    "conv 3×3 28×28×128→128 4 groups": Layer(28, 28, 128, 128, 3, 1, 4),
    **{f"depthwise {name}": layer for name, layer in DEPTHWISE.items()},
}
SCHEMES = ("single_round", "double_round", "double_round_up", "shift", "float32", "float64", "exact", "fixed", "q16")
MIDDLE = LAYERS["conv 3×3 28×28×128→128"]
SLOW_ON_REF = 300_000_000  # products of a layer that takes a second a round on the reference


@pytest.fixture
def isa(compiled_isa):
    """Each instruction set of this machine, by name."""
    return compiled_isa


@pytest.fixture
def timed(benchmark):
    """timed(layer, level): benchmark it and note its speed."""

    def go(work, level=0):
        benchmark.pedantic(work.call(level), rounds=5, iterations=1, warmup_rounds=1)
        if benchmark.stats is not None:  # None with --benchmark-disable
            benchmark.extra_info["gmac_per_s"] = round(work.macs / benchmark.stats.stats.min / 1e9, 2)

    return go


@pytest.mark.parametrize("name", LAYERS)
def test_s8(timed, isa, name):
    if isa == "ref" and LAYERS[name].macs > SLOW_ON_REF:
        pytest.skip("a second a round on the reference")
    timed(Ours(Data(LAYERS[name]), isa))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes(timed, isa, scheme):
    timed(Ours(Data(MIDDLE, power=scheme == "shift"), isa, scheme))


def test_sums_alone(timed, isa):
    timed(Ours(Data(MIDDLE), isa, None))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_statistics(timed, isa, level):
    timed(Ours(Data(LAYERS["conv 1×1 56×56×64→256"]), isa), level)


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7])
def test_narrow_weights(timed, isa, bits):
    timed(Ours(Data(MIDDLE, bits=bits), isa))


def test_s16(timed, isa):
    """Sums of 16-bit activations that need 64 bits."""
    timed(Ours(Data(MIDDLE, "int16"), isa, "q16"))


@pytest.mark.parametrize("name", FAMILIES)
def test_families(benchmark, isa, name):
    benchmark.pedantic(program(FAMILIES[name](), isa), rounds=5, iterations=3, warmup_rounds=1)
