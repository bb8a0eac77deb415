"""Counting of thresholds: kernels equal plain counting, over widths, levels, signs and the ends of the types."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import SimulationError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.kernels.threshold import ThresholdCall

CHANNELS = (1, 3, 15, 16, 17, 63, 64, 65, 130)
LEVELS = (1, 2, 15, 16, 17, 31, 255, 300)


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint8", "uint16"])
def test_counts(run_call, rng, levels, dtype):
    limits = np.iinfo(dtype)
    for channels in CHANNELS:
        rows = int(rng.choice([1, channels]))
        spread = limits if rng.random() < 0.5 else np.iinfo("int8")
        thresholds = np.sort(rng.integers(spread.min, spread.max + 1, (rows, levels)), axis=1)
        codes = rng.integers(-128, 128, levels + 1)
        flipped = None if rng.random() < 0.5 else rng.random(channels) < 0.5
        x = rng.integers(limits.min, limits.max + 1, (2, 3, channels)).astype(dtype)
        x[0, 0], x[0, 1] = limits.min, limits.max
        x[1, 2] = np.resize(thresholds[:, rng.integers(levels)], channels).clip(limits.min, limits.max)
        call = ThresholdCall(
            x_dtype=dtype,
            out_dtype="int8",
            count=3 * channels,
            channels=channels,
            thresholds=thresholds,
            flipped=flipped,
            codes=codes,
        )
        made = run_call(call, [x.reshape(2, -1)], 3 * channels, "int8").codes
        counts = (x.astype(np.int64)[..., None] >= thresholds).sum(axis=-1)
        counts = counts if flipped is None else np.where(flipped, levels - counts, counts)
        np.testing.assert_array_equal(made.reshape(x.shape), codes[counts])


@pytest.mark.parametrize("zero", [0, 5])
@pytest.mark.parametrize("rows", [1, 7])
def test_blocks(isa, rng, rows, zero):
    """The block by its kernel, by its definition, and by plain comparison of signed reals; falling channels too."""
    x_format = hb.Format("int16", scale=0.25, zero_point=zero)
    y_format = hb.Format("int4", scale=0.5, zero_point=-3)
    thresholds = rng.integers(-300, 300, (rows, 9))
    signs = rng.choice([-1, 1], 7)
    build = GraphBuilder("g")
    x = build.input("x", (1, 4, 7), x_format)
    t = build.constant("t", thresholds, hb.Format("int16", scale=0.25))
    s = build.constant("s", signs, hb.Format("int2"))
    block = hb.MultiThreshold(0.5, 0.5 * (y_format.lo + 3))
    graph = build.build(build.add(block, x, t, s, name="n", outputs=("y",), formats=(y_format,)))
    codes = rng.integers(-320, 320, (20, 1, 4, 7)).astype(np.int16)
    counts = (((codes.astype(int) - zero) * signs)[..., None] >= thresholds).sum(axis=-1)
    exact = hb.Simulator(graph, engine="definition").run(codes).outputs["y"]
    fast = hb.Simulator(graph, isa=isa)
    assert fast.plan.unserved == {}
    np.testing.assert_array_equal(exact, counts + y_format.lo)
    np.testing.assert_array_equal(fast.run(codes).outputs["y"], exact)


def test_steps_of_another_size_are_refused():
    build = GraphBuilder("g")
    x = build.input("x", (1, 4), hb.Format("int16", scale=0.25))
    t = build.constant("t", np.zeros((1, 2)), hb.Format("int16", scale=0.5))
    graph = build.build(build.add(hb.MultiThreshold(), x, t, name="n", formats=(hb.Format("int4"),)))
    with pytest.raises(SimulationError, match="both need the same scale"):
        hb.run(graph, np.zeros((1, 1, 4), np.int16))
