"""The graph under construction while a Keras model is imported: uses of layers, constants, and both layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hwblocks.blocks.shape import Identity, Transpose
from hwblocks.errors import GraphError, UnknownBlockError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.registry import block_class

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Use:
    """One use of a layer or operation: its arguments with values in the place of tensors, and a name for its nodes."""

    layer: Any
    arguments: tuple[Any, ...]
    named: dict[str, Any]
    name: str

    @property
    def values(self) -> list[Value]:
        """Every tensor among the arguments, in order."""
        return list(values_in((self.arguments, self.named)))

    @property
    def x(self) -> Value:
        """The first tensor."""
        return self.values[0]

    @property
    def only(self) -> Value:
        """The tensor. Errors: GraphError where there are several."""
        if len(self.values) != 1:
            raise GraphError(f"takes one tensor, {len(self.values)} are given")
        return self.values[0]

    def of(self, layer: Any, name: str, *arguments: Any) -> Use:
        """A use of another layer on behalf of this one."""
        return Use(layer, arguments or self.arguments, {} if arguments else self.named, name)


def values_in(arguments: Any) -> Iterator[Value]:
    """The values in nested lists and dicts."""
    if isinstance(arguments, Value):
        yield arguments
    elif isinstance(arguments, dict):
        yield from values_in(tuple(arguments.values()))
    elif isinstance(arguments, (list, tuple)):
        for one in arguments:
            yield from values_in(one)


@dataclass(frozen=True)
class Rule:
    """How a layer is built, which of its settings are refused (with the reason), and the blocks that it needs."""

    build: Callable[[KerasBuilder, Use], Any]
    refuse: Callable[[Any], str] = lambda layer: ""
    needs: tuple[str, ...] = ()

    def reason(self, layer: Any) -> str:
        """Why this layer cannot be imported; "" when it can."""
        if getattr(layer, "quantization_mode", None):
            return f"quantized by Keras to {layer.quantization_mode}: import the float model"
        absent = [name for name in self.needs if not has_block(name)]
        return self.refuse(layer) or (f"needs the block {absent[0]}, which is not there" if absent else "")


def has_block(name: str) -> bool:
    """True when a block of this name exists."""
    try:
        block_class(name)
    except UnknownBlockError:
        return False
    return True


def block(name: str, *arguments: Any, **named: Any) -> Block:
    """A block by its class's name."""
    return block_class(name)(*arguments, **named)


def array(weight: Any) -> Array:
    """A weight of any backend as float32."""
    return np.asarray(weight.numpy() if hasattr(weight, "numpy") else weight, dtype=np.float32)


def optional(weight: Any) -> Array | None:
    """A weight that may be absent."""
    return None if weight is None else array(weight)


