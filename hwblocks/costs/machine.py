"""Machine: what every kind of target states so that a graph can be priced on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, NamedTuple, TypeVar

from hwblocks.costs.estimate import Estimate
from hwblocks.costs.ops import Layer
from hwblocks.table import Column
from hwblocks.targets.kinds import Target

Kind = TypeVar("Kind", bound=Target)


class Span(NamedTuple):
    """Cycles from the first input to the last output of a sample, and from one sample to the next."""

    latency: int
    interval: int


class Machine(Generic[Kind]):
    """A target with the formulas of its kind. Subclasses state `peak` and `estimate`.

    columns: what the kind reports of each layer beside the columns of all kinds (`Estimate.figures`).
    """

    columns: ClassVar[tuple[Column, ...]] = ()

    def __init__(self, target: Kind) -> None:
        self.target = target

    def peak(self, activation_bits: int, weight_bits: int) -> float:
        """Products a cycle with all multipliers busy."""
        raise NotImplementedError

    def estimate(self, layer: Layer) -> Estimate:
        """Cycles and bytes of all passes of a layer that is not free. Errors: TargetError where it cannot run."""
        raise NotImplementedError

    def homes(self) -> tuple[str | None, str | None]:
        """The memories in which activations and weights of the whole model live; None: outside what is modelled."""
        return None, None

    def prepare(self, layers: Sequence[Layer]) -> None:
        """Called once before the estimates, with all layers that are priced: what depends on the whole model.

        Errors: TargetError where the model as a whole does not fit.
        """

    def totals(self) -> Mapping[str, int]:
        """What the whole machine takes of a device, such as DSP blocks."""
        return {}

    def span(self, cycles: Sequence[int]) -> Span:
        """Layers one after the other, the next sample after the last layer."""
        return Span(sum(cycles), sum(cycles))

    def vector_cycles(self, layer: Layer) -> float:
        """Cycles of the unit for element-wise operations: ⌈bits / lane bits⌉ / operations a cycle for each."""
        unit = self.target.vector
        if unit is None:
            return 0.0
        return sum(count * -(-bits // unit.lane_bits) for count, bits in layer.vector_ops) / unit.ops_per_cycle
