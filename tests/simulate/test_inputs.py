"""Inputs: arrays of stored codes are read without a look at each value, and mean what the full reading says."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import InputError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.formats import Format
from hwblocks.simulate.inputs import Reader, read_samples

FORMAT = Format("int8", scale=0.5)


def graph_of(*shapes):
    build = GraphBuilder("g")
    inputs = [build.input(f"x{i}", shape, FORMAT) for i, shape in enumerate(shapes)]
    return build.build(*[build.add(hb.Transpose(perm=tuple(range(len(s)))), x) for s, x in zip(shapes, inputs)])


ONE, TWO = graph_of((1, 2, 3)), graph_of((1, 2, 3), (1, 4))
A, B = np.arange(-15, 15, dtype=np.int8).reshape(5, 1, 2, 3), np.arange(20, dtype=np.int8).reshape(5, 1, 4)


@pytest.mark.parametrize(
    "x", [A, A[:, 0], [A], (A,), {"x0": A}, A[:, :, ::-1], A.astype(np.int64), A / 2, A[:1].tolist()]
)
def test_one_input(x):
    assert_same(ONE, x)


@pytest.mark.parametrize("x", [[A, B], (A, B), {"x1": B, "x0": A}, [A[:, 0], B[:, 0]], [A[:, 0], B], [A, B * 0.5]])
def test_two_inputs(x):
    assert_same(TWO, x)


def assert_same(graph, x):
    got, wanted = Reader(graph).read(x), read_samples(graph, x)
    assert list(got.arrays) == list(wanted.arrays) or set(got.arrays) == set(wanted.arrays)
    assert (got.count, got.short) == (wanted.count, wanted.short)
    for name, array in wanted.arrays.items():
        shape = (wanted.count, *graph.tensors[name].shape)
        np.testing.assert_array_equal(got.arrays[name].reshape(shape), array.reshape(shape))
        assert got.arrays[name].dtype == array.dtype


@pytest.mark.parametrize(
    ("graph", "x"),
    [
        (ONE, A[:0]), (ONE, A.astype(np.uint8)), (ONE, A[..., :2]), (ONE, np.int8(3)), (ONE, [A, A]), (ONE, {"y": A}),
        (ONE, {"x0": A, "y": A}), (ONE, []), (ONE, A.astype(np.int64) + 300), (TWO, A), (TWO, [A]), (TWO, [A, B[:3]]),
        (TWO, {"x0": A}), (TWO, [A, B, B]), (TWO, [A, None]), (TWO, [A[:0], B[:0]]), (ONE, np.array(3, np.int8)),
    ],
)  # fmt: skip
def test_refused_as_by_the_full_reading(graph, x):
    with pytest.raises(InputError) as wanted:
        read_samples(graph, x)
    with pytest.raises(InputError) as got:
        Reader(graph).read(x)
    assert str(got.value) == str(wanted.value)


def test_codes_as_real_values_are_quantized():
    got = Reader(ONE).read(A, real=True)
    np.testing.assert_array_equal(got.arrays["x0"].reshape(A.shape), FORMAT.quantize(A))
