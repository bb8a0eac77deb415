"""Observers: ranges computed by hand from known data."""

from __future__ import annotations

import numpy as np
import pytest

from quantize.observers import observe, observer_names
from quantize.sketches import Sketch


def test_there_is_one_observer_per_file():
    assert observer_names() == ("minmax", "moving_average", "percentile")


def test_minmax():
    assert observe(Sketch.of(np.array([3.0, -1.0])), {"name": "minmax"}) == (-1.0, 3.0)


def test_moving_average():
    sketch = Sketch()
    sketch.add(np.array([[0.0, 1.0], [-1.0, 2.0], [0.0, 2.0]]))
    low = -0.01
    low = low + 0.01 * (0.0 - low)
    high = 1.0 + 0.01 * (2.0 - 1.0)
    high = high + 0.01 * (2.0 - high)
    assert observe(sketch, {"name": "moving_average"}) == (low, high)


def test_percentile_leaves_out_outliers():
    # 0 … 999 and one outlier: 99.9 % of 1001 are 999.999, rounded up 1000, so only the outlier is left out.
    # The largest value 4000 < 4 · 1024 gives bins of width 4: 999 lies in 996 … 1000.
    sketch = Sketch.of(np.append(np.arange(1000.0), 4000.0))
    assert observe(sketch, {"name": "percentile", "percent": 99.9}) == (0.0, 1000.0)
    assert observe(sketch, {"name": "percentile", "percent": 100.0}) == (0.0, 4000.0)


def test_percentile_of_both_sides():
    # 100 elements of −3 and of 5 and one outlier on each side; 99 % of 202 is 199.98, rounded up 200.
    values = np.concatenate([[-1000.0], np.full(100, -3.0), np.full(100, 5.0), [1000.0]])
    # bins of width 1: hi is the upper edge of 5's bin; lo is the lower edge of −3's bin
    assert observe(Sketch.of(values), {"name": "percentile", "percent": 99.0}) == (-3.0, 6.0)


def test_percentile_counts_exactly():
    # 99.99 % of 30000 elements are exactly 29997, which leaves the outliers out;
    # in floats 99.99 / 100 · 30000 = 29997.000000000004 would round up to 29998.
    values = np.concatenate([np.full(29997, 0.5), np.full(3, 100.0)])
    assert observe(Sketch.of(values), {"name": "percentile", "percent": 99.99}) == (0.5, 0.625)


def test_percentile_stays_within_what_was_seen():
    assert observe(Sketch.of(np.array([-0.3, 0.3])), {"name": "percentile", "percent": 100.0}) == (-0.3, 0.3)


@pytest.mark.parametrize("name", ["minmax", "moving_average", "percentile"])
def test_zeros(name):
    assert observe(Sketch.of(np.zeros(4)), {"name": name}) == (0.0, 0.0)
