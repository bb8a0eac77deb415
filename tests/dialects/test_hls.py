"""Dialect hls: ap_fixed everywhere, against apytypes (products and sums exact, AP_TRN and AP_WRAP at assignments)."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import DialectError
from hwblocks.graph.builder import GraphBuilder

apy = pytest.importorskip("apytypes")


def drawn(rng, shape, low=3, high=12):
    """(format, codes, the same numbers for apytypes) of a random ap_fixed<W, I>, also with I < 0 or I > W."""
    width = int(rng.integers(low, high))
    whole = int(rng.integers(-2, width + 3))
    format = hb.Format(f"ap_fixed<{width},{whole}>")
    codes = rng.integers(format.lo, format.hi + 1, shape)
    return format, codes.astype(format.dtype), apy.APyFixedArray(codes.tolist(), int_bits=whole, bits=width)


def assigned(value, width, whole):
    """Codes after an assignment to ap_fixed<width, whole>."""
    made = value.cast(
        int_bits=whole,
        frac_bits=width - whole,
        quantization=apy.QuantizationMode.TRN,
        overflow=apy.OverflowMode.WRAP,
    )
    low = 1 << (width - 1)
    return (np.array(made.to_bits()) + low) % (2 * low) - low


def target(rng):
    width = int(rng.integers(3, 14))
    whole = int(rng.integers(0, width + 2))
    return hb.Format(f"ap_fixed<{width},{whole}>"), width, whole


@pytest.mark.parametrize("seed", range(60))
def test_layers_are_exact_sums_then_one_assignment(seed):
    rng = np.random.default_rng(seed)
    rows, inner, outputs = (int(v) for v in rng.integers(1, 20, 3))
    x_format, x, x_apy = drawn(rng, (rows, inner))
    w_format, w, w_apy = drawn(rng, (inner, outputs), 2, 9)
    y_format, width, whole = target(rng)
    build = GraphBuilder("hls")
    value = build.input("x", (1, rows, inner), x_format)
    weight = build.constant("w", np.ascontiguousarray(w.T), w_format)
    y = build.add(hb.Linear(), value, weight, name="layer", outputs=("y",), formats=(y_format,))
    made = hb.run(build.build(y), x[None], dialect="hls").outputs["y"]
    np.testing.assert_array_equal(made.reshape(rows, outputs), assigned(x_apy @ w_apy, width, whole))


@pytest.mark.parametrize("block", [hb.Add(), hb.Sub(), hb.Mul()])
@pytest.mark.parametrize("seed", range(40))
def test_elements_are_exact_then_assigned(block, seed):
    rng = np.random.default_rng([seed, len(type(block).__name__)])
    a_format, a, a_apy = drawn(rng, (40,))
    b_format, b, b_apy = drawn(rng, (40,))
    y_format, width, whole = target(rng)
    build = GraphBuilder("hls")
    values = [build.input(n, (1, 40), f) for n, f in (("a", a_format), ("b", b_format))]
    graph = build.build(build.add(block, *values, name="n", outputs=("y",), formats=(y_format,)))
    made = hb.run(graph, {"a": a[None], "b": b[None]}, dialect="hls").outputs["y"]
    exact = {"Add": a_apy + b_apy, "Sub": a_apy - b_apy, "Mul": a_apy * b_apy}[type(block).__name__]
    np.testing.assert_array_equal(made.ravel(), assigned(exact, width, whole))


def test_other_formats_are_refused():
    build = GraphBuilder("affine")
    x = build.input("x", (1, 4), hb.Format("int8", scale=0.3))
    graph = build.build(build.add(hb.ReLU(), x, name="relu", formats=(hb.Format("int8", scale=0.3),)))
    with pytest.raises(DialectError, match="no power-of-two scale with zero point 0"):
        hb.run(graph, np.zeros((1, 1, 4), np.int8), dialect="hls")
