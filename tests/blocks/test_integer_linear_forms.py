"""Integer meanings of causal streams, Einstein sums, embeddings, bilinear forms and integer convolutions of all axes."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz
from hwblocks.errors import GraphError, SimulationError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.multiplier import quantize_multiplier

X, Y = hb.Format("int8", scale=0.037, zero_point=-11), hb.Format("int8", scale=1.7, zero_point=4)
W8 = hb.Format("int8", scale=0.02)
RNG = np.random.default_rng(7)


def drawn(format, *shape):
    return RNG.integers(format.lo, format.hi + 1, shape).astype(format.dtype)


def cast(value, y=Y):
    return min(max(round(value / Fraction(y.scale)) + y.zero_point, y.lo), y.hi)


def requantized(total, scale, y):
    m, e = quantize_multiplier(scale)
    return min(max(((int(total) * m + (1 << (30 - e))) >> (31 - e)) + y.zero_point, y.lo), y.hi)


def stream(steps, w, b, **attributes):
    build = GraphBuilder("g")
    x = build.input("x", (1, steps, w.shape[2] * attributes.get("groups", 1)))
    return build.build(hb.CausalConv1d(streaming=True, **attributes)(x, w=w, b=b))


@pytest.mark.parametrize("attributes", [{}, {"dilation": 2}, {"stride": 2}, {"groups": 2, "dilation": 3}])
def test_a_stream_in_samples_is_the_whole_sequence(attributes):
    w, b = RNG.normal(size=(4, 3, 3)).astype(np.float32), RNG.normal(size=4).astype(np.float32)
    x = RNG.normal(size=(1, 24, 3 * attributes.get("groups", 1))).astype(np.float32)
    whole = hb.CausalConv1d(**attributes)(x.astype(float), w=w, b=b)
    for length in (2, 6, 24):
        g = stream(length, w, b, **attributes)
        parts = x.reshape(-1, length, x.shape[-1])
        got = np.concatenate(list(hb.run(g, parts, state="carry").outputs[g.outputs[0]]))
        np.testing.assert_allclose(got, whole[0], rtol=1e-5, atol=1e-5)


def test_an_integer_stream_is_exact_for_any_cut():
    w, b = RNG.normal(size=(4, 3, 3)).astype(np.float32), RNG.normal(size=4).astype(np.float32)
    x = RNG.normal(size=(20, 6, 3)).astype(np.float32)
    g = stream(6, w, b)
    q = qz.convert(g, qz.calibrate(g, x), recipe="int8")
    assert q.is_integer
    assert q.states[0].initial.ravel().tolist() == [q.tensors["x"].format.zero_point] * 6
    name = q.outputs[0]
    carried = np.concatenate(list(hb.run(q, x, state="carry").outputs[name]))
    codes = x.reshape(1, -1, 3)
    build = GraphBuilder("whole")
    conv = next(node for node in q.nodes if node.type_name == "Conv1d")
    tensors = [q.tensors[n] for n in conv.inputs[1:]]
    inputs = [build.input("x", codes.shape, q.tensors["x"].format)]
    inputs += [build.constant(t.name, t.value, t.format) for t in tensors]
    block = hb.CausalConv1d()
    whole = build.build(
        build.add(
            block, *inputs, name="n", formats=[q.tensors[name].format], arithmetic=conv.arithmetic, clamp=conv.clamp
        )
    )
    np.testing.assert_array_equal(carried, hb.run(whole, codes).outputs["n"][0])


def test_a_sequential_stream_has_a_state():
    net = hb.Sequential(hb.CausalConv1d(weight=np.ones((1, 3, 1), np.float32), streaming=True), input_shape=(2, 1))
    g = net.graph()
    assert [node.type_name for node in g.nodes] == ["Concat", "Slice", "Conv1d"]
    got = hb.run(g, np.ones((3, 2, 1), np.float32), state="carry").outputs[g.outputs[0]]
    assert got.ravel().tolist() == [1.0, 2.0, 3.0, 3.0, 3.0, 3.0]
    got = hb.run(g, np.ones((3, 2, 1), np.float32)).outputs[g.outputs[0]]
    assert got.ravel().tolist() == [1.0, 2.0] * 3


def test_causal_convolutions_have_a_kernel(isa):
    w, data = drawn(W8, 5, 3, 4), drawn(X, 3, 9, 4)
    build = GraphBuilder("g")
    names = [build.input("x", (1, 9, 4), X), build.constant("w", w, W8)]
    arithmetic = Arithmetic(requantize=hb.Requantize.preset("single_round"))
    g = build.build(build.add(hb.CausalConv1d(dilation=2), *names, name="n", formats=[Y], arithmetic=arithmetic))
    simulator = hb.Simulator(g, isa=isa)
    assert simulator.plan.unserved == {}
    got = simulator.run(data).outputs["n"]
    for n, t, o in np.ndindex(got.shape):
        taps = [(k, t - 2 * (2 - k)) for k in range(3) if t >= 2 * (2 - k)]
        total = sum((int(data[n, p, c]) + 11) * int(w[o, k, c]) for k, p in taps for c in range(4))
        assert got[n, t, o] == requantized(total, X.scale * W8.scale / Y.scale, Y)


@pytest.mark.parametrize(
    ("equation", "shapes"), [("bij,bjk->bik", ((1, 3, 4), (1, 4, 2))), ("bii,bki->bk", ((1, 3, 3), (1, 2, 3)))]
)
def test_einsum_sums_codes(equation, shapes):
    a, b = drawn(X, 4, *shapes[0][1:]), drawn(W8, 4, *shapes[1][1:])
    build = GraphBuilder("g")
    names = [build.input("a", shapes[0], X), build.input("b", shapes[1], W8)]
    arithmetic = Arithmetic(requantize=hb.Requantize.preset("single_round"))
    g = build.build(build.add(hb.Einsum(equation), *names, name="n", formats=[Y], arithmetic=arithmetic))
    got = hb.run(g, {"a": a, "b": b}).outputs["n"]
    for index in np.ndindex(got.shape):
        s, i, *k = index
        if k:
            total = sum((int(a[s, i, j]) + 11) * int(b[s, j, k[0]]) for j in range(4))
        else:
            total = sum((int(a[s, j, j]) + 11) * int(b[s, i, j]) for j in range(3))
        assert got[index] == requantized(total, X.scale * W8.scale / Y.scale, Y)


def test_einsum_weights_have_a_scale_for_each_output():
    w = (RNG.normal(size=(5, 6)) * np.arange(1, 7)).astype(np.float32)
    build = GraphBuilder("g")
    g = build.build(build.add(hb.Einsum("btc,co->bto"), build.input("x", (1, 3, 5)), build.constant("w", w), name="n"))
    x = RNG.normal(size=(30, 3, 5)).astype(np.float32)
    q = qz.convert(g, qz.calibrate(g, x), recipe="int8")
    assert (q.tensors["w"].format.axis, len(q.tensors["w"].format.scale)) == (1, 6)
    step = float(q.tensors["n"].format.scale)
    assert np.abs(hb.run(q, x).real["n"] - hb.run(g, x).outputs["n"]).max() < 6 * step


def test_an_integer_einsum_needs_an_output_axis():
    build = GraphBuilder("g")
    names = [build.input("a", (1, 3), X), build.input("b", (1, 3), X)]
    with pytest.raises(GraphError, match="output axis"):
        build.build(build.add(hb.Einsum("bi,bi->"), *names, formats=[Y]))


def test_embedding_moves_codes_and_bags_add_them():
    w, rows = drawn(W8, 7, 3), RNG.integers(0, 7, (5, 1, 4))
    raw = hb.Format(kind="raw", bits=32)
    for block in (hb.Embedding(), hb.EmbeddingBag("sum"), hb.EmbeddingBag("mean"), hb.EmbeddingBag("max")):
        build = GraphBuilder("g")
        names = [build.input("x", (1, 4), raw), build.constant("w", w, W8)]
        y = W8 if isinstance(block, hb.Embedding) else hb.Format("int8", scale=0.031, zero_point=7)
        got = hb.run(build.build(build.add(block, *names, name="n", formats=[y])), rows.astype(np.int32)).outputs["n"]
        for s, d in itertools.product(range(5), range(3)):
            values = [Fraction(W8.scale) * int(w[r, d]) for r in rows[s, 0]]
            if isinstance(block, hb.Embedding):
                assert got[s, 0, :, d].tolist() == [w[r, d] for r in rows[s, 0]]
            else:
                made = {"sum": sum(values), "mean": sum(values) / 4, "max": max(values)}[block.mode]
                assert got[s, 0, d] == cast(made, y)


@pytest.mark.parametrize("block", [hb.Embedding(), hb.EmbeddingBag()])
def test_rows_outside_the_table_are_named(block):
    with pytest.raises(SimulationError, match="index 3 lies outside"):
        block(np.array([[0, 3]]), np.zeros((3, 2)))


def test_offsets_must_rise():
    with pytest.raises(SimulationError, match="must rise"):
        hb.EmbeddingBag()(np.array([0, 1, 1]), np.zeros((3, 2)), np.array([0, 2, 1]))


def test_bilinear_is_the_exact_sum():
    w8 = hb.Format("int8", scale=(0.02, 0.5, 0.11), axis=0)
    a, b, w, bias = drawn(X, 6, 4), drawn(W8, 6, 2), drawn(w8, 3, 4, 2), np.float32([0.5, -3.0, 2.25])
    build = GraphBuilder("g")
    names = [
        build.input("a", (1, 4), X),
        build.input("b", (1, 2), W8),
        build.constant("w", w, w8),
        build.constant("c", bias),
    ]
    y = hb.Format("int16", scale=0.07)
    got = hb.run(build.build(build.add(hb.Bilinear(), *names, name="n", formats=[y])), {"a": a, "b": b}).outputs["n"]
    for s, o in np.ndindex(got.shape):
        total = sum((int(a[s, i]) + 11) * int(b[s, j]) * int(w[o, i, j]) for i in range(4) for j in range(2))
        scale = Fraction(X.scale) * Fraction(W8.scale) * Fraction(w8.scale[o])
        assert got[s, o] == cast(total * scale + Fraction(float(bias[o])), y)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_integer_convolutions_of_all_axes_and_zero_points(axes):
    spatial, kernel = (5, 4, 3)[:axes], (3, 2, 2)[:axes]
    x, w = RNG.integers(0, 256, (2, *spatial, 4)), RNG.integers(-128, 128, (6, *kernel, 2))
    zeros = RNG.integers(-5, 5, 6)
    got = hb.ConvInteger(padding=1, groups=2)(x, w, np.array(9), zeros)
    assert got.shape == (2, *(s + 2 - k + 1 for s, k in zip(spatial, kernel, strict=True)), 6)
    for n, *at, o in np.ndindex(got.shape):
        total = 0
        for tap in itertools.product(*map(range, kernel)):
            p = [i + t - 1 for i, t in zip(at, tap, strict=True)]
            if all(0 <= v < s for v, s in zip(p, spatial, strict=True)):
                for c in range(2):
                    total += (int(x[(n, *p, o // 3 * 2 + c)]) - 9) * (int(w[(o, *tap, c)]) - int(zeros[o]))
        assert got[(n, *at, o)] == total


def test_a_matrix_of_codes_may_have_a_zero_point_for_each_row():
    a, b, zeros = RNG.integers(0, 256, (3, 5)), RNG.integers(-128, 128, (5, 2)), np.array([3, 200, 17])
    got = hb.MatMulInteger()(a, b, zeros)
    for i, j in np.ndindex(got.shape):
        assert got[i, j] == sum((int(a[i, k]) - int(zeros[i])) * int(b[k, j]) for k in range(5))
