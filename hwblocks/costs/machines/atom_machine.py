"""An NVDLA-like array as a machine: layers as atoms of channels and filters, its buffer, DRAM and maybe an SRAM."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar

from hwblocks.costs.estimate import Estimate, Moved
from hwblocks.costs.machine import Machine
from hwblocks.costs.machines.atom import WINOGRAD_SAVING, Atom, AtomLayer, dram_bytes, layer_bytes, mac_cycles
from hwblocks.costs.operands import made_at_run_time, operands, results, vectors, weight_fetches
from hwblocks.costs.ops import Layer
from hwblocks.errors import TargetError
from hwblocks.graph.nest import Nest
from hwblocks.table import Column
from hwblocks.targets.kinds import AtomTarget

WINOGRAD_KERNEL = (3, 3)


class AtomMachine(Machine[AtomTarget]):
    """Groups of a nest run one by one. Features of a layer move through memory.sram where the target has one and they
    fit, else through DRAM; weights come from DRAM. 16-bit operands take the rate of the precision table.
    """

    columns: ClassVar[tuple[Column, ...]] = (
        Column("sheet_cycles", "multipliers, unrounded", "cycles", ",.2f", detail=True),
    )

    def peak(self, activation_bits: int, weight_bits: int) -> float:
        return self.target.array.macs * self.target.precision.rate(activation_bits, weight_bits)

    def homes(self) -> tuple[str | None, str | None]:
        return "dram", "dram"

    def estimate(self, layer: Layer) -> Estimate:
        vector, times = self.vector_cycles(layer), layer.times
        if not layer.products:
            moved = operands(layer)
            return Estimate(vector=vector, moved=self._placed(moved.inputs, moved.weights, moved.outputs, times))
        atom = self._atom(layer)
        runs = [(self._lowered(nest, layer), nest.groups, nest.images) for nest in layer.products]
        taken = sum((mac_cycles(m, atom) * groups * images for m, groups, images in runs), Fraction(0)) * times
        products = sum(nest.macs * _made(m) for nest, (m, _, _) in zip(layer.products, runs, strict=True)) * times
        return Estimate(
            float(taken),
            vector,
            products=float(products),
            moved=self._traffic(layer, runs, atom),
            mapping=float(products / (taken * atom.macs)),
            figures={"sheet_cycles": float(taken)},
        )

    def _traffic(self, layer: Layer, runs: Sequence[tuple[AtomLayer, int, int]], atom: Atom) -> dict[str, Moved]:
        """Bytes of all passes; a second operand that is made at run time moves as features do."""
        inputs, weights, outputs = (
            sum(part) for part in zip(*(self._bytes(*run, atom, layer) for run in runs), strict=True)
        )
        times, fetches, stored = layer.times, weight_fetches(layer, self.target.memory["cbuf"].bytes), results(layer)
        features, weights = inputs * times, weights * fetches
        if made_at_run_time(layer):
            features, weights = features + weights, 0
        constants = weights + vectors(layer) * fetches
        return self._placed(features, constants, outputs * times if stored is None else stored, times)

    def _atom(self, layer: Layer) -> Atom:
        array, size = self.target.array, self.target.memory["cbuf"].bytes
        macs = self.peak(layer.activation_bits, layer.weight_bits)
        if size is None or macs < 1:
            raise TargetError(
                f"{self.target.name}: memory 'cbuf' needs `bytes`, and the array at least one product a cycle"
            )
        whole = (math.ceil(layer.activation_bits / 8), math.ceil(layer.weight_bits / 8))
        return Atom(int(macs), size, array.channel_atom, array.kernel_atom, *whole)

    def _lowered(self, nest: Nest, layer: Layer) -> AtomLayer:
        """A group of a nest; axes beyond two are laid one after the other, a dense product is a column of pixels."""
        window = nest.window
        if window is None:
            return AtomLayer(nest.depth, nest.rows, 1, nest.columns, 1, 1, (nest.rows, 1))
        pairs = (window.input, window.kernel, window.output, window.stride)
        (height, width), taps, outputs, stride = (_plane(sizes) for sizes in pairs)
        winograd = self.target.array.winograd and taps == WINOGRAD_KERNEL and stride == (1, 1)
        return AtomLayer(nest.channels, height, width, nest.columns, *taps, outputs, stride, winograd=winograd)

    def _bytes(self, made: AtomLayer, groups: int, images: int, atom: Atom, layer: Layer) -> tuple[int, int, int]:
        """DRAM bytes of inputs, weights and outputs; what is read again is the smaller of the first two. Each of
        several images takes the weights anew.
        """
        try:
            moved = dram_bytes(made, atom, self.target.traffic.model)
        except TargetError as error:
            raise TargetError(f"{layer.node.where} on {self.target.name}: {error.message}") from None
        sizes = layer_bytes(made, atom)
        again = moved - sizes.features - sizes.weights - sizes.results
        inputs, weights = sizes.features, sizes.weights
        if sizes.features < sizes.weights:
            weights += again
        else:
            inputs += again
        runs = groups * images
        return tuple(math.ceil(part * runs) for part in (inputs, weights, sizes.results))  # type: ignore[return-value]

    def _placed(self, inputs: int, weights: int, outputs: int, times: int) -> dict[str, Moved]:
        """The memories of so many passes; features of a pass that fit the SRAM stay in it."""
        sram = self.target.memory.get("sram")
        if sram is not None and (inputs + outputs) // times <= (sram.bytes or math.inf):
            return {"sram": Moved(inputs=inputs, outputs=outputs), "dram": Moved(weights=weights)}
        return {"dram": Moved(inputs, weights, outputs)}


def _made(layer: AtomLayer) -> Fraction:
    """Products that are made for one of the layer's."""
    return 1 / WINOGRAD_SAVING if layer.winograd else Fraction(1)


def _plane(sizes: tuple[int, ...]) -> tuple[int, int]:
    """Sizes of any number of axes as two: one axis is a row, of three the first two are one after the other."""
    if len(sizes) == 1:
        return 1, sizes[0]
    return math.prod(sizes[:-1]), sizes[-1]
