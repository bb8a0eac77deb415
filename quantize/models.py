"""Models in any form that the public functions take: a graph, a chain of blocks, a file."""

from __future__ import annotations

from pathlib import Path

from hwblocks.graph.builder import Sequential
from hwblocks.graph.graph import Graph

Model = Graph | Sequential | str | Path


def as_graph(model: Model) -> Graph:
    """The graph of a model; importers are imported only where a file is read."""
    if isinstance(model, Graph):
        return model
    if isinstance(model, Sequential):
        return model.graph()
    from hwblocks.importers.load import load

    return load(model)
