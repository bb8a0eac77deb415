"""Oracles of the integer variants of curves: one element at a time, on Python's integers and fractions."""

from __future__ import annotations

import math
from fractions import Fraction

SHIFTS = [i for k in range(1, 60) for i in ([k] * 2 if k in (4, 13, 40) else [k])]
FUNCTIONS = {
    "Sigmoid": lambda v: 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v)),
    "Tanh": math.tanh,
    "Exp": math.exp,
    "Log": lambda v: math.log(v) if v else -math.inf,
    "Sqrt": math.sqrt,
    "Rsqrt": lambda v: 1 / math.sqrt(v) if v else math.inf,
    "Reciprocal": lambda v: 1 / v if v else math.inf,
    "Erf": math.erf,
    "GELU": lambda v: 0.5 * v * math.erfc(-v / math.sqrt(2)),
    "SiLU": lambda v: v / (1 + math.exp(-v)),
    "ELU": lambda v: v if v >= 0 else math.expm1(v),
    "Sin": math.sin,
    "Cos": math.cos,
    "Softplus": lambda v: max(v, 0) + math.log1p(math.exp(-abs(v))),
    "LeakyReLU": lambda v: v if v >= 0 else 0.01 * v,
}


def cast(value, y, ends=True):
    """The code of an exact real value, half to even, saturated."""
    return min(max(round(Fraction(value) / Fraction(y.scale)) + y.zero_point, y.lo), y.hi)


def up(value):
    """The nearest whole number, ties up."""
    return math.floor(value + Fraction(1, 2))


def real(code, x):
    return Fraction(x.scale) * (code - x.zero_point)


def steps(name, v, y):
    """The float function in output steps, limited to y's codes."""
    return min(max(FUNCTIONS[name](v) / y.scale, y.lo - y.zero_point), y.hi - y.zero_point)


def interpolated(name, code, x, y, n, extra=4):
    low = -(2 ** (x.bits - 1)) if x.signed else 0
    wide = 2**x.bits // n
    i, d = divmod(code - low, wide)
    a, b = (round(steps(name, float(x.scale * (low + k * wide - x.zero_point)), y) * 2.0**extra) for k in (i, i + 1))
    exact = (a + Fraction(b - a) * d / wide) / 2**extra
    return min(max(round(exact) + y.zero_point, y.lo), y.hi)


def plan_sigmoid(v):
    """PLAN of an exact real."""
    size = abs(v)
    if size >= 5:
        y = Fraction(1)
    elif size >= Fraction(19, 8):
        y = size / 32 + Fraction(27, 32)
    elif size >= 1:
        y = size / 8 + Fraction(5, 8)
    else:
        y = size / 4 + Fraction(1, 2)
    return y if v >= 0 else 1 - y


def plan(name, code, x, y):
    v = real(code, x)
    if math.log2(x.scale) % 1:
        v = Fraction(up(v * 2**16), 2**16)
    return cast(plan_sigmoid(v) if name == "Sigmoid" else 2 * plan_sigmoid(2 * v) - 1, y)


