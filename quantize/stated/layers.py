"""Layers: integer nodes in the place of Dequantize → operator → Quantize, from the formats of both ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from hwblocks.blocks.edges import Dequantize
from hwblocks.blocks.elementwise import Add
from hwblocks.blocks.steps import Lookup, MultiThreshold
from hwblocks.errors import FormatError, HwblocksError
from hwblocks.graph.block import Accumulate, Algorithm
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter
from hwblocks.graph.site import Site, accumulate_epilogue, scalar_scale
from hwblocks.graph.tensor import FLOAT32, Origin, Tensor
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.formats import Format
from hwblocks.numerics.requantize import Requantize
from hwblocks.simulate.execute import run_node
from quantize.proof import sum_bounds
from quantize.recipe import Recipe
from quantize.stated.chains import Chain, chain_to
from quantize.stated.moves import behind
from quantize.stated.thresholds import table_of, thresholds_of

Array = np.ndarray[Any, Any]

WIDTHS = (32, 64)
SAME_SCALE = 2.0**-22  # two float32 products of the same scales differ by no more
WHOLE = Requantize.preset("shift")  # an accumulator stored as it is


def integer_layers(graph: Graph, recipe: Recipe | None) -> tuple[Graph, list[str]]:
    """The graph with every layer that can be integer, and one note for each node that stays in float."""
    made = _Layers(graph, recipe, Rewriter(graph))
    for node in graph.nodes:
        if isinstance(node.block, Accumulate):
            made.sums(node)
    for node in graph.nodes:
        if node.type_name == "Quantize":
            made.end(node)
    made.finish()
    return made.edit.build(), made.notes


@dataclass(frozen=True, eq=False)
class Sums:
    """The exact sums of a layer, or of two tensors of one scale: their tensor, real step, limits, and float bias."""

    tensor: Tensor
    low: int
    high: int
    bias: Array | None = None

    @property
    def channels(self) -> int:
        """The channels that have their own scale or bias."""
        per_scale = len(self.tensor.format.scale) if isinstance(self.tensor.format.scale, tuple) else 1
        return max(per_scale, 1 if self.bias is None else self.bias.size)

    def reals(self, sums: Array) -> Array:
        """Whole sums [points, C] as the float32 values of the layer: one rounding, the bias before it."""
        wide = sums * np.asarray(self.tensor.format.scale, dtype=np.float64)
        return np.asarray(wide if self.bias is None else wide + self.bias, dtype=np.float32)


@dataclass(eq=False)
class _Layers:
    graph: Graph
    recipe: Recipe | None
    edit: Rewriter
    notes: list[str] = field(default_factory=list)
    layers: dict[str, tuple[Node, Sums]] = field(default_factory=dict)  # by float output
    folded: dict[str, list[Node]] = field(default_factory=dict)  # by the float node's name
    ends: dict[str, Node] = field(default_factory=dict)  # what takes the place of a Quantize

    @cached_property
    def after_codes(self) -> set[str]:
        """The tensors that are computed from run-time codes."""
        found = {t.name for t in self.graph.runtime_tensors if t.format.is_quantized}
        for node in self.graph.nodes:
            if found.intersection(node.inputs):
                found.update(node.outputs)
        return found

    def sums(self, node: Node) -> None:
        """An integer node that keeps the exact sums of a layer whose operands are codes."""
        site = self.graph.site(node)
        operands = [behind(self.graph, name) if name else None for name in node.inputs]
        if not is_summable(operands) or not site.output.format.is_float or node.clamp is not None:
            return
        x, w = operands[0], operands[1]
        assert x is not None and w is not None
        bias, rest = self._bias(site, operands)
        name = self.edit.fresh(f"{site.output.name}.sums")
        steps = np.asarray(w.format.scale, dtype=np.float64) * scalar_scale(x.format)
        format = stored_sums(steps, 32, len(site.output.shape))
        tensor = Tensor(name, site.output.shape, format, layout=site.output.layout)
        made = node.replace(inputs=(x.name, w.name, *([bias.name] if bias else [])), outputs=(name,))
        inputs = (x, w, *([bias] if bias else []))
        for bits in WIDTHS:
            tensor = tensor.replace(format=tensor.format.replace(bits=bits))
            arithmetic = Arithmetic(requantize=WHOLE, accumulator=Accumulator(f"int{bits} wrap"))
            made = made.replace(arithmetic=arithmetic)
            low, high = sum_bounds(Site(made, inputs, (tensor,)), Accumulator(f"int{bits} wrap"))
            if -(1 << (bits - 1)) <= low and high < (1 << (bits - 1)) - 1:
                break
        if bias is not None:
            self.edit.set(bias)
        self.layers[site.output.name] = made, Sums(tensor, low, high, rest)

    def _bias(self, site: Site, operands: list[Tensor | None]) -> tuple[Tensor | None, Array | None]:
        """(the bias as codes of the sums' steps, None) or (None, the bias as floats); (None, None) without one."""
        if not site.has(2):
            return None, None
        x, w, stored = (operands[0], operands[1], operands[2])
        assert x is not None and w is not None
        steps = np.asarray(w.format.scale, dtype=np.float64) * scalar_scale(x.format)
        if stored is not None and stored.is_constant and not np.any(stored.format.zero_point):
            given = np.asarray(stored.format.scale, dtype=np.float64)
            if np.all(np.abs(given - steps) <= SAME_SCALE * steps):
                return stored, None
        source = site.input(2) if stored is None else stored
        if source.value is None:
            return None, None
        reals = np.asarray(source.format.dequantize(source.value), dtype=np.float32).astype(np.float64)
        codes = reals / steps
        if np.all(codes == np.rint(codes)) and np.abs(codes).max(initial=0) < 2**31:
            format = Format(bits=32, scale=steps, axis=0 if steps.ndim else None)
            name = self.edit.fresh(f"{source.name}.codes")
            return Tensor(name, source.shape, format, codes.astype(np.int32), Origin(source.origin_name)), None
        return None, reals

    def end(self, quantize: Node) -> None:
        """What takes the place of a Quantize: an integer node, thresholds, a table; or a note why it stays."""
        chain = chain_to(self.graph, quantize)
        if chain is None:
            self.notes.append(f"{quantize.where} stays in float: more than one scale, or a rule for remainders")
            return
        if quantize.inputs[0] not in self.after_codes:
            return  # the edge of the model
        reason = self._layer_end(chain) if chain.source in self.layers else self._other_end(chain)
        if reason:
            self.notes.append(f"{quantize.where} stays in float: {reason}")

    def _layer_end(self, chain: Chain) -> str:
        made, sums = self.layers[chain.source]
        requantize = self._requantize(chain, made, sums)
        if requantize is None:
            return self._thresholds(chain, sums)
        arithmetic = Arithmetic(
            requantize=requantize,
            accumulator=made.arithmetic.accumulator if made.arithmetic else None,
            rounding=chain.edge.rounding,
            edge=None if chain.edge == EdgeRule() else chain.edge,
        )
        self._fold(chain, made.replace(arithmetic=arithmetic))
        return ""

    def _requantize(self, chain: Chain, made: Node, sums: Sums) -> Requantize | None:
        """How sums become codes where only clamps stand before the Quantize; None where its scales do not fold."""
        if chain.clamp is None or sums.bias is not None:
            return None
        if self.recipe is not None:
            return self.recipe.requantize_of(made.name)
        rule = chain.edge
        record = Requantize("float32", rounding=rule.rounding, zero_point=rule.zero_point)
        shift = Requantize("shift", rounding=rule.rounding, zero_point=rule.zero_point)
        try:
            self._constants(chain, made, shift)
        except FormatError:
            return record
        return shift

    def _constants(self, chain: Chain, made: Node, requantize: Requantize) -> None:
        tensors = [self.edit.tensors[name] for name in made.inputs]
        site = Site(made, tuple(tensors), (chain.target,))
        channels = len(tensors[1].format.scale) if isinstance(tensors[1].format.scale, tuple) else 1
        accumulate_epilogue(site, tensors[0].format, tensors[1].format, channels, requantize)

    def _fold(self, chain: Chain, node: Node) -> None:
        """The whole chain as one integer node."""
        clamp = None if chain.clamp == (-np.inf, np.inf) else chain.clamp
        made = node.replace(outputs=chain.quantize.outputs, clamp=clamp)
        self.folded.setdefault(node.name, []).append(made)
        self.ends[chain.quantize.name] = made

    def _thresholds(self, chain: Chain, sums: Sums) -> str:
        channels = max(chain.channels, sums.channels)
        found = thresholds_of(chain, sums.reals, sums.low, sums.high, channels)
        if isinstance(found, str):
            return found
        own, target = sums.tensor.format, chain.target.format
        stem = chain.quantize.name
        axis = 0 if isinstance(own.scale, tuple) else None
        kept = Format(bits=own.bits, scale=own.scale, axis=axis)
        inputs = [sums.tensor.name, self.edit.constant(f"{stem}.thresholds", found.values, format=kept)]
        if (found.signs < 0).any():
            signs = np.broadcast_to(found.signs, (sums.tensor.shape[-1],))
            inputs.append(self.edit.constant(f"{stem}.signs", signs, format=Format("int2")))
        scale, zero = scalar_scale(target), int(target.zero_point)
        block = MultiThreshold(scale, scale * (target.lo - zero))
        self.ends[stem] = Node(stem, block, tuple(inputs), chain.quantize.outputs, arithmetic=Arithmetic())
        return ""

    def _other_end(self, chain: Chain) -> str:
        codes = behind(self.graph, chain.source)
        if codes is not None and not isinstance(codes.format.scale, tuple):
            return self._table(chain, codes)
        maker = self.graph.producer[chain.source]
        operands = [behind(self.graph, name) for name in maker.inputs]
        if maker.clamp is not None or any(c is None or isinstance(c.format.scale, tuple) for c in operands):
            return f"{maker.where} computes in float"
        stored = [c for c in operands if c is not None]
        if chain.clamp is not None:
            return self._algorithm(chain, maker, stored)
        sums = self._exact_sum(maker, stored)
        if sums is None:
            return f"the float operators after {maker.where} do not fold, and its exact result has no common step"
        return self._thresholds(chain, sums)

    def _table(self, chain: Chain, codes: Tensor) -> str:
        edge = (self.graph.producer[chain.source].arithmetic or Arithmetic()).edge or EdgeRule()
        table = table_of(chain, codes.format, edge)
        if isinstance(table, str):
            return table
        name = self.edit.constant(f"{chain.quantize.name}.table", table, format=chain.target.format)
        node = Node(
            chain.quantize.name,
            Lookup(codes.format.lo),
            (codes.name, name),
            chain.quantize.outputs,
            arithmetic=Arithmetic(),
        )
        self.ends[chain.quantize.name] = node
        return ""

    def _algorithm(self, chain: Chain, maker: Node, codes: list[Tensor]) -> str:
        """An operator with an integer meaning of its own, between the formats of its inputs and its output."""
        if not isinstance(maker.block, Algorithm) or len(maker.outputs) > 1 or not maker.inputs:
            return f"{maker.where} has no integer meaning"
        rule = chain.edge
        arithmetic = Arithmetic(rounding=rule.rounding, edge=None if rule == EdgeRule() else rule)
        made = maker.replace(inputs=tuple(c.name for c in codes), arithmetic=arithmetic)
        site = Site(made, tuple(codes), (chain.target,))
        probe = [c.value if c.is_constant else np.full(c.shape, c.format.lo, c.format.dtype) for c in codes]
        try:
            run_node(site, probe)
        except HwblocksError as error:
            return error.message
        self._fold(chain, made)
        return ""

    def _exact_sum(self, maker: Node, codes: list[Tensor]) -> Sums | None:
        """a + b or a − b of two tensors with one scale, exactly."""
        if maker.type_name not in ("Add", "Sub") or len(codes) != 2 or codes[0].format.scale != codes[1].format.scale:
            return None
        sign = 1 if isinstance(maker.block, Add) else -1
        spans = [(c.format.lo - int(c.format.zero_point), c.format.hi - int(c.format.zero_point)) for c in codes]
        ends = [a + sign * b for a in spans[0] for b in spans[1]]
        low, high = min(ends), max(ends)
        bits = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1
        output = self.graph.tensors[maker.outputs[0]]
        key = output.name
        if key not in self.layers:
            name = self.edit.fresh(f"{key}.sums")
            format = Format(bits=bits + 1, scale=codes[0].format.scale)
            tensor = Tensor(name, output.shape, format, layout=output.layout)
            made = maker.replace(inputs=tuple(c.name for c in codes), outputs=(tensor.name,), arithmetic=Arithmetic())
            self.layers[key] = made, Sums(tensor, low, high)
        return self.layers[key][1]

    def finish(self) -> None:
        """Write everything into the edit: layers at their place, ends in the place of each Quantize."""
        for node in self.graph.nodes:
            if node.name in self.ends:
                self.edit.replace(node, self._named(self.ends[node.name]))
            elif node.outputs[0] in self.layers:
                made, sums = self.layers[node.outputs[0]]
                self.edit.set(sums.tensor)
                name = f"{node.name}.sums" if node.name in self.folded else node.name
                self.edit.replace(node, made.replace(name=name), *self._back(node, sums))
            elif node.name in self.folded:  # for what else reads it; its integer form bears the name
                self.edit.replace(node, node.replace(name=f"{node.name}.float"))
        self.notes += self._float_layers()

    def _named(self, end: Node) -> Node:
        """The first node that a float node was folded into bears its name; others that of their Quantize."""
        makers = self.folded.get(end.name, [])
        if not makers or makers[0] is end:
            return end
        quantize = next(name for name, other in self.ends.items() if other is end)
        return end.replace(name=quantize)

    def _back(self, node: Node, sums: Sums) -> list[Node]:
        """The sums as the float tensor that other float nodes read."""
        output = node.outputs[0]
        back = Node(f"{node.name}.dequantize", Dequantize(), (sums.tensor.name,), (output,), arithmetic=Arithmetic())
        if sums.bias is None:
            return [back]
        plain = self.edit.fresh(f"{output}.unbiased")
        self.edit.set(sums.tensor.replace(name=plain, format=FLOAT32))
        bias = self.edit.constant(f"{node.name}.bias", sums.bias.astype(np.float32))
        return [back.replace(outputs=(plain,)), Node(f"{node.name}.bias", Add(), (plain, bias), (output,))]

    def _float_layers(self) -> list[str]:
        """One note for each sum of products that reads codes and floats, and so stays in float."""
        notes = []
        for node in self.graph.nodes:
            floats = [n for n in node.inputs[:2] if behind(self.graph, n) is None]
            if isinstance(node.block, Accumulate) and len(floats) == 1 and node.outputs[0] not in self.layers:
                notes.append(f"{node.where} stays in float: its input {floats[0]!r} carries no codes")
        return notes


def is_summable(operands: list[Tensor | None]) -> bool:
    """True for activations of one scale, and weights of one scale, or constant ones of a scale per channel."""
    if len(operands) < 2 or operands[0] is None or operands[1] is None:
        return False
    x, w = operands[0].format, operands[1].format
    return not isinstance(x.scale, tuple) and (operands[1].is_constant or not isinstance(w.scale, tuple))


def stored_sums(steps: Array, bits: int, rank: int) -> Format:
    """The format of exact sums: one step, or one for each channel of the last axis."""
    return Format(bits=bits, scale=steps, axis=rank - 1 if steps.ndim else None)