@dataclass(eq=False)
class KerasBuilder:
    """Collects the graph; rules call `add`, `last` and `first`.

    importer: what one use of a layer becomes, for models and layers within layers.
    """

    name: str
    importer: Callable[[KerasBuilder, Use], Any]
    builder: GraphBuilder = field(init=False)
    metadata: dict[str, str] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)
    moved: dict[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.builder = GraphBuilder(self.name)

    def run(self, network: Any, inputs: Sequence[Value], prefix: str = "") -> Any:
        """The outputs of a functional network for these inputs, node by node from its deepest on."""
        if len(inputs) != len(network.inputs):
            raise GraphError(f"model {network.name!r} takes {len(network.inputs)} inputs, {len(inputs)} are given")
        made = {id(tensor): value for tensor, value in zip(network.inputs, inputs, strict=True)}
        for depth in sorted(network._nodes_by_depth, reverse=True):
            for node in network._nodes_by_depth[depth]:
                if not node.is_input:
                    self._run(node, made, prefix)
        outputs = [made[id(tensor)] for tensor in network.outputs]
        return outputs if len(outputs) > 1 else outputs[0]

    def _run(self, node: Any, made: dict[int, Value], prefix: str) -> None:
        arguments, named = node.arguments.fill_in(made)
        use = Use(node.operation, tuple(arguments), named, prefix + node.operation.name)
        self._note(node.operation)
        results = list(values_in(self.importer(self, use)))
        made.update({id(tensor): value for tensor, value in zip(node.outputs, results, strict=True)})

    def _note(self, layer: Any) -> None:
        """Remember layers with weights that are used again."""
        self.used[id(layer)] = self.used.get(id(layer), 0) + 1
        if self.used[id(layer)] == 2 and getattr(layer, "weights", None):
            names = [*filter(None, self.metadata.get("shared_layers", "").split(", ")), layer.name]
            self.metadata["shared_layers"] = ", ".join(names)

    def ends(self, outputs: Any, network: Any) -> list[Value]:
        """The outputs, named after the layers that make them."""
        made = []
        for value, tensor in zip(values_in(outputs), network.outputs, strict=True):
            history = tensor._keras_history
            name = (
                f"{history.operation.name}.{history.tensor_index}" if history.tensor_index else history.operation.name
            )
            made.append(value if value.name == name and value not in made else self.add(Identity(), value, name=name))
        return made

    def add(self, block: Block, *inputs: Value | None, name: str, **more: Any) -> Value:
        """Append a node; its output has its name."""
        return self.builder.add(block, *inputs, name=name, **more)

    def constant(self, name: str, value: Any) -> Value:
        """A constant of floats."""
        return self.builder.constant(name, np.ascontiguousarray(value, dtype=np.float32))

    def last(self, x: Value) -> Value:
        """The channels-last form of a tensor whose channels are axis 1."""
        if x.name not in self.moved:
            rank = len(x.shape)
            block = Transpose((0, *range(2, rank), 1))
            self.moved[x.name] = self.add(block, x, name=f"{x.name}.channels_last", marked="layout")
        return self.moved[x.name]

    def first(self, x: Value, name: str) -> Value:
        """The form with channels at axis 1 of a channels-last tensor."""
        rank = len(x.shape)
        made = self.add(Transpose((0, rank - 1, *range(1, rank - 1))), x, name=name, marked="layout")
        self.moved[made.name] = x
        return made

    def within(self, name: str, shape: tuple[int, ...], layer: Any, format: Any) -> Any:
        """A graph of its own of one layer, from an input of this shape."""
        inner = KerasBuilder(name, self.importer)
        x = inner.builder.input("x", shape, format)
        made = list(values_in(inner.importer(inner, Use(layer, (x,), {}, layer.name))))
        return inner.builder.build(*made)


Make = Callable[[KerasBuilder, Any, Value, str], Value]


def of_one(make: Make) -> Callable[[KerasBuilder, Use], Value]:
    """A rule of a layer of one tensor."""
    return lambda build, use: make(build, use.layer, use.only, use.name)


def spatial(make: Make) -> Callable[[KerasBuilder, Use], Value]:
    """A rule of a layer of one tensor with spatial axes, computed channels last in either data format."""

    def built(build: KerasBuilder, use: Use) -> Value:
        if getattr(use.layer, "data_format", None) != "channels_first" or len(use.x.shape) < 3:
            return make(build, use.layer, use.only, use.name)
        return build.first(make(build, use.layer, build.last(use.only), f"{use.name}.channels_last"), use.name)

    return built


def along(build: KerasBuilder, x: Value, axis: int, name: str, make: Callable[[Value, str], Value]) -> Value:
    """What `make` computes along the last axis, along another axis."""
    rank = len(x.shape)
    axis %= rank
    if axis == rank - 1:
        return make(x, name)
    perm = (*(a for a in range(rank) if a != axis), axis)
    moved = build.add(Transpose(perm), x, name=f"{name}.axis_last", marked="layout")
    back = tuple(perm.index(a) for a in range(rank))
    return build.add(Transpose(back), make(moved, f"{name}.made"), name=name, marked="layout")
