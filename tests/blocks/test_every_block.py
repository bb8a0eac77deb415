"""The contract of every block: a table with an independent oracle, shapes, counts, integers, kernels, errors."""

from __future__ import annotations

import importlib.util
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import ShapeError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.graph.plane import gemm_of, plane_of
from hwblocks.graph.registry import block_classes
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.multiplier import quantize_multiplier


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tables, *others = (loaded(path.stem) for path in sorted(Path(__file__).parent.glob("tables*.py")))
CASES = {name: cases for module in (tables, *others) for name, cases in module.CASES.items()}
BAD = [case for module in (tables, *others) for case in module.BAD]
BLOCKS = {name: cls for name, cls in block_classes().items() if cls.__module__.startswith("hwblocks.")}
ALL = [(name, i) for name, cases in CASES.items() for i in range(len(cases))]


def test_every_block_has_a_table():
    assert set(CASES) == set(BLOCKS)


@pytest.mark.parametrize(("name", "i"), ALL)
def test_float_results_and_shapes(name, i):
    block, inputs, wanted = CASES[name][i]
    wanted = tables.by_scalars(block, inputs) if wanted is None else wanted
    got = block(*inputs)
    results, expected = (v if isinstance(v, tuple) else (v,) for v in (got, wanted))
    assert block.shape(*(a.shape for a in inputs if a is not None)) == tuple(np.shape(r) for r in results)
    for result, right in zip(results, expected, strict=True):
        near = 1e-6 if getattr(result, "dtype", None) == np.float32 else 1e-12
        np.testing.assert_allclose(result, right, rtol=near, atol=near)


class Counted:
    """A number that counts its products, and those with a plain 0, which is padding."""

    made = padded = 0

    def __mul__(self, other):
        Counted.made += 1
        Counted.padded += not isinstance(other, Counted)
        return self

    __rmul__ = __mul__

    def __add__(self, other):
        return self

    __radd__ = __add__


@pytest.mark.parametrize(("name", "i"), [c for c in ALL if issubclass(BLOCKS[c[0]], hb.Accumulate)])
def test_macs_are_the_products(name, i):
    block, (x, w, *_), _ = CASES[name][i]
    Counted.made = Counted.padded = 0
    objects = [np.array([Counted() for _ in range(a.size)], dtype=object).reshape(a.shape) for a in (x, w)]
    contraction = block.lower(*objects)
    np.matmul(contraction.rows, contraction.columns)
    work = block.work(x.shape, w.shape)
    (nest,) = block.nests(x.shape, w.shape)
    plane = plane_of(nest)
    assert plane is None or plane.gemm == gemm_of(nest)
    if name.startswith("ConvTranspose"):  # zeros between inputs are no work; products outside the output are
        assert work.macs_valid == Counted.made - Counted.padded
        assert work.macs == x.size * math.prod(w.shape[1:-1]) * w.shape[0] // block.groups
        return
    assert (work.macs, work.macs - work.macs_valid) == (Counted.made, Counted.padded)
    assert contraction.macs == work.macs
    assert (nest.depth, nest.columns) == contraction.columns.shape[-2:]


@pytest.mark.parametrize(("name", "i"), ALL)
def test_loops_hold_all_products(name, i):
    block, inputs, _ = CASES[name][i]
    shapes = [np.shape(a) for a in inputs if a is not None]
    assert sum(nest.macs for nest in block.nests(*shapes)) == block.work(*shapes).macs


@pytest.mark.parametrize(("block", "shapes", "words"), BAD)
def test_promised_errors(block, shapes, words):
    with pytest.raises(ShapeError) as error:
        block.shape(*shapes)
    assert words in error.value.message
    assert str(shapes[0]) in error.value.message


