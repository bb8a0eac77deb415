"""MatMul with a constant matrix as Linear: the same sums, with room for a bias."""

from __future__ import annotations

import numpy as np

from hwblocks.blocks.linear import Linear, MatMul
from hwblocks.graph.graph import Graph
from hwblocks.graph.rewrite import Rewriter
from hwblocks.graph.tensor import Origin


def apply(graph: Graph) -> Graph:
    """a · B with a run-time a and a constant B [K, N] becomes Linear with w = Bᵀ; the order of K stays."""
    edit = Rewriter(graph)
    for node in graph.nodes:
        if not isinstance(node.block, MatMul):
            continue
        a, b = (graph.tensors[name] for name in node.inputs)
        if a.is_constant or b.value is None or b.value.ndim != 2:
            continue
        name = edit.constant(
            f"{b.name}.transposed", np.asarray(b.value.T), format=b.format, origin=Origin(b.origin_name)
        )
        edit.replace(node, node.replace(block=Linear(), inputs=(a.name, name)))
    return edit.build()
