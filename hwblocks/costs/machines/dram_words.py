"""Words between DRAM and the buffers of a systolic array, by a named rule.

scalesim-replay: SCALE-Sim's CALC mode. Each operand's buffer is half active; a word that is not in the active half is
    fetched, and when the half is full, all of it is replaced. The stream of addresses is walked in order, or, where
    every word occurs once in a fold, solved in closed form; the two are equal.
once: every word of the operands that is used is read once, every result is written once.
tiled: an operand that is larger than half its buffer is read again for each fold of the other operand.

Source of the first: SCALE-Sim 3.0.0, CALC mode, restated and held against its reports (tests/costs/test_dram_words.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hwblocks.costs.machines.demand import ifmap_walk
from hwblocks.costs.machines.systolic import Array, folds
from hwblocks.errors import TargetError
from hwblocks.graph.plane import Gemm, PlaneConvolution
from hwblocks.numerics.kernels.replay import replay

SETS, ACTIVE_SETS = 100, 50
REPLAY = "scalesim-replay"


@dataclass(frozen=True)
class Demand:
    """A product, and how many words of its first operand it touches: all that traffic in closed form depends on."""

    gemm: Gemm
    touched_words: int


@dataclass(frozen=True)
class Buffers:
    """Words that the buffers of inputs and filters hold; a word is one stored element (1 byte at 8 bits)."""

    ifmap_words: int
    filter_words: int


@dataclass(frozen=True)
class DramWords:
    """Words read from and written to DRAM. partial_reads: partial sums read back, which SCALE-Sim leaves out."""

    ifmap_reads: int
    filter_reads: int
    ofmap_writes: int
    partial_reads: int


def active_words(buffer_words: int) -> int:
    """Words of the active half: 50 · ⌊words / 100⌋, as the buffer is managed in 100 sets.

    Errors: TargetError below 100 words.

    >>> active_words(64 * 1024)
    32750
    """
    if buffer_words < SETS:
        raise TargetError(
            f"a buffer of {buffer_words} words: replay needs at least {SETS}; enlarge it or use traffic 'once'"
        )
    return ACTIVE_SETS * (buffer_words // SETS)


def dram_words(layer: PlaneConvolution | Demand, array: Array, buffers: Buffers, rule: str) -> DramWords:
    """Words of one layer by a rule of RULES; results as psum says (see ofmap_words).

    Errors: TargetError for another rule, or for the replay of what is no convolution over an image.
    """
    if rule not in RULES:
        raise TargetError(f"traffic {rule!r}: it is one of {', '.join(RULES)}")
    if isinstance(layer, Demand) and rule == REPLAY:
        raise TargetError(f"{rule} walks the addresses of an image, not {layer}")
    ifmap, filters = RULES[rule](layer, array, buffers)
    return DramWords(ifmap, filters, *ofmap_words(layer, array))


def ofmap_words(layer: PlaneConvolution | Demand, array: Array) -> tuple[int, int]:
    """(written, read back): M·N and 0 for os or psum="accumulator"; else M·N·⌈K/R⌉ and M·N·(⌈K/R⌉ − 1)."""
    outputs = layer.gemm.rows * layer.gemm.columns
    if array.dataflow == "os" or array.psum == "accumulator":
        return outputs, 0
    depth_folds = folds(layer.gemm, array).rows
    return outputs * depth_folds, outputs * (depth_folds - 1)


def scalesim_dram_ofmap_writes(layer: PlaneConvolution, array: Array, buffer_words: int) -> int:
    """SCALE-Sim's "DRAM OFMAP Writes": in many layers C − 1 more than the results.

    Its buffer drains when half of it, D words, and one more are written, in lines of C. Where C divides D, that one
    word is left in a line of its own, padded; the padding is counted when the line drains before others: once in a
    layer, if more than D + 1 results are written and a drain is longer than one line.
    """
    written, half = ofmap_words(layer, replace(array, psum="dram"))[0], buffer_words // 2
    padded = half % array.columns == 0 and half > array.columns and written > half + 1
    return written + (array.columns - 1 if padded else 0)


def once_words(layer: PlaneConvolution | Demand, array: Array, buffers: Buffers) -> tuple[int, int]:
    """(words of the image that lie in a window, K·N)."""
    return layer.touched_words, layer.gemm.depth * layer.gemm.columns


def tiled_words(layer: PlaneConvolution | Demand, array: Array, buffers: Buffers) -> tuple[int, int]:
    """Reads by the order of the folds, those of rows inside those of columns.

    os: ifmap · ⌈N/C⌉, unless the image fits half its buffer; filter · ⌈M/R⌉, unless the K·C words of a fold of columns
    fit, which that many folds in a row use. ws: ifmap · ⌈N/C⌉ unless it fits; filter once, it is loaded once. is: ifmap
    once; filter · ⌈M/C⌉ unless it fits.
    """
    gemm, along = layer.gemm, folds(layer.gemm, array)
    ifmap, filters = once_words(layer, array, buffers)
    ifmap_again = along.columns if 2 * ifmap > buffers.ifmap_words else 1
    if array.dataflow == "ws":
        return ifmap * ifmap_again, filters
    if array.dataflow == "is":
        return ifmap, filters * (along.columns if 2 * filters > buffers.filter_words else 1)
    slice_words = gemm.depth * min(array.columns, gemm.columns)
    return ifmap * ifmap_again, filters * (along.rows if 2 * slice_words > buffers.filter_words else 1)


def replay_words(layer: PlaneConvolution, array: Array, buffers: Buffers) -> tuple[int, int]:
    """Reads by replay."""
    ifmap_active, filter_active = active_words(buffers.ifmap_words), active_words(buffers.filter_words)
    return replay_ifmap(layer, array, ifmap_active), replay_filter(layer, array, filter_active)


def replay_ifmap(layer: PlaneConvolution, array: Array, capacity: int) -> int:
    """Words of the image that a buffer of `capacity` active words fetches.

    Below `capacity` used words nothing is ever dropped. Words of windows that do not overlap occur once in all folds
    of a pass, and so recur after all others.
    """
    used = layer.touched_words
    if used < capacity:
        return used
    if not layer.windows_overlap:
        passes = 1 if array.dataflow == "is" else folds(layer.gemm, array).columns
        return cyclic_fetches(used, passes, capacity, 0)[0]
    return replay(ifmap_walk(layer, array), capacity)


def replay_filter(layer: PlaneConvolution, array: Array, capacity: int) -> int:
    """Words of the filters that a buffer of `capacity` active words fetches, in closed form.

    os: the K·C words of each fold of columns are asked for ⌈M/R⌉ times in a row. ws: every word once. is: all words
    ⌈M/C⌉ times.
    """
    gemm, along = layer.gemm, folds(layer.gemm, array)
    if array.dataflow == "ws":
        return gemm.depth * gemm.columns
    if array.dataflow == "is":
        return cyclic_fetches(gemm.depth * gemm.columns, along.columns, capacity, 0)[0]
    total = held = 0
    for first in range(0, gemm.columns, array.columns):
        used = gemm.depth * min(array.columns, gemm.columns - first)
        count, held = cyclic_fetches(used, along.rows, capacity, held)
        total += count
    return total


def cyclic_fetches(distinct: int, repeats: int, capacity: int, held: int) -> tuple[int, int]:
    """(fetches, words held at the end) of `distinct` words asked for in turn, `repeats` times over.

    held: other words in the buffer at first. A cycle of at least `capacity` words is dropped before it comes back:
    every access fetches. A shorter one is dropped at most once, in its first turn, when it meets the words that were
    there; the capacity − held words fetched before that are fetched again in the second turn, and then all of them
    stay.
    """
    if distinct >= capacity:
        return distinct * repeats, (held + distinct * repeats) % capacity
    if held + distinct < capacity:
        return distinct, held + distinct
    if repeats == 1:
        return distinct, held + distinct - capacity
    return distinct + capacity - held, distinct


RULES: dict[str, Callable[[Any, Array, Buffers], tuple[int, int]]] = {
    REPLAY: replay_words,
    "once": once_words,
    "tiled": tiled_words,
}
