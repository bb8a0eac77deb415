"""Cases of the blocks that cut, join, reduce, resize and remember, against plain loops and formulas of scalars."""

from __future__ import annotations

import itertools
import math

import numpy as np

import hwblocks as hb

RNG = np.random.default_rng(12)


def normal(*shape):
    return RNG.normal(size=shape)


X4, X3, X2 = normal(2, 4, 6, 4), normal(2, 6, 4), normal(3, 4)
POSITIVE = np.abs(X2) + 0.1
V = np.concatenate([np.linspace(-7, 7, 21), [0.0, 6.0]])


def scalars(function, x=V):
    return np.array([function(float(v)) for v in x.ravel()]).reshape(x.shape)


def loop_transposed(x, w, b=None, stride=(1, 1), pads=((0, 0), (0, 0)), extra=(0, 0), dilation=(1, 1), groups=1):
    """Every product of an input and a weight added where it lands."""
    n, height, width, _ = x.shape
    outputs, kh, kw, per = w.shape
    size = [
        (length - 1) * stride[a] - sum(pads[a]) + dilation[a] * (k - 1) + extra[a] + 1
        for a, (length, k) in enumerate(((height, kh), (width, kw)))
    ]
    y = np.zeros((n, *size, outputs)) + (0 if b is None else b)
    share = outputs // groups
    for s, i, j, o in itertools.product(range(n), range(height), range(width), range(outputs)):
        for a, c, k in itertools.product(range(kh), range(kw), range(per)):
            row = i * stride[0] + a * dilation[0] - pads[0][0]
            column = j * stride[1] + c * dilation[1] - pads[1][0]
            if 0 <= row < size[0] and 0 <= column < size[1]:
                y[s, row, column, o] += x[s, i, j, (o // share) * per + k] * w[o, a, c, k]
    return y


def loop_transposed_volume(x, w, stride, pads, dilation, groups):
    """Every plane of an input by every plane of weights, added where it lands."""
    size = (x.shape[1] - 1) * stride[0] - sum(pads[0]) + dilation[0] * (w.shape[1] - 1) + 1
    planes = [0] * size
    for i, a in itertools.product(range(x.shape[1]), range(w.shape[1])):
        depth = i * stride[0] + a * dilation[0] - pads[0][0]
        if 0 <= depth < size:
            rest = (stride[1:], pads[1:], (0, 0), dilation[1:], groups)
            planes[depth] = planes[depth] + loop_transposed(x[:, i], w[:, a], None, *rest)
    none = np.zeros_like(next(p for p in planes if not isinstance(p, int)))
    return np.stack([none + p for p in planes], axis=1)


def blocks_of(x, b):
    """Space to depth, element by element."""
    n, h, w, c = x.shape
    y = np.zeros((n, h // b, w // b, b * b * c))
    for s, i, j, k in itertools.product(range(n), range(h), range(w), range(c)):
        y[s, i // b, j // b, ((i % b) * b + j % b) * c + k] = x[s, i, j, k]
    return y


def spread_of(x, b, crd=False):
    """Depth to space, element by element."""
    n, h, w, c = x.shape
    inner = c // (b * b)
    y = np.zeros((n, h * b, w * b, inner))
    for s, i, j, k, p, q in itertools.product(range(n), range(h), range(w), range(inner), range(b), range(b)):
        y[s, i * b + p, j * b + q, k] = x[s, i, j, k * b * b + p * b + q if crd else (p * b + q) * inner + k]
    return y


def bilinear(x, size, corners=False, half=False):
    """Resizing pixel by pixel."""
    n, h, w, c = x.shape
    y = np.zeros((n, *size, c))

    def place(k, given, made):
        scale = (given - 1) / (made - 1) if corners and made > 1 else given / made
        at = (k + 0.5) * scale - 0.5 if half else k * scale
        low = max(math.floor(at), 0)
        return low, min(math.ceil(at), given - 1), at - low

    for i, j in itertools.product(range(size[0]), range(size[1])):
        (a, b, u), (p, q, v) = place(i, h, size[0]), place(j, w, size[1])
        upper = x[:, a, p] * (1 - v) + x[:, a, q] * v
        y[:, i, j] = upper * (1 - u) + (x[:, b, p] * (1 - v) + x[:, b, q] * v) * u
    return y


def sig(v):
    return 1 / (1 + math.exp(-v))


def lstm_inputs(steps=3, n=2, inner=4, units=3, hidden=3):
    layers = [normal(units, inner) for _ in range(4)] + [normal(units, hidden) for _ in range(4)]
    biases = [normal(units) for _ in range(4)]
    return (
        normal(n, steps, inner),
        *layers,
        None,
        None,
        None,
        *biases,
        None,
        None,
        normal(n, hidden),
        normal(n, units),
    )


def loop_lstm(x, wi, wf, wc, wo, ri, rf, rc, ro, p, q, s, bi, bf, bc, bo, u, v, h, c):
    """One unit of one sample at a time."""
    h, c, out = h.copy(), c.copy(), []
    units = len(bi)
    for t in range(x.shape[1]):
        old = h.copy()
        for s, u in itertools.product(range(x.shape[0]), range(units)):
            i, f, g, o = (
                math.fsum([*(w[u] * x[s, t]), *(r[u] * old[s]), b[u]])
                for w, r, b in ((wi, ri, bi), (wf, rf, bf), (wc, rc, bc), (wo, ro, bo))
            )
            c[s, u] = sig(f) * c[s, u] + sig(i) * math.tanh(g)
            h[s, u] = sig(o) * math.tanh(c[s, u])
        out.append(h.copy())
    return np.stack(out, axis=1), h, c


def loop_svdf(x, feature, time, bias, memory, rank):
    n, filters, steps = x.shape[0], *time.shape
    kept = memory.reshape(n, filters, steps)
    made = np.zeros_like(kept)
    y = np.tile(bias, (n, 1)).astype(float)
    for s, f in itertools.product(range(n), range(filters)):
        values = [*kept[s, f, 1:], math.fsum(feature[f] * x[s])]
        made[s, f] = values
        y[s, f // rank] += math.fsum(a * b for a, b in zip(values, time[f]))
    return y, made.reshape(memory.shape)


WT, BT, WG = normal(5, 3, 2, 4), normal(5), normal(6, 2, 2, 2)
X5, WV = normal(1, 2, 3, 2, 2), normal(4, 2, 2, 3, 1)
LSTM_IN = lstm_inputs()
SVDF_IN = (normal(2, 5), normal(6, 5), normal(6, 3), normal(3), normal(2, 18))
MEANS = np.array([[math.fsum(row) / 4 for row in X2]]).T


def quant_of(x, scale, zero, bits, signed=True, narrow=False, round=None):
    """QONNX's formula on one float at a time; the values here are exact in float32."""
    low = -(2 ** (bits - 1)) + narrow if signed else 0
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
    return scalars(lambda v: (round(min(max(v / scale + zero, low), high)) - zero) * scale, x)


def ties_away(v):
    return math.copysign(math.floor(abs(v) + 0.5), v)


def ties_to_zero(v):
    return math.copysign(math.ceil(abs(v) - 0.5), v)


def truncated(x, drop, round):
    return scalars(lambda v: round(v / 2**drop), x)


def minifloat(v, mantissa, bias, top):
    """The nearest value of a small float format, by listing all of them."""
    values = {0.0}
    for exponent in range(1 - bias, 9):
        values |= {(1 + m / 2**mantissa) * 2.0**exponent for m in range(2**mantissa)}
    values |= {m / 2**mantissa * 2.0 ** (1 - bias) for m in range(2**mantissa)}
    ordered = sorted(v for v in values if v <= top)
    return math.copysign(min(ordered, key=lambda w: abs(w - abs(v))), v)


def dynamic_codes(x):
    """ONNX DynamicQuantizeLinear on Python floats that float32 holds exactly."""
    low, high = min(0.0, *map(float, x.ravel())), max(0.0, *map(float, x.ravel()))
    scale = (high - low) / 255
    zero = round(min(max(-low / scale, 0), 255))
    return np.array([min(max(round(float(v) / scale) + zero, 0), 255) for v in x.ravel()]).reshape(x.shape), scale, zero


def loop_conv_integer(x, w, zero, stride, pads):
    """Products of x − zero and w, one at a time; padding holds the zero point."""
    _, height, width, channels = x.shape
    w = np.asarray(w)
    outputs, kh, kw, _ = w.shape
    size = [(length + 2 * pads - k) // stride + 1 for length, k in ((height, kh), (width, kw))]
    y = np.zeros((1, *size, outputs), dtype=np.int64)
    for i, j, o in itertools.product(range(size[0]), range(size[1]), range(outputs)):
        for a, b, c in itertools.product(range(kh), range(kw), range(channels)):
            row, column = i * stride + a - pads, j * stride + b - pads
            if 0 <= row < height and 0 <= column < width:
                y[0, i, j, o] += (int(x[0, row, column, c]) - zero) * int(w[o, a, b, c])
    return y


STEPS = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
ONE, NONE = np.array(1.0), np.array(0.0)
SPAN = np.array([[-1.0, 254.0, 3.0], [7.0, 8.0, 100.0]])
CODES_A, CODES_B = RNG.integers(0, 256, (3, 5)), RNG.integers(-128, 128, (5, 4))
PLAIN_SUMS = np.array([[sum(int(a - 7) * int(b) for a, b in zip(r, c)) for c in CODES_B.T] for r in CODES_A])
IMAGE, TAPS = RNG.integers(0, 256, (1, 4, 5, 2)), RNG.integers(-128, 128, (3, 2, 2, 2))
LSTM8 = (
    np.array([[[0.0, 255.0]], [[51.0, 255.0]]]),
    RNG.integers(-9, 9, (1, 2, 4)),
    RNG.integers(-9, 9, (1, 1, 4)),
    *(np.array([v]) for v in (0.0009765625, 0.0, 0.001953125, 0.0)),
)


def loop_lstm8(x, w, r, ws, wz, rs, rz):
    """One unit, two steps: gates i, o, f, c; x is quantized with scale 1, h once for each step."""
    h = c = 0.0
    out = []
    for step in x[:, 0]:
        gates = [math.fsum(step * w[0, :, g]) * float(ws[0]) for g in range(4)]
        if h:
            span = abs(h) / 255
            code, zero = (round(h / span), 0) if h > 0 else (0, 255)
            gates = [g + (code - zero) * int(r[0, 0, i]) * span * float(rs[0]) for i, g in enumerate(gates)]
        c = sig(gates[2]) * c + sig(gates[0]) * math.tanh(gates[3])
        h = sig(gates[1]) * math.tanh(c)
        out.append(h)
    return np.array(out).reshape(-1, 1, 1, 1), np.full((1, 1, 1), h), np.full((1, 1, 1), c)


CASES = {
    "Quant": [
        (hb.Quant(), (STEPS, ONE, NONE, np.array(8.0)), quant_of(STEPS, 1, 0, 8, round=round)),
        (hb.Quant(), (STEPS, ONE, ONE, np.array(8.0)), quant_of(STEPS, 1, 1, 8, round=round)),
        (
            hb.Quant(False, True, "HALF_UP"),
            (STEPS, np.array(0.5), NONE, np.array(2.0)),
            quant_of(STEPS, 0.5, 0, 2, False, True, ties_away),
        ),
        (hb.Quant(rounding_mode="HALF_DOWN"), (STEPS, ONE, NONE, np.array(8.0)), scalars(ties_to_zero, STEPS)),
        (hb.Quant(rounding_mode="UP"), (STEPS, ONE, NONE, np.array(8.0)), np.array([-3.0, -2, -1, 1, 2, 3])),
        (hb.Quant(rounding_mode="DOWN"), (STEPS, ONE, NONE, np.array(8.0)), scalars(math.trunc, STEPS)),
        (hb.Quant(rounding_mode="CEIL"), (STEPS, ONE, NONE, np.array(8.0)), scalars(math.ceil, STEPS)),
        (hb.Quant(rounding_mode="FLOOR"), (STEPS, ONE, NONE, np.array(8.0)), scalars(math.floor, STEPS)),
        (hb.Quant(), (STEPS, np.array(0.5), NONE, ONE), np.where(STEPS >= 0, 0.5, -0.5)),
    ],
    "BipolarQuant": [(hb.BipolarQuant(), (np.array([-1.0, 0.0, 2.0]), np.array(0.25)), np.array([-0.25, 0.25, 0.25]))],
    "Trunc": [
        (hb.Trunc(), (4 * STEPS, ONE, NONE, np.array(8.0), np.array(6.0)), truncated(4 * STEPS, 2, math.floor)),
        (
            hb.Trunc("CEIL", 2),
            (STEPS * 8, ONE, NONE, np.array(8.0), np.array(4.0), np.array(3.0)),
            4 * np.clip(truncated(8 * STEPS, 2, math.ceil), -4, 3),
        ),
    ],
    "FloatQuant": [
        (
            hb.FloatQuant(),
            (V, ONE, np.array(3.0), np.array(2.0), np.array(3.0), np.array(28.0)),
            scalars(lambda v: minifloat(v, 2, 3, 28.0)),
        )
    ],
    "MultiThreshold": [
        (
            hb.MultiThreshold(2.0, -1.0),
            (STEPS.reshape(3, 2), np.array([[-1.0, 0.5], [0.5, 2.0]])),
            np.array([[-1.0, -1], [1, 1], [3, 3]]),
        ),
        (
            hb.MultiThreshold(),
            (STEPS.reshape(3, 2), np.array([[-1.0, 0.5, 2.0]]), np.array([1.0, -1.0])),
            np.array([[0.0, 2], [1, 1], [2, 0]]),
        ),
    ],
    "Lookup": [
        (
            hb.Lookup(-1),
            (np.array([[-1.0, 2], [0, 1]]), np.arange(8.0).reshape(2, 4) ** 2),
            np.array([[0.0, 49], [1, 36]]),
        ),
        (hb.Lookup(), (np.array([[2.0, 0]]), np.array([[7.0, 8, 9]])), np.array([[9.0, 7]])),
    ],
    "DynamicQuantize": [(hb.DynamicQuantize(), (SPAN,), dynamic_codes(SPAN))],
    "MatMulInteger": [(hb.MatMulInteger(), (CODES_A, CODES_B, np.array(7)), PLAIN_SUMS)],
    "ConvInteger": [
        (
            hb.ConvInteger(padding=1, stride=2),
            (IMAGE, TAPS, np.array(5)),
            loop_conv_integer(IMAGE, TAPS, 5, 2, 1),
        ),
        (
            hb.ConvInteger(padding=1),
            (IMAGE, TAPS, np.array(5), np.arange(len(TAPS)) + 3),
            loop_conv_integer(IMAGE, [w - 3 - o for o, w in enumerate(TAPS.astype(int))], 5, 1, 1),
        ),
    ],
    "MatMulIntegerToFloat": [
        (
            hb.MatMulIntegerToFloat(has_a_zero=True, has_bias=True),
            (CODES_A, CODES_B, np.array(0.5), np.array(0.25), np.array(7), np.arange(4.0)),
            PLAIN_SUMS * 0.125 + np.arange(4.0),
        )
    ],
    "DynamicQuantizeMatMul": [
        (
            hb.DynamicQuantizeMatMul(),
            (SPAN, CODES_B[:3], np.array(0.5)),
            np.array([[sum(float(a) * int(b) for a, b in zip(r, c)) * 0.5 for c in CODES_B[:3].T] for r in SPAN]),
        )
    ],
    "DynamicQuantizeLSTM": [(hb.DynamicQuantizeLSTM(), LSTM8, loop_lstm8(*LSTM8))],
    "Relabel": [(hb.Relabel(), (X2,), X2)],
    "ConvTranspose2d": [
        (hb.ConvTranspose2d(), (X4, WT, BT), loop_transposed(X4, WT, BT)),
        (
            hb.ConvTranspose2d(stride=(2, 3), padding=((1, 0), (0, 2)), output_padding=(1, 0)),
            (X4, WT),
            loop_transposed(X4, WT, None, (2, 3), ((1, 0), (0, 2)), (1, 0)),
        ),
        (
            hb.ConvTranspose2d(stride=2, dilation=(2, 1), groups=2, padding=1),
            (X4, WG),
            loop_transposed(X4, WG, None, (2, 2), ((1, 1), (1, 1)), (0, 0), (2, 1), 2),
        ),
    ],
    "ConvTranspose3d": [
        (
            hb.ConvTranspose3d(stride=(3, 1, 2), dilation=(1, 2, 1), padding=((1, 0), (0, 0), (1, 1)), groups=2),
            (X5, WV),
            loop_transposed_volume(X5, WV, (3, 1, 2), ((1, 0), (0, 0), (1, 1)), (1, 2, 1), 2),
        ),
        (
            hb.ConvTranspose3d(),
            (X5, WV[..., [0, 0]]),
            loop_transposed_volume(X5, WV[..., [0, 0]], (1, 1, 1), ((0, 0), (0, 0), (0, 0)), (1, 1, 1), 1),
        ),
    ],
    "ConvTranspose1d": [
        (
            hb.ConvTranspose1d(stride=3),
            (X3, WT[:, 0]),
            loop_transposed(X3[:, None], WT[:, :1], None, (1, 3))[:, 0],
        )
    ],
    "Slice": [
        (hb.Slice((1, 3), (5, None), (2, -1), (1, 2)), (X4,), X4[:, 1:5:2, 3::-1]),
    ],
    "Split": [(hb.Split((1, 5), 1), (X3,), (X3[:, :1], X3[:, 1:]))],
    "Stack": [(hb.Stack(1), (X2, X2 + 1), np.array([[row, row + 1] for row in X2]))],
    "Unstack": [(hb.Unstack(1), (X2,), tuple(X2[:, i] for i in range(4)))],
    "Gather": [(hb.Gather(((0, -1), (2, 2)), 1), (X2,), np.array([[[r[0], r[3]], [r[2], r[2]]] for r in X2]))],
    "Tile": [(hb.Tile((1, 2)), (X2,), np.array([[*row, *row] for row in X2]))],
    "Flip": [(hb.Flip((1,)), (X2,), np.array([list(row)[::-1] for row in X2]))],
    "Expand": [(hb.Expand((2, 1, 4)), (X2,), np.array([X2.tolist(), X2.tolist()]))],
    "DepthToSpace": [
        (hb.DepthToSpace(2), (X4,), spread_of(X4, 2)),
        (hb.DepthToSpace(2, "CRD"), (X4,), spread_of(X4, 2, True)),
    ],
    "SpaceToDepth": [
        (hb.SpaceToDepth(2), (X4,), blocks_of(X4, 2)),
        (hb.SpaceToDepth(2, "CRD"), (spread_of(X4, 2, crd=True),), X4),
    ],
    "MirrorPad": [
        (hb.MirrorPad(((0, 0), (1, 2))), (X2,), np.array([[r[1], *r, r[2], r[1]] for r in X2])),
        (hb.MirrorPad(((0, 0), (1, 1)), "symmetric"), (X2,), np.array([[r[0], *r, r[3]] for r in X2])),
        (hb.MirrorPad(((0, 0), (1, 2)), "edge"), (X2,), np.array([[r[0], *r, r[3], r[3]] for r in X2])),
        (hb.MirrorPad(((0, 0), (1, 2)), "wrap"), (X2,), np.array([[r[3], *r, r[0], r[1]] for r in X2])),
    ],
    "Div": [
        (hb.Div(), (X2, POSITIVE), np.array([[a / b for a, b in zip(r, s)] for r, s in zip(X2, POSITIVE)])),
        (hb.Div(), (np.array([7, -7, 7, -7, -6]), np.array([2, 2, -2, -2, 3])), np.array([3, -3, -3, 3, -2])),
    ],
    "Maximum": [(hb.Maximum(), (X2, X2[0]), np.array([[max(a, b) for a, b in zip(r, X2[0])] for r in X2]))],
    "Minimum": [(hb.Minimum(), (X2, X2[0]), np.array([[min(a, b) for a, b in zip(r, X2[0])] for r in X2]))],
    "SquaredDifference": [
        (hb.SquaredDifference(), (X2, X2[0]), np.array([[(a - b) ** 2 for a, b in zip(r, X2[0])] for r in X2]))
    ],
    "PReLU": [
        (
            hb.PReLU(),
            (X2, POSITIVE[0]),
            np.array([[a if a >= 0 else a * s for a, s in zip(r, POSITIVE[0])] for r in X2]),
        )
    ],
    "HardSwish": [(hb.HardSwish(), (V,), scalars(lambda v: v * min(max(v + 3, 0), 6) / 6))],
    "Abs": [(hb.Abs(), (V,), scalars(abs))],
    "Neg": [(hb.Neg(), (V,), scalars(lambda v: -v))],
    "Square": [(hb.Square(), (V,), scalars(lambda v: v * v))],
    "Sqrt": [(hb.Sqrt(), (POSITIVE,), scalars(math.sqrt, POSITIVE))],
    "Rsqrt": [(hb.Rsqrt(), (POSITIVE,), scalars(lambda v: v**-0.5, POSITIVE))],
    "Reciprocal": [(hb.Reciprocal(), (POSITIVE,), scalars(lambda v: 1 / v, POSITIVE))],
    "Exp": [(hb.Exp(), (V,), scalars(math.exp))],
    "Log": [(hb.Log(), (POSITIVE,), scalars(math.log, POSITIVE))],
    "ELU": [(hb.ELU(0.5), (V,), scalars(lambda v: v if v >= 0 else 0.5 * (math.exp(v) - 1)))],
    "GELU": [
        (hb.GELU(), (V,), scalars(lambda v: v * (1 + math.erf(v / math.sqrt(2))) / 2)),
        (hb.GELU("tanh"), (V,), scalars(lambda v: v * sig(2 * math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))),
    ],
    "Erf": [(hb.Erf(), (V,), scalars(math.erf))],
    "SiLU": [(hb.SiLU(), (V,), scalars(lambda v: v * sig(v)))],
    "Softplus": [(hb.Softplus(), (V,), scalars(lambda v: math.log(1 + math.exp(v))))],
    "ReduceMean": [
        (hb.ReduceMean((1,)), (X2,), MEANS),
        (hb.ReduceMean((-1, 0), False), (X2,), np.array(math.fsum(X2.ravel()) / 12)),
    ],
    "ReduceSum": [(hb.ReduceSum((1,)), (X2,), MEANS * 4)],
    "ReduceProd": [(hb.ReduceProd((1,)), (X2,), np.array([[math.prod(row)] for row in X2]))],
    "ReduceMax": [(hb.ReduceMax((1,), False), (X2,), np.array([max(row) for row in X2]))],
    "ReduceMin": [(hb.ReduceMin((1,)), (X2,), np.array([[min(row)] for row in X2]))],
    "ArgMax": [
        (hb.ArgMax(), (X2,), np.array([[list(row).index(max(row))] for row in X2])),
        (hb.ArgMax(0, False, True), (np.array([[1.0, 2.0], [1.0, 0.0]]),), np.array([1, 0])),
    ],
    "ArgMin": [
        (hb.ArgMin(1, False), (X2,), np.array([list(row).index(min(row)) for row in X2])),
        (hb.ArgMin(-1, True, True), (np.array([[1.0, 1.0, 3.0]]),), np.array([[1]])),
    ],
    "ResizeNearest": [
        (hb.ResizeNearest((8, 3)), (X4,), np.repeat(X4, 2, axis=1)[:, :, ::2]),
        (hb.ResizeNearest((7, 6), True), (X4,), X4[:, [0, 1, 1, 2, 2, 3, 3]]),
    ],
    "ResizeBilinear": [
        (hb.ResizeBilinear((7, 3)), (X4,), bilinear(X4, (7, 3))),
        (hb.ResizeBilinear((7, 11), True), (X4,), bilinear(X4, (7, 11), True)),
        (hb.ResizeBilinear((3, 9), False, True), (X4,), bilinear(X4, (3, 9), False, True)),
    ],
    "L2Norm": [(hb.L2Norm(), (X2,), np.array([[v / math.sqrt(math.fsum(r * r)) for v in r] for r in X2]))],
    "LogSoftmax": [
        (
            hb.LogSoftmax(),
            (X2,),
            np.array([[v - math.log(math.fsum(math.exp(u) for u in r)) for v in r] for r in X2]),
        )
    ],
    "SequenceLSTM": [(hb.SequenceLSTM(), LSTM_IN, loop_lstm(*LSTM_IN))],
    "SVDF": [(hb.SVDF(2), SVDF_IN, loop_svdf(*SVDF_IN, 2))],
}

BAD = [
    (hb.Slice((0,), (1,), (0,), (0,)), ((4,),), "other than 0"),
    (hb.Split((1, 1), 0), ((3,),), "do not add up"),
    (hb.Stack(0), ((3,), (4,)), "one shape"),
    (hb.Unstack(2), ((3,),), "dim=2"),
    (hb.Gather((4,), 0), ((3,),), "indices reach"),
    (hb.Tile((2,)), ((3, 1),), "one number for each"),
    (hb.Flip((3,)), ((3,),), "dim=3"),
    (hb.Expand((2,)), ((3,),), "does not broadcast"),
    (hb.DepthToSpace(2), ((1, 1, 1, 3),), "multiple"),
    (hb.SpaceToDepth(2), ((1, 3, 2, 1),), "multiples"),
    (hb.MirrorPad(((0, 0),)), ((1, 3),), "one pair"),
    (hb.ConvTranspose2d(), ((1, 2, 2, 3), (1, 2, 2, 4)), "check groups=1"),
    (hb.ConvTranspose2d(padding=3), ((1, 2, 2, 3), (1, 2, 2, 3)), "no output"),
    (hb.ConvTranspose1d(), ((1, 2, 2, 3), (1, 2, 3)), "3 axes"),
    (hb.PReLU(), ((1, 3), (4,)), "broadcast"),
    (hb.ReduceMean((3,)), ((1, 3),), "not axes"),
    (hb.ArgMax(3), ((1, 3),), "dim=3"),
    (hb.ResizeBilinear((0, 1)), ((1, 3, 3, 1),), "above 0"),
    (hb.L2Norm(3), ((1, 3),), "dim=3"),
    (hb.LogSoftmax(3), ((1, 3),), "dim=3"),
    (hb.SVDF(2), ((1, 3), (5, 3), (5, 2), (1, 10)), "multiple of rank"),
]