def rotated_exponential(x, n, f):
    one, ln2 = 2**f, round(math.log(2) * 2**f)
    k = math.floor(Fraction(x, ln2) + Fraction(1, 2))
    z = x - k * ln2
    gain = math.prod(math.sqrt(1 - 4.0**-i) for i in SHIFTS[:n])
    a, b = round(1 / gain * one), 0
    for i in SHIFTS[:n]:
        d = 1 if z >= 0 else -1
        a, b, z = a + d * (b // 2**i), b + d * (a // 2**i), z - d * round(math.atanh(2.0**-i) * one)
    return math.floor((a + b) * Fraction(2) ** min(k, 60 - f))


def divided(y, x, n, f):
    z = 0
    for i in range(1, n + 1):
        d = 1 if y >= 0 else -1
        y, z = y - d * (x // 2**i), z + d * (2**f // 2**i)
    return z


def rotated_sigmoid(x, n, f):
    upper = divided(2**f, 2**f + rotated_exponential(-abs(x), n, f), n, f)
    return upper if x >= 0 else 2**f - upper


def rotated_tanh(x, n, f):
    e = rotated_exponential(-2 * abs(x), n, f)
    upper = divided(2**f - e, 2**f + e, n, f)
    return upper if x >= 0 else -upper


def rotated_log(code, x, n, f):
    v = code - x.zero_point
    length = v.bit_length()
    m = math.floor(Fraction(v, 2**length) * 2**f)
    a, b, z = m + 2**f, m - 2**f, 0
    for i in SHIFTS[:n]:
        d = 1 if b < 0 else -1
        a, b, z = a + d * (b // 2**i), b + d * (a // 2**i), z - d * round(math.atanh(2.0**-i) * 2**f)
    return 2 * z + length * round(math.log(2) * 2**f) + round(math.log(x.scale) * 2**f)


def turned(x, n, f):
    """(cosine, sine)."""
    quarter = round(math.pi / 2 * 2**f)
    k = math.floor(Fraction(x, quarter) + Fraction(1, 2))
    z = x - k * quarter
    a, b = round(2**f / math.prod(math.sqrt(1 + 4.0**-i) for i in range(n))), 0
    for i in range(n):
        d = 1 if z >= 0 else -1
        a, b, z = a - d * (b // 2**i), b + d * (a // 2**i), z - d * round(math.atan(2.0**-i) * 2**f)
    for _ in range(k % 4):
        a, b = -b, a
    return a, b


def cordic(name, code, x, y, n, f=24):
    t, one = up(real(code, x) * 2**f), Fraction(1, 2**f)
    if name == "Exp":
        return cast(rotated_exponential(t, n, f) * one, y)
    if name == "Sigmoid":
        return cast(rotated_sigmoid(t, n, f) * one, y)
    if name == "Tanh":
        return cast(rotated_tanh(t, n, f) * one, y)
    if name == "SiLU":
        return cast(real(code, x) * rotated_sigmoid(t, n, f) * one, y)
    if name == "ELU":
        return cast(real(code, x) if t >= 0 else rotated_exponential(t, n, f) * one - 1, y)
    if name == "Log":
        return cast(rotated_log(code, x, n, f) * one, y) if code > x.zero_point else y.lo
    return cast(turned(t, n, f)[1 if name == "Sin" else 0] * one, y)


def newton(name, code, x, y, n):
    """The loops of tests/numerics/test_newton.py at a site: by fractions of 2**30."""
    v, one = code - x.zero_point, 2**30
    if v == 0:
        return cast(0, y) if name == "Sqrt" else y.hi
    exponent = abs(v).bit_length()
    exponent += exponent % 2 if name != "Reciprocal" else 0
    d = math.floor(Fraction(abs(v), 2**exponent) * one)
    middle = (d * 32 // one + 0.5) / 32
    seed = math.floor((1 / middle if name == "Reciprocal" else middle**-0.5) * 256 + 0.5)
    t = seed * one // 256
    for _ in range(n):
        if name == "Reciprocal":
            t = t * (2 * one - d * t // one) // one
        else:
            t = t * (3 * one - d * (t * t // one) // one) // (2 * one)
    if name == "Reciprocal":
        return cast(Fraction(t if v > 0 else -t, one) / 2**exponent / Fraction(x.scale), y)
    root, power = Fraction(math.sqrt(x.scale)), Fraction(2) ** (exponent // 2)
    return cast(Fraction(t, one) / power / root if name == "Rsqrt" else Fraction(d * t // one, one) * power * root, y)


def ibert_power(v, scale):
    """(code, unit) of e**(v · scale), 30 fraction bits of a shift."""
    a, b, c = 0.35815147, 0.96963238, 1.0
    ln2 = math.floor(0.6931 / scale) if (0.6931 / scale) % 1 == 0 else math.floor(0.6931 / scale) + 1
    z = math.floor(Fraction(-v, ln2))
    r = v + z * ln2
    if z > 30:
        z, r = 30, 0
    polynomial = (r + math.floor(b / a / scale)) * r + math.floor(c / a / scale**2)
    return max(math.floor(polynomial * Fraction(2) ** (30 - z)), 0), a * scale**2 / 2.0**30


def ibert_erf(v, scale):
    a, b = -0.2888, -1.769
    q = min(abs(v), -math.floor(b / scale))
    sign = (v > 0) - (v < 0)
    return sign * ((q + math.floor(b / scale)) ** 2 + math.floor(1.0 / (a * scale**2))), a * scale**2


def ibert(name, code, x, y):
    v = code - x.zero_point
    if name == "Exp":
        made, unit = ibert_power(v, x.scale)
        return cast(made * Fraction(unit), y)
    if name == "Erf":
        made, unit = ibert_erf(v, x.scale)
        return cast(made * Fraction(unit), y)
    if name == "GELU":
        made, unit = ibert_erf(v, x.scale / math.sqrt(2))
        return cast(v * (made + math.floor(1.0 / unit)) * Fraction(x.scale * unit / 2), y)
    g = (32 - (x.hi - x.zero_point).bit_length()) // 2
    return cast(Fraction(math.isqrt(v * 4**g), 2**g) * Fraction(math.sqrt(x.scale)), y)


ORACLES = {"interpolated": interpolated, "plan": plan, "cordic": cordic, "newton": newton, "ibert": ibert}
