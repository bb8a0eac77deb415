"""Edges: Quantize, Dequantize and Rescale nodes where neighbours store a tensor differently."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from hwblocks.blocks.edges import Dequantize, Quantize, Rescale
from hwblocks.graph.block import Block, Move
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.state import State
from hwblocks.graph.tensor import FLOAT32, Origin, Tensor
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.cast import Cast
from hwblocks.numerics.formats import Format
from quantize.domain import Domain

Tensors = dict[str, Tensor]


def with_edges(domain: Domain, tensors: Tensors, nodes: tuple[Node, ...]) -> Graph:
    """The graph of these tensors and nodes with all edges in place.

    An integer node reads a float node's tensor through a Quantize; a float node reads codes through a
    Dequantize; a node that moves codes reads an input of another format than its output through a Rescale.
    Each is made once per tensor. A state is stored in codes where an integer node makes what it becomes.
    """
    edges = _Edges(domain, dict(tensors))
    for node in domain.graph.nodes:
        for name in node.outputs:
            edges.settle(node, name)
    for state in domain.graph.states:
        edges.settle_state(state)
    for node in nodes:
        edges.add(node)
    states = tuple(edges.state(state) for state in domain.graph.states)
    return domain.graph.replace(tensors=edges.tensors, nodes=tuple(edges.nodes), states=states)


@dataclass(eq=False)
class _Edges:
    domain: Domain
    tensors: Tensors
    nodes: list[Node] = field(default_factory=list)
    made: dict[tuple[str, str, Format], str] = field(default_factory=dict)
    wanted: dict[str, Format] = field(default_factory=dict)

    def settle(self, node: Node, name: str) -> None:
        """A float node's tensor stays float under its name; its codes get a name of their own."""
        if node.name not in self.domain.integer and self.tensors[name].format.is_quantized:
            self.wanted[name] = self.tensors[name].format
            self.tensors[name] = self.tensors[name].replace(format=self.domain.graph.tensors[name].format)

    def settle_state(self, state: State) -> None:
        """A state that becomes floats stays float; its codes get a name of their own."""
        name = state.tensor
        if self.tensors[name].format.is_quantized and not self.tensors[state.next].format.is_quantized:
            self.wanted[name] = self.tensors[name].format
            self.tensors[name] = self.tensors[name].replace(format=self.domain.graph.tensors[name].format)

    def state(self, state: State) -> State:
        """The state in the format of its tensor: what it starts from, and what it becomes."""
        format, made = self.tensors[state.tensor].format, self.tensors[state.next].format
        if not format.is_quantized:
            following = (
                self._edge(state.next, "dequantized", Dequantize(), FLOAT32) if made.is_quantized else state.next
            )
            return replace(state, next=following)
        codes, _ = Cast(format).real(np.asarray(state.initial, dtype=np.float64))
        return replace(state, initial=codes.astype(format.dtype))

    def add(self, node: Node) -> None:
        """Append a node, and before it the edges that it needs."""
        steering = node.block.steering
        inputs = tuple(
            name if not name or i in steering else self._input(node, name) for i, name in enumerate(node.inputs)
        )
        self.nodes.append(node.replace(inputs=inputs))

    def _input(self, node: Node, name: str) -> str:
        format = self.tensors[name].format
        if node.name not in self.domain.integer:
            return self._edge(name, "dequantized", Dequantize(), FLOAT32) if format.is_quantized else name
        if name in self.wanted:
            name = self._edge(name, "quantized", Quantize(), self.wanted[name])
            format = self.tensors[name].format
        target = self.tensors[node.outputs[0]].format
        if isinstance(node.block, Move) and format != target:
            return self._edge(name, "rescaled", Rescale(), target, node.arithmetic)
        return name

    def _edge(self, name: str, suffix: str, block: Block, format: Format, arithmetic: Arithmetic | None = None) -> str:
        key = name, suffix, format
        if key not in self.made:
            source = self.tensors[name]
            output = self._fresh(f"{name}.{suffix}")
            origin = source.origin or Origin(name)
            self.tensors[output] = Tensor(output, source.shape, format, origin=origin, layout=source.layout)
            self.nodes.append(Node(output, block, (name,), (output,), arithmetic=arithmetic or Arithmetic()))
            self.made[key] = output
        return self.made[key]

    def _fresh(self, stem: str) -> str:
        taken = {*self.tensors, *(node.name for node in self.domain.graph.nodes)}
        name, number = stem, 0
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        return name
