"""A systolic array as a machine: a layer's products as matrix products on the array, its words at every buffer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from hwblocks.costs.estimate import Estimate, Moved
from hwblocks.costs.machine import Machine
from hwblocks.costs.machines.dram_words import REPLAY, Buffers, Demand, DramWords, dram_words
from hwblocks.costs.machines.systolic import (
    Array,
    BufferAccesses,
    buffer_accesses,
    cycles,
    mapping,
    mapping_efficiency,
    scalesim_compute_utilisation,
    scalesim_overall_utilisation,
    scalesim_sram_ofmap_writes,
)
from hwblocks.costs.operands import made_at_run_time, operands, results, vectors, weight_fetches
from hwblocks.costs.ops import Layer
from hwblocks.errors import TargetError
from hwblocks.graph.nest import Nest
from hwblocks.graph.plane import Gemm, PlaneConvolution, gemm_of, plane_of
from hwblocks.table import Column
from hwblocks.targets.kinds import Systolic

SCALESIM_COLUMNS = (
    Column("m", "M", detail=True),
    Column("k", "K", detail=True),
    Column("n", "N", detail=True),
    Column("groups", "groups", detail=True),
    Column("scalesim_cycles", "cycles as SCALE-Sim", detail=True),
    Column("sram_ifmap_reads", "SRAM ifmap reads", "words", detail=True),
    Column("sram_filter_reads", "SRAM filter reads", "words", detail=True),
    Column("sram_ofmap_writes", "SRAM ofmap writes", "words", detail=True),
    Column("scalesim_sram_ofmap_writes", "SRAM ofmap writes as SCALE-Sim", "words", detail=True),
    Column("dram_ifmap_reads", "DRAM ifmap reads", "words", detail=True),
    Column("dram_filter_reads", "DRAM filter reads", "words", detail=True),
    Column("scalesim_overall_util", "overall util as SCALE-Sim", "%", ".2f", detail=True),
    Column("scalesim_compute_util", "compute util as SCALE-Sim", "%", ".2f", detail=True),
)


@dataclass(frozen=True)
class OnArray:
    """One nest on the array: the product of a group, groups, how many times the array is run for them, the cycles of
    each time, and the words of each group.
    """

    gemm: Gemm
    groups: int
    runs: int
    cycles: int
    scalesim_cycles: int
    mapped: float
    buffers: BufferAccesses
    dram: DramWords


class SystolicMachine(Machine[Systolic]):
    """Every group of a nest is one matrix product (count.groups = "packed": as many as lie on the array side by side).

    Products narrower than 8 × 8 bits shorten the summed axis by the target's rate, wider ones lengthen it. Words of the
    buffers and of DRAM are elements of the operands; bytes take their widths, partial sums that of the accumulator.
    """

    columns: ClassVar[tuple[Column, ...]] = SCALESIM_COLUMNS

    def __init__(self, target: Systolic) -> None:
        super().__init__(target)
        a = target.array
        self.array = Array(a.rows, a.cols, a.dataflow, a.overlap, a.load, a.psum)
        self.plain = Array(a.rows, a.cols, a.dataflow)
        self.activations_stay = target.traffic.activations == "buffer"

    def peak(self, activation_bits: int, weight_bits: int) -> float:
        return self.array.units * self.target.precision.rate(activation_bits, weight_bits)

    def homes(self) -> tuple[str | None, str | None]:
        return ("ifmap" if self.activations_stay else "dram"), "dram"

    def estimate(self, layer: Layer) -> Estimate:
        vector = self.vector_cycles(layer)
        if not layer.products:
            return Estimate(vector=vector, moved=self._moved_elementwise(layer))
        nests = [self._on_array(nest, layer) for nest in layer.products]
        macs = sum(p.gemm.macs * p.groups for p in nests)
        return Estimate(
            sum(p.cycles * p.runs for p in nests) * layer.times,
            vector,
            moved=self._moved(layer, nests),
            mapping=sum(p.mapped * p.gemm.macs * p.groups for p in nests) / macs,
            figures=_figures(nests, self.plain, layer.times),
        )

    def _on_array(self, nest: Nest, layer: Layer) -> OnArray:
        gemm, runs = gemm_of(nest), nest.groups
        rate = self.target.precision.rate(layer.activation_bits, layer.weight_bits)
        taken = Gemm(gemm.rows, math.ceil(gemm.depth / rate), gemm.columns)
        if self.target.count.groups == "packed":
            on = mapping(taken, self.array)
            runs = math.ceil(runs / max(1, min(self.array.rows // on.rows, self.array.columns // on.columns)))
        return OnArray(
            gemm,
            nest.groups,
            runs,
            cycles(taken, self.array),
            cycles(gemm, self.plain),
            mapping_efficiency(gemm, self.array) * nest.groups / runs,
            buffer_accesses(gemm, self.array),
            self._dram(nest, layer),
        )

    def _dram(self, nest: Nest, layer: Layer) -> DramWords:
        model = self.target.traffic.model
        buffers = Buffers(self._words("ifmap", layer.activation_bits), self._words("filter", layer.weight_bits))
        made = image(nest, layer) if model == REPLAY else demand(nest, layer)
        return dram_words(made, self.array, buffers, model)

    def _words(self, name: str, bits: int) -> int:
        size = self.target.memory[name].bytes
        if size is None:
            raise TargetError(f"{self.target.name}: memory {name!r} needs `bytes`, on which its traffic depends")
        return size * 8 // bits

    def _moved_elementwise(self, layer: Layer) -> dict[str, Moved]:
        moved = operands(layer)
        made = {"ifmap": Moved(inputs=moved.inputs), "ofmap": Moved(outputs=moved.outputs)}
        weights = Moved(weights=moved.weights)
        if self.activations_stay:
            return made | {"dram": weights}
        return made | {"dram": Moved(moved.inputs, moved.weights, moved.outputs)}

    def _moved(self, layer: Layer, nests: Sequence[OnArray]) -> dict[str, Moved]:
        """Bytes at the three buffers and at DRAM, of all groups and passes; biases come from DRAM with the weights."""
        inputs, weights = (_bytes_of(bits, layer.times) for bits in (layer.activation_bits, layer.weight_bits))
        outputs, sums = (_bytes_of(b, layer.times) for b in (layer.site.output.format.bits, layer.accumulator_bits))
        fetches = weight_fetches(layer, self.target.memory["filter"].bytes)
        fetched = _bytes_of(layer.weight_bits, fetches)
        made = dict.fromkeys(("ifmap", "filter", "ofmap"), Moved()) | {"dram": Moved(weights=vectors(layer) * fetches)}
        source = "ifmap" if self.activations_stay and made_at_run_time(layer) else "dram"
        for p in nests:
            words, dram, count = p.buffers, p.dram, p.gemm.rows * p.gemm.columns
            partial = words.ofmap_writes - count + words.partial_reads
            made["ifmap"] += Moved(inputs=inputs(words.ifmap_reads * p.groups))
            made["filter"] += Moved(weights=weights(words.filter_reads * p.groups))
            made["ofmap"] += Moved(outputs=outputs(count * p.groups), partial_sums=sums(partial * p.groups))
            made[source] += Moved(weights=fetched(dram.filter_reads * p.groups))
            if not self.activations_stay:
                partial = dram.ofmap_writes - count + dram.partial_reads
                made["dram"] += Moved(
                    inputs=inputs(dram.ifmap_reads * p.groups),
                    outputs=outputs(count * p.groups),
                    partial_sums=sums(partial * p.groups),
                )
        stored = results(layer)
        if stored is not None and not self.activations_stay:
            made["dram"] = replace(made["dram"], outputs=stored)
        return made


def demand(nest: Nest, layer: Layer) -> Demand:
    """A nest's product, and the words of its input that some window touches; padding is not fetched."""
    elements = nest.rows * nest.depth
    if nest.window is not None:
        plane = plane_of(nest)
        elements = layer.site.input(0).elements // nest.groups
        elements = min(elements, plane.touched_words) if plane else elements
    return Demand(gemm_of(nest), elements)


