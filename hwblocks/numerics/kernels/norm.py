"""Normalization by statistics of the data as one call: layer, RMS, group, instance and p-norms."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hwblocks.numerics.kernels.limited import Limited
from hwblocks.numerics.rounding import Rounding


@dataclass(frozen=True, eq=False, kw_only=True)
class NormCall(Limited):
    """y = round(gain · quotient + offset) + zero_point, limited, for one sample x [outer, rows, groups, width].

    Elements of one group lie along rows and width. d = K · x − Σ x of its K elements where `centred`, else x, with
    x_zero taken off. The quotient is d over a divisor, with S = Σ d²:

        root        √(S / count + eps) + more, not rounded
        sizes       Σ |d|, not rounded
        whole_root  ⌊√V⌋ with V = ⌊S / count⌋ + half_up(eps), at least 1, the quotient to `fraction_bits`
        newton      the reciprocal root of V by `steps` Newton steps, the quotient to `fraction_bits`

    0 over 0 is 0. gain, offset: of `period` = len(gain) elements, in steps of the output; they repeat.
    """

    x_dtype: str
    x_zero: int
    outer: int
    rows: int
    groups: int
    width: int
    centred: bool
    divisor: str
    count: int
    eps: Fraction = Fraction(0)
    more: Fraction = Fraction(0)
    fraction_bits: int
    steps: int
    gain: tuple[Fraction, ...]
    offset: tuple[Fraction, ...]
    rounding: Rounding
    zero_point: int

    @property
    def elements(self) -> int:
        """K of a group."""
        return self.rows * self.width
