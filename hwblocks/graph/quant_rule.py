"""QuantRule: what quantization has to know about a block, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["activation", "weight", "bias", "parameter"]
OutputRule = Literal["range", "same", "fixed", "float"]


@dataclass(frozen=True)
class Preference:
    """The width, and perhaps the scale, that a node's first output has in integers unless a recipe's override says
    otherwise: signed, with zero point 0; the scale, if none is stated, from calibration.
    """

    bits: int
    scale: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Its fields, the scale as exact text."""
        return {"bits": self.bits, "scale": None if self.scale is None else self.scale.hex()}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Preference:
        """The preference of a file's fields."""
        scale = record["scale"]
        return cls(int(record["bits"]), None if scale is None else float.fromhex(scale))


@dataclass(frozen=True)
class QuantRule:
    """How the tensors of a block get their formats.

    inputs: the role of each input; the last one repeats for variadic blocks. A `parameter` stays as it is.
    output: `range` (a scale from calibration), `same` (the format of the activations, which must agree),
            `fixed` (the scale that spans `fixed_range` exactly), `float` (the block ends the integer part).
    fixed_range: real bounds for `fixed`, for example (0, 1) for softmax.
    """

    inputs: tuple[Role, ...] = ("activation",)
    output: OutputRule = "range"
    fixed_range: tuple[float, float] | None = None

    def role(self, position: int) -> Role:
        """The role of the input at a position."""
        return self.inputs[min(position, len(self.inputs) - 1)]
