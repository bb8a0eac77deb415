"""PLAN: the sigmoid by four straight lines whose slopes are powers of two, so that shifts and additions do.

Source: Amin, Curtis and Hayes-Gill, "Piecewise linear approximation applied to nonlinear function of a neural
network", IEE Proc. Circuits Devices Syst. 144(6), 1997; restated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

EXTRA = 5  # fraction bits that the smallest slope, 1/32, adds
# (start · 8, shift of the slope, offset · 32): y = |x| · 2**−shift + offset from |x| = start on
LINES = ((0, 2, 16), (8, 3, 20), (19, 5, 27))
ONE_FROM = 40  # in eighths: from |x| = 5 on y = 1


def sigmoid(x: Any, fraction: int) -> Array:
    """σ(x · 2**−fraction) in units of 2**−(fraction + 5), exactly the four lines; fraction ≥ 3; σ(−x) = 1 − σ(x).

    >>> sigmoid(np.array([0, 8, -8, 40]), 3).tolist()  # of 0, 1, −1, 5 in 256ths
    [128, 192, 64, 256]
    """
    x = np.asarray(x, np.int64)
    size, one = np.abs(x), 1 << (fraction + EXTRA)
    y = np.full(x.shape, one)
    for eighths, shift, offset in sorted(LINES, reverse=True):
        following = ONE_FROM if eighths == LINES[-1][0] else min(e for e, *_ in LINES if e > eighths)
        inside = size < following << (fraction - 3)
        y = np.where(inside, (size << (EXTRA - shift)) + (offset << fraction), y)
    return np.where(x < 0, one - y, y)


def tanh(x: Any, fraction: int) -> Array:
    """tanh(x · 2**−fraction) = 2 · σ(2x) − 1 in units of 2**−(fraction + 5).

    >>> tanh(np.array([0, 4, -20]), 3).tolist()  # of 0, ½, −2½ in 256ths
    [0, 128, -256]
    """
    return 2 * sigmoid(2 * np.asarray(x, np.int64), fraction) - (1 << (fraction + EXTRA))
