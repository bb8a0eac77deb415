"""Integer meanings of resizing and pooling: loops over exact fractions and decimals of 60 digits."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder

X, Y = hb.Format("int8", scale=0.037, zero_point=-11), hb.Format("int8", scale=0.05, zero_point=4)


def run(block, data, x=X, y=Y):
    build = GraphBuilder("g")
    value = build.input("x", (1, *data.shape[1:]), x)
    g = build.build(build.add(block, value, name="n", formats=[y]))
    return hb.run(g, data).outputs["n"]


def drawn(*shape, x=X):
    return np.random.default_rng(5).integers(x.lo, x.hi + 1, shape).astype(x.dtype)


def cast(value, y=Y):
    return min(max(round(value / Fraction(y.scale)) + y.zero_point, y.lo), y.hi)


def real(code, x=X):
    return Fraction(x.scale) * (int(code) - x.zero_point)


def test_linear_resize_is_the_weighted_sum_rounded_once():
    data = drawn(2, 4, 5, 2)
    got = run(hb.Resize((7, 3)), data)
    places = [[Fraction(2 * y + 1, 2) * Fraction(n, m) - Fraction(1, 2) for y in range(m)] for n, m in ((4, 7), (5, 3))]
    for s, i, j, c in np.ndindex(got.shape):
        total = Fraction(0)
        for a, b in itertools.product(range(-2, 7), range(-2, 7)):
            weight = max(1 - abs(a - places[0][i]), 0) * max(1 - abs(b - places[1][j]), 0)
            total += weight * real(data[s, min(max(a, 0), 3), min(max(b, 0), 4), c])
        assert got[s, i, j, c] == cast(total)


def test_cubic_resize_of_a_shrunk_axis():
    data, a = drawn(3, 9, 1), Fraction(-1, 2)
    got = run(hb.Resize((4,), mode="cubic", cubic_coeff_a=-0.5, antialias=True, exclude_outside=True), data)

    def weight(d):
        d = abs(d)
        return (a + 2) * d**3 - (a + 3) * d**2 + 1 if d <= 1 else a * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0

    for s, y, _ in np.ndindex(got.shape):
        weights = [
            weight((i - (Fraction(2 * y + 1, 2) * Fraction(9, 4) - Fraction(1, 2))) * Fraction(4, 9)) for i in range(9)
        ]
        assert got[s, y, 0] == cast(sum(w * real(v) for w, v in zip(weights, data[s, :, 0])) / sum(weights))


def test_a_crop_takes_the_extrapolation_value_outside():
    data = drawn(2, 3, 1)
    block = hb.Resize((3,), (), None, "tf_crop_and_resize", ((0.5, 1.5),), 1.1)
    assert run(block, data)[:, 1:].tolist() == [[[cast(real(r[2, 0]))], [cast(Fraction(1.1))]] for r in data]


def test_nearest_resize_moves_codes(isa):
    data = drawn(3, 4, 6, 2)
    block = hb.NearestResize((7, 3))
    build = GraphBuilder("g")
    g = build.build(build.add(block, build.input("x", (1, 4, 6, 2), X), name="n"))
    simulator = hb.Simulator(g, isa=isa)
    assert simulator.plan.unserved == {}
    floats = block(data.astype(float))
    np.testing.assert_array_equal(simulator.run(data).outputs["n"], floats.astype(np.int8))


@pytest.mark.parametrize("p", [1, 2, 3])
def test_power_pooling_is_the_root_rounded_once(p):
    data, y = drawn(2, 5, 4, 2), hb.Format("int16", scale=0.003)
    got, whole = run(hb.LpPool2d(3, 1, 1, p=p), data, y=y), run(hb.GlobalLpPool(p), data, y=y)
    with localcontext() as context:
        context.prec = 60

        def root(values):
            total = sum(abs(v) ** p for v in values)
            exact = (Decimal(total.numerator) / Decimal(total.denominator)) ** (Decimal(1) / p) if total else Decimal(0)
            return cast(Fraction(exact).limit_denominator(10**40), y)

        for s, i, j, c in np.ndindex(got.shape):
            cells = [real(data[s, a, b, c]) for a in range(5) for b in range(4) if abs(a - i) < 2 and abs(b - j) < 2]
            assert got[s, i, j, c] == root(cells)
        for s, c in itertools.product(range(2), range(2)):
            assert whole[s, 0, 0, c] == root([real(v) for v in data[s, :, :, c].ravel()])


def test_adaptive_and_dilated_averages_are_exact_means():
    data = drawn(2, 5, 7, 2)
    got = run(hb.AdaptiveAvgPool2d((3, 4)), data)
    for s, i, j, c in np.ndindex(got.shape):
        rows = range(i * 5 // 3, math.ceil((i + 1) * 5 / 3))
        columns = range(j * 7 // 4, math.ceil((j + 1) * 7 / 4))
        cells = [real(data[s, a, b, c]) for a in rows for b in columns]
        assert got[s, i, j, c] == cast(sum(cells) / len(cells))
    got = run(hb.AvgPool2d(2, 1, 1, count_include_pad=False, dilation=2), data)
    for s, i, j, c in np.ndindex(got.shape):
        taps = [(i - 1 + 2 * a, j - 1 + 2 * b) for a in (0, 1) for b in (0, 1)]
        cells = [real(data[s, a, b, c]) for a, b in taps if 0 <= a < 5 and 0 <= b < 7]
        assert got[s, i, j, c] == cast(sum(cells) / len(cells))


def test_volumes_pool_and_maxima_know_their_places(isa):
    data = drawn(2, 3, 4, 3, 2)
    for block in (hb.MaxPool3d(2, 1), hb.GlobalMaxPool(), hb.AdaptiveMaxPool3d(2)):
        build = GraphBuilder("g")
        g = build.build(build.add(block, build.input("x", (1, 3, 4, 3, 2), X), name="n"))
        got = hb.Simulator(g, isa=isa).run(data).outputs["n"]
        np.testing.assert_array_equal(got, block(data.astype(float)).astype(np.int8))
    got = run(hb.AvgPool3d(2, 1), data)
    for s, i, j, k, c in np.ndindex(got.shape):
        assert got[s, i, j, k, c] == cast(sum(map(real, data[s, i : i + 2, j : j + 2, k : k + 2, c].ravel())) / 8)


def test_folding_adds_codes_exactly_and_unfolding_moves_them(isa):
    data = drawn(2, 4, 8)
    got = run(hb.Fold((2, 2), output_size=(3, 3)), data)
    wanted = [[[[Fraction(0)] * 2 for _ in range(3)] for _ in range(3)] for _ in range(2)]
    for s, w, t, c in np.ndindex(2, 4, 4, 2):
        wanted[s][w // 2 + t // 2][w % 2 + t % 2][c] += real(data[s, w, 2 * t + c])
    assert got.tolist() == [[[[cast(v) for v in cell] for cell in row] for row in image] for image in wanted]
    block, image = hb.Unfold((2, 2), padding=1), drawn(3, 4, 3, 2)
    build = GraphBuilder("g")
    g = build.build(build.add(block, build.input("x", (1, 4, 3, 2), X), name="n"))
    simulator = hb.Simulator(g, isa=isa)
    assert simulator.plan.unserved == {}
    wanted = block(image.astype(float) - X.zero_point) + X.zero_point
    np.testing.assert_array_equal(simulator.run(image).outputs["n"], wanted.astype(np.int8))
