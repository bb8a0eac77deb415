"""GraphBuilder: makes graphs node by node, shapes inferred; and Sequential, a chain of blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.state import State
from hwblocks.graph.tensor import FLOAT32, Shape, Tensor, constant
from hwblocks.numerics.formats import Format


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of a graph under construction; blocks applied to it add nodes."""

    builder: GraphBuilder
    name: str

    @property
    def tensor(self) -> Tensor:
        """The tensor it stands for."""
        return self.builder.tensors[self.name]

    @property
    def shape(self) -> Shape:
        """Its shape, one sample."""
        return self.tensor.shape


class GraphBuilder:
    """Collects inputs, constants and nodes, then builds a checked Graph.

    >>> import hwblocks as hb
    >>> build = GraphBuilder("tiny")
    >>> x = build.input("x", (1, 4))
    >>> y = hb.ReLU()(x)
    >>> build.build(y)
    <Graph 'tiny': float, 1 nodes, inputs x (1, 4)>
    """

    def __init__(self, name: str = "graph") -> None:
        self.name = name
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.inputs: list[str] = []
        self.states: dict[str, State] = {}
        self._taken: Counter[str] = Counter()
        self._groups: list[tuple[str, str]] = []

    @contextmanager
    def group(self, name: str, kind: str) -> Iterator[str]:
        """Nodes and constants made meanwhile are named "name/…" and marked as parts of a composite of this kind."""
        path = self._free_group(self._path(name))
        self._groups.append((path, kind))
        try:
            yield path
        finally:
            self._groups.pop()

    def _path(self, name: str) -> str:
        """A name within the group that is being made."""
        group = f"{self._groups[-1][0]}/" if self._groups else ""
        return name if name.startswith(group) else group + name

    def _free_group(self, path: str) -> str:
        taken = {node.attributes.get("group", "") for node in self.nodes}
        free, number = path, 0
        while any(t == free or t.startswith(f"{free}/") for t in taken):
            number += 1
            free = f"{path}_{number}"
        return free

    def fresh(self, stem: str) -> str:
        """A name that is not in use yet: the stem, or the stem with a number."""
        name = stem
        while name in self.tensors or name in self._taken:
            self._taken[stem] += 1
            name = f"{stem}_{self._taken[stem]}"
        return name

    def reserved(self, stems: Sequence[str]) -> list[str]:
        """A fresh name for each stem; none of them is given out again."""
        names = []
        for stem in stems:
            names.append(self.fresh(stem))
            self._taken[names[-1]] += 1
        return names

    def input(self, name: str, shape: Sequence[int], format: Format = FLOAT32, **more: Any) -> Value:
        """A run-time input; shape of one sample, leading axis 1 for the sample axis."""
        if name in self.tensors:
            raise GraphError(f"graph {self.name!r}: tensor {name!r} exists already")
        self.tensors[name] = Tensor(name, tuple(shape), format, **more)
        self.inputs.append(name)
        return Value(self, name)

    def state(self, name: str, initial: Any, format: Format = FLOAT32, **more: Any) -> Value:
        """A value kept from sample to sample, starting from these codes; `becomes` says what it is next."""
        codes = np.array(initial, dtype=format.dtype, order="C")
        tensor = self.fresh(name)
        self.tensors[tensor] = Tensor(tensor, codes.shape, format, **more)
        self.states[tensor] = State(name, tensor, tensor, codes)
        return Value(self, tensor)

    def becomes(self, state: Value, value: Value) -> None:
        """At the end of a sample the state takes this value."""
        self.states[state.name] = replace(self.states[state.name], next=value.name)

    def constant(self, name: str, value: Any, format: Format = FLOAT32, **more: Any) -> Value:
        """A constant: floats for a float format, stored codes for a quantized one."""
        name = self.fresh(self._path(name))
        self.tensors[name] = constant(name, np.asarray(value), format, **more)
        return Value(self, name)

    def add(self, block: Block, *inputs: Value | str | None, **how: Any) -> Value:
        """Append a node and return its first output; `how` is that of `add_all`."""
        return self.add_all(block, *inputs, **how)[0]

    def add_all(
        self,
        block: Block,
        *inputs: Value | str | None,
        name: str = "",
        outputs: Sequence[str] = (),
        formats: Sequence[Format] = (),
        layout: str = "",
        **node: Any,
    ) -> tuple[Value, ...]:
        """Append a node, or all nodes of a composite, and return every output."""
        if block.kind == "composite":
            given = [Value(self, v) if isinstance(v, str) and v else v or None for v in inputs]
            return block.expanded(self, given, name)  # type: ignore[attr-defined, no-any-return]
        name = self._node_name(self._path(name or type(block).__name__.lower()))
        if self._groups:
            kinds = "/".join(kind for _, kind in self._groups)
            node["attributes"] = {**node.get("attributes", {}), "group": self._groups[-1][0], "composite": kinds}
        names = tuple("" if v is None else v if isinstance(v, str) else v.name for v in inputs)
        block, names = self._with_parameters(block, names, name)
        block.check_arity(names)
        shapes = block.shape(*(self.tensors[n].shape for n in names if n))
        made = tuple(outputs) or tuple(self.fresh(f"{name}.{i}" if i else name) for i in range(len(shapes)))
        for position, output in enumerate(made):
            format = formats[position] if formats else self._output_format(block, names)
            if output in self.tensors:
                raise GraphError(f"{type(block).__name__} {name!r}: output {output!r} exists already")
            self.tensors[output] = Tensor(output, shapes[position], format, layout=layout)
        self.nodes.append(Node(name, block, names, made, **node))
        return tuple(Value(self, output) for output in made)

    def _node_name(self, stem: str) -> str:
        taken = {node.name for node in self.nodes}
        name, number = stem, 0
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        return name

    def _output_format(self, block: Block, names: tuple[str, ...]) -> Format:
        """That of the first input which is not there only to steer a move."""
        return self.tensors[next(n for i, n in enumerate(names) if n and i not in block.steering)].format

    def _with_parameters(self, block: Block, names: tuple[str, ...], node: str) -> tuple[Block, tuple[str, ...]]:
        wanted = [n.rstrip("?*") for n in block.input_names]
        filled = list(names)
        for source, target in block.parameters.items():
            array = getattr(block, source)
            position = wanted.index(target)
            if array is None or (position < len(filled) and filled[position]):
                continue
            filled += [""] * (position + 1 - len(filled))
            filled[position] = self.constant(f"{node}.{source}", np.asarray(array)).name
        return block.without_parameters(), tuple(filled)

    def build(self, *outputs: Value | str, metadata: dict[str, str] | None = None, dialect: str = "") -> Graph:
        """The checked graph with these outputs, without those parts of composites that nothing reads."""
        names = tuple(v if isinstance(v, str) else v.name for v in outputs)
        kept, unread = self._by_readers({*names, *(state.next for state in self.states.values())})
        gone = {name for node in unread for name in node.outputs} | self._own_constants(kept, unread)
        return Graph(
            self.name,
            {name: tensor for name, tensor in self.tensors.items() if name not in gone},
            tuple(kept),
            tuple(self.inputs),
            names,
            metadata or {},
            tuple(self.states.values()),
            dialect,
        )

    def _by_readers(self, wanted: set[str]) -> tuple[list[Node], list[Node]]:
        """The nodes in order, and those of composites that reach none of these tensors, nor any other node."""
        kept, unread = [], []
        for node in reversed(self.nodes):
            if "group" in node.attributes and not wanted.intersection(node.outputs):
                unread.append(node)
            else:
                kept.append(node)
                wanted.update(node.inputs)
        return kept[::-1], unread

    def _own_constants(self, kept: Sequence[Node], unread: Sequence[Node]) -> set[str]:
        """The constants that only unread nodes read."""
        read = {name for node in kept for name in node.inputs}
        names = {name for node in unread for name in node.inputs if name} - read
        return {name for name in names if self.tensors[name].is_constant}


