"""ONNX functions: those that a model defines, and operators that the standard defines by other operators."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import onnx
from onnx import defs, inliner

from hwblocks.importers.onnx_node import graphs_of

STANDARD = ("", "ai.onnx")
DEEPEST = 8  # functions made of functions


def with_functions_expanded(model: onnx.ModelProto, served: Collection[str]) -> onnx.ModelProto:
    """The model with every function that no rule serves replaced by the nodes that define it.

    Operators with a rule stay as they are. So do those whose definition cannot be put in, for example because it needs
    the type of an absent input; they are refused with all others that have no rule.
    """
    made = model
    try:
        made = inliner.inline_local_functions(model) if model.functions else model
        for _ in range(DEEPEST):
            wanted = sorted(expandable(made, served))
            if not wanted:
                break
            made = inliner.inline_selected_functions(made, wanted, inline_schema_functions=True)
    except Exception:  # whatever the compiled part raises
        return made
    return made


def expandable(model: onnx.ModelProto, served: Collection[str]) -> set[tuple[str, str]]:
    """(domain, name) of operators without a rule that the standard defines by others."""
    versions = {"" if entry.domain in STANDARD else entry.domain: entry.version for entry in model.opset_import}
    found = set()
    for node in every_node(model.graph):
        domain = "" if node.domain in STANDARD else node.domain
        name = f"{domain}:{node.op_type}" if domain else node.op_type
        if name in served or domain not in versions or not defs.has(node.op_type, versions[domain], domain):
            continue
        schema: Any = defs.get_schema(node.op_type, versions[domain], domain)
        if schema.has_function or schema.has_context_dependent_function:
            found.add((domain, node.op_type))
    return found


def every_node(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph and of the graphs in it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in graphs_of(attribute):
                yield from every_node(inner)
