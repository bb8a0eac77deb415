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
    """The range outside of which at most 100 − percent % of the elements lie, on either side.

    hi: the lowest bin edge with at least `percent` % of the elements below it; lo: the highest with that many
    above. Edges are those of the histogram's bins, limited to the extremes that were seen. Counts are
    compared exactly.
    """
    bins = sketch.histogram.bins()
    needed = -(-Fraction(str(parameters.percent)) * sketch.histogram.total // 100)
    hi = _crossing([(upper, count) for _, upper, count in bins], needed, sketch.hi)
    lo = _crossing([(lower, count) for lower, _, count in reversed(bins)], needed, sketch.lo)
    return max(lo, sketch.lo), min(hi, sketch.hi)


def _crossing(edges: list[tuple[float, int]], needed: int, otherwise: float) -> float:
    """The first edge up to which at least `needed` elements were counted."""
    seen = 0
    for edge, count in edges:
        seen += count
        if seen >= needed:
            return edge
    return otherwise
