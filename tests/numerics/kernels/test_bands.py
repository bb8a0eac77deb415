"""One sample shared between threads: bands of output rows equal exact int64 sums on every ISA, whatever the geometry."""

from __future__ import annotations

import numpy as np
import pytest

from hwblocks.numerics import kernels

THREADS = (2, 3, 5, 16)


@pytest.fixture
def assert_bands(isa, conv_sums, random_codes):
    """assert_bands(rng, call): one sample in bands of a product and more, by several numbers of threads."""

    def check(rng, call):
        x = random_codes(rng, call.x_dtype, (1, call.height, call.width, call.channels))
        wanted = conv_sums(x, call)
        op = kernels.bind(call, isa)
        assert not isinstance(op, str), op
        guarded = np.full((3, *wanted.shape[1:]), 77, call.out_dtype)
        program = kernels.Program([(op, (0,), 1)], [x.nbytes, guarded[0].nbytes], [-1, -1])
        for threads in THREADS:
            guarded[1] = 0
            prepared = program.prepare({0: x, 1: guarded[1]}, 1, 1, 2, threads=threads, split=1)
            prepared.run(0, 1)
            np.testing.assert_array_equal(guarded[1], wanted[0], err_msg=f"{threads} threads, {call}")
            assert prepared.counts() == [(0, 0, wanted.min(), wanted.max())]
            assert (guarded[::2] == 77).all(), "written outside the output"

    return check


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
@pytest.mark.parametrize("kernel", [(1, 1), (1, 3), (3, 1), (2, 5), (5, 5)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (3, 2)])
def test_geometry(assert_bands, conv_call, rng, dtype, kernel, stride):
    for dilation, pad, after in (((1, 1), (0, 0), (0, 0)), ((2, 1), (1, 2), (2, 0)), ((1, 2), (4, 5), (4, 5))):
        some = {"kernel": kernel, "stride": stride, "dilation": dilation, "pad": pad, "after": after}
        assert_bands(rng, conv_call(rng, dtype, height=11, width=12, channels=4, outputs=9, w_peak=20, **some))


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
def test_depthwise(assert_bands, conv_call, rng, dtype, stride, multiplier):
    for kernel, dilation, pad in (
        ((3, 3), (1, 1), (1, 1)),
        ((4, 2), (1, 1), (0, 1)),
        ((3, 3), (2, 1), (3, 1)),
        ((1, 5), (1, 1), (0, 2)),
    ):
        some = {"kernel": kernel, "stride": stride, "dilation": dilation, "pad": pad, "after": pad}
        call = conv_call(
            rng, dtype, height=13, width=9, channels=18, outputs=18 * multiplier, groups=18, w_peak=20, **some
        )
        assert_bands(rng, call)


@pytest.mark.parametrize(("channels", "outputs", "groups"), [(4, 6, 2), (9, 3, 3), (10, 40, 2)])
def test_groups(assert_bands, conv_call, rng, channels, outputs, groups):
    assert_bands(rng, conv_call(rng, height=8, channels=channels, outputs=outputs, groups=groups))


@pytest.mark.parametrize("rows", [1, 2, 7, 49])
def test_rows_of_a_product(assert_bands, conv_call, rng, rows):
    some = {"kernel": (1, 1), "pad": (0, 0), "after": (0, 0)}
    assert_bands(rng, conv_call(rng, height=rows, width=1, channels=33, outputs=20, x_zero=3, **some))
    assert_bands(rng, conv_call(rng, "int16", height=rows, width=1, channels=40, outputs=5, w_peak=1 << 15, **some))
