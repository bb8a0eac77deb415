"""Sketches: exact counts, hand-computed averages, and independence from batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantize.sketches import Histogram, Sketch

FLOATS = st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=30)


def brute_force_bins(values: list[float]) -> dict[float, int]:
    """Lower edge → count by definition: the finest power of two whose 1024 bins hold the peak."""
    peak = max(abs(v) for v in values)
    if peak == 0:
        return {0.0: len(values)}
    exponent = next(k for k in range(-1090, 1100) if peak < math.ldexp(1024, k))
    bins: dict[float, int] = {}
    for value in values:
        index = math.floor(value / math.ldexp(1, exponent)) if exponent > -1000 else 0
        edge = math.ldexp(index, exponent)
        bins[edge] = bins.get(edge, 0) + 1
    return bins


@given(
    st.lists(
        st.floats(-(2.0**100), 2.0**100, allow_nan=False, allow_subnormal=False, width=32),
        min_size=1,
        max_size=30,
    )
)
def test_histogram_counts_equal_the_definition(values):
    histogram = Histogram()
    for value in values:
        histogram.add(np.array([value], dtype=np.float64))
    assert {edge: count for edge, _, count in histogram.bins() if count} == brute_force_bins(values)


@given(FLOATS, FLOATS)
def test_histograms_merge_exactly_in_any_order(first, second):
    whole, a, b = Histogram(), Histogram(), Histogram()
    whole.add(np.array(first + second))
    a.add(np.array(first))
    b.add(np.array(second))
    a_counts = a.counts.copy()
    merged = Histogram(a.exponent, a.counts.copy())
    merged.merge(b)
    b.merge(a)
    assert np.array_equal(a.counts, a_counts)
    for made in (merged, b):
        assert made.exponent == whole.exponent
        assert np.array_equal(made.counts, whole.counts)


def test_histogram_edges_belong_to_the_bin_above():
    histogram = Histogram()
    histogram.add(np.array([1.0, 0.5, -0.5, 0.0]))
    assert histogram.exponent == -9  # 1.0 < 2**-9 · 1024 = 2 and 1.0 is not below 2**-10 · 1024 = 1
    filled = [(lower, upper, count) for lower, upper, count in histogram.bins() if count]
    width = 2.0**-9
    assert filled == [(-0.5, -0.5 + width, 1), (0.0, width, 1), (0.5, 0.5 + width, 1), (1.0, 1.0 + width, 1)]


def test_negative_values_too_small_for_the_grid_stay_negative():
    histogram = Histogram()
    histogram.add(np.array([1.0, -5e-324]))
    assert next(b for b in histogram.bins() if b[2]) == (-(2.0**-9), 0.0, 1)


def test_only_zeros():
    histogram = Histogram()
    histogram.add(np.zeros(5))
    assert histogram.total == 5
    histogram.add(np.array([3.0]))
    assert next(b for b in histogram.bins() if b[2]) == (0.0, 2.0**-8, 5)


def test_values_by_hand():
    sketch = Sketch()
    sketch.add(np.array([[[1.0, -2.0], [3.0, 0.0]], [[5.0, 1.0], [-1.0, 7.0]]]))  # [2 samples, 2, 2]
    assert (sketch.samples, sketch.elements) == (2, 8)
    assert (sketch.lo, sketch.hi) == (-2.0, 7.0)
    assert sketch.channel_lo.tolist() == [-1.0, -2.0]
    assert sketch.channel_hi.tolist() == [5.0, 7.0]
    assert (sketch.total, sketch.squares) == (14.0, 90.0)
    assert sketch.mean == 1.75
    assert sketch.variance == 90 / 8 - 1.75**2
    assert sketch.average_lo == -2.0 + 0.01 * (-1.0 - -2.0)
    assert sketch.average_hi == 3.0 + 0.01 * (7.0 - 3.0)


@pytest.mark.parametrize("sizes", [[12], [1] * 12, [5, 7], [3, 0, 9]])
def test_batches_do_not_matter(sizes):
    data = np.random.default_rng(3).normal(size=(12, 3, 5)).astype(np.float32) * np.arange(1, 13)[:, None, None]
    whole, parts = Sketch(), Sketch()
    whole.add(data)
    start = 0
    for size in sizes:
        parts.add(data[start : start + size])
        start += size
    for name in ("samples", "elements", "lo", "hi", "total", "squares", "average_lo", "average_hi"):
        assert getattr(parts, name) == getattr(whole, name)
    assert np.array_equal(parts.channel_lo, whole.channel_lo)
    assert np.array_equal(parts.channel_hi, whole.channel_hi)
    assert parts.histogram.exponent == whole.histogram.exponent
    assert np.array_equal(parts.histogram.counts, whole.histogram.counts)


def test_a_scalar_is_a_sample():
    assert Sketch.of(np.float64(-3.0)).lo == -3.0
