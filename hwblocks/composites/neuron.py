"""Neuron: a weighted sum and a non-linearity, the atom of networks as a block for the bench."""

from __future__ import annotations

from dataclasses import dataclass

from hwblocks.blocks.linear import Linear
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block, Pointwise, parameter
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.composite import Composite
from hwblocks.graph.contraction import Array
from hwblocks.graph.registry import block_class


@dataclass(frozen=True)
class Neuron(Composite):
    """y = f(Σ x · w + b): x [..., C], weight [C] (or [U, C] for U neurons), bias [] or [U] → y [..., U].

    activation: the name of a block of one element ("ReLU", "Sigmoid", …), or such a block with its attributes; None for
    the sum alone. In integers the sum has an accumulator and a cast, then f is its table or variant.

    >>> import numpy as np
    >>> Neuron("ReLU", weight=np.array([1.0, -2.0]), bias=np.array(0.5))(np.array([[3.0, 1.0]])).tolist()
    [[1.5]]
    """

    activation: str | Block | None = "ReLU"
    weight: Array | None = parameter()
    bias: Array | None = parameter()

    def curve(self) -> Block | None:
        """The non-linearity. Errors: GraphError for a block that is no function of one element."""
        if self.activation is None:
            return None
        block = block_class(self.activation)() if isinstance(self.activation, str) else self.activation
        if not isinstance(block, Pointwise):
            raise GraphError(f"Neuron: {type(block).__name__} is no function of one element; choose ReLU, Sigmoid, ...")
        return block

    def expand(self, build: GraphBuilder, *inputs: Value) -> Value:
        if self.weight is None:
            raise GraphError("Neuron: weight is missing; give weight=[C] or [U, C]")
        rows = self.weight if self.weight.ndim == 2 else self.weight[None]
        bias = None if self.bias is None else self.bias.reshape(-1)
        total = build.add(Linear(weight=rows, bias=bias), inputs[0], name="sum")
        block = self.curve()
        return total if block is None else build.add(block, total, name=type(block).__name__.lower())
