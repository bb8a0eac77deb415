"""Observer percentile: the range that all but a few outliers of each side lie in."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

from msgspec import Meta, Struct

from quantize.sketches import Sketch


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """percent: share of the elements that must lie below hi, and above lo; more than 50, at most 100."""

    percent: Annotated[float, Meta(gt=50, le=100)] = 99.99


def observe(sketch: Sketch, parameters: Parameters) -> tuple[float, float]:
    """hi: the lowest bin edge with at least `percent` % of the elements below it; lo: the highest with that
    many above.

    Edges are those of the histogram's bins, limited to the extremes that were seen. Counts are compared
    exactly.
    """
    histogram = sketch.histogram
    total = histogram.total
    needed = -(-Fraction(str(parameters.percent)) * total // 100)
    below = above = 0
    hi, lo = sketch.hi, sketch.lo
    for _, upper, count in histogram.bins():
        below += count
        if below >= needed:
            hi = min(upper, sketch.hi)
            break
    for lower, _, count in reversed(histogram.bins()):
        above += count
        if above >= needed:
            lo = max(lower, sketch.lo)
            break
    return lo, hi
