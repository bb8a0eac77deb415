"""Area without a technology: multipliers in units of one of 8 × 8 bits, and in full-adder cells."""

from __future__ import annotations


def mul8_equivalents(a_bits: int, b_bits: int) -> float:
    """Area of an a × b-bit multiplier in multipliers of 8 × 8 bits: a · b / 64.

    >>> mul8_equivalents(8, 4), mul8_equivalents(16, 16)
    (0.5, 4.0)
    """
    return a_bits * b_bits / 64


def full_adder_cells(a_bits: int, b_bits: int, accumulator_bits: int = 0) -> int:
    """Full-adder cells of an array multiplier, a · (b − 1), and of the adder behind it, one for each accumulator bit.

    Of unsigned operands, b − 1 rows of a cells add up b partial products; signed ones (Baugh-Wooley) differ by a few
    cells. AND gates of the partial products are not counted.

    >>> full_adder_cells(8, 8, 32)
    88
    """
    return a_bits * (b_bits - 1) + accumulator_bits
