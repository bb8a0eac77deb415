"""Integer graphs from formats that a file states itself: QDQ, QONNX and QCDQ models, without calibration."""

from __future__ import annotations

from hwblocks.dialects import dialect
from hwblocks.graph.graph import Graph
from hwblocks.graph.rewrite import without_dead_nodes
from hwblocks.graph.tensor import Origin
from quantize.proof import unproven
from quantize.recipe import Recipe
from quantize.stated.grids import QUANTIZERS, on_grids
from quantize.stated.layers import integer_layers
from quantize.stated.moves import moved_to_codes


def states_formats(graph: Graph) -> bool:
    """True for a graph that carries quantizers or quantized tensors of its own."""
    if any(node.type_name in QUANTIZERS for node in graph.nodes):
        return True
    return any(tensor.format.is_quantized for tensor in graph.tensors.values())


def convert_stated(graph: Graph, recipe: Recipe | None = None) -> Graph:
    """The integer graph of a model that states its formats.

    Sums of products of codes become integer nodes. Where only clamps and a quantizer of one scale follow, they are
    requantized (by one float32 multiplication, as the standard's integer operators; by the recipe where one is given);
    where other float operators stand between, those become a MultiThreshold on the exact sums or a Lookup on the
    codes, computed from these very operators. Nodes that are integer already keep the arithmetic of the graph's
    dialect. What stays in float, and why, is told in `metadata["notes"]`.
    """
    if graph.dialect:
        graph = dialect(graph.dialect).applied(graph, keep_stated=True).replace(dialect="")
    graph = moved_to_codes(on_grids(graph))
    graph, notes = integer_layers(graph, recipe)
    graph = with_own_names(without_dead_nodes(graph))
    facts = {
        "recipe": recipe.name if recipe is not None else "stated",
        "notes": "\n".join(notes),
        "accumulator": "\n".join(unproven(graph)) or "safe",
    }
    return graph.replace(metadata={**graph.metadata, **facts})


def with_own_names(graph: Graph) -> Graph:
    """The graph in which codes bear the name of the float tensor they stand for, where that one is gone."""
    names: dict[str, str] = {}
    for name, tensor in graph.tensors.items():
        wanted = tensor.origin.name if tensor.origin else name
        if name != wanted and wanted not in graph.tensors and wanted not in names.values():
            names[name] = wanted
    tensors = {}
    for name, tensor in graph.tensors.items():
        own = names.get(name, name)
        tensors[own] = tensor.replace(name=own, origin=tensor.origin or Origin(name))
    nodes = tuple(
        node.replace(
            inputs=tuple(names.get(n, n) for n in node.inputs), outputs=tuple(names.get(n, n) for n in node.outputs)
        )
        for node in graph.nodes
    )
    return graph.replace(tensors=tensors, nodes=nodes)
