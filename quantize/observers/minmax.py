"""Observer minmax: everything that was seen."""

from __future__ import annotations

from msgspec import Struct

from quantize.sketches import Sketch


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """None."""


def observe(sketch: Sketch, parameters: Parameters) -> tuple[float, float]:
    """lo = min, hi = max over all samples."""
    return sketch.lo, sketch.hi
