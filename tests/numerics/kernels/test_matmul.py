"""MatmulCall: products of two run-time operands equal exact int64 products on every ISA."""

from __future__ import annotations

import numpy as np
import pytest

from hwblocks.numerics.kernels.matmul import MatmulCall


@pytest.fixture
def matmul_call():
    def make(a_dtype, b_dtype, batch, b_batch, m, k, n, a_zero=0, b_zero=0):
        reach = 1
        for dtype, zero in ((a_dtype, a_zero), (b_dtype, b_zero)):
            limits = np.iinfo(dtype)
            reach *= max(int(limits.max) - zero, zero - int(limits.min))
        bound = reach * k
        return MatmulCall(
            a_dtype=a_dtype, a_zero=a_zero, b_dtype=b_dtype, b_zero=b_zero, batch=batch, b_batch=b_batch, m=m, k=k,
            n=n, bound=bound, accumulator_bits=64, out_dtype="int32" if bound < 1 << 31 else "int64", epilogue=None,
        )  # fmt: skip

    return make


def assert_products(run_call, random_codes, rng, call, samples, kind="any"):
    a = random_codes(rng, call.a_dtype, (samples, call.batch, call.m, call.k), kind)
    b = random_codes(rng, call.b_dtype, (samples, call.b_batch, call.k, call.n), kind)
    wanted = (a.astype(np.int64) - call.a_zero) @ (b.astype(np.int64) - call.b_zero)
    got = run_call(call, [a, b], call.batch * call.m * call.n, call.out_dtype)
    np.testing.assert_array_equal(got.codes, wanted.reshape(samples, -1))


@pytest.mark.parametrize("samples", [1, 3, 7])
@pytest.mark.parametrize(("batch", "b_batch"), [(1, 1), (3, 3), (4, 1)])
@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (6, 2, 16), (7, 5, 17), (5, 33, 15), (13, 8, 40)])
def test_shapes(run_call, matmul_call, random_codes, rng, samples, batch, b_batch, m, k, n):
    call = matmul_call("int8", "int8", batch, b_batch, m, k, n)
    assert_products(run_call, random_codes, rng, call, samples)


@pytest.mark.parametrize("kind", ["any", "lowest", "highest", "ends"])
@pytest.mark.parametrize(
    ("a", "b", "zeros"),
    [
        ("int8", "uint8", (127, 255)),
        ("uint8", "int8", (0, -128)),
        ("int16", "int8", (0, 5)),
        ("int16", "int16", (0, 0)),
    ],
)
def test_types(run_call, matmul_call, random_codes, rng, a, b, zeros, kind):
    call = matmul_call(a, b, 2, 2, 7, 301, 18, *zeros)
    assert_products(run_call, random_codes, rng, call, 2, kind)
