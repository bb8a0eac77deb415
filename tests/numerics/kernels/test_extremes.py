"""Largest and smallest codes: kernels equal NumPy and the definition, over axes, types, broadcasts, constants, clamps."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.kernels.extremes import ChoiceCall, ExtremeCall

DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "int64")
WIDTHS = (1, 7, 15, 16, 17, 33, 130)


def drawn(rng, dtype, shape):
    limits = np.iinfo(dtype)
    ends = rng.choice([limits.min, limits.max, limits.max - 1], shape)
    return np.where(rng.random(shape) < 0.2, ends, rng.integers(-100, 100, shape).astype(dtype)).astype(dtype)


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_over_axes(run_call, rng, dtype, largest):
    for inner in WIDTHS:
        for outer, reduced in ((1, 1), (3, 2), (2, 19)):
            x = drawn(rng, dtype, (2, outer, reduced, inner))
            call = ExtremeCall(dtype=dtype, outer=outer, reduced=reduced, inner=inner, largest=largest)
            made = run_call(call, [x.reshape(2, -1)], outer * inner, dtype)
            wanted = x.max(axis=2) if largest else x.min(axis=2)
            np.testing.assert_array_equal(made.codes, wanted.reshape(2, -1))


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_of_two_operands(run_call, rng, dtype, largest):
    choose = np.maximum if largest else np.minimum
    for count in WIDTHS:
        a, b = drawn(rng, dtype, (3, count)), drawn(rng, dtype, (3, count))
        index = rng.integers(0, count, count)
        constant = drawn(rng, dtype, count)
        fields = {"dtype": dtype, "count": count, "a_count": count, "b_count": count, "clamp_lo": 3, "clamp_hi": 90}
        for a_index, b_index, fixed in (
            (None, None, None),
            (index, None, None),
            (None, index, None),
            (index, None, constant),
        ):
            call = ChoiceCall(a_index=a_index, b_index=b_index, constant=fixed, largest=largest, **fields)
            made = run_call(call, [a] if fixed is not None else [a, b], count, dtype)
            first = a if a_index is None else a[:, a_index]
            second = fixed if fixed is not None else b if b_index is None else b[:, b_index]
            np.testing.assert_array_equal(made.codes, np.clip(choose(first, second), 3, 90))


FORMAT = hb.Format("int8", scale=0.5, zero_point=-7)


@pytest.mark.parametrize("block", [hb.ReduceMax, hb.ReduceMin])
@pytest.mark.parametrize("dims", [(1,), (2, 3), (-1,), (1, 2, 3)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_reductions(isa, rng, block, dims, keepdim):
    build = GraphBuilder("g")
    x = build.input("x", (1, 5, 4, 6), FORMAT)
    graph = build.build(build.add(block(dims, keepdim), x, name="n", formats=[FORMAT]))
    data = drawn(rng, "int8", (7, 5, 4, 6))
    fast = hb.Simulator(graph, isa=isa)
    assert not fast.plan.unserved
    (made,) = fast.run(data).outputs.values()
    (wanted,) = hb.Simulator(graph, engine="definition").run(data).outputs.values()
    np.testing.assert_array_equal(made, wanted)
    whole = getattr(data, "max" if block is hb.ReduceMax else "min")(axis=dims, keepdims=keepdim)
    np.testing.assert_array_equal(made, whole)


@pytest.mark.parametrize("block", [hb.Maximum(), hb.Minimum()])
@pytest.mark.parametrize("clamp", [None, (-3.0, 20.0)])
@pytest.mark.parametrize("second", [(1, 3, 4), (1, 1, 4), (1, 3, 1), "constant", "number first"])
def test_choices(isa, rng, block, clamp, second):
    build = GraphBuilder("g")
    x = build.input("x", (1, 3, 4), FORMAT)
    data = {"x": drawn(rng, "int8", (9, 3, 4))}
    if isinstance(second, str):
        z = build.constant("z", drawn(rng, "int8", (3, 4) if second == "constant" else (1,)), FORMAT)
    else:
        z = build.input("z", second, FORMAT)
        data["z"] = drawn(rng, "int8", (9, *second[1:]))
    operands = (z, x) if second == "number first" else (x, z)
    graph = build.build(build.add(block, *operands, name="n", formats=[FORMAT], clamp=clamp))
    fast, exact = hb.Simulator(graph, isa=isa), hb.Simulator(graph, engine="definition")
    assert not fast.plan.unserved
    made, wanted = fast.run(data), exact.run(data)
    for name, codes in wanted.outputs.items():
        np.testing.assert_array_equal(made.outputs[name], codes)
    assert made.events["n"].saturated == wanted.events["n"].saturated == 0
