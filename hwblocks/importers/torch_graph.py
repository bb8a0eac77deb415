"""PyTorch's exported graphs: nodes with their arguments by name, and what their rules share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from hwblocks.errors import GraphError
from hwblocks.graph.block import Block
from hwblocks.graph.builder import Value
from hwblocks.importers.keras_graph import block, has_block
from hwblocks.importers.onnx_graph import FILE, LAST, Importer, OnnxNode, axis_in_last

Array = np.ndarray[Any, Any]

__all__ = ["FILE", "LAST", "Importer", "Rule", "TorchNode", "block", "one_block", "scalar", "unary"]


class Ref(str):
    """The name of a tensor, among arguments that are plain text."""

    __slots__ = ()


@dataclass(frozen=True)
class TorchNode(OnnxNode):
    """One call of an ATen operator: its arguments by the names of the operator's schema, tensors as Ref."""

    given: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, op: str, name: str, outputs: tuple[str, ...], given: dict[str, Any]) -> TorchNode:
        """The node of a call."""
        return cls(op, name, tuple(refs(given)), outputs, {}, 0, onnx.NodeProto(), given=given)

    def get(self, name: str, default: Any = None) -> Any:
        """An argument, the default where it is absent or None."""
        value = self.given.get(name)
        return default if value is None else value

    @property
    def x(self) -> str:
        """The first tensor."""
        return self.inputs[0]


def refs(given: Any) -> list[Ref]:
    """The tensors among arguments, in order."""
    if isinstance(given, Ref):
        return [given]
    if isinstance(given, dict):
        given = tuple(given.values())
    return [ref for one in given for ref in refs(one)] if isinstance(given, (list, tuple)) else []


@dataclass(frozen=True)
class Rule:
    """How an operator is built, which of its arguments are refused (with the reason), and the blocks that it needs."""

    build: Callable[[Importer, TorchNode], None]
    refuse: Callable[[TorchNode], str] = lambda node: ""
    needs: tuple[str, ...] = ()

    def reason(self, node: TorchNode) -> str:
        """Why this call cannot be imported; "" when it can."""
        absent = [name for name in self.needs if not has_block(name)]
        return self.refuse(node) or (f"needs the block {absent[0]}, which is not there" if absent else "")


def passing(build: Importer, name: str) -> tuple[Value, str]:
    """A tensor in the layout that is there, and that layout."""
    layout = LAST if build.has_last(name) else FILE
    return build.value(name, layout), layout


def unary(make: Callable[[TorchNode], Block], *needs: str) -> Rule:
    """An element-wise operator of one tensor: the layout that is there passes through."""

    def build_unary(build: Importer, node: TorchNode) -> None:
        x, layout = passing(build, node.x)
        build.add(node, make(node), [x], layout)

    return Rule(build_unary, needs=needs)


def one_block(make: Callable[[TorchNode], Block], *needs: str) -> Rule:
    """An operator that is one block of its tensors in the file's layout."""

    def build_one(build: Importer, node: TorchNode) -> None:
        build.add(node, make(node), [build.value(name) for name in node.inputs])

    return Rule(build_one, needs=needs)


def scalar(build: Importer, node: TorchNode, name: str, value: Any) -> Value:
    """A number as a constant beside a node."""
    return build.builder.constant(f"{node.name}.{name}", np.array(float(value), dtype=np.float32))


def along(build: Importer, node: TorchNode, dim: int) -> tuple[Value, str, int]:
    """The first tensor in the layout that is there, that layout, and where an axis of the file stands in it."""
    x, layout = passing(build, node.x)
    rank = len(x.shape)
    if not -max(rank, 1) <= dim < max(rank, 1):
        raise GraphError(f"dim={dim} is not an axis of {x.shape}")
    return x, layout, axis_in_last(dim, rank) if layout == LAST else dim % max(rank, 1)


def per_axis(value: Any, axes: int, default: Any = None) -> tuple[int, ...]:
    """One number for each axis; PyTorch writes one for all, or an empty list for the default."""
    if value is None or value == []:
        return per_axis(default, axes)
    given = [value] if isinstance(value, int) else list(value)
    return tuple(int(v) for v in (given * axes if len(given) == 1 else given))
