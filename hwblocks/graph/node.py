"""A node of a graph: a block applied to named tensors, with the arithmetic it uses in integers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hwblocks.graph.quant_rule import Preference
from hwblocks.numerics.arithmetic import Arithmetic

if TYPE_CHECKING:
    from hwblocks.graph.block import Block


@dataclass(frozen=True)
class Node:
    """One application of a block.

    `inputs` holds tensor names in the block's order, "" for an absent optional input.
    `clamp` is a fused activation: the result is limited to these real bounds (float and integer alike).
    `arithmetic` is the integer arithmetic written by the quantizer or an importer; float graphs have none.
    `preference` is the width or format that the first output should have in integers; a recipe's override wins.
    `marked` names why an importer added the node ("layout" for transposes at the edges; cost 0).
    """

    name: str
    block: Block
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    clamp: tuple[float, float] | None = None
    arithmetic: Arithmetic | None = None
    source_name: str = ""
    marked: str = ""
    attributes: dict[str, str] = field(default_factory=dict, hash=False)
    preference: Preference | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "outputs", tuple(self.outputs))

    @property
    def type_name(self) -> str:
        """The block's class name, for example "Conv2d"."""
        return type(self.block).__name__

    @property
    def where(self) -> str:
        """How messages name this node: `Conv2d 'conv1'`."""
        return f"{self.type_name} {self.name!r}"

    def replace(self, **changes: Any) -> Node:
        """A copy with some fields changed."""
        return replace(self, **changes)
