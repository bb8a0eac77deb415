"""I-BERT's integer functions: exponential, error function and GELU by second-order polynomials, the square root.

Every constant is an integer.

Source: Kim et al., "I-BERT", ICML 2021, and the constants of kssteven418/I-BERT `quant_modules.py`; restated.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hwblocks.numerics.newton import bit_length

Array = np.ndarray[Any, Any]

LN2 = 0.6931
A, B, C = 0.35815147, 0.96963238, 1.0  # e^r ≈ A·r² + B·r + C on (−ln 2, 0]
SHIFT = 30  # halvings that are told apart


def exponential(x: Any, scale: float) -> tuple[Array, float]:
    """(codes, their scale) of e^(scale · x) for whole numbers x ≤ 0 (Python's where 64 bits do not hold the codes).

    With q = ⌊−ln 2 / scale⌋, z = ⌊x / q⌋, r = x − q·z: ⌊(r·(r + ⌊B/A / scale⌋) + ⌊C/A / scale²⌋) · 2**(30 − z)⌋.

    >>> exponential(np.array([0, -10]), 1 / 64)[0].tolist()
    [12279311499264, 10529112326144]
    """
    step = math.floor(-LN2 / scale)
    x = np.asarray(x)
    x = np.maximum(x if x.dtype == object else x.astype(np.int64), SHIFT * step)
    halvings = x // step
    rest = x - step * halvings
    polynomial = rest * (rest + math.floor(B / A / scale)) + math.floor(C / A / scale**2)
    codes = polynomial << (SHIFT - halvings)
    return np.maximum(codes, 0), A * scale**2 / 2.0**SHIFT


ERF_A, ERF_B = -0.2888, -1.769  # erf x ≈ sign(x) · (A · (min(|x|, −B) + B)² + 1)


def error_function(x: Any, scale: float) -> tuple[Array, float]:
    """(codes, their scale, which is below 0) of erf(scale · x) for whole numbers x.

    With b = ⌊B / scale⌋, c = ⌊1 / (A · scale²)⌋, q = min(|x|, −b): sign(x) · ((q + b)² + c), in units of A · scale².

    >>> error_function(np.array([0, 16, -64]), 1 / 64)[0].tolist()
    [0, -4579, 11683]
    """
    x = np.asarray(x)
    b, c = math.floor(ERF_B / scale), math.floor(1.0 / (ERF_A * scale**2))
    shifted = np.minimum(np.abs(x), -b) + b
    sign = np.where(x > 0, 1, 0) - np.where(x < 0, 1, 0)
    return np.asarray(sign * (shifted * shifted + c)), ERF_A * scale**2


def gelu(x: Any, scale: float) -> tuple[Array, float]:
    """(codes, their scale) of GELU(scale · x) = ½ · scale · x · (1 + erf(scale · x / √2)) for whole numbers x.

    >>> codes, unit = gelu(np.array([64, -64]), 1 / 64)
    >>> (codes * unit).round(3).tolist()
    [0.834, -0.166]
    """
    powers, unit = error_function(x, scale / math.sqrt(2.0))
    return np.asarray(np.asarray(x) * (powers + math.floor(1.0 / unit))), scale * unit / 2.0


def square_root(n: Any) -> Array:
    """⌊√n⌋ of whole numbers 0 ≤ n < 2**62 by Newton's steps on integers.

    x₀ = 2**⌈bits(n) / 2⌉; x ← ⌊(x + ⌊n / x⌋) / 2⌋ while that is less; the last x. At most 6 steps up to 32 bits.

    >>> square_root(np.array([0, 15, 16, 2**61])).tolist()
    [0, 3, 4, 1518500249]
    """
    n = np.asarray(n, np.int64)
    x = np.int64(1) << ((bit_length(n) + 1) // 2)
    while True:
        following = (x + n // x) >> 1
        lower = (following < x) & (n > 0)
        if not lower.any():
            return np.where(n > 0, x, 0)
        x = np.where(lower, following, x)
