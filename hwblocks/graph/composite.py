"""Composite: a block made of blocks. It is expanded where it is applied; its nodes carry its name and kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.contraction import Array
from hwblocks.graph.control import evaluated, graph_nests, graph_work
from hwblocks.graph.graph import Graph
from hwblocks.graph.nest import Nest
from hwblocks.graph.tensor import FLOAT32, Shape
from hwblocks.graph.work import Work
from hwblocks.numerics.formats import Format


class Composite(Block, abstract=True):
    """A block that is a graph of other blocks: subclasses state `expand`; shapes, formula and work follow from it.

    In a graph there are only the nodes of the expansion, named "attention0/…" and marked with the composite's kind, so
    that calibration, formats, costs, traces and kernels need not know it; reports fold them by that name.
    """

    kind = "composite"

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value | tuple[Value, ...]:
        """Add the block's nodes for these inputs (None for an absent optional one) and return its outputs."""
        raise GraphError(f"{type(self).__name__} states no expansion")

    def expanded(self, build: GraphBuilder, inputs: Sequence[Value | None], name: str = "") -> tuple[Value, ...]:
        """The outputs of the expansion in a graph, as a group of this name."""
        self.check_arity(list(inputs))
        with build.group(name or type(self).__name__.lower(), type(self).__name__):
            made = self.expand(build, *inputs)
        return made if isinstance(made, tuple) else (made,)

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Apply the block alone: on arrays it computes in float, on builder values it adds its nodes."""
        arguments = self.arguments(inputs, named)
        if any(isinstance(a, Value) for a in arguments):
            return super().__call__(*inputs, **named)
        arrays = [None if a is None else np.asarray(a) for a in arguments]
        made = evaluated(self.graph(*arrays), [a for a in arrays if a is not None])
        return made if len(made) > 1 else made[0]

    def graph(self, *inputs: Any) -> Graph:
        """The expansion as a graph of its own, for inputs of these shapes (arrays, shapes; None for absent ones)."""
        build = GraphBuilder(type(self).__name__.lower())
        names = [n.rstrip("?*") for n in self.input_names]
        values: list[Value | None] = []
        for i, given in enumerate(inputs):
            name = names[i] if i < len(names) - 1 else build.fresh(names[-1])
            shape = given if isinstance(given, tuple) or given is None else given.shape
            truths = isinstance(given, np.ndarray) and given.dtype.kind == "b"
            format = Format("bool") if truths else FLOAT32
            values.append(None if shape is None else build.input(name, shape, format))
        return build.build(*self.expanded(build, values))

    def shape(self, *shapes: Shape) -> tuple[Shape, ...]:
        graph = self.graph(*shapes)
        return tuple(graph.tensors[name].shape for name in graph.outputs)

    def compute(self, *arrays: Array) -> Any:
        return self(*arrays)

    def work(self, *shapes: Shape) -> Work:
        return graph_work(self.graph(*shapes))

    def nests(self, *shapes: Shape) -> tuple[Nest, ...]:
        return graph_nests(self.graph(*shapes))

    def keeps_samples(self, *shapes: Shape) -> bool:
        return self.graph(*((1, *s[1:]) for s in shapes)).batched
