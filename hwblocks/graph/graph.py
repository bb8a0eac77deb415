"""Graph: named tensors and nodes in execution order, checked when it is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hwblocks.errors import GraphError, ShapeError
from hwblocks.graph.node import Node
from hwblocks.graph.site import Site
from hwblocks.graph.state import State
from hwblocks.graph.tensor import Shape, Tensor

PROBE = 10_007  # a leading size no model has: shapes that follow it are proportional to the samples


@dataclass(frozen=True, eq=False)
class Graph:
    """A model: tensors by name, nodes in an order in which every input is made before it is used.

    Nodes may be given in any order; they are sorted, keeping the given order where it is free.
    `metadata` holds text about the model's origin (source file, recipe); it never changes numbers.
    `states` are values kept from sample to sample. `dialect` names the arithmetic of nodes that state none.

    Errors: GraphError for cycles, dangling inputs, duplicate names; ShapeError where shapes do not fit.
    """

    name: str
    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    states: tuple[State, ...] = ()
    dialect: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tensors", dict(self.tensors))
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "outputs", tuple(self.outputs))
        object.__setattr__(self, "states", tuple(self.states))
        self._check_names(tuple(self.nodes))
        object.__setattr__(self, "nodes", self._sorted(tuple(self.nodes)))
        for node in self.nodes:
            self._check_node(node)

    def _check_names(self, nodes: tuple[Node, ...]) -> None:
        seen: dict[str, Node] = {}
        for node in nodes:
            if node.name in seen:
                raise GraphError(f"graph {self.name!r}: two nodes are named {node.name!r}; rename one")
            seen[node.name] = node
        for name, tensor in self.tensors.items():
            if tensor.name != name:
                raise GraphError(f"graph {self.name!r}: tensor {tensor.name!r} is stored under the name {name!r}")
            self._check_scales(tensor)
        for name in (*self.sources, *self.sinks):
            if name not in self.tensors:
                raise GraphError(f"graph {self.name!r}: input or output {name!r} is not one of its tensors")
        if len(set(self.sources)) != len(self.sources):
            raise GraphError(f"graph {self.name!r}: an input or state is listed twice: {self.sources}")
        for state in self.states:
            self._check_state(state)

    def _check_scales(self, tensor: Tensor) -> None:
        format, axis = tensor.format, tensor.format.axis
        if axis is None or format.group or not isinstance(format.scale, tuple):
            return
        if not -len(tensor.shape) <= axis < len(tensor.shape) or tensor.shape[axis] != len(format.scale):
            raise GraphError(
                f"graph {self.name!r}: tensor {tensor.name!r} of shape {tensor.shape} has {len(format.scale)} scales "
                f"along axis {axis}; one for each of its channels is needed"
            )

    def _check_state(self, state: State) -> None:
        kept, made = self.tensors[state.tensor], self.tensors[state.next]
        if kept.shape != made.shape or kept.format != made.format or state.initial.shape != kept.shape:
            raise GraphError(
                f"graph {self.name!r}: state {state.name!r} holds {kept.shape} {kept.format!r}, "
                f"becomes {made.shape} {made.format!r} and starts from {state.initial.shape}; they must be alike"
            )

    def _sorted(self, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        available = {n for n, t in self.tensors.items() if t.is_constant} | set(self.sources)
        self._check_producers(nodes, available)
        order: list[Node] = []
        waiting = list(nodes)
        while waiting:
            blocked = []
            for node in waiting:
                if all(name in available for name in node.inputs if name):
                    order.append(node)
                    available.update(node.outputs)
                else:
                    blocked.append(node)
            if len(blocked) == len(waiting):
                names = ", ".join(node.where for node in blocked[:5])
                raise GraphError(f"graph {self.name!r}: these nodes wait for each other in a cycle: {names}")
            waiting = blocked
        for name in self.sinks:
            if name not in available:
                raise GraphError(f"graph {self.name!r}: output {name!r} is made by no node; connect or remove it")
        return tuple(order)

    def _check_producers(self, nodes: tuple[Node, ...], given: set[str]) -> None:
        made = dict.fromkeys(given, "an input or constant")
        for node in nodes:
            for name in node.outputs:
                if name in made:
                    raise GraphError(f"{node.where}: output {name!r} is already made by {made[name]}")
                if name not in self.tensors:
                    raise GraphError(f"{node.where}: output {name!r} is not one of the graph's tensors")
                made[name] = node.where
        for node in nodes:
            for name in node.inputs:
                if name and name not in made:
                    raise GraphError(f"{node.where}: input {name!r} dangles: no node, input or constant makes it")

    def _check_node(self, node: Node) -> None:
        try:
            node.block.check_arity(node.inputs)
            shapes = node.block.shape(*self.site(node).shapes)
        except (GraphError, ShapeError) as error:
            raise type(error)(f"{node.where}: {error.message.removeprefix(node.type_name + ': ')}") from None
        declared = tuple(self.tensors[name].shape for name in node.outputs)
        if tuple(shapes[: len(declared)]) != declared:
            raise ShapeError(f"{node.where}: makes shapes {shapes} but its outputs are declared {declared}")
        node.block.check_site(self.site(node))

    def site(self, node: Node) -> Site:
        """The node with its tensors."""
        return Site(
            node,
            tuple(self.tensors[name] if name else None for name in node.inputs),
            tuple(self.tensors[name] for name in node.outputs),
        )

    @cached_property
    def producer(self) -> Mapping[str, Node]:
        """The node that makes each run-time tensor."""
        return {name: node for node in self.nodes for name in node.outputs}

    @cached_property
    def consumers(self) -> Mapping[str, tuple[Node, ...]]:
        """The nodes that read each tensor."""
        found: dict[str, list[Node]] = {name: [] for name in self.tensors}
        for node in self.nodes:
            for name in dict.fromkeys(n for n in node.inputs if n):
                found[name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    def is_fixed(self, name: str) -> bool:
        """True when a tensor is a constant, or made from constants alone."""
        if self.tensors[name].is_constant:
            return True
        node = self.producer.get(name)
        return node is not None and bool(node.inputs) and all(self.is_fixed(n) for n in node.inputs if n)

    @cached_property
    def batched(self) -> bool:
        """True when the leading axis of every run-time tensor is the sample axis.

        Shown by giving every input a leading size that nothing else has and following the shape rules.
        """
        shapes: dict[str, Shape] = {}
        for name in self.sources:
            shape = self.tensors[name].shape
            if not shape or shape[0] != 1:
                return False
            shapes[name] = (PROBE, *shape[1:])
        followed = all(self._follows_probe(node, shapes) for node in self.nodes)
        return followed and all(state.next in shapes for state in self.states)

    def _follows_probe(self, node: Node, shapes: dict[str, Shape]) -> bool:
        names = [name for name in node.inputs if name]
        if not any(name in shapes for name in names):
            return all(self.is_fixed(name) for name in names)  # made from constants alone: the same for all samples
        given = [shapes.get(name, self.tensors[name].shape) for name in names]
        try:
            made = node.block.shape(*given)
        except ShapeError:
            return False
        for name, shape in zip(node.outputs, made, strict=False):
            if shape != (PROBE, *self.tensors[name].shape[1:]):
                return False
            shapes[name] = shape
        return node.block.keeps_samples(*given)

    @property
    def sources(self) -> tuple[str, ...]:
        """The tensors that are there before any node runs: inputs, then those of states."""
        return (*self.inputs, *(state.tensor for state in self.states))

    @property
    def sinks(self) -> tuple[str, ...]:
        """The tensors that outlive the nodes: outputs, then what the states become."""
        return (*self.outputs, *(state.next for state in self.states))

    def node(self, name: str) -> Node:
        """The node of a name; GraphError lists the closest names when there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        from difflib import get_close_matches

        close = get_close_matches(name, [n.name for n in self.nodes], 3, 0.3)
        raise GraphError(f"graph {self.name!r} has no node {name!r}; did you mean {', '.join(close) or 'another'}?")

    @property
    def runtime_tensors(self) -> tuple[Tensor, ...]:
        """Inputs, states and node outputs, in the order they come to be."""
        names = [*self.sources, *(name for node in self.nodes for name in node.outputs)]
        return tuple(self.tensors[name] for name in names)

    @cached_property
    def traced(self) -> Mapping[str, Tensor]:
        """Every tensor that a trace can keep: the run-time tensors, and those inside scans as "scan0/body/h", with the
        positions of the scan as an axis."""
        found = {name: self.tensors[name] for name in self.sources}
        for node in self.nodes:
            for path, tensor in node.block.inner_tensors(self.site(node).shapes).items():
                found[f"{node.name}/{path}"] = tensor.replace(name=f"{node.name}/{path}")
            found.update({name: self.tensors[name] for name in node.outputs})
        return found

    @property
    def constants(self) -> tuple[Tensor, ...]:
        """Tensors that carry their value."""
        return tuple(t for t in self.tensors.values() if t.is_constant)

    @property
    def title(self) -> str:
        """The name, with the recipe that made an integer graph."""
        recipe = self.metadata.get("recipe", "")
        return f"{self.name}, {recipe}" if recipe else self.name

    @property
    def is_integer(self) -> bool:
        """True when any node computes on stored codes."""
        return any(self.site(node).is_integer or node.block.computes_codes for node in self.nodes)

    def replace(self, **changes: Any) -> Graph:
        """A copy with some fields changed, checked again."""
        return replace(self, **changes)

    def __repr__(self) -> str:
        kind = "integer" if self.is_integer else "float"
        shapes = ", ".join(f"{n} {self.tensors[n].shape}" for n in self.inputs)
        return f"<Graph {self.name!r}: {kind}, {len(self.nodes)} nodes, inputs {shapes}>"

    def __reduce__(self) -> tuple[Any, ...]:
        from hwblocks.graph.io import from_bytes, to_bytes

        return from_bytes, (to_bytes(self),)


def used_tensors(tensors: Mapping[str, Tensor], nodes: Iterable[Node], keep: Iterable[str]) -> dict[str, Tensor]:
    """The tensors that nodes or `keep` name, in their old order."""
    wanted = set(keep)
    for node in nodes:
        wanted.update(node.inputs)
        wanted.update(node.outputs)
    return {name: tensor for name, tensor in tensors.items() if name in wanted}
