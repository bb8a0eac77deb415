"""Edges between float32 and codes as calls: floats to codes, codes to floats."""

from __future__ import annotations

from dataclasses import dataclass

from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.formats import Format


@dataclass(frozen=True, eq=False, kw_only=True)
class EdgeCall:
    """An edge of one sample of `count` elements: those below `head` by `rule`, the others by `tail`."""

    format: Format
    count: int
    head: int
    rule: EdgeRule
    tail: EdgeRule


@dataclass(frozen=True, eq=False, kw_only=True)
class QuantizeCall(EdgeCall):
    """float32 to codes of `format`, then limited to the fused clamp; values that leave the format are counted."""

    clamp_lo: int
    clamp_hi: int


@dataclass(frozen=True, eq=False, kw_only=True)
class DequantizeCall(EdgeCall):
    """Codes of `format` to float32."""
