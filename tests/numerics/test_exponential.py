"""e^x and ln x by sums and products: near the true value, which decimal arithmetic gives, and exact at the ends."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np

from hwblocks.numerics.exponential import natural_log, power_of_e, sum_in_order

DIGITS = 40


def units_off(got, wanted, least=0.0):
    """|got − wanted| in units in the last place of the wanted value, or in `least` where that is more."""
    unit = max(float(np.spacing(abs(float(wanted)))), least)
    return float(abs(Decimal(float(got)) - wanted) / Decimal(unit))


def test_powers_are_within_two_units():
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-708, 709, 2000), rng.uniform(-2, 2, 2000), rng.uniform(-1e-9, 1e-9, 100), [0.0]])
    with localcontext() as context:
        context.prec = DIGITS
        assert max(units_off(got, Decimal(v).exp()) for v, got in zip(x.tolist(), power_of_e(x))) < 2


def test_powers_at_the_ends():
    x = np.array([0.0, -0.0, np.inf, -np.inf, -708.5, 709.5, np.nan, np.log(2.0) / 2, -708.0, 709.0])
    got = power_of_e(x)
    np.testing.assert_array_equal(got[:6], [1, 1, np.inf, 0, 0, np.inf])
    assert np.isnan(got[6])
    assert (np.isfinite(got[7:]) & (got[7:] > 0)).all()


def test_logarithms_are_within_two_units():
    rng = np.random.default_rng(2)
    x = np.concatenate(
        [rng.uniform(1, 4, 2000), rng.uniform(0.5, 1.5, 2000), np.exp(rng.uniform(-700, 700, 2000)), [1]]
    )
    with localcontext() as context:
        context.prec = DIGITS
        pairs = zip(x.tolist(), natural_log(x))
        assert max(units_off(got, Decimal(v).ln(), 2.0**-53) for v, got in pairs) < 2.5
    assert natural_log(np.array([1.0]))[0] == 0


def test_sums_go_from_the_first_to_the_last():
    x = np.random.default_rng(3).normal(size=(3, 100, 2)) * 1e9
    for i, j in np.ndindex(3, 2):
        total = 0.0
        for value in x[i, :, j].tolist():
            total += value
        assert sum_in_order(x, 1)[i, 0, j] == total
    np.testing.assert_array_equal(sum_in_order(x, -2), sum_in_order(x, 1))