def image(nest: Nest, layer: Layer) -> PlaneConvolution:
    """A nest as SCALE-Sim takes it: an image enlarged by its padding, or M × 1 for a dense one.

    Errors: TargetError for windows over three axes, or over several images.
    """
    plane = plane_of(nest)
    if plane is None:
        over = f"{nest.images} images" if nest.images > 1 else "three axes"
        raise TargetError(
            f"{layer.node.where}: {REPLAY} walks windows over one or two axes of one image, not over {over}; "
            "use traffic 'tiled'"
        )
    return plane


def _bytes_of(bits: int, times: int) -> Callable[[int], int]:
    """From words of a width to bytes, so many times."""
    return lambda words: -(-words * times * bits // 8)


def _figures(nests: Sequence[OnArray], plain: Array, times: int) -> dict[str, float | int | str | None]:
    """Counts in SCALE-Sim's style: words of 1 element, folds that do not overlap, groups one by one."""

    def total(of: Callable[[OnArray], int]) -> int:
        return sum(of(p) * p.groups for p in nests) * times

    shapes = [(p.gemm.rows, p.gemm.depth, p.gemm.columns, p.groups) for p in nests]
    m, k, n, groups = ("+".join(dict.fromkeys(str(s[i]) for s in shapes)) for i in range(4))
    return {
        "m": m,
        "k": k,
        "n": n,
        "groups": groups,
        "scalesim_cycles": total(lambda p: p.scalesim_cycles),
        "sram_ifmap_reads": total(lambda p: p.buffers.ifmap_reads),
        "sram_filter_reads": total(lambda p: p.buffers.filter_reads),
        "sram_ofmap_writes": total(lambda p: p.buffers.ofmap_writes),
        "scalesim_sram_ofmap_writes": total(lambda p: scalesim_sram_ofmap_writes(p.gemm, plain)),
        "dram_ifmap_reads": total(lambda p: p.dram.ifmap_reads),
        "dram_filter_reads": total(lambda p: p.dram.filter_reads),
        **_utilisations({p.gemm for p in nests}, plain),
    }


def _utilisations(gemms: set[Gemm], plain: Array) -> dict[str, float | int | str | None]:
    """SCALE-Sim's, in per cent, of a layer whose products are all alike; that tool has none for a single cycle."""
    gemm = next(iter(gemms))
    if len(gemms) > 1 or cycles(gemm, plain) == 1:
        return {}
    overall, compute = scalesim_overall_utilisation(gemm, plain), scalesim_compute_utilisation(gemm, plain)
    return {"scalesim_overall_util": 100 * overall, "scalesim_compute_util": 100 * compute}
