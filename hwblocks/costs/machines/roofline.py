"""Roofline: every unit busy in every cycle, every tensor across each port once. A lower bound on cycles."""

from __future__ import annotations

from hwblocks.costs.estimate import Estimate, Moved
from hwblocks.costs.machine import Machine
from hwblocks.costs.operands import operands
from hwblocks.costs.ops import Layer
from hwblocks.targets.kinds import Roofline


class RooflineMachine(Machine[Roofline]):
    """cycles = max(macs / peak, operations / lanes, bytes / port of each memory)."""

    def peak(self, activation_bits: int, weight_bits: int) -> float:
        return self.target.compute.macs_per_cycle * self.target.precision.rate(activation_bits, weight_bits)

    def homes(self) -> tuple[str | None, str | None]:
        activations, weights = ("activations", "weights")
        if "main" in self.target.memory:
            return "main", "main"
        return (activations if activations in self.target.memory else None), (
            weights if weights in self.target.memory else None
        )

    def estimate(self, layer: Layer) -> Estimate:
        products = sum(nest.macs for nest in layer.products) * layer.times
        moved = operands(layer)
        activations, weights = self.homes()
        by_level: dict[str, Moved] = {}
        if activations:
            by_level[activations] = Moved(inputs=moved.inputs, outputs=moved.outputs)
        if weights:
            by_level[weights] = by_level.get(weights, Moved()) + Moved(weights=moved.weights)
        array = products / self.peak(layer.activation_bits, layer.weight_bits) if products else 0.0
        return Estimate(array, self.vector_cycles(layer), moved=by_level, mapping=1.0 if products else None)
