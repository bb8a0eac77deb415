"""QuantRule: what quantization has to know about a block, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["activation", "weight", "bias", "parameter"]
OutputRule = Literal["range", "same", "fixed", "float"]


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