def int_format(rng, bits=8, zero=None, scale=None):
    low = -(1 << (bits - 1))
    chosen = int(rng.integers(low // 2, -low // 2)) if zero is None else zero
    return hb.Format(f"int{bits}", scale=scale or float(np.float32(rng.uniform(0.01, 0.2))), zero_point=chosen)


def codes(rng, format, shape):
    return rng.integers(format.lo, format.hi + 1, shape).astype(format.dtype)


def integer_graph(block, rng, x, w=None, bias=None, y=None, shape=None, second=None):
    build = GraphBuilder("g")
    names = [build.input("x", shape, x)]
    if second is not None:
        names.append(build.input("x2", shape, second))
    if w is not None:
        names.append(build.constant("w", w[0], w[1]))
    if bias is not None:
        names.append(build.constant("b", bias, hb.Format("int32")))
    arithmetic = Arithmetic(requantize=hb.Requantize.preset("single_round"))
    return build.build(build.add(block, *names, name="n", formats=[y], arithmetic=arithmetic))


def run(graph, x, isa, **more):
    exact = hb.Simulator(graph, engine="definition").run(x)
    simulator = hb.Simulator(graph, isa=isa)
    assert simulator.plan.unserved == {}
    fast = simulator.run(x)
    np.testing.assert_array_equal(fast.outputs["n"], exact.outputs["n"])
    assert fast.events["n"].saturated == exact.events["n"].saturated
    return exact.outputs["n"]


CONVS = [
    ({}, 3, 5, 3, 1),
    ({"stride": 2, "padding": 1}, 4, 16, 3, 1),
    ({"padding": 2, "dilation": 2}, 5, 15, 2, 1),
    ({"padding": 1, "groups": 3}, 6, 17 * 3, 3, 3),
    ({"padding": 1, "groups": 17}, 17, 17, 3, 17),
    ({"groups": 5}, 5, 15, 2, 5),
]


@pytest.mark.parametrize(("attributes", "channels", "outputs", "kernel", "groups"), CONVS)
@pytest.mark.parametrize("weight_bits", [4, 8])
def test_integer_convolutions_are_plain_loops(isa, attributes, channels, outputs, kernel, groups, weight_bits):
    rng = np.random.default_rng(channels + outputs)
    x, y = int_format(rng), int_format(rng, scale=3.0)
    scales = tuple(float(np.float32(s)) for s in rng.uniform(0.01, 0.1, outputs))
    w = codes(rng, hb.Format(f"int{weight_bits}", narrow=True), (outputs, kernel, kernel, channels // groups))
    bias = rng.integers(-5000, 5000, outputs)
    data = codes(rng, x, (2, 6, 5, channels))
    stored = np.moveaxis(w, 0, -1).reshape(1, kernel, kernel, outputs) if channels == groups else w
    format = hb.Format(f"int{weight_bits}", narrow=True, scale=scales, axis=3 if channels == groups else 0)
    graph = integer_graph(hb.Conv2d(**attributes), rng, x, (stored, format), bias, y, (1, 6, 5, channels))
    got = run(graph, data, isa)
    pad, step, gap = (attributes.get(k, d) for k, d in (("padding", 0), ("stride", 1), ("dilation", 1)))
    sums = tables.loop_conv(
        (data.astype(object) - x.zero_point),
        w.astype(object),
        bias.tolist(),
        (step,) * 2,
        ((pad, pad),) * 2,
        (gap,) * 2,
        groups,
    )
    for index, total in np.ndenumerate(sums):
        m, e = quantize_multiplier(x.scale * scales[index[-1]] / y.scale)
        wanted = ((int(total) * m + (1 << (30 - e))) >> (31 - e)) + y.zero_point
        assert got[index] == min(max(wanted, -128), 127)


@pytest.mark.parametrize("inner", [1, 15, 16, 17, 63])
@pytest.mark.parametrize("outputs", [1, 15, 16, 17])
@pytest.mark.parametrize("bits", [8, 16])
def test_linear_layers_at_vector_widths(isa, inner, outputs, bits):
    rng = np.random.default_rng(inner * outputs)
    x, y = int_format(rng, bits, zero=0 if bits == 16 else None), int_format(rng, bits, zero=0, scale=1.0)
    w = np.where(rng.random((outputs, inner)) < 0.5, -127, rng.integers(-127, 128, (outputs, inner)))
    graph = integer_graph(hb.Linear(), rng, x, (w, hb.Format("int8", scale=0.02)), None, y, (1, inner))
    data = codes(rng, x, (7, inner))
    data[0] = x.lo
    got = run(graph, data, isa)
    m, e = quantize_multiplier(x.scale * 0.02 / 1.0)
    for index, total in np.ndenumerate((data.astype(object) - x.zero_point) @ w.T.astype(object)):
        wanted = (int(total) * m + (1 << (30 - e))) >> (31 - e)
        assert got[index] == min(max(wanted, y.lo), y.hi)


def rounded(value, y):
    return min(max(round(value / Fraction(y.scale)) + y.zero_point, y.lo), y.hi)  # Python rounds half to even


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("block", [hb.Add(), hb.Sub(), hb.Mul()])
def test_element_wise_integers_are_exact_fractions(isa, block, bits):
    rng = np.random.default_rng(bits)
    a, b, y = int_format(rng, bits), int_format(rng, bits), int_format(rng, bits)
    graph = integer_graph(block, rng, a, y=y, shape=(1, 40), second=b)
    first, second = codes(rng, a, (5, 40)), codes(rng, b, (5, 40))
    got = run(graph, {"x": first, "x2": second}, isa)
    symbol = {"Add": lambda p, q: p + q, "Sub": lambda p, q: p - q, "Mul": lambda p, q: p * q}[type(block).__name__]
    for index, p in np.ndenumerate(first):
        left = Fraction(a.scale) * (int(p) - a.zero_point)
        right = Fraction(b.scale) * (int(second[index]) - b.zero_point)
        assert got[index] == rounded(symbol(left, right), y)


@pytest.mark.parametrize("include", [False, True])
def test_average_pooling_is_the_exact_mean(isa, include):
    rng = np.random.default_rng(5)
    x, y = int_format(rng), int_format(rng)
    block = hb.AvgPool2d(3, stride=2, padding=1, count_include_pad=include)
    data = codes(rng, x, (2, 5, 6, 3))
    got = run(integer_graph(block, rng, x, y=y, shape=(1, 5, 6, 3)), data, isa)
    for s, i, j, c in np.ndindex(got.shape):
        cells = [(a, b) for a in range(2 * i - 1, 2 * i + 2) for b in range(2 * j - 1, 2 * j + 2)]
        values = [int(data[s, a, b, c]) - x.zero_point for a, b in cells if 0 <= a < 5 and 0 <= b < 6]
        assert got[s, i, j, c] == rounded(Fraction(sum(values), 9 if include else len(values)) * Fraction(x.scale), y)


def test_softmax_is_its_table(isa):
    rng = np.random.default_rng(6)
    x, y = int_format(rng, scale=0.05), hb.Format("int8", scale=2.0**-8, zero_point=-128)
    data = codes(rng, x, (6, 11))
    got = run(integer_graph(hb.Softmax(), rng, x, y=y, shape=(1, 11)), data, isa)
    for row, out in zip(data.astype(int), got, strict=True):
        powers = [round(float(np.exp(-0.05 * (max(row) - v))) * 2**30) for v in row.tolist()]
        wanted = [min(max(round(Fraction(p * 256, sum(powers))) - 128, -128), 127) for p in powers]
        np.testing.assert_allclose(out, wanted, atol=0)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    "block", [hb.Sigmoid(), hb.Tanh(), hb.LeakyReLU(0.3), hb.ReLU(), hb.ReLU6(), hb.Clip(-1.0, 2.0)]
)
def test_tables_are_the_function_cast_once(isa, block, bits):
    rng = np.random.default_rng(7)
    x, y = (
        int_format(rng, bits, zero=3, scale=2.0 ** (4 - bits)),
        int_format(rng, bits, zero=-5, scale=2.0 ** (3 - bits)),
    )
    data = np.arange(x.lo, x.hi + 1, 1 if bits == 8 else 37).astype(x.dtype)[None]
    got = run(integer_graph(block, rng, x, y=y, shape=(1, data.shape[1])), data, isa)
    values = block(x.scale * (data.astype(float) - x.zero_point))
    wanted = [[rounded(Fraction(float(v)), y) for v in row] for row in values]
    np.testing.assert_array_equal(got, wanted)


MOVES = [
    hb.Transpose((0, 3, 1, 2)),
    hb.Pad(((0, 0), (1, 0), (0, 2), (0, 0))),
    hb.MaxPool2d(3, stride=2, padding=1),
    hb.Flatten(),
    hb.Reshape((0, -1, 5)),
]


@pytest.mark.parametrize("block", MOVES, ids=lambda b: type(b).__name__)
def test_moves_move_codes(isa, block):
    rng = np.random.default_rng(8)
    x = int_format(rng)
    data = codes(rng, x, (3, 4, 6, 5))
    graph = integer_graph(block, rng, x, y=x, shape=(1, 4, 6, 5))
    fast = hb.Simulator(graph, isa=isa).run(data).outputs["n"]
    real = block(data.astype(float) - x.zero_point)
    np.testing.assert_array_equal(fast, np.asarray(real + x.zero_point).astype(np.int8))