def apply_in_graph(block: Block, arguments: Sequence[Any]) -> Value | tuple[Value, ...]:
    """Add the block to the graph its first Value belongs to; arrays become constants.

    A block with several outputs gives them all.
    """
    builder = next(a.builder for a in arguments if isinstance(a, Value))
    node = type(block).__name__.lower()
    if block.kind != "composite":  # whose name is that of a group
        node = builder._node_name(builder._path(node))
    names = [n.rstrip("?*") for n in block.input_names]
    values: list[Value | None] = []
    for position, argument in enumerate(arguments):
        if argument is None or isinstance(argument, Value):
            values.append(argument)
        else:
            values.append(builder.constant(f"{node}.{names[min(position, len(names) - 1)]}", np.asarray(argument)))
    made = builder.add_all(block, *values, name=node)
    return made if len(made) > 1 else made[0]


class Sequential:
    """Blocks one after the other, each with its weights: `Sequential(Conv2d(weight=W, bias=B), ReLU())`.

    It becomes a Graph when the input's shape is known: from `input_shape`, or from the data of the first use.
    """

    def __init__(self, *blocks: Block, input_shape: Sequence[int] | None = None, name: str = "sequential") -> None:
        self.blocks = blocks
        self.input_shape = tuple(input_shape) if input_shape else None
        self.name = name

    def graph(self, sample_shape: Sequence[int] | None = None) -> Graph:
        """The chain as a graph whose input is one sample (1, *sample_shape)."""
        shape = self.input_shape or tuple(sample_shape or ())
        if not shape:
            raise GraphError(f"Sequential {self.name!r}: the input's shape is not known; give input_shape=(h, w, c)")
        builder = GraphBuilder(self.name)
        value = builder.input("x", (1, *shape))
        for position, block in enumerate(self.blocks):
            value = builder.add(block, value, name=f"{type(block).__name__.lower()}{position}")
        return builder.build(value)
