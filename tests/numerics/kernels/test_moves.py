"""TableCall, GatherCall and MaxPoolCall: look-ups and moves equal NumPy indexing on every ISA."""

from __future__ import annotations

import numpy as np
import pytest

from hwblocks.numerics import kernels
from hwblocks.numerics.kernels.gather import GatherCall
from hwblocks.numerics.kernels.pool import MaxPoolCall
from hwblocks.numerics.kernels.table import TableCall

CODES = ("int8", "uint8", "int16", "uint16")


@pytest.mark.parametrize("out", [*CODES, "int32"])
@pytest.mark.parametrize("dtype", CODES)
def test_table_over_every_code(run_call, random_codes, rng, dtype, out):
    limits = np.iinfo(dtype)
    every = np.arange(limits.min, limits.max + 1).astype(dtype)
    table = random_codes(rng, out, every.size).astype(np.int64)
    got = run_call(TableCall(dtype, out, table, every.size), [every[None]], every.size, out)
    np.testing.assert_array_equal(got.codes[0], table)


@pytest.mark.parametrize("n", [1, 3, 7])
@pytest.mark.parametrize("count", [1, 15, 16, 17, 31, 32, 33, 100])
def test_table_tails(run_call, random_codes, rng, count, n):
    table = random_codes(rng, "int8", 256).astype(np.int64)
    x = random_codes(rng, "int8", (n, count))
    got = run_call(TableCall("int8", "int8", table, count), [x], count, "int8")
    np.testing.assert_array_equal(got.codes, table[x.astype(int) + 128])


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("dtype", [*CODES, "int32", "int64"])
def test_gather_from_several_inputs(run_call, random_codes, rng, dtype, n):
    counts = (5, 1, 12)
    inputs = [random_codes(rng, dtype, (n, c)) for c in counts]
    index = rng.integers(-1, sum(counts), 40)
    got = run_call(GatherCall(dtype, counts, index, 9), inputs, index.size, dtype)
    joined = np.concatenate([*inputs, np.full((n, 1), 9, dtype)], axis=1)
    np.testing.assert_array_equal(got.codes, joined[:, index])


def test_gather_transposes(run_call, random_codes, rng):
    x = random_codes(rng, "int8", (2, 6, 7))
    index = np.arange(42).reshape(6, 7).T.ravel()
    got = run_call(GatherCall("int8", (42,), index, 0), [x], 42, "int8")
    np.testing.assert_array_equal(got.codes, x.transpose(0, 2, 1).reshape(2, 42))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_split_into_several_outputs(isa, random_codes, rng, dtype):
    counts, sizes, n = (5, 8), (3, 1, 9), 4
    index = rng.integers(-1, sum(counts), sum(sizes))
    op = kernels.bind(GatherCall(dtype, counts, index, 9, sizes), isa)
    inputs = [random_codes(rng, dtype, (n, c)) for c in counts]
    outputs = [np.empty((n, size), dtype) for size in sizes]
    width = np.dtype(dtype).itemsize
    program = kernels.Program([(op, (0, 1), (2, 3, 4))], [width * c for c in (*counts, *sizes)], [-1] * 5)
    program.run(dict(enumerate([*inputs, *outputs])), n, n, 1)
    joined = np.concatenate([*inputs, np.full((n, 1), 9, dtype)], axis=1)
    for got, part in zip(outputs, np.split(index, np.cumsum(sizes)[:-1]), strict=True):
        np.testing.assert_array_equal(got, joined[:, part])


def test_a_program_refuses_the_wrong_number_of_outputs(isa):
    op = kernels.bind(GatherCall("int8", (4,), np.arange(4), 0, (2, 2)), isa)
    with pytest.raises(ValueError, match="1 outputs given, 2 made"):
        kernels.Program([(op, (0,), 1)], [4, 2], [-1, -1])


def test_gather_refuses_too_many_inputs(refusal):
    assert "16 inputs" in refusal(GatherCall("int8", (1,) * 17, np.arange(17), 0))


@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 2)])
@pytest.mark.parametrize("pad", [(0, 0), (1, 2), (4, 4)])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_maximum_never_takes_padding(run_call, random_codes, rng, dtype, pad, dilation, stride, kernel):
    height, width, channels, lowest = 7, 6, 33, int(np.iinfo(dtype).min) + 2
    out = [
        (s + 2 * p - d * (k - 1) - 1) // j + 1
        for s, p, d, k, j in zip((height, width), pad, dilation, kernel, stride, strict=True)
    ]
    call = MaxPoolCall(
        dtype=dtype, height=height, width=width, channels=channels, out_height=out[0], out_width=out[1],
        kernel=kernel, stride=stride, dilation=dilation, pad=pad, lowest=lowest,
    )  # fmt: skip
    x = np.maximum(random_codes(rng, dtype, (3, height, width, channels)), np.dtype(dtype).type(lowest))
    padded = np.pad(x, ((0, 0), (pad[0],) * 2, (pad[1],) * 2, (0, 0)), constant_values=lowest)
    wanted = np.full((3, *out, channels), lowest, dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            rows = i * dilation[0] + stride[0] * np.arange(out[0])
            columns = j * dilation[1] + stride[1] * np.arange(out[1])
            wanted = np.maximum(wanted, padded[:, rows][:, :, columns])
    got = run_call(call, [x], wanted[0].size, dtype)
    np.testing.assert_array_equal(got.codes, wanted.reshape(3, -1))
