"""gemmlowp's arithmetic and LiteRT's tables against the vectors of the specification (verified against runtimes)."""

from __future__ import annotations

import numpy as np
import pytest

from hwblocks.numerics import gemmlowp, interpolation
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.formats import Format

LOWEST = -(1 << 31)


@pytest.mark.parametrize(
    ("a", "b", "product"),
    [
        (LOWEST, LOWEST, 2147483647),
        (LOWEST, 2147483647, -2147483647),
        (1, 1 << 30, 1),
        (-1, 1 << 30, 0),
        (-3, 1 << 30, -1),
        (123456789, -987654321, -56779306),
    ],
)
def test_high_products(a, b, product):
    assert int(gemmlowp.high_product(a, b)) == product


@pytest.mark.parametrize(
    ("x", "n", "away", "up"),
    [(5, 1, 3, 3), (-5, 1, -3, -2), (6, 2, 2, 2), (-6, 2, -2, -1), (-10, 2, -3, -2), (1234567, 7, 9645, 9645)],
)
def test_rounding_shifts(x, n, away, up):
    assert (int(gemmlowp.shift_away(x, n)), int(gemmlowp.shift_up(x, n))) == (away, up)


EXPONENTIALS = {
    0: 2147483647,
    -1: 2147483124,
    -16777216: 1672462419,
    -67108864: 790015308,
    -123456789: 341177383,
    -1500000000: 0,
    LOWEST: 0,
}
CURVES = {
    0: (1073741824, 0),
    1: (1073741948, 260),
    -1: (1073741699, -260),
    134217728: (1569936226, 1635510876),
    -134217728: (577547421, -1635510876),
    400000000: (2043702304, 2136436644),
    -2000000000: (723, -2147483647),
}
CURVES_16 = {  # x: gemmlowp logistic, table logistic, gemmlowp tanh, table tanh
    0: (16384, 16384, 0, 0),
    1: (16384, 16386, 8, 8),
    -1: (16383, 16382, -8, -8),
    100: (16584, 16584, 792, 800),
    -100: (16183, 16184, -792, -800),
    1000: (18376, 18374, 7840, 7845),
    -1000: (14391, 14394, -7840, -7845),
    4096: (23952, 23956, 24964, 24956),
    -4096: (8815, 8812, -24964, -24956),
    12345: (31236, 31234, 32616, 32611),
    -12345: (1531, 1534, -32616, -32611),
    32767: (32756, 32757, 32767, 32767),
    -32768: (11, 11, -32767, -32767),
}


def test_exponentials_and_curves_of_32_bits():
    assert {x: int(gemmlowp.exp_negative(x, 5)) for x in EXPONENTIALS} == EXPONENTIALS
    assert {x: (int(gemmlowp.logistic(x, 4)), int(gemmlowp.tanh(x, 4))) for x in CURVES} == CURVES


def test_curves_of_16_bits():
    x = np.array(list(CURVES_16))
    made = (
        gemmlowp.logistic(x, 3, 16),
        interpolation.table_logistic(x, 3, 0),
        gemmlowp.tanh(x, 3, 16),
        interpolation.table_tanh(x, 3, 0),
    )
    np.testing.assert_array_equal(np.stack(made, axis=1), list(CURVES_16.values()))


def test_inverse_roots_and_reciprocals():
    roots = {
        1: (2147483647, 0),
        2: (1518498372, 0),
        3: (1239850284, 0),
        100: (214748363, 0),
        65025: (269488147, -5),
        1000000: (274877901, -7),
        1073741824: (268435457, -12),
    }
    assert {v: gemmlowp.inverse_root(v) for v in roots} == roots
    reciprocals = {
        524288: (2147483647, 0),
        524289: (2147479552, 0),
        1572864: (1431655762, 1),
        1234567: (1823959182, 1),
        99999999: (1441151890, 7),
        1073741824: (2147483647, 11),
        777: (1415072882, -10),
    }
    assert {v: tuple(int(p) for p in gemmlowp.reciprocal(v, 12)) for v in reciprocals} == reciprocals


def test_leading_zeros():
    values = [0, 1, 2, 3, 255, 256, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]
    assert gemmlowp.leading_zeros(np.array(values)).tolist() == [32 - v.bit_length() for v in values]


def test_edge_rules():
    ties = np.array([0.5, 1.5, -0.5, -2.5, 300.0, -np.inf], np.float32)
    int8 = Format("int8", zero_point=1)
    assert EdgeRule().codes(ties, int8)[0].tolist() == [1, 3, 1, -1, 127, -128]
    assert EdgeRule.parse("half_away").codes(ties, int8)[0].tolist() == [2, 3, 0, -2, 127, -128]
    assert EdgeRule.parse("inside").codes(ties, int8)[0].tolist() == [2, 2, 0, -2, 127, -128]
    assert EdgeRule().codes(ties, int8)[1].tolist() == [False] * 4 + [True] * 2
    third = Format("int8", scale=float(np.float32(1 / 3)))
    x = np.arange(-50, 50, dtype=np.float32) * np.float32(0.37)
    exact = np.rint(x * (np.float32(1) / np.float32(1 / 3)))
    np.testing.assert_array_equal(EdgeRule.parse("reciprocal").codes(x, third)[0], np.clip(exact, -128, 127))
    for text in ("divide", "reciprocal half_away", "inside", "half_away affine"):
        assert EdgeRule.parse(str(EdgeRule.parse(text))) == EdgeRule.parse(text)
    np.testing.assert_array_equal(EdgeRule().reals(np.array([3], np.int8), int8), np.float32([2.0]))


def test_logarithms_are_those_of_the_reals():
    x = np.unique(np.concatenate([(1 << 19) + np.arange(2000), np.geomspace(1 << 19, (1 << 31) - 1, 5000).astype(int)]))
    made = gemmlowp.log_of_at_least_one(x, 12, 5) / 2.0**26
    assert np.abs(made - np.log(x / 2.0**19)).max() < 1e-7


def test_inverse_roots_of_arrays_are_the_vectors_of_the_specification():
    m, e = gemmlowp.inverse_root(np.array([[0, 1, 2], [100, 65025, 1 << 30]]))
    np.testing.assert_array_equal(m, [[2147483647, 2147483647, 1518498372], [214748363, 269488147, 268435457]])
    np.testing.assert_array_equal(e, [[0, 0, 0], [0, -5, -12]])
