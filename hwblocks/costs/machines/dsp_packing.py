"""Products that a DSP block makes in a cycle, as a function of the widths: packed fields, dot products, wide operands.

Several operands share one multiplier when they lie `pitch` bits apart: (b·2ˢ + a) · c = b·c·2ˢ + a·c. Packed on both
ports they give the outer product. A field must hold the sum of all products added into it; where a lower field is
negative it borrows 1 from the next, which `unpacked` gives back.

Sources of the method: Xilinx WP486 (two 8-bit products in a DSP48E2), WP521 (four of 4 bits).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache
from itertools import count, product
from typing import NamedTuple

from hwblocks.errors import TargetError
from hwblocks.targets.fpga_kinds import DspBlock, DspMode


class Operand(NamedTuple):
    """Integers of a width."""

    bits: int
    signed: bool = True

    @property
    def range(self) -> tuple[int, int]:
        """(least, greatest)."""
        return (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1) if self.signed else (0, (1 << self.bits) - 1)


class Packing(NamedTuple):
    """wide × narrow operands on the two ports of a multiplier, `pitch` bits from field to field of the result."""

    wide: int
    narrow: int
    pitch: int

    @property
    def products(self) -> int:
        """Fields of the result."""
        return self.wide * self.narrow


def signed_bits(low: int, high: int) -> int:
    """Bits of the narrowest two's complement number that holds [low, high].

    >>> signed_bits(-128, 127), signed_bits(0, 128)
    (8, 9)
    """
    return max(high.bit_length() if high > 0 else 0, (~low).bit_length() if low < 0 else 0) + 1


def product_range(x: Operand, y: Operand, accumulations: int = 1) -> tuple[int, int]:
    """(least, greatest) sum of so many products."""
    corners = [a * b for a, b in product(x.range, y.range)]
    return accumulations * min(corners), accumulations * max(corners)


def field_bits(x: Operand, y: Operand, accumulations: int = 1) -> int:
    """Bits of a field that holds the sum of so many products.

    >>> field_bits(Operand(8), Operand(8)), field_bits(Operand(8), Operand(8), 7), field_bits(Operand(8), Operand(8), 8)
    (16, 18, 19)
    """
    low, high = product_range(x, y, accumulations)
    return signed_bits(low, high) if low < 0 else max(high.bit_length(), 1)


def packed_range(low: int, high: int, fields: int, pitch: int) -> tuple[int, int]:
    """(least, greatest) number made of fields of this range."""
    ones = sum(1 << (pitch * i) for i in range(fields))
    return low * ones, high * ones


def fits(mode: DspMode, made: Packing, x: Operand, y: Operand, accumulations: int = 1) -> bool:
    """True where both packed operands fit their ports and the sum of the products fits the result."""
    low, high = product_range(x, y, accumulations)
    return (
        signed_bits(*packed_range(*x.range, made.wide, made.pitch * made.narrow)) <= mode.wide_bits
        and signed_bits(*packed_range(*y.range, made.narrow, made.pitch)) <= mode.narrow_bits
        and signed_bits(*packed_range(low, high, made.products, made.pitch)) <= mode.result_bits
    )


def packings(mode: DspMode, x: Operand, y: Operand, accumulations: int = 1) -> Iterable[Packing]:
    """Every packing of x on the wide and y on the narrow port."""
    summed = accumulations * (mode.multipliers if mode.summed else 1)
    pitch = field_bits(x, y, summed)
    for narrow in count(1):
        if not fits(mode, Packing(1, narrow, pitch), x, y, summed):
            return
        for wide in count(1):
            made = Packing(wide, narrow, pitch)
            if not fits(mode, made, x, y, summed):
                break
            yield made


def packed(values: Sequence[int], pitch: int) -> int:
    """The number whose fields, `pitch` bits apart, are these values, the first lowest."""
    return sum(value << (pitch * i) for i, value in enumerate(values))


def unpacked(number: int, made: Packing, signed: bool = True) -> list[int]:
    """The fields of a result: wide operand i times narrow operand j stands at i · narrow + j.

    A field's sign is taken out before the next one is read: that is the correction of a borrow.

    >>> p = Packing(2, 1, 16)
    >>> unpacked(packed([-3, 5], 16) * -7, p)
    [21, -35]
    """
    fields = []
    for _ in range(made.products):
        field = number & ((1 << made.pitch) - 1)
        if signed and field >> (made.pitch - 1):
            field -= 1 << made.pitch
        fields.append(field)
        number = (number - field) >> made.pitch
    return fields


def chunks(x: Operand, port_bits: int) -> int:
    """Pieces of an operand that a port takes: the top one signed, those below unsigned, so a bit narrower.

    >>> chunks(Operand(16), 18), chunks(Operand(32), 18), chunks(Operand(18, False), 18)
    (1, 2, 2)
    """
    bits = x.bits if x.signed else x.bits + 1
    return max(-(-(bits - 1) // (port_bits - 1)), 1)


@cache
def plain(mode: DspMode, x: Operand, y: Operand) -> Fraction:
    """Products of a mode in a cycle, one for each multiplier at most: 1 / n where a product takes n of them.

    Pieces of a product lie at different places, so that a mode which sums its products makes 0 of them.
    """
    pieces = chunks(x, mode.wide_bits) * chunks(y, mode.narrow_bits)
    return Fraction(0) if mode.summed and pieces > 1 else Fraction(mode.multipliers, pieces)


def products_per_dsp(dsp: DspBlock, x: Operand, y: Operand, pack: bool = True) -> Fraction:
    """Products of x and y that a DSP block makes in a cycle, in its best mode; 1 / n where a product takes n blocks.

    pack=False: one product a multiplier.
    Errors: TargetError where all modes sum their products and none is wide enough.
    """
    best = Fraction(0)
    for mode, (a, b) in product(dsp.modes.values(), ((x, y), (y, x))):
        best = max(best, plain(mode, a, b))
        if pack:
            fields = max((p.products for p in packings(mode, a, b, dsp.accumulations)), default=0)
            best = max(best, Fraction(fields * mode.multipliers))
    return best or _refused(dsp, x, y)


def _refused(dsp: DspBlock, x: Operand, y: Operand) -> Fraction:
    """Errors: TargetError, since no mode takes operands so wide, and none lets their pieces apart."""
    raise TargetError(
        f"no mode of the DSP block ({', '.join(dsp.modes)}) multiplies {x.bits} × {y.bits} bits: their products are "
        "summed; state a mode that is not - at `$.dsp.modes`"
    )


@cache
def shared(mode: DspMode, x: Operand, w: Operand, accumulations: int) -> int:
    """Operands w that share one x in a multiplier: 1 where nothing is packed."""
    on_wide = (p.wide for p in packings(mode, w, x, accumulations) if p.narrow == 1)
    on_narrow = (p.narrow for p in packings(mode, x, w, accumulations) if p.wide == 1)
    return max(*on_wide, *on_narrow, 1, 1)


def engine_dsps(dsp: DspBlock, x: Operand, w: Operand, pe: int, simd: int, pack: bool = True) -> int:
    """DSP blocks of pe × simd multipliers: the weights of pe rows share an activation, simd products are summed.

    k weights to an activation: ⌈pe / k⌉ · simd multipliers; a mode that sums m products takes them from one row:
    ⌈pe / k⌉ · ⌈simd / m⌉ blocks.
    """
    counts = []
    products_per_dsp(dsp, x, w, pack=False)  # refused where no mode takes the widths
    for mode in dsp.modes.values():
        rate = max(plain(mode, x, w), plain(mode, w, x))
        rows = -(-pe // shared(mode, x, w, dsp.accumulations)) if pack else pe
        if rate and mode.summed:
            counts.append(rows * -(-simd // mode.multipliers))
        elif rate:
            pieces = mode.multipliers / rate
            counts.append(-(-rows * simd * pieces // mode.multipliers))
    return int(min(counts))
