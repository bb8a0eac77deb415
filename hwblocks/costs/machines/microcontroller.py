"""Microcontrollers: one core that runs a named software stack, one operation after the other.

cycles = Σ products · cycles a product of the layer's kind / rate of the widths + outputs · cycles an output
+ element-wise operations · cycles an operation + layers · cycles a layer. The figures are fits to measured boards
(docs/estimates.md); flash and caches are in them, so memories have sizes but no bandwidths.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hwblocks.costs.estimate import Estimate
from hwblocks.costs.machine import Machine
from hwblocks.costs.machines.dead_channels import Left, without_dead_channels
from hwblocks.costs.ops import Layer
from hwblocks.errors import TargetError
from hwblocks.graph.nest import Nest
from hwblocks.table import Column
from hwblocks.targets.processors import Microcontroller
from hwblocks.targets.schema import pair_of


def kind_of(nest: Nest) -> str:
    """The kind of a sum of products: its field in `cycles_per_mac`. dense: no two outputs share a weight.

    >>> kind_of(Nest(rows=1, depth=64, columns=10))
    'dense'
    """
    if nest.is_depthwise:
        return "depthwise"
    if nest.rows == 1:
        return "dense"
    return "convolution" if math.prod(nest.kernel) > 1 else "pointwise"


class MicrocontrollerMachine(Machine[Microcontroller]):
    """Everything in series on one core."""

    columns = (Column("macs_run", "MACs run"), Column("operator_kind", "kind", detail=True))

    def __init__(self, target: Microcontroller) -> None:
        super().__init__(target)
        self._left: dict[str, Left] = {}

    def peak(self, activation_bits: int, weight_bits: int) -> float:
        cycles = self.target.cycles_per_mac
        least = min(cycles.convolution, cycles.pointwise, cycles.depthwise, cycles.dense)
        return self.target.precision.rate(activation_bits, weight_bits) / least

    def homes(self) -> tuple[str | None, str | None]:
        return "sram", "flash"

    def prepare(self, layers: Sequence[Layer]) -> None:
        for layer in layers:
            self._check_widths(layer)
        self._left = without_dead_channels(layers) if self.target.stack.removes_dead_channels else {}

    def _check_widths(self, layer: Layer) -> None:
        """Errors: TargetError for floating point, and for products wider than those whose rates are known."""
        if layer.is_float:
            raise TargetError(
                f"{layer.node.where} computes in floating point; {self.target.name} was measured on integers: "
                "`hwblocks quantize` it"
            )
        a, w = layer.activation_bits, layer.weight_bits
        known = [pair_of(pair) for pair in ("8x8", *self.target.precision.table)]
        if layer.products and not any(a <= x and w <= y for x, y in known):
            raise TargetError(
                f"{layer.node.where} multiplies {a} × {w} bits; {self.target.name} states no rate for them - at "
                "`$.precision.table`"
            )

    def estimate(self, layer: Layer) -> Estimate:
        left = self._left.get(layer.node.name, Left(layer.work.macs, elements(layer)))
        kinds = [kind_of(nest) for nest in layer.products]
        rate = self.target.precision.rate(layer.activation_bits, layer.weight_bits)
        run = left.macs / layer.work.macs if layer.work.macs else 0.0
        macs = sum(n.macs * getattr(self.target.cycles_per_mac, k) for n, k in zip(layer.products, kinds, strict=True))
        overhead = self.target.overhead
        beside = outputs(layer, left) * overhead.per_output + operations(layer) * overhead.per_operation
        figures: dict[str, float | int | str | None] = {
            "macs_run": left.macs or None,
            "operator_kind": "+".join(dict.fromkeys(kinds)) or None,
        }
        fixed = overhead.per_layer * layer.times
        return Estimate(
            macs * layer.times * run / rate,
            beside,
            fixed,
            products=sum(n.macs for n in layer.products) * layer.times * run,
            figures=figures,
            serial=True,
        )


def elements(layer: Layer) -> int:
    """Elements of all outputs in all passes."""
    return sum(t.elements for t in layer.site.outputs) * layer.times


def outputs(layer: Layer, left: Left) -> int:
    """Elements that are computed and rescaled; none of those that are only chosen or moved."""
    work = layer.work
    computed = work.macs + work.adds + work.muls + work.lookups + work.divisions + work.requants
    return left.outputs if computed else 0


def operations(layer: Layer) -> int:
    """Operations beside products and their sums: element-wise ones and words moved. Casts are part of outputs."""
    work = layer.work
    elementwise = sum(n.macs for n in layer.nests if n.is_elementwise) * layer.times
    adds = 0 if work.macs else work.adds
    moved = work.reads + work.writes
    return elementwise + adds + work.muls + work.compares + work.lookups + work.divisions + work.shifts + moved
