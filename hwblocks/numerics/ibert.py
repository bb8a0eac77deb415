"""I-BERT's integer exponential: a second-order polynomial on (−ln 2, 0] and a shift, every constant an integer.

Source: Kim et al., "I-BERT", ICML 2021, and the constants of kssteven418/I-BERT `quant_modules.py`; restated.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LN2 = 0.6931
A, B, C = 0.35815147, 0.96963238, 1.0  # e^r ≈ A·r² + B·r + C on (−ln 2, 0]
SHIFT = 30  # halvings that are told apart


def exponential(x: Any, scale: float) -> tuple[Array, float]:
    """(codes, their scale) of e^(scale · x) for whole numbers x ≤ 0.

    With q = ⌊−ln 2 / scale⌋, z = ⌊x / q⌋, r = x − q·z: ⌊(r·(r + ⌊B/A / scale⌋) + ⌊C/A / scale²⌋) · 2**(30 − z)⌋.

    >>> exponential(np.array([0, -10]), 1 / 64)[0].tolist()
    [12279311499264, 10529112326144]
    """
    step = math.floor(-LN2 / scale)
    x = np.maximum(np.asarray(x, dtype=np.int64), SHIFT * step)
    halvings = x // step
    rest = x - step * halvings
    polynomial = rest * (rest + math.floor(B / A / scale)) + math.floor(C / A / scale**2)
    codes = polynomial << (SHIFT - halvings)
    return np.maximum(codes, 0), A * scale**2 / 2.0**SHIFT
