"""Passes: rewrites of a float graph that leave its values as they are and make it easier to quantize.

Each file states `apply(graph) -> graph`. A pass keeps the name of every tensor whose values it keeps.
"""

from __future__ import annotations

from collections.abc import Callable

from hwblocks.graph.graph import Graph
from hwblocks.graph.rewrite import without_dead_nodes
from quantize.passes import (
    fold_batch_norm,
    fold_constants,
    fuse_bias,
    fuse_clamp,
    matmul_to_linear,
    recognise,
    remove_identity,
    split_constants,
)

PASSES: tuple[Callable[[Graph], Graph], ...] = (
    without_dead_nodes,
    fold_constants.apply,
    remove_identity.apply,
    recognise.apply,
    matmul_to_linear.apply,
    fuse_bias.apply,
    fold_batch_norm.apply,
    fuse_bias.apply,  # a bias that stood behind a batch normalization
    fuse_clamp.apply,
    split_constants.apply,
)


def prepare(graph: Graph) -> Graph:
    """The float graph after all passes; a prepared graph is left as it is."""
    for rewrite in PASSES:
        graph = rewrite(graph)
    return graph
