"""How results end that are rounded by the op itself: the fields that its calls share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, eq=False, kw_only=True)
class Limited:
    """A call whose results saturate to the codes lo to hi of out_dtype, and then to a fused clamp.

    counts: whether leaving the format below and above counts as saturated.
    """

    out_dtype: str
    lo: int
    hi: int
    clamp_lo: int
    clamp_hi: int
    counts: tuple[bool, bool] = (True, True)
