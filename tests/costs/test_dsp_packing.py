"""Packing of products in DSP blocks: by brute force that it is arithmetically right, tight, and what vendors state."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest

from hwblocks.costs.machines.dsp_packing import (
    Operand,
    Packing,
    chunks,
    engine_dsps,
    field_bits,
    fits,
    packed,
    packings,
    products_per_dsp,
    signed_bits,
    unpacked,
)
from hwblocks.errors import TargetError
from hwblocks.targets.fpga_kinds import DspBlock, DspMode

DSP48E2 = DspBlock(modes={"multiply": DspMode(wide_bits=27, narrow_bits=18, result_bits=48)})
DSP58 = DspBlock(
    modes={
        "multiply": DspMode(wide_bits=27, narrow_bits=24, result_bits=58),
        "dot": DspMode(wide_bits=9, narrow_bits=8, result_bits=58, multipliers=3, summed=True),
    }
)
AGILEX = DspBlock(
    modes={
        "two": DspMode(wide_bits=19, narrow_bits=18, result_bits=37, multipliers=2),
        "one": DspMode(wide_bits=27, narrow_bits=27, result_bits=64),
        "four": DspMode(wide_bits=9, narrow_bits=9, result_bits=64, multipliers=4, summed=True),
    }
)


def with_sums(block, accumulations):
    return DspBlock(modes=block.modes, accumulations=accumulations)


def values(operand):
    low, high = operand.range
    return range(low, high + 1)


def test_ranges_of_numbers():
    for low, high in itertools.product(range(-20, 1), range(0, 20)):
        bits = signed_bits(low, high)
        assert -(1 << (bits - 1)) <= low and high < 1 << (bits - 1)
        assert bits == 1 or low < -(1 << (bits - 2)) or high >= 1 << (bits - 2)


SMALL = [
    (Operand(a, s), Operand(b, t))
    for a, b, s, t in itertools.product((1, 2, 3), (2, 3), (True, False), (True, False))
    if a > 1 or not s
]


@pytest.mark.parametrize(("x", "y"), SMALL)
@pytest.mark.parametrize("mode", [DspMode(wide_bits=14, narrow_bits=9, result_bits=22)])
def test_every_product_of_every_packing_comes_back(mode, x, y):
    found = [p for p in packings(mode, x, y) if (p.wide + p.narrow) * max(x.bits, y.bits) <= 13]
    assert found
    for made in found:
        for xs in itertools.product(values(x), repeat=made.wide):
            wide = packed(xs, made.pitch * made.narrow)
            assert -(1 << 13) <= wide < 1 << 13
            for ys in itertools.product(values(y), repeat=made.narrow):
                result = wide * packed(ys, made.pitch)
                assert -(1 << 21) <= result < 1 << 21
                assert unpacked(result, made, x.signed or y.signed) == [a * b for a in xs for b in ys]


@pytest.mark.parametrize(("x", "y"), SMALL)
@pytest.mark.parametrize("sums", [1, 2, 3, 5])
def test_fields_are_as_narrow_as_sums_allow(x, y, sums):
    pitch = field_bits(x, y, sums)
    reach = {sums * a * b for a in values(x) for b in values(y)}
    signed = x.signed or y.signed

    def right(width):
        made = Packing(2, 1, width)
        return all(unpacked(packed([v, w], width), made, signed) == [v, w] for v in reach for w in reach)

    assert right(pitch)
    assert pitch == 1 or not right(pitch - 1)


def test_sums_of_extremes_stay_in_their_fields():
    x, w = Operand(8), Operand(8)
    made = next(p for p in packings(DSP48E2.modes["multiply"], w, x, 7) if p.products == 2)
    assert made == Packing(2, 1, 18)
    for high, low, shared in itertools.product((-128, -1, 0, 127), repeat=3):
        total = sum(packed([low, high], made.pitch) * shared for _ in range(7))
        assert unpacked(total, made) == [7 * low * shared, 7 * high * shared]
    eighth = sum(packed([-128, 0], 18) * -128 for _ in range(8))
    assert unpacked(eighth, made) != [8 * 128 * 128, 0]  # the eighth leaves 18 bits: WP486 allows seven


def rate(block, a, w, sums=1, **signs):
    x, y = Operand(a, signs.get("a_signed", True)), Operand(w)
    return products_per_dsp(with_sums(block, sums), x, y)


def test_what_vendors_state():
    assert rate(DSP48E2, 8, 8, 7) == 2  # WP486: two 8-bit products share an operand, seven are summed
    assert rate(DSP48E2, 8, 8, 8) == 1
    assert rate(DSP48E2, 4, 4, 7) == rate(DSP48E2, 4, 4, a_signed=False) == 4  # WP521
    assert rate(DSP58, 8, 8, 7) == rate(DSP58, 9, 8) == 3  # AM004: three of 9 × 8
    assert rate(AGILEX, 8, 8) == rate(AGILEX, 9, 9) == 4  # four of 9 × 9
    assert rate(AGILEX, 16, 16) == rate(AGILEX, 19, 18) == 2
    assert rate(AGILEX, 27, 27) == 1


def test_wide_products_take_several_blocks():
    assert rate(DSP48E2, 16, 16) == rate(DSP48E2, 27, 18) == 1
    assert rate(DSP48E2, 24, 24) == Fraction(1, 2)
    assert rate(DSP48E2, 32, 32) == Fraction(1, 4)
    assert rate(AGILEX, 54, 54) == Fraction(1, 6)  # 3 × 4 pieces of 19 × 18, lower ones a bit narrower, two a block
    assert (chunks(Operand(27), 27), chunks(Operand(53), 27), chunks(Operand(54), 27)) == (1, 2, 3)


@pytest.mark.parametrize("bits", [19, 20, 21])
def test_pieces_of_wide_operands_give_the_product(bits):
    port = 7
    pieces = chunks(Operand(bits), port)
    for value in (-(1 << (bits - 1)), -1, 0, 12345, (1 << (bits - 1)) - 1):
        low = [(value >> (i * (port - 1))) & ((1 << (port - 1)) - 1) for i in range(pieces - 1)]
        top = value >> ((pieces - 1) * (port - 1))
        assert -(1 << (port - 1)) <= top < 1 << (port - 1)
        assert sum(v << (i * (port - 1)) for i, v in enumerate([*low, top])) == value


def test_sums_alone_cannot_make_wide_products():
    dots = DspBlock(modes={"dot": DSP58.modes["dot"]})
    assert rate(dots, 8, 8) == 3
    for make in (lambda: rate(dots, 16, 8), lambda: engine_dsps(dots, Operand(16), Operand(8), 2, 2)):
        with pytest.raises(TargetError, match=r"\(dot\) multiplies 16 × 8 bits: their products are summed"):
            make()


def test_narrower_products_never_make_fewer():
    for block in (DSP48E2, DSP58, AGILEX):
        rates = {(a, w): rate(block, a, w, 4) for a in range(2, 20) for w in range(2, 20)}
        for (a, w), value in rates.items():
            assert value == rates[w, a]
            assert value <= rates.get((a - 1, w), value)


def test_no_better_packing_is_missed():
    mode, x, y = DSP48E2.modes["multiply"], Operand(3), Operand(2)
    best = max(p.products for p in packings(mode, x, y))
    pitch = field_bits(x, y)
    every = [Packing(i, j, pitch) for i in range(1, 20) for j in range(1, 20)]
    assert best == max(p.products for p in every if fits(mode, p, x, y))


def test_engines():
    a, w = Operand(8), Operand(8)
    assert engine_dsps(with_sums(DSP48E2, 7), a, w, 4, 6) == 12  # two rows of weights share an activation
    assert engine_dsps(with_sums(DSP48E2, 7), a, w, 3, 6) == 12
    assert engine_dsps(with_sums(DSP48E2, 7), a, w, 4, 6, pack=False) == 24
    assert engine_dsps(DSP58, a, w, 4, 7) == 12  # FINN's PE · ⌈SIMD / 3⌉
    assert engine_dsps(DSP48E2, Operand(32), Operand(32), 2, 2) == 16
    assert engine_dsps(AGILEX, Operand(16), Operand(16), 2, 3) == 3
