"""Domain: which nodes compute in integers, and which tensors are stored as codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hwblocks.errors import ConversionError
from hwblocks.graph.block import Accumulate, Algorithm, Move, Pointwise
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from quantize.recipe import Recipe, TensorRule
from quantize.variants import serves_wide

TABLE_BITS = 16  # a function of one element becomes a table of at most this many input bits


@dataclass(frozen=True, eq=False)
class Domain:
    """The integer part of a prepared float graph.

    integer: names of its nodes. stored: the run-time tensors that have codes: inputs and outputs of those
    nodes; one that a float node makes is quantized at its edge. floats: why each other node stays in float.
    """

    graph: Graph
    integer: frozenset[str]
    stored: tuple[str, ...]
    floats: Mapping[str, str] = field(default_factory=dict)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The integer nodes in order."""
        return tuple(node for node in self.graph.nodes if node.name in self.integer)

    def is_tied(self, node: Node) -> bool:
        """True for an integer node whose output has the format of its activations."""
        return node.name in self.integer and node.block.quant.output == "same"


def check_float(graph: Graph) -> None:
    """Refuse a graph that is quantized already. Raises ConversionError."""
    for tensor in graph.tensors.values():
        if tensor.format.is_quantized:
            raise ConversionError(
                f"graph {graph.name!r}: tensor {tensor.name!r} is quantized already ({tensor.format!r}); "
                "convert the float graph"
            )


def find_domain(graph: Graph, recipe: Recipe) -> Domain:
    """The domain of a prepared float graph."""
    integer: set[str] = set()
    floats: dict[str, str] = {}
    for node in graph.nodes:
        reason = _reason_for_float(graph, recipe, node, integer)
        if reason:
            floats[node.name] = reason
        else:
            integer.add(node.name)
    return Domain(graph, frozenset(integer), _stored(graph, integer), floats)


def _stored(graph: Graph, integer: set[str]) -> tuple[str, ...]:
    wanted: dict[str, None] = {}
    for node in graph.nodes:
        if node.name in integer:
            steering = node.block.steering
            wanted.update(dict.fromkeys(name for i, name in enumerate(node.inputs) if name and i not in steering))
            wanted.update(dict.fromkeys(node.outputs))
    return tuple(t.name for t in graph.runtime_tensors if t.name in wanted)


def _reason_for_float(graph: Graph, recipe: Recipe, node: Node, integer: set[str]) -> str:
    """Why a node stays in float, "" when it computes in integers."""
    block, rule = node.block, node.block.quant
    if rule.output == "float" or not isinstance(block, (Accumulate, Move, Pointwise, Algorithm)):
        return f"{node.type_name} has no integer meaning"
    site, steering = graph.site(node), node.block.steering
    given = [(i, t) for i, t in enumerate(site.inputs) if t is not None and i not in steering]
    if not all(t.format.is_float for t in (*(t for _, t in given), *site.outputs)):
        return "its tensors are not all floats"
    running = [(i, t) for i, t in given if not t.is_constant]
    for position, tensor in running:
        if rule.role(position) in ("bias", "parameter"):
            return f"its {rule.role(position)} {tensor.name!r} is not constant"
    if rule.output == "same" and running and all(_is_float_made(graph, t.name, integer) for _, t in running):
        return "its inputs are floats"
    bits = max((_rule_behind(graph, recipe, t.name).bits for _, t in running), default=0)
    if (isinstance(block, Pointwise) or rule.output == "fixed") and bits > TABLE_BITS and not serves_wide(block):
        return f"a table serves at most {TABLE_BITS} input bits, the recipe says {bits}"
    return ""


def _is_float_made(graph: Graph, name: str, integer: set[str]) -> bool:
    maker = graph.producer.get(name)
    return maker is not None and maker.name not in integer


def _rule_behind(graph: Graph, recipe: Recipe, name: str) -> TensorRule:
    """The rule of the tensor that a chain of format-keeping nodes starts from."""
    maker = graph.producer.get(name)
    while maker is not None and maker.block.quant.output == "same":
        name = next(n for i, n in enumerate(maker.inputs) if n and i not in maker.block.steering)
        maker = graph.producer.get(name)
    return recipe.activations_of(name, *([maker.name] if maker else []))
