"""Golden vectors of whole operators, as runtimes gave them; those of single steps stand in tests/numerics."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.dialects import dialect as named
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.formats import Format
from hwblocks.numerics.ibert import exponential
from hwblocks.simulate.execute import run_node

TFLITE = ("tflm", "litert-ref", "litert-opt", "xnnpack")


def f32(value):
    return float(np.float32(value))


def result(block, x_format, y_format, codes, dialect=None, **node):
    """The codes that a block alone makes of these."""
    build = GraphBuilder("one")
    x = build.input("x", (1, len(codes)), x_format)
    graph = build.build(build.add(block, x, formats=(y_format,), **node))
    (made,) = hb.run(graph, np.array([codes], x_format.dtype), dialect=dialect).outputs.values()
    return made.ravel().tolist()


STEPS = [-128, -96, -64, -32, 0, 32, 64, 96, 127]
TABLES = [
    (hb.Sigmoid(), (0.05, 3), (1 / 256, -128), [-128, -126, -119, -90, -10, 79, 116, 126, 127]),
    (hb.Tanh(), (0.03, -7), (1 / 128, 0), [-128, -127, -120, -81, 26, 106, 124, 127, 127]),
    (hb.ELU(), (0.04, 10), (0.03, -20), [-53, -53, -52, -47, -31, 9, 52, 95, 127]),
]


@pytest.mark.parametrize(
    ("block", "x", "y", "wanted", "dialect"),
    [
        (*row, dialect)
        for row in TABLES
        for dialect in TFLITE
        if (type(row[0]), dialect) != (hb.ELU, "litert-ref")  # the reference kernels have no ELU
    ],
)
def test_tables_of_tflite(block, x, y, wanted, dialect):
    formats = (Format("int8", scale=f32(s), zero_point=z) for s, z in (x, y))
    assert result(block, *formats, STEPS, dialect) == wanted


@pytest.mark.parametrize("dialect", ["tflm", "litert-ref"])
def test_softmax_of_tflite_in_fixed_point(dialect):
    x, y = Format("int8", scale=f32(0.05)), Format("int8", scale=1 / 256, zero_point=-128)
    wanted = [-128, -128, -128, -127, -121, -94, 86]
    assert result(hb.Softmax(), x, y, [-128, -50, 0, 17, 60, 90, 127], dialect) == wanted


@pytest.mark.parametrize("dialect", TFLITE)
def test_softmax_of_tflite_at_16_bits(dialect):
    x, y = Format("int16", scale=f32(0.0002)), Format("int16", scale=1 / 32768)
    wanted = [2, 191, 518, 658, 3132, 28268]
    assert result(hb.Softmax(), x, y, [-30000, -5000, 0, 1200, 9000, 20000], dialect) == wanted


@pytest.mark.parametrize("dialect", TFLITE)
def test_hard_swish_of_tflite(dialect):
    x, y = Format("int8", scale=f32(0.05), zero_point=-3), Format("int8", scale=f32(0.04), zero_point=5)
    codes = list(range(-128, 128, 25))
    assert result(hb.HardSwish(), x, y, codes, dialect) == [5, 5, 5, 0, -4, 5, 27, 62, 99, 127, 127]


@pytest.mark.parametrize("dialect", ["onnx", "ort-noopt", "ort", "ort-avx2", "qonnx"])
@pytest.mark.parametrize(
    ("kind", "wanted"),
    [("uint8", [0, 255, 0, 255, 0, 255, 0, 3, 3]), ("int8", [-128, 127, -128, 127, -128, 127, -128, 3, 3])],
)
def test_specials_of_quantize_linear(dialect, kind, wanted):
    build = GraphBuilder("edge")
    y = build.add(hb.Quantize(), build.input("x", (1, 9)), formats=(Format(kind, zero_point=3),))
    x = np.array([[np.nan, np.inf, -np.inf, 1e20, -1e20, 3e9, -3e9, 0.0, -0.0]], np.float32)
    graph = named(dialect).applied(build.build(y))
    (made,), _ = run_node(graph.site(graph.nodes[0]), [x])  # as an inner node: inputs of a model must be finite
    assert made.ravel().tolist() == wanted


def test_sums_wrap_at_32_bits():
    """K = 400,000 products of 254 or 255 with 255: 26,009,999,745 modulo 2³²."""
    a, b = np.full((1, 400_000), 255, np.uint8), np.full((400_000, 1), 255, np.uint8)
    a[0, 0] = 254
    assert hb.MatMulInteger()(a, b).item() == 240195969


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("ROUND", [-2, -2, 0, 0, 2, 2]),
        ("HALF_UP", [-3, -2, -1, 1, 2, 3]),
        ("HALF_DOWN", [-2, -1, 0, 0, 1, 2]),
        ("UP", [-3, -2, -1, 1, 2, 3]),
        ("DOWN", [-2, -1, 0, 0, 1, 2]),
        ("CEIL", [-2, -1, 0, 1, 2, 3]),
        ("FLOOR", [-3, -2, -1, 0, 1, 2]),
    ],
)
def test_rounding_modes_of_qonnx(mode, wanted):
    x, one, none, bits = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]), np.ones(1), np.zeros(1), np.full(1, 8.0)
    assert hb.Quant(rounding_mode=mode)(x, one, none, bits).tolist() == wanted


def test_integer_exponential_of_ibert():
    codes, scale = exponential(np.array([0, -10, -100, -500]), 1 / 64)
    assert codes.tolist() == [12279311499264, 10529112326144, 2632278081536, 5555355648]
    assert scale == 0.35815147 / 64**2 / 2**30
    x, y = Format("int16", scale=1 / 64), Format("uint16", scale=2.0**-16)
    made = result(hb.Exp(), x, y, [-10, -100, -500, -32768], arithmetic=Arithmetic(algorithm="ibert"))
    assert made == [round(c * scale * 65536) for c in codes.tolist()[1:]] + [0]
