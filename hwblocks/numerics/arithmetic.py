"""Arithmetic: the record of mechanisms by which a node computes in integers."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from hwblocks.errors import FormatError, SimulationError
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.overflow import Overflow
from hwblocks.numerics.requantize import Requantize
from hwblocks.numerics.rounding import Rounding
from hwblocks.numerics.user_mac import UserMac


@dataclass(frozen=True)
class Arithmetic:
    """How a node computes on stored codes.

    rounding, overflow: of the cast to the output format (tables, algorithms; overflow of requantization too).
    requantize, accumulator: of sums of products. bias_bits: width the bias was limited to.
    lanes: how many elements a runtime's vector loop takes at a time; those after the last whole group go by `tail`
    (in place of requantize; channels of a layer, elements of an element-wise operator) or `tail_edge` (of edge).
    edge: how floats become codes and codes floats; of clamp bounds too. None: the block's own rules.
    mac: a user-written multiply-accumulate in place of the accumulator; it lives in one process and is not saved.
    algorithm: a named algorithm, None for the block's own. table: how its tables are built, where there is a choice.
    """

    rounding: Rounding = Rounding.HALF_EVEN
    overflow: Overflow = Overflow("saturate")
    requantize: Requantize | None = None
    accumulator: Accumulator | None = None
    algorithm: str | None = None
    bias_bits: int | None = None
    tail: Requantize | None = None
    lanes: int | None = None
    edge: EdgeRule | None = None
    table: str | None = None
    tail_edge: EdgeRule | None = None
    mac: UserMac | None = None

    def replace(self, **changes: Any) -> Arithmetic:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The fields that differ from the defaults, as text and numbers.

        Errors: SimulationError for a user-written multiply-accumulate, which no file can hold.
        """
        if self.mac is not None:
            raise SimulationError(
                f"{self.mac} lives in this process only; save the graph without it, give it to each run"
            )
        record: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                record[field.name] = value if isinstance(value, int) else str(value)
        return record

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Arithmetic:
        """The arithmetic of a file's fields. Errors: FormatError for unknown fields."""
        readers: dict[str, Any] = {
            "rounding": Rounding,
            "overflow": Overflow,
            "requantize": Requantize.parse,
            "accumulator": Accumulator,
            "algorithm": str,
            "bias_bits": int,
            "tail": Requantize.parse,
            "lanes": int,
            "edge": EdgeRule.parse,
            "table": str,
            "tail_edge": EdgeRule.parse,
        }
        unknown = sorted(set(record) - set(readers))
        if unknown:
            raise FormatError(f"arithmetic record has an unknown field {unknown[0]!r}")
        return cls(**{name: readers[name](value) for name, value in record.items()})
