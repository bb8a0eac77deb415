"""Block RAM, URAM and LUTs of the engines of a folded dataflow, by the estimates of FINN.

Source: Xilinx/finn @39f0c9a6, src/finn/custom_op/fpgadataflow: matrixvectoractivation.py (bram_estimation,
uram_estimation), hls/matrixvectoractivation_hls.py (lut_estimation), rtl/convolutioninputgenerator_rtl.py; the LUT
formula is that of Blott et al., FINN-R, 2018.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from hwblocks.graph.window import Window

# (widest word, words) of a block of 18 Kib with one write and one read port (UG573, table 1-10)
SHAPES = ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512))
FIXED_LUTS, LUT_SCALE = 300, 1.1  # FINN-R, fitted on its engines
LUTRAM_WORDS = 64  # of one bit in a LUT
SMALL_DEPTH = 128  # memories up to this deep go to LUTs where the style is "auto"


@dataclass(frozen=True)
class Resources:
    """What an engine takes of a device."""

    dsps: int = 0
    luts: int = 0
    bram18: int = 0
    uram: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def to_dict(self) -> dict[str, int]:
        """The counts by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def block_rams(width: int, depth: int) -> int:
    """Blocks of 18 Kib for a memory of `depth` words of `width` bits.

    Words of 19 bits and more that are at most 512 deep take blocks of 36 bits, deeper ones of 18.

    >>> block_rams(8, 2048), block_rams(72, 512), block_rams(72, 513), block_rams(1, 16385)
    (1, 2, 4, 2)
    """
    for widest, words in SHAPES:
        if width <= widest or (widest == 18 and depth > 512):
            return math.ceil(depth / words) * math.ceil(width / widest)
    return math.ceil(depth / 512) * math.ceil(width / 36)


def ultra_rams(width: int, depth: int) -> int:
    """URAMs of 4096 words of 72 bits.

    >>> ultra_rams(73, 4096), ultra_rams(72, 4097)
    (2, 2)
    """
    return math.ceil(width / 72) * math.ceil(depth / 4096)


def weight_memory(style: str, width: int, depth: int) -> Resources:
    """A memory of weights: in block RAM, URAM or LUTs ("distributed"); "auto": LUTs up to 128 words, else block RAM."""
    if style == "distributed" or (style == "auto" and depth <= SMALL_DEPTH):
        return Resources(luts=width * math.ceil(depth / LUTRAM_WORDS))
    if style == "ultra":
        return Resources(uram=ultra_rams(width, depth))
    return Resources(bram18=block_rams(width, depth))


def multiplier_luts(a_bits: int, w_bits: int) -> int:
    """LUTs of one multiplier: (2 · ⌈(w + a) / 6⌉ − 1) · (w + a)."""
    both = a_bits + w_bits
    return (2 * math.ceil(both / 6) - 1) * both


def least_accumulator_bits(a_bits: int, w_bits: int, depth: int, signed: bool = True) -> int:
    """Bits that hold any sum of `depth` products: ⌈α + log₂(1 + 2^−α) + 1⌉, α = log₂ depth + w + a − 1 − [a signed].

    Source: Colbert et al., arXiv 2301.13376, as in FINN.
    """
    alpha = math.log2(depth) + w_bits + a_bits - 1 - int(signed)
    return math.ceil(alpha + math.log2(1 + 2**-alpha) + 1)


def engine_luts(pe: int, simd: int, widths: tuple[int, int, int], in_luts: bool) -> float:
    """LUTs of pe rows of simd multipliers: 300 + 1.1 · pe · (multipliers + adder tree + accumulator).

    widths: of activations, weights and accumulator. in_luts: the multipliers are LUTs too.
    """
    a, w, accumulator = widths
    multipliers = simd * multiplier_luts(a, w) if in_luts else 0
    tree = (a + w) * (2 * simd - 1)
    return FIXED_LUTS + LUT_SCALE * pe * (multipliers + tree + accumulator)


def threshold_luts(pe: int, out_bits: int, accumulator_bits: int, depth: int) -> float:
    """LUTs of 2^out − 1 comparators a row and of their thresholds, `depth` channels each."""
    steps = (1 << out_bits) - 1
    return LUT_SCALE * pe * steps * accumulator_bits * (1 + math.ceil(depth / LUTRAM_WORDS))


def window_depth(window: Window, folds: int) -> int:
    """Words of the buffer before an engine over windows: the lines and pixels between first and last tap.

    window: over two axes. folds: words of a pixel.
    """
    (k_h, k_w), (d_h, d_w), (s_h, s_w), width = window.kernel, window.dilation, window.stride, window.input[1]
    least = ((k_h - 1) * d_h * width + (k_w - 1) * d_w + 1) * folds
    ahead = max(0, s_w - 1 - k_h * k_w) + max(0, (s_h - 1) * width - k_h * k_w)
    return least + ahead * folds


def window_cycles(window: Window, folds: int, depthwise: bool = False) -> int:
    """Cycles in which all windows leave the buffer word by word: its fill, then for each row of outputs the longer of
    writing the windows out and reading the lines in. Depthwise, channels leave one after the other, so that strides
    skip words of all the others.
    """
    (k_h, k_w), (d_h, d_w), width = window.kernel, window.dilation, window.input[1]
    fill = ((k_h - 1) * d_h * width + (k_w - 1) * d_w + 1) * folds
    rows, columns = window.output
    s_h, s_w = window.stride
    row = max(columns * k_w * k_h * folds, s_w * width * folds)
    if depthwise:
        row += columns * (s_w - 1) * (folds - 1)
        fill += (s_h - 1) * width * folds
    return fill + rows * row


def window_memory(window: Window, simd: int, channels: int, bits: int) -> Resources:
    """The buffer of windows, in block RAM (LUTs up to 128 words), and 300 LUTs of control."""
    depth = window_depth(window, channels // simd)
    if depth <= SMALL_DEPTH:
        return Resources(luts=300 + simd * bits * math.ceil(depth / 38))
    return Resources(luts=300, bram18=_cascaded(simd * bits, depth))


def _cascaded(width: int, depth: int) -> int:
    """Blocks of the shape that holds the depth, 16,384 words and those left over apart."""
    whole, left = divmod(depth, 16384)
    return whole * width + (math.ceil(width / _widest(left)) if left else 0)


def _widest(depth: int) -> int:
    return next(widest for widest, words in reversed(SHAPES) if depth <= words)
