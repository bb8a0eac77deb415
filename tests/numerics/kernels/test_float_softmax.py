"""Softmax of floats: where the largest of a row is not finite, and values far below it, as the blocks define them."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.numerics.kernels.softmax import FloatSoftmaxCall

INF, NAN = np.inf, np.nan
ROWS = [
    [0, -INF, 1],
    [INF, 0, 1],
    [-INF, -INF, -INF],
    [NAN, 0, 1],
    [0, NAN, 1],
    [1, 0, NAN],
    [3e38, -3e38, 3e38],
    [0, -708, -709],
    [-0.0, -0.0, 0.0],
]


@pytest.mark.parametrize(("beta", "logarithm"), [(1.0, False), (0.37, False), (40.0, False), (1.0, True)])
def test_rows(run_call, beta, logarithm):
    x = np.array(ROWS, np.float32)
    block = hb.LogSoftmax() if logarithm else hb.Softmax(beta=beta)
    with np.errstate(over="ignore"):  # differences that leave float32
        wanted = block.compute(x.astype(np.float64)).astype(np.float32)
    got = run_call(FloatSoftmaxCall(rows=1, length=3, beta=beta, logarithm=logarithm), [x], 3, "float32").codes
    np.testing.assert_array_equal(got.view(np.int32), wanted.view(np.int32))
    assert np.isnan(got[1:6]).all()
    assert got[0, 1] == (-INF if logarithm else 0)
    assert not np.isnan(got[6:]).any()


def test_what_no_kernel_serves(refusal):
    for beta in (0.0, -1.0, INF, NAN):
        assert "factor" in refusal(FloatSoftmaxCall(rows=1, length=3, beta=beta, logarithm=False))
