"""Layers: integer nodes in the place of Dequantize → operator → Quantize, from the formats of both ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from hwblocks.blocks.edges import Dequantize
from hwblocks.blocks.elementwise import Add
from hwblocks.blocks.steps import Lookup, MultiThreshold
from hwblocks.errors import HwblocksError
from hwblocks.graph.block import Accumulate, Algorithm
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.rewrite import Rewriter
from hwblocks.graph.site import Site, scalar_scale
from hwblocks.graph.tensor import FLOAT32, Tensor
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.formats import Format
from hwblocks.numerics.requantize import Requantize
from hwblocks.simulate.execute import run_node
from quantize.recipe import Recipe
from quantize.stated.chains import Chain, chain_to
from quantize.stated.moves import behind
from quantize.stated.sums import Sums, layer_sums, pair_sums
from quantize.stated.thresholds import table_of, thresholds_of

Array = np.ndarray[Any, Any]


def integer_layers(graph: Graph, recipe: Recipe | None) -> tuple[Graph, list[str]]:
    """The graph with every layer that can be integer, and one note for each node that stays in float."""
    made = _Layers(graph, recipe, Rewriter(graph))
    for node in graph.nodes:
        sums = layer_sums(graph, made.edit, node) if isinstance(node.block, Accumulate) else None
        if sums is not None:
            made.layers[node.outputs[0]] = sums
    for node in graph.nodes:
        if node.type_name == "Quantize":
            made.end(node)
    made.finish()
    return made.edit.build(), made.notes


@dataclass(eq=False)
class _Layers:
    graph: Graph
    recipe: Recipe | None
    edit: Rewriter
    notes: list[str] = field(default_factory=list)
    layers: dict[str, Sums] = field(default_factory=dict)  # by float output
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
        sums = self.layers[chain.source]
        requantize = self._requantize(chain, sums)
        if requantize is None:
            return self._thresholds(chain, sums)
        arithmetic = edge_arithmetic(chain.edge).replace(
            requantize=requantize,
            accumulator=sums.node.arithmetic.accumulator if sums.node.arithmetic else None,
        )
        self._fold(chain, sums.node.replace(arithmetic=arithmetic))
        return ""

    def _requantize(self, chain: Chain, sums: Sums) -> Requantize | None:
        """How sums become codes where only clamps stand before the Quantize; None where its scales do not fold."""
        if chain.clamp is None or sums.bias is not None:
            return None
        if self.recipe is not None:
            return self.recipe.requantize_of(sums.node.name)
        rule, steps = chain.edge, np.ravel(sums.tensor.format.scale) / scalar_scale(chain.target.format)
        powers = bool(np.all(np.frexp(steps)[0] == 0.5))
        return Requantize("shift" if powers else "float32", rounding=rule.rounding, zero_point=rule.zero_point)

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
        sums = self._pair(maker, stored)
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
        made = maker.replace(inputs=tuple(c.name for c in codes), arithmetic=edge_arithmetic(chain.edge))
        site = Site(made, tuple(codes), (chain.target,))
        probe = [c.value if c.is_constant else np.full(c.shape, c.format.lo, c.format.dtype) for c in codes]
        try:
            run_node(site, probe)
        except HwblocksError as error:
            return error.message
        self._fold(chain, made)
        return ""

    def _pair(self, maker: Node, codes: list[Tensor]) -> Sums | None:
        """The exact sum of two tensors, made once."""
        key = maker.outputs[0]
        if key not in self.layers:
            made = pair_sums(self.graph, self.edit, maker, codes)
            if made is None:
                return None
            self.layers[key] = made
        return self.layers[key]

    def finish(self) -> None:
        """Write everything into the edit: layers at their place, ends in the place of each Quantize."""
        for node in self.graph.nodes:
            if node.name in self.ends:
                self.edit.replace(node, self._named(self.ends[node.name]))
            elif node.outputs[0] in self.layers:
                sums = self.layers[node.outputs[0]]
                self.edit.set(sums.tensor)
                name = f"{node.name}.sums" if node.name in self.folded else node.name
                self.edit.replace(node, sums.node.replace(name=name), *self._back(node, sums))
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


def edge_arithmetic(rule: EdgeRule) -> Arithmetic:
    """The arithmetic of a node that ends as a Quantize does."""
    return Arithmetic(rounding=rule.rounding, edge=None if rule == EdgeRule() else rule)
