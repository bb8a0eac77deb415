"""Observer moving_average: extremes of the samples, averaged with exponentially fading weights."""

from __future__ import annotations

from msgspec import Struct

from quantize.sketches import Sketch


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """None: the averaging constant 0.01 belongs to the sketch, which is made in one pass."""


def observe(sketch: Sketch, parameters: Parameters) -> tuple[float, float]:
    """m ← m + 0.01 · (extreme of the sample − m); the first sample sets m.

    Source: the definition of PyTorch's MovingAverageMinMaxObserver.
    """
    return sketch.average_lo, sketch.average_hi
