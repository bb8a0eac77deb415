"""Chains: the float operators between codes (or exact sums) and the next Quantize, evaluated on any codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.graph.block import Pointwise
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.tensor import Tensor
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.formats import Format
from hwblocks.simulate.execute import run_node

Array = np.ndarray[Any, Any]

WITH_CONSTANTS = ("Add", "Sub", "Mul", "Div", "Maximum", "Minimum", "PReLU", "BatchNorm")
QUANTIZERS = ("BipolarQuant", "FloatQuant", "MultiThreshold", "Quant", "Trunc")
# Functions that never fall, or fall everywhere with a factor below 0: they become thresholds.
MONOTONE = (
    *("ReLU", "ReLU6", "Clip", "LeakyReLU", "PReLU", "Sigmoid", "Tanh", "ELU", "Softplus", "Exp", "Log", "Sqrt", "Erf"),
    *("Add", "Sub", "Mul", "Div", "Maximum", "Minimum", "BatchNorm", "Neg", *QUANTIZERS, "Quantize"),
)


@dataclass(frozen=True, eq=False)
class Chain:
    """From tensor `source` through element-wise nodes to a Quantize, the last node.

    channels: 1, or the length of the last axis where some constant has one value per channel.
    """

    graph: Graph
    source: str
    nodes: tuple[Node, ...]
    channels: int

    @property
    def quantize(self) -> Node:
        """The node at the end."""
        return self.nodes[-1]

    @property
    def target(self) -> Tensor:
        """The codes that the chain makes."""
        return self.graph.tensors[self.quantize.outputs[0]]

    @property
    def edge(self) -> EdgeRule:
        """How the Quantize rounds."""
        return (self.quantize.arithmetic or Arithmetic()).edge or EdgeRule()

    @property
    def clamp(self) -> tuple[float, float] | None:
        """The bounds of a chain that only clamps before it quantizes; None for any other chain."""
        low, high = -np.inf, np.inf
        for node in self.nodes[:-1]:
            block = node.block
            bounds = block.clamp if isinstance(block, Pointwise) else None
            if bounds is None:
                return None
            low, high = (float(np.clip(end, *bounds)) for end in (low, high))
        return low, high

    @property
    def is_monotone(self) -> bool:
        """True when every node is known never to fall, or to fall everywhere."""
        return all(node.type_name in MONOTONE for node in self.nodes)

    def codes(self, reals: Array) -> Array:
        """The codes [points, channels] that float32 values [points, channels] become, by the chain's own nodes."""
        rank = len(self.graph.tensors[self.source].shape)
        shape = (reals.shape[0], *(1,) * (rank - 2), reals.shape[1]) if rank > 1 else reals.shape
        current, value = self.source, np.asarray(reals, dtype=np.float32).reshape(shape)
        for node in self.nodes:
            site = self.graph.site(node)
            arrays = [None if t is None else value if t.name == current else t.value for t in site.inputs]
            (value,), _ = run_node(site, arrays)
            current = node.outputs[0]
        return value.reshape(reals.shape).astype(np.int64)


def chain_to(graph: Graph, quantize: Node) -> Chain | None:
    """The longest chain that ends in a Quantize of one scale; None where no rule for elements describes it."""
    target: Format = graph.tensors[quantize.outputs[0]].format
    rules = quantize.arithmetic or Arithmetic()
    if isinstance(target.scale, tuple) or rules.tail_edge is not None or quantize.clamp is not None:
        return None
    nodes, name, channels = [quantize], quantize.inputs[0], 1
    while (maker := graph.producer.get(name)) is not None:
        more = channels_of(graph, maker)
        if more is None:
            break
        nodes.insert(0, maker)
        channels = max(channels, more)
        name = running(graph, maker)[0].name
    return Chain(graph, name, tuple(nodes), channels)


def running(graph: Graph, node: Node) -> list[Tensor]:
    """The inputs of a node that are no constants."""
    return [graph.tensors[n] for n in node.inputs if n and not graph.tensors[n].is_constant]


def channels_of(graph: Graph, node: Node) -> int | None:
    """How many channels the constants of an element-wise float node tell apart; None for any other node."""
    inputs = running(graph, node)
    output = graph.tensors[node.outputs[0]]
    if len(inputs) != 1 or len(node.outputs) != 1 or inputs[0].shape != output.shape:
        return None
    if not (inputs[0].format.is_float and output.format.is_float):
        return None
    if isinstance(node.block, Pointwise):
        return 1
    if node.type_name not in (*WITH_CONSTANTS, *QUANTIZERS) or (node.inputs[0] != inputs[0].name and late(node)):
        return None
    sizes = [1]
    for name in node.inputs:
        constant = graph.tensors[name] if name else None
        if constant is not None and constant.value is not None and constant.elements > 1:
            per_channel = channel_count(node, constant, output)
            if per_channel is None:
                return None
            sizes.append(per_channel)
    return max(sizes)


def late(node: Node) -> bool:
    """True for blocks whose first input must be the one that runs."""
    return node.type_name in ("PReLU", "BatchNorm", *QUANTIZERS)


def channel_count(node: Node, constant: Tensor, output: Tensor) -> int | None:
    """The channels that a constant has values for; None where it varies along another axis."""
    if node.type_name == "MultiThreshold":
        return constant.shape[0] if len(constant.shape) == 2 else constant.elements
    last = constant.shape[-1] if constant.shape else 1
    return last if constant.elements == last == output.shape[-1] else None
