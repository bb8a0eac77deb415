"""Weight-stationary arrays whose weights stream from a memory of limited bandwidth, each tile behind the one before it.

A tile of R × C weights serves T rows of inputs, one a cycle, while the next one arrives, so that a tile takes
max(T, R, tile bytes / bytes a cycle) cycles. Model: TPU v1 (Jouppi and others, ISCA 2017): 256 × 256 units at 700 MHz,
B rows in B cycles, a tile in 256 cycles, weights at 30 GiB/s. Its abstract confirms the units and the peak; the other
figures are as commonly cited, and its tables by application were not at hand.
"""

from __future__ import annotations

from fractions import Fraction

from hwblocks.costs.systolic import Array, folds
from hwblocks.errors import TargetError
from hwblocks.graph.products import Gemm


def tile_cycles(gemm: Gemm, array: Array, bytes_per_cycle: Fraction, weight_bytes: int = 1) -> dict[str, Fraction]:
    """What one tile waits for, in cycles: computing (T), loading (R) and fetching (R · C · bytes / bytes a cycle).

    Edge tiles are filled up. Errors: TargetError for another dataflow than ws or no bandwidth.
    """
    if array.dataflow != "ws" or bytes_per_cycle <= 0:
        raise TargetError(
            f"streamed weights: dataflow {array.dataflow!r} at {bytes_per_cycle} bytes a cycle; needs ws, > 0"
        )
    fetch = Fraction(array.units * weight_bytes) / bytes_per_cycle
    return {"compute": Fraction(gemm.rows), "load": Fraction(array.rows), "weight-bandwidth": fetch}


def streamed_cycles(gemm: Gemm, array: Array, bytes_per_cycle: Fraction, weight_bytes: int = 1) -> Fraction:
    """R + C − 2 + tiles · the longest wait of a tile; the first tile is fetched before.

    >>> array = Array(256, 256, "ws", overlap="fold", load="hidden", psum="accumulator")
    >>> int(streamed_cycles(Gemm(2000, 512, 256), array, Fraction(46)))
    4510
    """
    longest = max(tile_cycles(gemm, array, bytes_per_cycle, weight_bytes).values())
    return array.rows + array.columns - 2 + folds(gemm, array).count * longest


def streamed_bound(gemm: Gemm, array: Array, bytes_per_cycle: Fraction, weight_bytes: int = 1) -> str:
    """Which wait of a tile is the longest: "compute", "load" or "weight-bandwidth"."""
    waits = tile_cycles(gemm, array, bytes_per_cycle, weight_bytes)
    return max(waits, key=lambda name: waits[name])


def attainable_tops(macs_per_byte: float, peak_tops: float, bytes_per_s: float) -> float:
    """The roofline: min(peak, 2 · products a byte · bytes a second), in 10¹² operations a second, 2 a product."""
    return min(peak_tops, 2 * macs_per_byte * bytes_per_s / 1e12)
