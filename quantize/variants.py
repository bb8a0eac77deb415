"""Variants in a recipe: the integer meanings of non-linearities, softmax and normalizations, node by node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hwblocks.errors import ConversionError, HwblocksError, RecipeError
from hwblocks.graph.algorithm import named, variant_of
from hwblocks.graph.block import Block, Pointwise
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from quantize.recipe import Recipe


def takes_variants(block: Block) -> bool:
    """True for blocks that state a variant; clamps have no other meaning than theirs."""
    return hasattr(block, "variant") and not (isinstance(block, Pointwise) and block.clamp is not None)


def with_variants(graph: Graph, recipe: Recipe) -> Graph:
    """The float graph whose blocks state the variants that the recipe's overrides ask for.

    Nodes without variants that a pattern matches beside others are left as they are.
    Errors: RecipeError where a matched block does not know its variant, or no matched node has variants.
    """
    for position, override in enumerate(recipe.override):
        matched = [node for node in graph.nodes if override.matches([node.name])]
        if isinstance(override.variant, str) and not any(takes_variants(node.block) for node in matched):
            raise RecipeError(
                f"recipe {recipe.name!r}: {override.match!r} matches no node that has variants in graph "
                f"{graph.name!r}; name a non-linearity - at `$.override[{position}].variant`"
            )
    nodes = tuple(_changed(graph, node, recipe) for node in graph.nodes)
    return graph if nodes == graph.nodes else graph.replace(nodes=nodes)


def _changed(graph: Graph, node: Node, recipe: Recipe) -> Node:
    text = recipe.variant_of(node.name)
    if text is None or not takes_variants(node.block) or node.block.variant == text:  # type: ignore[attr-defined]
        return node
    block: Any = node.block
    try:
        changed: Block = replace(block, variant=text)
        changed.shape(*graph.site(node).shapes)
    except HwblocksError as error:
        raise RecipeError(f"recipe {recipe.name!r}, {node.where}: {error.message}") from None
    return node.replace(block=changed)


def variant_notes(graph: Graph) -> list[str]:
    """What the fits of an integer graph's variants reach."""
    notes = []
    for node in graph.nodes:
        text = variant_of(node.block)
        found = None if text is None else named(node.block, text)
        error = found.fit_error(graph.site(node)) if found is not None and graph.site(node).is_integer else None
        if error is not None:
            notes.append(
                f"{node.where}: {text} is within {error:.3g} output steps of the function before it is rounded"
            )
    return notes


def serves_wide(block: Block) -> bool:
    """True when the block's variant computes more than 16 input bits."""
    text = variant_of(block)
    found = None if text is None else named(block, text)
    return found is not None and found.offer is not None and found.offer.wide


def refuse_variants(graph: Graph, recipe: Recipe | None) -> None:
    """Raises ConversionError for variants in a graph that states its formats: its functions become one table each."""
    asked = [o.match for o in recipe.override if isinstance(o.variant, str)] if recipe is not None else []
    stated = [node.where for node in graph.nodes if variant_of(node.block) is not None]
    if asked or stated:
        raise ConversionError(
            f"graph {graph.name!r} states its own formats, so its functions are tables of what it states; variants of "
            f"{', '.join([*stated, *map(repr, asked)])} need a float graph"
        )
